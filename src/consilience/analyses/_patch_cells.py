"""Which activations a patch puts over: pairs of stimuli, and the grid of layers, places and parts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, nearest
from consilience._core._params import check_count, shorten

__all__ = ["ALL", "both", "grid", "layer_entries", "named_places", "paired"]

ALL = "all"  # the name of a place or part that is the whole layer


def paired(
    one: xr.DataArray, two: xr.DataArray, pairs: Any, *, names: tuple[str, str], who: str
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Rows of ``one`` and ``two`` that belong together, and a name for each pair; never by their order.

    pairs : None, by equal ids; a list of (id of one, id of two); or the name of a coordinate that both have.
    """
    ids = [np.asarray(data["stimulus"].values).astype(str) for data in (one, two)]
    if pairs is None or isinstance(pairs, str):
        keys = ids
        if pairs is not None:
            for data, name in zip((one, two), names):
                if pairs not in data.coords or data[pairs].dims != data.dims[:1]:
                    known = [str(k) for k, c in data.coords.items() if c.dims == data.dims[:1]]
                    raise InputError(
                        f"{who}: the {name} stimuli have no label {pairs!r} to pair by.{nearest(pairs, known)}",
                        code="unknown-label",
                    )
            keys = [np.asarray(data[pairs].values).astype(str) for data in (one, two)]
        for key, name in zip(keys, names):
            if np.unique(key).size < key.size:
                raise InputError(
                    f"{who}: two {name} stimuli have one and the same {'id' if pairs is None else pairs}, so pairs are "
                    "not known; pass pairs= as a list of (id, id).",
                    code="repeated-ids",
                )
        where = {key: row for row, key in enumerate(keys[1].tolist())}
        lacking = [key for key in keys[0].tolist() if key not in where]
        if lacking or len(keys[0]) != len(keys[1]):
            seen = set(keys[0].tolist())
            odd = lacking or [key for key in where if key not in seen]
            raise InputError(
                f"{who}: {len(odd)} of the stimuli have no partner, first {shorten(odd[0], 40)}; the {names[0]} and "
                f"the {names[1]} stimulus of a pair have the same id, or pass pairs= as a list of ({names[0]} id, "
                f"{names[1]} id), or as the name of a label that both have.",
                code="unpaired-stimuli",
            )
        rows = np.arange(len(keys[0]))
        return rows, np.array([where[key] for key in keys[0].tolist()]), keys[0].tolist()
    entries = list(pairs) if isinstance(pairs, (list, tuple, np.ndarray)) else []
    if not entries or not all(isinstance(e, (tuple, list, np.ndarray)) and len(e) == 2 for e in entries):
        raise InputError(
            f"{who}: pairs must be a list of ({names[0]} id, {names[1]} id) or the name of a label, got "
            f"{shorten(pairs)}.",
            code="bad-parameter",
        )
    found: list[list[int]] = [[], []]
    for k in (0, 1):
        at = {key: row for row, key in enumerate(ids[k].tolist())}
        for entry in entries:
            if str(entry[k]) not in at:
                raise InputError(
                    f"{who}: pairs names the {names[k]} stimulus {shorten(str(entry[k]), 40)}, which is not there."
                    f"{nearest(str(entry[k]), at)}",
                    code="unpaired-stimuli",
                )
            found[k].append(at[str(entry[k])])
    labels = [f"{a} < {b}" if str(a) != str(b) else str(a) for a, b in entries]
    if len(set(labels)) < len(labels):
        raise InputError(f"{who}: pairs names one pair twice; each counts once.", code="repeated-ids")
    return np.array(found[0]), np.array(found[1]), labels


