"""Targets that say which rows they are of: brought into the order of the data, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._params import shorten

__all__ = ["at_common_times", "in_order"]

_NEAR = 0.01  # share of a step by which equal times may differ


def at_common_times(data: xr.DataArray, target: Any, *, who: str) -> tuple[xr.DataArray, Any]:
    """Two series at the times that both have, where they share a grid of which one lacks some (bins that were not
    known); what shares less than half of it is left as it is, and refused."""
    if not isinstance(target, xr.DataArray) or target.dims[:1] != ("time",) or "time" not in target.coords:
        return data, target
    if "time" not in data.coords:
        return data, target
    one, two = (np.asarray(v["time"].values) for v in (data, target))
    if min(one.size, two.size) < 2 or any(
        t.dtype.kind not in "iuf" or (np.diff(t) <= 0).any() for t in (one, two)
    ):
        return data, target
    steps = [float(np.diff(t).min()) for t in (one, two)]
    near = np.clip(np.searchsorted(two, one), 1, two.size - 1)
    near -= one - two[near - 1] < two[near] - one
    same = np.abs(two[near] - one) <= _NEAR * min(steps)
    alone = [int((~same).sum()), two.size - int(same.sum())]
    shared = abs(steps[0] - steps[1]) <= _NEAR * min(steps) and 2 * int(same.sum()) >= max(one.size, two.size)
    if not shared or not any(alone):
        return data, target
    warn(
        "times-left-out",
        f"{who}: {alone[0]} of {one.size} times of the data are not in the target, and {alone[1]} of {two.size} of the "
        "target not in the data; they were left out.",
        "Expected where some bins are not known; else give both the same times.",
    )
    return data.isel(time=np.flatnonzero(same)), target.isel(time=near[same])


def in_order(data: xr.DataArray, target: Any, *, who: str) -> Any:
    """``target`` with its rows in the order of those of ``data``, where it has ids of its own (an index of pandas, or
    coordinates); others are by position.
    """
    row = str(data.dims[0])
    if hasattr(target, "index") and hasattr(target, "iloc") and hasattr(target, "to_numpy"):
        index = np.asarray(target.index)
        values = target.to_numpy()
        if values.ndim > 1:
            columns = np.array([str(c) for c in target.columns])
            made = xr.DataArray(values, dims=(row, "column"), coords={"column": columns})
        else:
            made = xr.DataArray(
                values, dims=(row,), name=str(target.name) if target.name is not None else None
            )
        if row == "time" and np.array_equal(index, np.arange(index.size)):
            return made
        return _ordered(data, made, index, row, "the index of target", "target.to_numpy()", who)
    if not isinstance(target, xr.DataArray) or target.dims[:1] != (row,) or row == "time":
        return target
    if row in target.coords:
        target = _ordered(
            data,
            target,
            np.asarray(target[row].values),
            row,
            f"{row} of target",
            f"target.drop_vars({row!r})",
            who,
        )
    for name in target.coords:
        if name == row or name not in data.coords or target[name].dims != (row,) or data[name].dims != (row,):
            continue
        one, two = np.asarray(data[name].values), np.asarray(target[name].values)
        if one.shape == two.shape and not (one == two).all():
            bad = int(np.flatnonzero(one != two)[0])
            raise InputError(
                f"{who}: target is of other rows than the data: their {name} differs in {int((one != two).sum())} of "
                f"{one.size} {row}s, first in {row} {bad} ({shorten(one[bad].item())} in the data, "
                f"{shorten(two[bad].item())} in target); bring both into one order, or pass target.values.",
                code="rows-differ",
            )
    return target


def _ordered(
    data: xr.DataArray, target: xr.DataArray, index: np.ndarray, row: str, what: str, instead: str, who: str
) -> xr.DataArray:
    n = data.sizes[row]
    ids = np.asarray(data[row].values) if row in data.coords else np.arange(n)
    if index.shape != (n,):
        return target  # refused for its length
    if np.array_equal(index, ids) or np.array_equal(index, np.arange(n)):
        return target
    if row == "time" and index.dtype.kind in "iuf":
        return target.assign_coords({row: index.astype(np.float64)})
    place = {one: k for k, one in enumerate(index.tolist())}
    if len(place) == n and set(place) == set(ids.tolist()):
        return target.isel({row: [place[one] for one in ids.tolist()]})
    missing = [one for one in ids.tolist() if one not in place]
    said = f"{shorten(missing[0])} of the data is not in it" if missing else "it has ids twice"
    raise InputError(
        f"{who}: {what} does not hold the ids of the {row}s of the data ({said}); give both the same ids, or pass "
        f"{instead} to take the rows as they come.",
        code="rows-differ",
    )
