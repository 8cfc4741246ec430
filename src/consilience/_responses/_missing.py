"""Values that are missing when responses are made: refused, left out, or marked."""

from __future__ import annotations

import numpy as np
import xarray as xr

from consilience._core._arrays import all_finite
from consilience._core._errors import Caution, InputError
from consilience._core._memory import computed
from consilience._core._params import shorten
from consilience._responses._masked import mask_of_values
from consilience._responses._places import places

__all__ = ["apply_missing"]


def apply_missing(data: xr.DataArray, missing: str, who: str) -> tuple[xr.DataArray, list[Caution]]:
    """``data`` after ``missing`` = raise, omit, mask or mask_values, and what is to be said of it."""
    if data.chunks is not None:
        if missing == "raise":
            return data, []
        return _lazy_missing(data, missing, who)
    values = data.values
    if all_finite(values):
        return data, []
    if np.isinf(values).any():
        count, place = places(np.isinf(values), data)
        raise InputError(
            f"{who}: {_values(count)} infinite, first at {place}; find out why before any analysis.",
            code="nan-values",
        )
    bad = np.isnan(values)
    if not bad.any():
        return data, []
    count, place = places(bad, data)
    if missing == "mask_values":
        return _with_mask(data, bad, who), []
    if "trial" not in data.dims:
        raise InputError(
            f"{who}: {_values(count)} NaN, first at {place}; a series has no trials to omit or mask. Leave those times "
            "out: keep = np.isfinite(x).all(axis=1), then cs.responses(x[keep], time=time[keep], ...), whose gaps are "
            "counted; or leave out a unit that is never valid, or fill them on purpose; or pass missing='mask_values' "
            "for models that take missing values.",
            code="nan-values",
        )
    if missing == "raise":
        raise InputError(
            f"{who}: {_values(count)} NaN, first at {place}; pass missing='omit' to drop those trials, "
            "'mask' to mark them, or 'mask_values' to mark these values alone.",
            code="nan-values",
        )
    rows = bad.reshape(bad.shape[0], -1).any(axis=1)
    if rows.all():
        raise InputError(
            f"{who}: every trial has a NaN (first at {place}); {_never(bad, data)}",
            code="nan-values",
        )
    return _without(data, rows, missing)


def _with_mask(data: xr.DataArray, bad: np.ndarray, who: str) -> xr.DataArray:
    """``data`` with single values marked as not valid."""
    gone = _all_gone(bad, data)
    if gone:
        raise InputError(f"{who}: {gone}", code="nan-values")
    return data.assign_coords(valid=mask_of_values(bad, [str(dim) for dim in data.dims]))


def _all_gone(bad: np.ndarray, data: xr.DataArray) -> str:
    """Times, or units, that are NaN in all trials, and what to do; "" where there are none."""
    if data.ndim == 3:
        at = np.flatnonzero(bad.all(axis=(0, 2)))
        if at.size:
            first = f"{data['time'].values[at[0]]:g} s"
            more = f" and {at.size - 1} more times" if at.size > 1 else ""
            return f"at {first}{more} no unit is valid in any trial: leave out those times first."
    units = np.flatnonzero(bad.all(axis=tuple(range(bad.ndim - 1))))
    if units.size:
        names = shorten(data["unit"].values[units].tolist(), 60)
        return f"{units.size} of {bad.shape[-1]} units are never valid ({names}): leave them out first."
    return ""


def _never(bad: np.ndarray, data: xr.DataArray) -> str:
    """What is NaN in all trials, and what to leave out."""
    gone = _all_gone(bad, data)
    if gone:
        return gone
    some = int(bad.any(axis=tuple(range(bad.ndim - 1))).sum())
    return (
        f"{some} of {bad.shape[-1]} units have some: leave out those with most of them first, fill them, or pass "
        "missing='mask_values' for models that take missing values."
    )


def _without(data: xr.DataArray, rows: np.ndarray, missing: str) -> tuple[xr.DataArray, list[Caution]]:
    """Without the trials ``rows`` (bool), or with these marked."""
    if missing == "mask":
        return data.assign_coords(valid=("trial", ~rows)), []
    said = Caution(
        "trials-omitted",
        f"{int(rows.sum())} of {rows.size} trials had NaN and were left out.",
        "Check why they are missing.",
    )
    return data[~rows], [said]


def _lazy_missing(data: xr.DataArray, missing: str, who: str) -> tuple[xr.DataArray, list[Caution]]:
    """The same for a dask array: a pass over its chunks finds the trials that have NaN."""
    if missing == "mask_values":
        bad = computed(np.isnan(data.data), who=who)
        return (_with_mask(data, bad, who) if bad.any() else data), []
    if "trial" not in data.dims:
        return data, []
    bad = np.isnan(data.data).any(axis=tuple(range(1, data.ndim)))
    rows = computed(bad, who=who)
    if rows.all():
        raise InputError(
            f"{who}: every trial has a NaN; leave out the units, or times, that are never valid first.",
            code="nan-values",
        )
    return _without(data, rows, missing) if rows.any() else (data, [])


def _values(count: int) -> str:
    return "1 value is" if count == 1 else f"{count} values are"
