"""Checks that the parts of a recording share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten

__all__ = ["as_mask", "check_columns", "check_times", "frozen", "same_entries"]


def frozen(values: np.ndarray) -> np.ndarray:
    """A read-only view."""
    view = values.view()
    view.flags.writeable = False
    return view


def as_mask(wanted: np.ndarray) -> np.ndarray:
    """True and False kept as objects, as pandas does, become a mask; anything else stays."""
    if (
        wanted.dtype == object
        and wanted.size
        and all(isinstance(e, (bool, np.bool_)) for e in wanted.ravel())
    ):
        return wanted.astype(bool)
    return wanted


def check_times(values: Any, *, name: str, who: str, finite: bool = True) -> np.ndarray:
    """(n,) float64 seconds."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise InputError(f"{who}: {name} has masked entries; leave those out.", code="bad-time")
    try:
        times = np.asarray(values)
        if times.dtype.kind not in "iuf":
            raise TypeError
        times = times.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"{who}: {name} must be numbers in seconds, got {shorten(values, 60)}.", code="bad-time"
        ) from None
    if times.ndim != 1:
        raise InputError(f"{who}: {name} must be 1-D, got shape {times.shape}.", code="bad-time")
    if finite and not np.isfinite(times).all():
        where = int(np.flatnonzero(~np.isfinite(times))[0])
        raise InputError(
            f"{who}: {name} has {int((~np.isfinite(times)).sum())} entries that are NaN or infinite, first at {where}; "
            "leave those out.",
            code="bad-time",
        )
    return times


def check_columns(columns: Mapping[str, Any] | None, n: int, *, who: str, what: str) -> dict[str, np.ndarray]:
    """Columns of a table with one entry for each of ``n``; text of any width becomes str."""
    if columns is not None and not hasattr(columns, "items"):
        raise InputError(
            f"{who}: columns must be a mapping {{name: one entry for each {what}}}, got {shorten(columns, 60)}.",
            code="bad-label",
        )
    out = {}
    for name, entries in () if columns is None else columns.items():
        try:
            values = np.asarray(entries)
        except ValueError:  # ragged
            values = np.empty((0, 0))
        if values.ndim == 1 and values.dtype.kind in "OTS":
            listed = [e.decode("utf-8", "replace") if isinstance(e, bytes) else e for e in values.tolist()]
            values = np.array(["" if e is None else str(e) for e in listed], dtype=str)
        if values.shape != (n,) or values.dtype.kind not in "biufU":
            raise InputError(
                f"{who}: column {shorten(str(name), 40)} must have one number or text for each {what} ({n}), got shape "
                f"{values.shape} of dtype {values.dtype}.",
                code="bad-label",
            )
        out[str(name)] = frozen(values)
    return out


def same_entries(a: np.ndarray, b: np.ndarray) -> bool:
    """Two columns are equal; unknown numbers (NaN) equal each other."""
    numeric = a.dtype.kind == "f" and b.dtype.kind == "f"
    return np.array_equal(a, b, equal_nan=True) if numeric else np.array_equal(a, b)
