"""Units of networks: one place of a layer, a channel, or any direction in a layer, as an object to give to a verb."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._core._memory import available_memory
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._responses import responses as make_responses
from consilience._stimuli import check_stimuli
from consilience.networks._forward import evaluation, run_block
from consilience.networks._layout import Leaf
from consilience.networks._network import Network, block_of
from consilience.networks._tap import Spot, base_of, locate, look, tapped

__all__ = [
    "Columns",
    "Unit",
    "as_units",
    "make_channel",
    "make_direction",
    "make_unit",
    "record_units",
    "respond",
]

_LARGEST_BATCH = 256
_LARGEST_OUTPUT = 32 << 20  # bytes of the largest array in a batch
_MAP_AXES = ("z", "y", "x", "token")


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
        return respond([self], stimuli, batch_size=batch_size, device=device)[:, 0]

    def record(
        self, stimuli: Any, *, batch_size: int | None = None, device: str | None = None
    ) -> xr.DataArray:
        """Its activations as responses (trial, unit), kind "activation"; see `cs.networks.record_units`."""
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
        axis = _channel_axis(leaf)
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


def _channel_axis(leaf: Leaf) -> int:
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


def make_unit(
    net: Network,
    layer: str,
    index: int | None,
    channel: int | None,
    places: Mapping[str, int | None],
    name: str | None,
) -> Unit:
    """See `Network.unit`."""
    who = "Network.unit"
    base = base_of(net, layer, who=who)
    asked = {axis: place for axis, place in places.items() if place is not None}
    if (index is None) == (channel is None):
        raise InputError(
            f"{who}: give the number of a unit in the flattened layer, or channel=; got "
            f"{'neither' if index is None else 'both'}.",
            code="bad-parameter",
        )
    if index is not None:
        if asked:
            raise InputError(
                f"{who}: {', '.join(asked)} go with channel=, not with the number of a unit.",
                code="bad-parameter",
            )
        index = check_count(index, name="index", who=who)
        unit = Unit(net, layer, name or f"{layer}[{index}]", index=index)
    else:
        channel = check_count(channel, name="channel", who=who)
        at = {axis: check_count(place, name=axis, who=who) for axis, place in asked.items()}
        where = "".join(f", {axis} {place}" for axis, place in at.items()) or ", middle"
        unit = Unit(net, layer, name or f"{layer}[channel {channel}{where}]", channel=channel, at=at)
    _early(net, base, layer, unit)
    return unit


def make_channel(net: Network, layer: str, channel: int, name: str | None) -> Unit:
    """See `Network.channel`."""
    who = "Network.channel"
    base = base_of(net, layer, who=who)
    channel = check_count(channel, name="channel", who=who)
    unit = Unit(net, layer, name or f"{layer}[channel {channel}]", channel=channel, spatial="mean")
    _early(net, base, layer, unit)
    return unit


def make_direction(
    net: Network, layer: str, vector: Any, bias: float, name: str | None, spatial: str
) -> Unit:
    """See `Network.direction`."""
    who = "Network.direction"
    base = base_of(net, layer, who=who)
    check_option(spatial, ["flatten", "mean"], name="spatial", who=who)
    weights = np.array(to_numpy(vector), dtype=np.float64)
    if weights.ndim != 1 or not weights.size or not np.isfinite(weights).all() or not weights.any():
        raise InputError(
            f"{who}: vector must be one finite weight per unit of the layer, not all 0; got shape "
            f"{weights.shape}.",
            code="bad-vector",
        )
    bias = check_number(bias, name="bias", who=who)
    weights.flags.writeable = False
    if name is None:  # two directions of one layer do not share a name
        name = f"{layer}[direction {hashlib.sha256(weights.tobytes()).hexdigest()[:6]}]"
    unit = Unit(net, layer, name, vector=weights, bias=bias, spatial=spatial)
    _early(net, base, layer, unit)
    return unit


def _early(net: Network, base: str, layer: str, unit: Unit) -> None:
    """Refuses at once what the shape seen last already rules out."""
    sizes = net._shapes.get(base)
    if sizes is None or layer != base:
        return
    kinds = dict(zip(net.layers["name"], net.layers["type"]))
    from consilience.networks._layout import axis_names

    leaf = Leaf(layer, 0, sizes, axis_names(sizes, kinds.get(base, "")), "flatten")
    unit.place(leaf)
    if unit.vector is not None:
        _check_width(unit, leaf)


def _check_width(unit: Unit, leaf: Leaf) -> None:
    assert unit.vector is not None
    flat = unit.spatial == "flatten" or len(leaf.shape) < 2
    width = math.prod(leaf.shape) if flat else leaf.shape[_channel_axis(leaf)]
    if unit.vector.size != width:
        raise InputError(
            f"{unit.name}: the vector has {unit.vector.size:,} weights, but layer {unit.layer!r} of "
            f"{unit.network.name} has {width:,} {'units' if flat else 'channels'} (its shape per stimulus is "
            f"{leaf.shape}); use spatial={'mean' if flat else 'flatten'!r} or another vector.",
            code="bad-vector",
        )


def as_units(units: Any, *, who: str) -> list[Unit]:
    """A unit, or a list of units of one network, as a list."""
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


class Columns:
    """Reads some units of one array (n, *shape): values (n, k), of NumPy or torch, gradients included."""

    def __init__(self, units: Sequence[Unit], leaf: Leaf) -> None:
        self.leaf = leaf
        places = [unit.place(leaf) for unit in units]
        self.flat = [place for place in places if place is not None]
        self.means: list[int] = []
        self.weights: dict[str, list[np.ndarray]] = {"flatten": [], "mean": []}
        self.biases: dict[str, list[float]] = {"flatten": [], "mean": []}
        order: dict[str, list[int]] = {"flat": [], "means": [], "flatten": [], "mean": []}
        for i, (unit, place) in enumerate(zip(units, places)):
            if place is not None:
                order["flat"].append(i)
            elif unit.channel is not None:
                self.means.append(unit.channel)
                order["means"].append(i)
            else:
                _check_width(unit, leaf)
                assert unit.vector is not None
                self.weights[unit.spatial].append(unit.vector)
                self.biases[unit.spatial].append(unit.bias)
                order[unit.spatial].append(i)
        came = [i for kind in ("flat", "means", "flatten", "mean") for i in order[kind]]
        self.order = np.argsort(np.array(came, dtype=np.intp))
        self._on: dict[Any, Any] = {}  # weights as tensors, by type and device

    def __call__(self, values: Any) -> Any:
        n = values.shape[0]
        parts = []
        if self.flat:
            parts.append(values.reshape(n, -1)[:, self.flat])
        if self.means:
            parts.append(self._places(values)[:, :, self.means].mean(axis=(1, 3)))
        for spatial in ("flatten", "mean"):
            if self.weights[spatial]:
                flat = spatial == "flatten" or len(self.leaf.shape) < 2
                rows = values.reshape(n, -1) if flat else self._places(values).mean(axis=(1, 3))
                weights, biases = self._weights(spatial, rows)
                parts.append(rows @ weights + biases)
        if isinstance(values, np.ndarray):
            return np.concatenate(parts, axis=1)[:, self.order]
        import torch

        # values that are read from half precision and readouts in full precision stand side by side
        kind = parts[0].dtype
        for part in parts:
            kind = torch.promote_types(kind, part.dtype)
        return torch.cat([part.to(kind) for part in parts], dim=1)[:, self.order.tolist()]

    def _places(self, values: Any) -> Any:
        """(n, before, channel, after): the places before and after the channel axis."""
        axis, sizes = _channel_axis(self.leaf), self.leaf.shape
        if not isinstance(values, np.ndarray) and not values.is_floating_point():
            values = values.float()
        return values.reshape(
            values.shape[0], math.prod(sizes[:axis]), sizes[axis], math.prod(sizes[axis + 1 :])
        )

    def _weights(self, spatial: str, rows: Any) -> tuple[Any, Any]:
        stacked = np.stack(self.weights[spatial], axis=1)
        if isinstance(rows, np.ndarray):
            return stacked, np.array(self.biases[spatial])
        key = spatial, rows.dtype, rows.device
        if key not in self._on:
            import torch

            kind = rows.dtype if rows.is_floating_point() else torch.float32
            self._on[key] = (
                torch.as_tensor(stacked, dtype=kind, device=rows.device),
                torch.as_tensor(self.biases[spatial], dtype=kind, device=rows.device),
            )
        weights, biases = self._on[key]
        return weights, biases


def respond(
    units: Unit | Sequence[Unit],
    stimuli: Any,
    *,
    batch_size: int | None = None,
    device: str | None = None,
) -> np.ndarray:
    """Activations of units of one network, of any of its layers, from one pass over the stimuli.

    The network runs in eval mode without gradients, each batch as far as the deepest layer that is read.

    Parameters
    ----------
    units : a unit or a list of k units of one network.   stimuli : n stimuli, what `cs.stimuli` returns or takes.
    batch_size : stimuli per forward pass. Default: by memory.   device : where to run, for this call.

    Returns
    -------
    (n, k) float64.

    Raises
    ------
    InputError : a place outside its layer, a layer that is never called, NaN or infinite activations, a failing
        forward pass.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> net = cs.Network(lambda block: block * 2.0, name="double")
    >>> units = [net.unit("output", 1), net.direction("output", [1.0, 1.0, 0.0], name="sum")]
    >>> cs.networks.respond(units, cs.stimuli(np.eye(3), ids=["a", "b", "c"])).tolist()
    [[0.0, 2.0], [2.0, 2.0], [0.0, 0.0]]
    """
    who = "cs.networks.respond"
    mine = as_units(units, who=who)
    if batch_size is not None:
        batch_size = check_count(batch_size, name="batch_size", who=who, minimum=1)
    data = check_stimuli(stimuli, who=who)
    net, kind, n = mine[0].network, str(data.attrs.get("kind", "array")), data.shape[0]
    out = np.empty((n, len(mine)))
    with evaluation(net, device, who=who) as target:

        def run(rows: Any) -> Any:
            return run_block(net, block_of(data, rows), kind, target, who=who)

        signature = (kind, data.shape[1:], str(data.dtype))
        spots, largest = spots_of(net, mine, lambda count: run([0] * count), signature, who=who)
        each = max(1, largest + data.nbytes // n)
        budget = min((available_memory() or 4 << 30) // 4, 64 * _LARGEST_OUTPUT)
        if getattr(target, "type", "cpu") == "cpu":
            budget = min(budget, _LARGEST_OUTPUT)
        size = batch_size or max(1, min(budget // each, _LARGEST_BATCH, n))
        columns = columns_of(mine, spots)
        for start in range(0, n, size):
            rows = slice(start, min(start + size, n))

            def use(label: str, values: Any, rows: slice = rows) -> None:
                read, places = columns[label]
                if read.weights["flatten"] or read.weights["mean"]:
                    values = values.astype(np.float64) if isinstance(values, np.ndarray) else _double(values)
                part = read(values)
                out[rows, places] = (
                    part if isinstance(part, np.ndarray) else _double(part.detach()).cpu().numpy()
                )

            tapped(net, lambda rows=rows: run(rows), spots, rows.stop - rows.start, use, who=who)  # type: ignore[misc]
    bad = ~np.isfinite(out)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise InputError(
            f"{who}: {mine[column].name} of {net.name} is NaN or infinite, first for stimulus "
            f"{shorten(data['stimulus'].values[row].item(), 40)}; check the weights and the scaling of the input.",
            code="nan-values",
        )
    return out


def _double(values: Any) -> Any:
    return values.double() if values.device.type != "mps" else values.float()


def spots_of(
    net: Network, units: Sequence[Unit], run: Callable[[int], Any], signature: tuple[Any, ...], *, who: str
) -> tuple[dict[str, Spot], int]:
    """Where the units' layers are, and the bytes of the network's largest array; kept for inputs of this kind."""
    key = (*signature, tuple(net.layer_names) if net.is_module else ())
    if net._spots is None or net._spots[0] != key:
        net._spots = key, look(net, run)
    seen = net._spots[1]
    labels = dict.fromkeys(unit.layer for unit in units)
    return {label: locate(net, seen, label, who=who) for label in labels}, seen.largest


def columns_of(units: Sequence[Unit], spots: Mapping[str, Spot]) -> dict[str, tuple[Columns, list[int]]]:
    """For each layer the reader of its units, and their places in the list."""
    places: dict[str, list[int]] = {}
    for i, unit in enumerate(units):
        places.setdefault(unit.layer, []).append(i)
    return {
        label: (Columns([units[i] for i in mine], spots[label][1]), mine) for label, mine in places.items()
    }


def record_units(
    units: Unit | Sequence[Unit],
    stimuli: Any,
    *,
    batch_size: int | None = None,
    device: str | None = None,
) -> xr.DataArray:
    """Records units of one network as responses, whatever layers they are of: one trial per stimulus.

    Parameters as in `cs.networks.respond`.

    Returns
    -------
    responses (trial, unit) float64, kind "activation", with coordinates ``stimulus`` and the stimuli's labels on
    trial, and the units' names and ``layer`` on unit.

    Raises
    ------
    InputError : as `respond`; two units of one name.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> net = cs.Network(lambda block: block * 2.0, name="double")
    >>> units = [net.unit("output", i) for i in (2, 0)]
    >>> cs.networks.record_units(units, cs.stimuli(np.eye(3), ids=["a", "b", "c"])).unit.values.tolist()
    ['output[2]', 'output[0]']
    """
    mine = as_units(units, who="cs.networks.record_units")
    data = check_stimuli(stimuli, who="cs.networks.record_units")
    values = respond(mine, data, batch_size=batch_size, device=device)
    names = [unit.name for unit in mine]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"cs.networks.record_units: two units have the name {twice!r}; pass name= to net.unit, net.channel or "
            "net.direction.",
            code="repeated-ids",
        )
    labels: dict[str, Any] = {
        str(name): coord.values
        for name, coord in data.coords.items()
        if coord.dims == ("stimulus",) and name not in ("stimulus", "unit", "trial", "layer")
    }
    out = make_responses(
        values,
        kind="activation",
        stimulus=data["stimulus"].values,
        unit=names,
        system=mine[0].network.name,
        **labels,
    )
    return out.assign_coords(layer=("unit", [unit.layer for unit in mine]))
