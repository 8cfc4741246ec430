"""Single values that are missing: the coordinate ``valid`` over more than trials, and who takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError

__all__ = [
    "has_masked_values",
    "mask_of_values",
    "missing_values",
    "refuse_masked_values",
    "without_masked",
]


def mask_of_values(bad: np.ndarray, dims: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """(dims, valid) that say which values are missing, over no more dims than that takes: trials that hold nothing,
    bins that are missing for all units, else single values.

    >>> import numpy as np
    >>> bad = np.zeros((2, 3, 4), bool)
    >>> bad[0, 2] = True
    >>> mask_of_values(bad, ("trial", "time", "unit"))[0]
    ('trial', 'time')
    """
    some = np.asarray(bad.any(axis=-1))
    if "trial" in dims and np.array_equal(some, bad.all(axis=-1)):
        return tuple(dims[:-1]), ~some
    return tuple(dims), ~bad


def missing_values(data: Any) -> np.ndarray | None:
    """Bool like the values: which are missing, where ``valid`` is over more than trials; else None."""
    if not isinstance(data, xr.DataArray) or "valid" not in data.coords:
        return None
    valid = data["valid"]
    if valid.dtype.kind != "b" or "unit" not in data.dims:
        return None
    if valid.dims == data.dims:
        return ~valid.values
    if valid.dims == ("trial", "time") and data.dims == ("trial", "time", "unit"):
        return np.broadcast_to(~valid.values[..., None], data.shape)
    return None


def has_masked_values(data: xr.DataArray) -> bool:
    """Whether a ``valid`` of ``data`` marks bins or single values."""
    return "valid" in data.coords and data["valid"].ndim > 1 and data["valid"].dtype.kind == "b"


def without_masked(data: xr.DataArray) -> xr.DataArray:
    """``data`` with NaN where bins or single values are marked as missing; a dask array stays one."""
    return data.where(data["valid"]) if has_masked_values(data) else data


def refuse_masked_values(data: xr.DataArray, *, who: str, name: str) -> xr.DataArray:
    """``data`` without a ``valid`` that marks nothing; an `InputError` where it marks single values."""
    if "valid" not in data.coords or data["valid"].dims != data.dims:
        return data
    valid = data["valid"]
    if valid.dtype.kind == "b" and valid.values.all():
        return data.drop_vars("valid")
    gone = ~valid.values.astype(bool)
    some = int(gone.any(axis=tuple(i for i, dim in enumerate(valid.dims) if dim != "unit")).sum())
    over = next(dim for dim in data.dims if dim != "unit")
    rest = [dim for dim in valid.dims if dim != over]
    raise InputError(
        f"{who}: {name} has {int(gone.sum())} single values that are missing, of {some} of {data.sizes['unit']} units "
        "(missing='mask_values'), which cs.reduce takes with a model of cs.models, and cs.structure; here leave out "
        f"what has some, data.isel({over}=data.valid.all({rest if len(rest) > 1 else rest[0]!r}).values) or the like "
        "for units, or fill them on purpose.",
        code="masked-values",
    )
