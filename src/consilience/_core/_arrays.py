"""The door of every measure: any array in, a clean (stimuli, units) float array of the same library out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj, is_torch_array

from consilience._core._errors import InputError
from consilience._core._memory import on_disk, release
from consilience._core._params import shorten

__all__ = [
    "Array",
    "as_array",
    "as_matrix",
    "as_same_library",
    "array_namespace",
    "condensed_indices",
    "float64",
    "same_rows",
    "to_numpy",
]

Array = Any  # an array of any library that follows the array API standard

_BLOCK = 1 << 22  # entries looked at per step when values are checked or centred


def to_numpy(x: Array) -> np.ndarray:
    """``x`` as a NumPy array: torch tensors are detached and brought to the CPU, others go by DLPack or
    __array__.
    """
    if isinstance(x, np.ndarray):
        return x
    if is_torch_array(x):
        x = x.detach().cpu().resolve_conj().resolve_neg()
        return (x.float() if str(x.dtype) in ("torch.bfloat16",) else x).numpy()
    try:
        return np.asarray(x)
    except (TypeError, ValueError, RuntimeError):
        if not hasattr(x, "__dlpack__"):
            raise
        return np.from_dlpack(x)


def as_same_library(x: np.ndarray, like: Array) -> Array:
    """A NumPy array as an array of the library, and on the device, of ``like``; one number for NumPy as a scalar, which
    is what NumPy's own functions give.
    """
    if isinstance(like, np.ndarray):
        return x if x.ndim else x[()]
    xp = array_namespace(like)
    # np.ascontiguousarray would make a 0-d array 1-d
    return xp.asarray(np.array(x, order="C"), device=like.device)


def _refuse_kind(name: str, who: str, what: str) -> InputError:
    return InputError(
        f"{who}: {name} must hold real numbers, got {what}; convert it to float first.", code="not-numeric"
    )


def _refuse_without_values(x: Any, name: str, who: str) -> None:
    """Refuses torch tensors that hold no plain values: sparse, ragged, on the meta device, quantized."""
    if "sparse" in str(x.layout):
        raise InputError(
            f"{who}: {name} is a sparse tensor of shape {tuple(x.shape)}; pass {name}.to_dense() if it fits in "
            "memory.",
            code="sparse-array",
        )
    if x.is_nested:
        raise InputError(
            f"{who}: {name} is a nested tensor; every row must have the same length.", code="not-an-array"
        )
    if x.device.type == "meta":
        raise InputError(
            f"{who}: {name} is a tensor on the meta device, which holds no values; compute it on a real one.",
            code="not-an-array",
        )
    if x.is_quantized:
        raise InputError(
            f"{who}: {name} must hold real numbers, got a quantized tensor; pass {name}.dequantize().",
            code="not-numeric",
        )


def as_array(x: object, *, name: str, who: str) -> Array:
    """Strips containers (masked arrays, data frames, labelled arrays, lists) down to an array of values."""
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            raise InputError(
                f"{who}: {name} has {int(np.ma.count_masked(x))} masked entries, which are not data; "
                "drop those trials or units, or fill them yourself.",
                code="masked-values",
            )
        return np.asarray(x.data)
    if isinstance(x, np.matrix):
        return np.asarray(x)
    if is_torch_array(x):
        _refuse_without_values(x, name, who)
        return x
    if hasattr(x, "tocsr") and hasattr(x, "nnz"):
        raise InputError(
            f"{who}: {name} is a sparse matrix of shape {getattr(x, 'shape', '?')}; pass {name}.toarray() "
            "if it fits in memory.",
            code="sparse-array",
        )
    if hasattr(x, "dims") and hasattr(x, "values"):  # xarray, without importing it
        return np.asarray(x.values)
    if hasattr(x, "to_numpy") and not is_array_api_obj(x):  # pandas and its relatives
        return np.asarray(x.to_numpy())
    if isinstance(x, np.ndarray) or is_array_api_obj(x):
        return x
    if isinstance(x, (list, tuple)) or hasattr(x, "__array__"):
        if isinstance(x, (list, tuple)):
            x = [_row(row, name, who) for row in x]
        try:
            return np.asarray(x)
        except (ValueError, TypeError):
            raise InputError(
                f"{who}: {name} is a ragged list; every row must have the same length.", code="not-an-array"
            ) from None
    raise InputError(f"{who}: {name} must be an array, got {type(x).__name__}.", code="not-an-array")


def _row(x: object, name: str, who: str) -> object:
    """An entry of a list: tensors as NumPy arrays, whatever their device, anything else as it is."""
    if not is_torch_array(x):
        return x
    _refuse_without_values(x, f"a row of {name}", who)
    return to_numpy(x)


def _as_float(x: Array, name: str, who: str) -> Array:
    """Integers and booleans become float64, half precision becomes float32, float32 and float64 stay."""
    if isinstance(x, np.ndarray):
        kind = x.dtype.kind
        if kind in "biu":
            return x.astype(np.float64)
        if kind != "f":
            raise _refuse_kind(name, who, f"dtype {x.dtype}")
        if x.dtype.itemsize == 2:
            return x.astype(np.float32)
        if x.dtype.itemsize > 8:
            return x.astype(np.float64)
        return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))
    if is_torch_array(x):
        x = x.detach()
        text = str(x.dtype)
        if x.is_complex():
            raise _refuse_kind(name, who, f"dtype {x.dtype}")
        if text in ("torch.float32", "torch.float64"):
            return x
        return x.float() if x.is_floating_point() else x.double()
    xp = array_namespace(x)
    if xp.isdtype(x.dtype, ("bool", "integral")):
        return xp.astype(x, xp.float64)
    if not xp.isdtype(x.dtype, "real floating"):
        raise _refuse_kind(name, who, f"dtype {x.dtype}")
    return x


def all_finite(x: Array, xp: Any = np) -> bool:
    """Is every value finite? One number tells in most cases; only where it overflows is each value looked at.
    A file is read block by block, and the memory of each given back.
    """
    if on_disk(x) and x.ndim and x.size > _BLOCK:
        step = max(1, _BLOCK * len(x) // x.size)
        return all(_finite_then_released(x, start, step) for start in range(0, len(x), step))
    with np.errstate(over="ignore", invalid="ignore"):
        if (
            isinstance(x, np.ndarray)
            and x.dtype.kind == "f"
            and x.dtype.itemsize >= 4
            and x.flags.c_contiguous
        ):
            flat = x.reshape(-1)
            total = np.dot(flat, flat)  # half the time of a sum
        else:
            total = xp.sum(x)
    return bool(xp.isfinite(total)) or bool(xp.all(xp.isfinite(x)))


def _finite_then_released(x: np.ndarray, start: int, step: int) -> bool:
    found = all_finite(np.asarray(x[start : start + step]))
    release(x)
    return found


def _first_bad(x: Array, name: str, who: str) -> None:
    """Refuses NaN and infinity, naming how many there are and the first ones by (trial, unit)."""
    xp = array_namespace(x)
    step = max(1, _BLOCK // max(1, x.shape[1]))
    for start in range(0, x.shape[0], step):
        block = x[start : min(start + step, x.shape[0]), ...]
        if not all_finite(block, xp):
            rows, columns = np.nonzero(~np.isfinite(to_numpy(x)))
            places = ", ".join(f"(trial {r}, unit {c})" for r, c in zip(rows[:3], columns[:3]))
            count = rows.size
            raise InputError(
                f"{who}: {name} has {count} NaN or infinite value{'s' if count > 1 else ''}, first at "
                f"{places}; "
                "remove those trials or units (masked values too), or fill them on purpose, before the analysis.",
                code="nan-values",
            )


def as_matrix(x: object, *, name: str, who: str, min_rows: int = 1) -> Array:
    """Checks and returns ``x`` as a finite float array (rows, columns) of its own library; never changes
    ``x``.

    Integers and booleans become float64, float16 and bfloat16 become float32. Raises `InputError` for
    other shapes, non-numeric kinds, sparse or masked arrays, NaN, infinity, no columns or fewer than
    ``min_rows`` rows.
    """
    array = as_array(x, name=name, who=who)
    if array.ndim != 2:
        hint = (
            "reshape it to (stimuli, units) first: flatten or average the further axes"
            if array.ndim > 2
            else f"use {name}[:, None] if it is one unit, {name}[None, :] if it is one stimulus"
        )
        raise InputError(
            f"{who}: {name} must be 2-D (stimuli, units), got shape {tuple(array.shape)}; {hint}.",
            code="not-2d",
        )
    rows, columns = array.shape
    if columns < 1 or rows < max(1, min_rows):
        need = f"at least {min_rows} stimuli and 1 unit" if min_rows > 1 else "at least 1 row and 1 column"
        raise InputError(f"{who}: {name} needs {need}, got shape ({rows}, {columns}).", code="too-few")
    array = _as_float(array, name, who)
    _first_bad(array, name, who)
    return array


def same_rows(x: Array, y: Array, *, who: str) -> None:
    """Refuses arrays of other numbers of rows, and of two array libraries or devices."""
    if array_namespace(x) is not array_namespace(y) or x.device != y.device:
        here, there = (f"{type(z).__module__.split('.')[0]} ({z.device})" for z in (x, y))
        raise InputError(
            f"{who}: x and y must be arrays of one library on one device, got {here} and {there}; "
            "convert one of them.",
            code="mixed-libraries",
        )
    if x.shape[0] != y.shape[0]:
        raise InputError(
            f"{who}: x and y must have the same stimuli in the same rows, got shapes {tuple(x.shape)} and "
            f"{tuple(y.shape)}; "
            "use cs.align or cs.compare to match stimuli by id.",
            code="rows-differ",
        )


def float64(x: Array) -> Array:
    xp = array_namespace(x)
    return x if x.dtype == xp.float64 else xp.astype(x, xp.float64)


def condensed_indices(n: int) -> np.ndarray:
    """Flat indices, into an (n, n) matrix, of the n(n-1)/2 entries above the diagonal in SciPy's order."""
    rows, columns = np.triu_indices(n, 1)
    return rows * n + columns


def n_from_condensed(size: int) -> int | None:
    """n with n(n-1)/2 == size, or None."""
    n = (1 + math.isqrt(1 + 8 * size)) // 2
    return n if n * (n - 1) // 2 == size else None


def describe(x: object) -> str:
    return shorten(getattr(x, "shape", x))
