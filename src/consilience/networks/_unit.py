"""Units of networks: one place of a layer, a channel, or any direction in a layer, as an object to give to a verb."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._responses._check import refuse_result
from consilience.networks._layout import Leaf
from consilience.networks._network import Network

__all__ = ["Unit", "as_units", "channel_axis", "check_width"]


@dataclass(frozen=True, eq=False, repr=False)
class Unit:
    """One number of a network per stimulus: made by `Network.unit`, `Network.channel` and `Network.direction`.

    network, layer : where it is read; ``layer`` is a name as in the result of `cs.record`.
    name : what results show.
    index : its place in the flattened layer; or channel : which channel, ``at`` its place in the map (None: mean
    over places); or vector : the weights of a linear readout, ``bias`` added.
    """

    network: Network
    layer: str
    name: str
    index: int | None = None
    channel: int | None = None
    at: Mapping[str, int | None] | None = None
    vector: np.ndarray | None = None
    bias: float = 0.0
    spatial: str = "flatten"

    def respond(
        self, stimuli: Any, *, batch_size: int | None = None, device: str | None = None
    ) -> np.ndarray:
        """Its activation for each stimulus, (n,) float64, without gradients.

        Parameters
        ----------
        stimuli : what `cs.stimuli` returns or takes, n of them.
        batch_size : stimuli per forward pass. Default: by memory.   device : where to run, for this call.

        Raises
        ------
        InputError : a place outside the layer, a failing forward pass, NaN or infinite activations.

        Examples
        --------
        >>> import numpy as np, consilience as cs
        >>> net = cs.Network(lambda block: block * 2.0, name="double")
        >>> net.unit("output", 1).respond(cs.stimuli(np.eye(3), ids=["a", "b", "c"]))
        array([0., 2., 0.])
        """
        from consilience.networks._unit_respond import respond

        return respond([self], stimuli, batch_size=batch_size, device=device)[:, 0]

    def record(
        self, stimuli: Any, *, batch_size: int | None = None, device: str | None = None
    ) -> xr.DataArray:
        """Its activations as responses (trial, unit), kind "activation"; see `cs.networks.record_units`."""
        from consilience.networks._unit_respond import record_units

        return record_units([self], stimuli, batch_size=batch_size, device=device)

    def activation(self, *inputs: Any, **named: Any) -> Any:
        """Its activation (n,) for what the module itself gets (after preprocess), as a tensor through which
        gradients with respect to the inputs flow; parameters get none.
        """
        from consilience.networks._gradient import activations

        return activations([self], *inputs, **named)[:, 0]

    def place(self, leaf: Leaf) -> int | None:
        """Index in the flattened layer of this shape; None for a mean or a readout."""
        if self.index is not None:
            if self.index >= math.prod(leaf.shape):
                raise _outside(self, f"has {math.prod(leaf.shape):,} units", leaf.shape)
            return self.index
        if self.channel is None:
            return None
        axis = channel_axis(leaf)
        if self.channel >= leaf.shape[axis]:
            raise _outside(self, f"has {leaf.shape[axis]:,} channels", leaf.shape)
        if self.at is None:
            return None
        spot = []
        for name, size in zip(leaf.axes, leaf.shape):
            if name == leaf.axes[axis]:
                spot.append(self.channel)
                continue
            asked = self.at.get(name)
            if asked is not None and asked >= size:
                raise _outside(self, f"has {size} places along {name}", leaf.shape)
            spot.append(size // 2 if asked is None else asked)
        strange = [name for name, asked in self.at.items() if asked is not None and name not in leaf.axes]
        if strange:
            raise _outside(self, f"has the axes {', '.join(leaf.axes)} and no {strange[0]}", leaf.shape)
        return int(np.ravel_multi_index(tuple(spot), leaf.shape))

    def __repr__(self) -> str:
        return f"Unit {self.name!r} of {self.network.name}"


def channel_axis(leaf: Leaf) -> int:
    for name in ("channel", "feature"):
        if name in leaf.axes:
            return leaf.axes.index(name)
    return len(leaf.shape) - 1 if len(leaf.shape) == 1 else 0


def _outside(unit: Unit, what: str, sizes: Sequence[int]) -> InputError:
    return InputError(
        f"{unit.name}: there is no such unit: layer {unit.layer!r} of {unit.network.name} {what} (its shape per "
        f"stimulus is {tuple(sizes)}).",
        code="no-such-unit",
    )


def check_width(unit: Unit, leaf: Leaf) -> None:
    assert unit.vector is not None
    flat = unit.spatial == "flatten" or len(leaf.shape) < 2
    width = math.prod(leaf.shape) if flat else leaf.shape[channel_axis(leaf)]
    if unit.vector.size != width:
        raise InputError(
            f"{unit.name}: the vector has {unit.vector.size:,} weights, but layer {unit.layer!r} of "
            f"{unit.network.name} has {width:,} {'units' if flat else 'channels'} (its shape per stimulus is "
            f"{leaf.shape}); use spatial={'mean' if flat else 'flatten'!r} or another vector.",
            code="bad-vector",
        )


def as_units(units: Any, *, who: str) -> list[Unit]:
    """A unit, or a list of units of one network, as a list."""
    refuse_result(units, who=who, name="units", expected="units of a network")
    found = [units] if isinstance(units, Unit) else units
    if (
        isinstance(found, (str, bytes, Mapping))
        or not isinstance(found, Sequence)
        or not found
        or not all(isinstance(unit, Unit) for unit in found)
    ):
        raise InputError(
            f"{who}: units of a network are needed (net.unit(layer, 12), net.channel(...), net.direction(...)) or a "
            f"list of them, got {shorten(units)}.",
            code="bad-unit",
        )
    if any(unit.network is not found[0].network for unit in found):
        raise InputError(
            f"{who}: the units are of several networks; give those of one network at a time.", code="bad-unit"
        )
    return list(found)
