"""What a lesion can remove: units, channels, whole layers or directions of a network, as parts that masks count."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, require, shorten
from consilience._stimuli import check_stimuli
from consilience.networks._forward import evaluation, run_block
from consilience.networks._layout import Leaf, axis_names
from consilience.networks._network import Network, block_of
from consilience.networks._tap import Seen, base_of, locate, look
from consilience.networks._unit import Unit, as_units, channel_axis, check_width

__all__ = ["Parts", "Place", "Site", "chosen_steps", "make_parts", "seen_of"]

_LABEL = re.compile(r"(?P<base>.+?)(?P<call>#\d+)?(?P<suffix>\[.*\])?")
_SHAPES = {"units", "channels", "layer", "heads", "components"}


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


def seen_of(net: Network, data: xr.DataArray, target: Any, *, who: str) -> Seen:
    """The shapes of all arrays of the network for these stimuli; kept with the network, as for its units."""
    kind = str(data.attrs.get("kind", "array"))
    key = (kind, data.shape[1:], str(data.dtype), tuple(net.layer_names))
    if net._spots is None or net._spots[0] != key:
        net._spots = (
            key,
            look(net, lambda count: run_block(net, block_of(data, [0] * count), kind, target, who=who)),
        )
    seen: Seen = net._spots[1]
    return seen


def make_parts(
    net: Network,
    layer: str | Sequence[str] | None,
    stimuli: Any,
    *,
    parts: Any = None,
    parts_of: str = "units",
    n_heads: int | None = None,
    times: Any = None,
    device: str | None = None,
    who: str,
) -> Parts:
    """The parts of a network that lesions are made of.

    Parameters
    ----------
    layer : a name as in the result of `cs.record`, or a list of them. A module that is called again and again (a
        recurrent cell) is one layer without "#call"; its parts are then lesioned at every call, or at ``times``. Of
        nn.RNN, nn.LSTM and nn.GRU: the hidden state (``"lstm"``; ``"lstm.0"``, ``"lstm.1"`` its layers), which feeds
        back. ``"<layer>.input"`` is what goes into a layer.
    stimuli : show the shapes; also the reference from which replaced values come unless another is given.
    parts : None: the channels (features) of a map, the units of a flat layer; "units", "channels", "layer", "heads";
        "components" or a number k: principal components of the layer over the stimuli (of maps: of the channels, each
        place a sample); a mapping {name: numbers} of units of the flattened layer, or of channels with
        ``parts_of="channels"``; an array (k, units) or (k, channels) of directions; a list of `Unit`.
    times : of a layer with steps (tokens, calls): the steps at which it is lesioned. None: all.

    Raises
    ------
    InputError : a callable, parts that do not exist or are empty, times that the layer does not have.
    """
    if not net.is_module:
        raise InputError(
            f"{who}: {net.name} is a callable; a lesion needs the layers of a torch module.",
            code="not-a-module",
        )
    require("torch", extra="torch", purpose=who)
    data = check_stimuli(stimuli, who=who)
    units = _units(net, layer, parts, who=who)
    labels = list(dict.fromkeys(unit.layer for unit in units)) if units else _labels(layer, who=who)
    with evaluation(net, device, who=who) as target:
        seen = seen_of(net, data, target, who=who)
        places = [_place(net, seen, label, parts, n_heads, times, data, target, who=who) for label in labels]
    made = _Made(net, data, times, who)
    if units:
        made.of_units(units, dict(zip(labels, places)))
    elif isinstance(parts, Mapping):
        made.of_mapping(parts, parts_of, _one(places, who))
    elif _components(parts):
        from consilience.networks._lesion_components import components

        for place in places:
            most = None if isinstance(parts, str) else check_count(parts, name="parts", who=who, minimum=1)
            rows = components(net, place, data, most, device, who=who)
            made.of_directions(rows, place, [f"{place.label}[component {i + 1}]" for i in range(len(rows))])
    elif parts is None or isinstance(parts, str):
        if parts is not None and parts not in _SHAPES:
            raise InputError(
                f"{who}: parts must be one of {', '.join(sorted(_SHAPES))}, a number of components, a mapping, "
                f"directions or a list of units; got {shorten(parts)}.",
                code="bad-parts",
            )
        for place in places:
            made.of_kind(parts, place, n_heads)
    else:
        made.of_directions(parts, _one(places, who), None)
    return made.done()


def _components(parts: Any) -> bool:
    if isinstance(parts, str):
        return parts == "components"
    return isinstance(parts, (int, np.integer)) and not isinstance(parts, bool)


def _labels(layer: Any, *, who: str) -> list[str]:
    labels = [layer] if isinstance(layer, str) else list(layer) if isinstance(layer, (list, tuple)) else []
    if not labels or not all(isinstance(label, str) for label in labels) or len(set(labels)) < len(labels):
        raise InputError(
            f"{who}: layer must be the name of a layer, or a list of different names; got {shorten(layer)}.",
            code="bad-layers",
        )
    return labels


def _units(net: Network, layer: Any, parts: Any, *, who: str) -> list[Unit]:
    if not isinstance(parts, Unit) and not (
        isinstance(parts, (list, tuple)) and parts and all(isinstance(part, Unit) for part in parts)
    ):
        return []
    units = as_units(parts, who=who)
    if units[0].network is not net:
        raise InputError(
            f"{who}: the units are of {units[0].network.name}, another network than {net.name} that is lesioned.",
            code="bad-unit",
        )
    if layer is not None:
        known = _labels(layer, who=who)
        other = next((unit for unit in units if unit.layer not in known), None)
        if other is not None:
            raise InputError(
                f"{who}: {other.name} is of layer {other.layer!r}, not of {shorten(layer)}; leave layer out.",
                code="bad-unit",
            )
    return units


def _one(places: list[Place], who: str) -> Place:
    if len(places) > 1:
        raise InputError(
            f"{who}: parts that are numbered or directions belong to one layer; got {len(places)} layers.",
            code="bad-parts",
        )
    return places[0]


def _place(
    net: Network,
    seen: Seen,
    label: str,
    parts: Any,
    n_heads: int | None,
    times: Any,
    data: xr.DataArray,
    target: Any,
    *,
    who: str,
) -> Place:
    """The array that ``label`` names."""
    from consilience.networks._lesion_inside import inside

    place = inside(net, seen, label, parts, n_heads, times, data, target, who=who)
    if place is not None:
        return place
    base = base_of(net, label, who=who)
    found = _LABEL.fullmatch(label)
    call, suffix = (found["call"], found["suffix"]) if found and label != base else (None, None)
    if call is None and seen.calls.get(base, 0) > 1 and (times is not None or _is_cell(net, base)):
        keys = [key for key, axis in seen.axes.items() if key[0] == base and axis is not None]
        suffixes = list(dict.fromkeys(key[2] for key in keys))
        suffix = suffix or ""
        if suffix not in suffixes:
            raise InputError(
                f"{who}: layer {base!r} of {net.name} gives {len(suffixes)} arrays at each call "
                f"({', '.join(repr(base + s) for s in suffixes[:6])}); name one of them.",
                code="several-arrays",
            )
        mine = [key for key in keys if key[2] == suffix]
        shapes = {(seen.one[key], seen.axes[key]) for key in mine}
        if len(shapes) > 1:
            raise InputError(
                f"{who}: layer {base!r} of {net.name} gives arrays of {len(shapes)} shapes in its "
                f"{seen.calls[base]} calls; name one call, e.g. {base + '#0' + suffix!r}.",
                code="several-arrays",
            )
        sizes, axis = next(iter(shapes))
        assert axis is not None
        sizes = sizes[:axis] + sizes[axis + 1 :]
        calls = np.array(sorted(key[1] for key in mine))
        chosen = calls if times is None else calls[chosen_steps(times, len(calls), label, who=who)]
        leaf = Leaf(label, axis, sizes, axis_names(sizes, ""), "flatten")
        return Place(label, base, suffix, frozenset(chosen.tolist()), leaf, stepped=True)
    if base in seen.calls and not seen.calls[base]:
        from consilience.networks._lesion_hooks import not_fired

        raise not_fired(net, label, who=who)
    key, leaf = locate(net, seen, label, who=who)
    return Place(label, base, key[2], frozenset([key[1]]), leaf)


def _is_cell(net: Network, base: str) -> bool:
    import torch

    module = dict(net.module.named_modules(remove_duplicate=False)).get(base)
    return isinstance(module, torch.nn.RNNCellBase)


def chosen_steps(times: Any, n: int, label: str, *, who: str) -> np.ndarray:
    """``times`` as numbers of steps, counted from the end where negative."""
    found = np.atleast_1d(to_numpy(range(n)[times] if isinstance(times, slice) else times))
    good = found.ndim == 1 and found.size > 0
    if good and found.dtype == bool:
        good = found.size == n and bool(found.any())
        found = np.flatnonzero(found) if good else found
    if not good or found.dtype.kind not in "iu" or found.min() < -n or found.max() >= n:
        raise InputError(
            f"{who}: times must be numbers of steps of layer {label!r}, which has {n} (0 to {n - 1}); got "
            f"{shorten(times)}.",
            code="bad-times",
        )
    return np.unique(found % n)


class _Made:
    """Gathers parts, place by place."""

    def __init__(self, net: Network, data: xr.DataArray, times: Any, who: str) -> None:
        self.net, self.data, self.times, self.who = net, data, times, who
        self.names: list[str] = []
        self.layers: list[str] = []
        self.numbers: list[int] = []
        self.sites: list[Site] = []
        self.kinds: list[str] = []

    def done(self) -> Parts:
        twice = (
            next((name for name in self.names if self.names.count(name) > 1), None)
            if len(set(self.names)) < len(self.names)
            else None
        )
        if twice is not None:
            raise InputError(
                f"{self.who}: two parts have the name {twice!r}; give each a name of its own.",
                code="repeated-ids",
            )
        kind = self.kinds[0] if len(set(self.kinds)) == 1 else "parts"
        numbers = np.array(self.numbers, dtype=np.int64)
        return Parts(self.net, self.names, self.layers, kind, numbers, self.sites, self.data)

    def _add(
        self,
        place: Place,
        kind: str,
        names: Sequence[str],
        numbers: Sequence[int],
        space: str,
        owners: np.ndarray,
        places: np.ndarray,
        bases: tuple[np.ndarray, ...] | None = None,
        members: Sequence[int] | None = None,
    ) -> None:
        start = len(self.names)
        if members is None:
            self.names += list(names)
            self.layers += [place.label] * len(names)
            self.numbers += list(numbers)
            members = range(start, start + len(names))
        self.kinds.append(kind)
        owners, places = np.asarray(owners, dtype=np.intp), np.asarray(places, dtype=np.intp)
        self.sites.append(
            Site(place, np.array(members, dtype=np.intp), space, owners, places, bases, self._times(place))
        )

    def _times(self, place: Place) -> np.ndarray | None:
        if self.times is None or place.stepped:
            return None
        if "token" not in place.leaf.axes:
            raise InputError(
                f"{self.who}: layer {place.label!r} has no steps (its shape per stimulus is {place.leaf.shape}); "
                "times= is for sequences and for modules that are called again and again.",
                code="bad-times",
            )
        n = place.leaf.shape[place.leaf.axes.index("token")]
        return chosen_steps(self.times, n, place.label, who=self.who)

    def of_kind(self, kind: str | None, place: Place, n_heads: int | None) -> None:
        shape, label = place.leaf.shape, place.label
        if kind == "layer":
            width = np.arange(place.n_channels)
            self._add(place, "layer", [label], [-1], "channels", np.zeros_like(width), width)
            return
        if kind == "heads":
            if place.mode == "heads":
                n_heads = dict(self.net.module.named_modules(remove_duplicate=False))[place.base].num_heads
            if n_heads is not None:
                n_heads = check_count(n_heads, name="n_heads", who=self.who, minimum=1)
            if n_heads is None or place.n_channels % n_heads:
                raise InputError(
                    f"{self.who}: n_heads must divide the {place.n_channels} features of layer {label!r}; got "
                    f"{shorten(n_heads)}.",
                    code="bad-parameter",
                )
            width = np.arange(place.n_channels)
            owners = width // (place.n_channels // n_heads)
            names = [f"{label}[head {i}]" for i in range(n_heads)]
            self._add(place, "heads", names, range(n_heads), "channels", owners, width)
            return
        if kind == "channels" and len(shape) < 2:
            raise InputError(
                f"{self.who}: layer {label!r} has no channels (its shape per stimulus is {shape}); use parts='units'.",
                code="bad-parts",
            )
        if kind == "units" or len(shape) < 2:
            numbers = np.arange(place.n_units)
            names = [f"{label}[{i}]" for i in numbers]
            space = "channels" if len(shape) < 2 else "units"
            self._add(place, "units", names, numbers.tolist(), space, numbers, numbers)
            return
        numbers = np.arange(place.n_channels)
        what = place.leaf.axes[place.channel_axis]
        what = what if what in ("channel", "feature") else "channel"
        names = [f"{label}[{what} {i}]" for i in numbers]
        self._add(place, "channels", names, numbers.tolist(), "channels", numbers, numbers)

    def of_mapping(self, given: Mapping[Any, Any], parts_of: str, place: Place) -> None:
        if parts_of not in ("units", "channels"):
            raise InputError(
                f"{self.who}: parts_of must be 'units' or 'channels', got {shorten(parts_of)}.",
                code="bad-parameter",
            )
        space = "channels" if parts_of == "channels" or len(place.leaf.shape) < 2 else "units"
        size = place.n_channels if space == "channels" else place.n_units
        owners, places, numbers = [], [], []
        for i, (name, entry) in enumerate(given.items()):
            found = np.atleast_1d(to_numpy(entry))
            if found.dtype == bool and found.shape == (size,):
                found = np.flatnonzero(found)
            fits = found.ndim == 1 and found.size > 0 and found.dtype.kind in "iu"
            if not fits or found.min() < 0 or found.max() >= size:
                raise InputError(
                    f"{self.who}: part {name!r} must be numbers of {parts_of} of layer {place.label!r}, from 0 to "
                    f"{size - 1}; got {shorten(entry)}.",
                    code="no-such-unit",
                )
            found = np.unique(found)
            owners.append(np.full(found.size, i))
            places.append(found)
            numbers.append(int(found[0]) if found.size == 1 else -1)
        if not owners:
            raise InputError(f"{self.who}: parts is empty; name at least one part.", code="bad-parts")
        names = [str(name) for name in given]
        self._add(place, "parts", names, numbers, space, np.concatenate(owners), np.concatenate(places))

    def of_directions(self, given: Any, place: Place, names: list[str] | None) -> None:
        rows = np.atleast_2d(np.array(to_numpy(given), dtype=np.float64))
        widths = {place.n_channels: "channels", place.n_units: "units"}
        if len(place.leaf.shape) < 2:
            widths = {place.n_units: "channels"}
        fits = rows.ndim == 2 and rows.size > 0 and rows.shape[1] in widths
        if not fits or not np.isfinite(rows).all() or not rows.any(axis=1).all():
            raise InputError(
                f"{self.who}: directions must be finite rows, not all 0, of {' or '.join(map(str, widths))} weights "
                f"for layer {place.label!r}; got shape {rows.shape}.",
                code="bad-vector",
            )
        names = names or [f"{place.label}[direction {i}]" for i in range(len(rows))]
        none = np.zeros(0, dtype=np.intp)
        space = widths[rows.shape[1]]
        self._add(
            place, "directions", names, [-1] * len(rows), space, none, none, tuple(row[None] for row in rows)
        )

    def of_units(self, units: Sequence[Unit], places: Mapping[str, Place]) -> None:
        self.names = [unit.name for unit in units]
        self.layers = [unit.layer for unit in units]
        self.numbers = [-1] * len(units)
        for label, place in places.items():
            mine = [i for i, unit in enumerate(units) if unit.layer == label]
            self._of_units([units[i] for i in mine], mine, place)

    def _of_units(self, units: Sequence[Unit], members: list[int], place: Place) -> None:
        flat = len(place.leaf.shape) < 2
        wholes = [unit.vector is None and unit.place(place.leaf) is None for unit in units]
        coarse = [unit.spatial == "mean" and unit.vector is not None for unit in units]
        channels = flat or all(whole or c for whole, c in zip(wholes, coarse))
        space, width = ("channels", place.n_channels) if channels else ("units", place.n_units)
        grid = np.arange(place.n_units).reshape(place.leaf.shape)
        entries: list[np.ndarray] = []
        bases: list[np.ndarray] = []
        for i, unit in enumerate(units):
            if unit.vector is not None:
                check_width(unit, place.leaf)
                entries.append(np.zeros(0, dtype=np.intp))
                if coarse[i] and not channels:
                    bases.append(_spread(unit.vector, place))
                else:
                    bases.append(unit.vector[None])
                continue
            number = unit.place(place.leaf)
            if number is None:
                assert unit.channel is not None
                found = grid.take(unit.channel, axis=place.channel_axis).reshape(-1)
                entries.append(np.array([unit.channel]) if channels else found)
                self.numbers[members[i]] = unit.channel
            else:
                entries.append(np.array([number]))
                self.numbers[members[i]] = number
            bases.append(np.zeros((0, width)))
        owners = np.concatenate([np.full(e.size, i) for i, e in enumerate(entries)])
        spots = np.concatenate(entries)
        if any(unit.vector is not None for unit in units):
            own = [b if b.size else np.eye(width)[e] for b, e in zip(bases, entries)]
            none = np.zeros(0, dtype=np.intp)
            self._add(place, "directions", [], [], space, none, none, tuple(own), members)
        else:
            kind = "channels" if all(wholes) else "units" if not any(wholes) else "parts"
            self._add(place, kind, [], [], space, owners, spots, None, members)


def _spread(vector: np.ndarray, place: Place) -> np.ndarray:
    """(places, units): the direction of the channels at each place of the map, as directions of the units."""
    shape, axis = place.leaf.shape, place.channel_axis
    spots = place.n_units // shape[axis]
    grid = np.moveaxis(np.arange(place.n_units).reshape(shape), axis, -1).reshape(spots, shape[axis])
    out = np.zeros((spots, place.n_units))
    np.put_along_axis(out, grid, vector[None], axis=1)
    return out