def both(one: xr.DataArray, two: xr.DataArray, *, names: tuple[str, str], who: str) -> xr.DataArray:
    """All stimuli in one array, those of ``two`` after those of ``one``."""
    kinds = [str(data.attrs.get("kind", "array")) for data in (one, two)]
    if kinds[0] != kinds[1] or one.shape[1:] != two.shape[1:]:
        raise InputError(
            f"{who}: {names[0]} and {names[1]} stimuli must be alike, got {kinds[0]} of shape {one.shape[1:]} and "
            f"{kinds[1]} of shape {two.shape[1:]}.",
            code="shape-mismatch",
        )
    values = np.concatenate([one.values, two.values])
    ids = np.arange(len(values)).astype(str)  # for the engine alone, which goes by rows
    return xr.DataArray(values, dims=one.dims, coords={one.dims[0]: ids}, attrs=one.attrs)


def grid(
    layouts: Sequence[tuple[tuple[int, ...], tuple[str, ...], int]],
    labels: Sequence[str],
    places: Any,
    parts: Any,
    window: int,
    *,
    who: str,
) -> tuple[dict[str, list[str]], dict[tuple[int, int, int], dict[int, np.ndarray]]]:
    """Names of the grid's (layer, place, part), and for each cell that exists {number of the layer: entries, bool of
    its shape}. A row of a window is named after its middle layer and holds the ``window`` layers around it.

    layouts : shape, names of the axes and channel axis of each layer.
    """
    rows, columns, kinds = list(labels), list[str](), list[str]()
    half = window // 2
    cells: dict[tuple[int, int, int], dict[int, np.ndarray]] = {}
    for r in range(len(labels)):
        for number in range(max(0, r - half), min(len(labels), r - half + window)):
            shape, axes, channel = layouts[number]
            for (place, part), entries in layer_entries(
                shape, axes, channel, labels[number], places, parts, who=who
            ).items():
                for name, known in ((place, columns), (part, kinds)):
                    if name not in known:
                        known.append(name)
                cells.setdefault((r, columns.index(place), kinds.index(part)), {})[number] = entries
    return {"layer": rows, "place": columns, "part": kinds}, cells


def layer_entries(
    shape: tuple[int, ...],
    axes: tuple[str, ...],
    channel_axis: int,
    label: str,
    places: Any,
    parts: Any,
    *,
    who: str,
) -> dict[tuple[str, str], np.ndarray]:
    """{(place, part): entries} of one layer, bool of its shape per stimulus."""
    where = named_places(shape, axes, channel_axis, label, places, who=who)
    what = _named_parts(shape, channel_axis, label, parts, who=who)
    found = {}
    for (place, at), (part, mine) in itertools.product(where.items(), what.items()):
        found[place, part] = at & mine
    return found


def named_places(
    shape: tuple[int, ...], axes: tuple[str, ...], channel_axis: int, label: str, places: Any, *, who: str
) -> dict[str, np.ndarray]:
    """{name: bool of the shape}."""
    spots = [axis for axis in range(len(shape)) if axis != channel_axis] if len(shape) > 1 else []
    if places is None:
        return {ALL: np.ones(shape, dtype=bool)}
    if not spots:
        raise InputError(
            f"{who}: layer {label!r} has no places or tokens (its shape per stimulus is {shape}); leave places= out.",
            code="bad-places",
        )
    if isinstance(places, Mapping):
        if not places:
            raise InputError(f"{who}: places is empty; name at least one.", code="bad-places")
        return {str(name): _chosen(shape, spots, value, name, label, who) for name, value in places.items()}
    if isinstance(places, str) and places == "each":
        blocks = [[slice(i, i + 1) for i in range(shape[axis])] for axis in spots]
    else:
        if isinstance(places, str):
            raise InputError(
                f"{who}: places must be 'each', a number of blocks along each axis, or {{name: tokens}}, got "
                f"{shorten(places)}.",
                code="bad-places",
            )
        count = check_count(places, name="places", who=who, minimum=1)
        blocks = []
        for axis in spots:
            ends = np.linspace(0, shape[axis], min(count, shape[axis]) + 1).round().astype(int)
            blocks.append([slice(a, b) for a, b in itertools.pairwise(ends.tolist())])
    found = {}
    for chosen in itertools.product(*(range(len(block)) for block in blocks)):
        at = np.zeros(shape, dtype=bool)
        index: list[Any] = [slice(None)] * len(shape)
        for axis, block, i in zip(spots, blocks, chosen):
            index[axis] = block[i]
        at[tuple(index)] = True
        name = ",".join(
            str(i) if axes[axis] == "token" else f"{axes[axis]}{i}" for axis, i in zip(spots, chosen)
        )
        found[name] = at
    return found


