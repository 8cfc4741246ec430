"""Arrays inside a network that lesions change, and the parts that they are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from consilience.networks._layout import Leaf
from consilience.networks._network import Network
from consilience.networks._unit import channel_axis

__all__ = ["Parts", "Place", "Site"]


@dataclass(frozen=True, eq=False)
class Place:
    """An array inside a network that can be changed while it runs. ``mode``: "output" of the module ``base``, its
    "input", the "heads" of an attention module (before their projection), the state of a "recurrent" layer.
    """

    label: str
    base: str
    suffix: str
    calls: frozenset[int] | None  # the calls of the module that count; None: every one
    leaf: Leaf
    mode: str = "output"
    level: int = 0  # of a recurrent module: which of its layers
    stepped: bool = False  # its calls are the steps of a sequence

    @property
    def channel_axis(self) -> int:
        return channel_axis(self.leaf)

    @property
    def n_units(self) -> int:
        return math.prod(self.leaf.shape)

    @property
    def n_channels(self) -> int:
        return self.leaf.shape[self.channel_axis] if self.leaf.shape else 1


@dataclass(frozen=True, eq=False)
class Site:
    """The parts of one place. Entries: number ``places[i]`` (of the channels or of the flattened units, ``space``)
    belongs to part ``owners[i]``. Directions: ``bases[part]`` (d, width).
    """

    place: Place
    members: np.ndarray  # numbers of its parts among all parts
    space: str
    owners: np.ndarray
    places: np.ndarray
    bases: tuple[np.ndarray, ...] | None = None
    times: np.ndarray | None = None  # steps along the token axis; None: all

    @property
    def width(self) -> int:
        return self.place.n_channels if self.space == "channels" else self.place.n_units

    def chosen(self, masks: np.ndarray) -> np.ndarray:
        """(m, width) bool: the entries that each mask (m, P) removes."""
        mine = np.asarray(masks, dtype=bool)[:, self.members]
        out = np.zeros((len(mine), self.width), dtype=bool)
        if self._single:
            out[:, self.places] = mine[:, self.owners]
        else:
            np.logical_or.at(out.T, self.places, mine.T[self.owners])
        return out

    @property
    def _single(self) -> bool:
        return np.unique(self.places).size == self.places.size

    def span(self, mask: np.ndarray) -> np.ndarray:
        """(width, d) orthonormal basis of what the mask (P,) removes."""
        assert self.bases is not None
        chosen = [self.bases[i] for i in np.flatnonzero(mask[self.members])]
        if not chosen:
            return np.zeros((self.width, 0))
        rows = np.concatenate(chosen)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        _, sizes, right = np.linalg.svd(rows, full_matrices=False)
        return right[sizes > 1e-10 * sizes[0]].T


@dataclass(frozen=True, eq=False)
class Parts:
    """P parts of a network that can be removed. ``unit_of`` (P,): the number of the unit or channel in its layer, -1
    where a part is not one of them.
    """

    net: Network
    names: list[str]
    layers: list[str]
    kind: str
    unit_of: np.ndarray
    sites: list[Site]
    stimuli: xr.DataArray = field(repr=False)

    def __len__(self) -> int:
        return len(self.names)