def _chosen(
    shape: tuple[int, ...], spots: list[int], value: Any, name: Any, label: str, who: str
) -> np.ndarray:
    """One named place: numbers (or a slice) along the only axis of places, a tuple of them, or bool of the map."""
    sizes = tuple(shape[axis] for axis in spots)
    grid = np.zeros(sizes, dtype=bool)
    try:
        if isinstance(value, np.ndarray) and value.dtype == bool:
            if value.shape != sizes:
                raise IndexError(f"its shape is {value.shape}, not {sizes}")
            grid[...] = value
        elif isinstance(value, (slice, tuple)):
            grid[value] = True
        else:
            grid[np.atleast_1d(to_numpy(value)).astype(int)] = True
    except (IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"{who}: the place {name!r} is not one of layer {label!r}, which has {' x '.join(map(str, sizes))} places "
            f"({error}).",
            code="bad-places",
        ) from None
    if not grid.any():
        raise InputError(f"{who}: the place {name!r} of layer {label!r} is empty.", code="bad-places")
    channel = next(axis for axis in range(len(shape)) if axis not in spots)
    return np.array(np.broadcast_to(np.expand_dims(grid, channel), shape))


def _named_parts(
    shape: tuple[int, ...], channel_axis: int, label: str, parts: Any, *, who: str
) -> dict[str, np.ndarray]:
    """{name: bool of the shape}: channels (features), or the units of a flat layer."""
    if parts is None:
        return {ALL: np.ones(shape, dtype=bool)}
    width = shape[channel_axis] if shape else 1
    if isinstance(parts, str) and parts in ("channels", "units"):
        named: Mapping[Any, Any] = {str(i): [i] for i in range(width)}
    elif isinstance(parts, Mapping) and parts:
        named = parts
    elif isinstance(parts, (int, np.integer)) and not isinstance(parts, bool):
        count = check_count(parts, name="parts", who=who, minimum=1, maximum=width)
        if width % count:
            raise InputError(
                f"{who}: parts={count} cuts the features of a layer into {count} equal runs (as the heads of attention "
                f"lie side by side), and layer {label!r} has {width}.",
                code="bad-parts",
            )
        each = width // count
        named = {f"{i}": range(i * each, (i + 1) * each) for i in range(count)}
    else:
        raise InputError(
            f"{who}: parts must be 'channels', a number of equal runs of features, or {{name: numbers of channels}}, "
            f"got {shorten(parts)}.",
            code="bad-parts",
        )
    found = {}
    for name, value in named.items():
        on = np.zeros(width, dtype=bool)
        numbers = np.atleast_1d(to_numpy(list(value) if isinstance(value, range) else value))
        if numbers.dtype == bool and numbers.shape == (width,):
            numbers = np.flatnonzero(numbers)
        if (
            not numbers.size
            or numbers.dtype.kind not in "iu"
            or int(numbers.min()) < 0
            or int(numbers.max()) >= width
        ):
            raise InputError(
                f"{who}: the part {name!r} must be numbers from 0 to {width - 1}, the channels of layer {label!r}; got "
                f"{shorten(value)}.",
                code="bad-parts",
            )
        on[numbers] = True
        sizes = [width if axis == channel_axis else 1 for axis in range(len(shape))]
        found[str(name)] = np.array(np.broadcast_to(on.reshape(sizes), shape))
    return found
