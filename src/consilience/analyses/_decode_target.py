"""What is decoded: labels of classes, or numbers, one for each row of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, nearest, warn
from consilience._core._params import shorten

__all__ = ["Target", "label_of", "read_target"]

WHO = "cs.decode"


@dataclass(frozen=True)
class Target:
    """names : of the target, or of its columns.   codes : (n,) 0 ... C - 1 and classes (C,), or None.   values : (n, k)
    or None.   circular : values are angles in radians.
    """

    names: list[str]
    codes: np.ndarray | None = None
    classes: np.ndarray | None = None
    values: np.ndarray | None = None
    circular: bool = False

    @property
    def constant_key(self) -> np.ndarray:
        """(n,) int, equal for rows with the same target."""
        if self.codes is not None:
            return self.codes
        assert self.values is not None
        return np.unique(self.values, axis=0, return_inverse=True)[1].reshape(-1)


def label_of(data: xr.DataArray, label: str, option: str, row: str = "trial") -> np.ndarray:
    """A coordinate on the rows of ``data``; else the nearest names."""
    if not isinstance(label, str) or label not in data.coords or data[label].dims != (row,):
        known = sorted(str(c) for c in data.coords if data[c].dims == (row,))
        raise InputError(
            f"{WHO}: {option}={shorten(label)} is no coordinate on {row}.{nearest(label, known)}",
            code="unknown-label",
        )
    return np.asarray(data[label].values)


def read_target(data: xr.DataArray, target: Any, circular: bool) -> Target:
    """``target`` of the rows (trials or samples) of ``data``: the name of a coordinate, or one entry per row."""
    row = str(data.dims[0])
    n = data.sizes[row]
    if isinstance(target, str):
        names, raw = [target], label_of(data, target, "target", row)
        unit = data[target].attrs
    elif isinstance(target, xr.DataArray):
        names, raw = _from_labelled(data, target, row)
        unit = target.attrs
    else:
        unit = {}
        try:
            raw = to_numpy(target)
        except (TypeError, ValueError):
            raise InputError(
                f"{WHO}: target must be the name of a coordinate on {row}, an array or a DataArray, got "
                f"{shorten(target)}.",
                code="not-an-array",
            ) from None
        names = ["target"] if raw.ndim < 2 else [f"target {k}" for k in range(raw.shape[1])]
    if raw.shape[:1] != (n,) or raw.ndim > 2:
        raise InputError(
            f"{WHO}: target must have one entry for each of {n} rows of the data ({row}), got shape {raw.shape}.",
            code="rows-differ",
        )
    if raw.dtype.kind == "O":
        raw = _plain(raw)
    if raw.ndim == 2 and raw.shape[1] == 1 and raw.dtype.kind in "USbiu" and not circular:
        raw = raw[:, 0]
        names = ["target"] if names == ["target 0"] else names
    labels = raw.dtype.kind == "b" or (raw.dtype.kind in "iu" and raw.ndim == 1)
    if raw.dtype.kind in "US" or (labels and not circular):
        _check_named(raw)
        if circular:
            raise InputError(
                f"{WHO}: circular=True is for angles in radians, and the target is text.",
                code="bad-parameter",
            )
        if raw.ndim > 1:
            raise InputError(
                f"{WHO}: labels must be one per row, got shape {raw.shape}; of one column for each class, "
                "target.argmax(axis=1) is that label.",
                code="rows-differ",
            )
        classes, codes = np.unique(raw, return_inverse=True)
        return Target(names, codes=codes, classes=classes)
    if raw.dtype.kind not in "biuf":
        raise InputError(
            f"{WHO}: target must be labels (text, whole numbers, True/False) or real numbers, got dtype {raw.dtype}.",
            code="not-numeric",
        )
    values = raw.reshape(n, -1).astype(np.float64)
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).any(axis=1).sum())
        raise InputError(
            f"{WHO}: target has NaN or infinity in {bad} of {n} rows, first in row "
            f"{int(np.flatnonzero((~np.isfinite(values)).any(axis=1))[0])}; leave those rows out of data and target.",
            code="nan-values",
        )
    top = float(np.abs(values).max(initial=0.0))
    if top > 1e140 or 0 < top < 1e-140:
        raise InputError(
            f"{WHO}: the largest value of the target is {top:.3g}, whose squares a float64 cannot hold; bring it to "
            "another unit (multiply by a power of ten).",
            code="out-of-range",
        )
    for name, column in zip(names, values.T):
        if np.ptp(column) <= 1e-12 * np.abs(column).max(initial=0.0):
            raise InputError(f"{WHO}: target {name!r} is the same in every row.", code="constant-target")
    _look_at_units(values, circular, unit.get("units", unit.get("unit")))
    return Target(names, values=values, circular=circular)


_NO_LABEL = ("", "nan", "NaN", "<NA>", "NaT", "None")


def _check_named(raw: np.ndarray) -> None:
    """Refuses text that stands for a label that is missing."""
    if raw.dtype.kind in "US":
        flat = np.char.strip(raw.reshape(-1).astype(str))
        _refuse_missing(np.isin(flat, _NO_LABEL))


def _refuse_missing(missing: np.ndarray) -> None:
    if missing.any():
        raise InputError(
            f"{WHO}: target has no label in {int(missing.sum())} of {missing.size} rows (missing, empty or nan), first "
            f"in row {int(np.flatnonzero(missing)[0])}; leave those rows out of data and target, or name them as a "
            "class of their own.",
            code="nan-values",
        )


def _look_at_units(values: np.ndarray, circular: bool, unit: object) -> None:
    span = float(np.ptp(values, axis=0).max())
    if circular and span > 4 * np.pi:
        warn(
            "angle-units",
            f"circular=True takes radians, and the target spans {span:.4g}, {span / (2 * np.pi):.1f} turns.",
            "Degrees: np.deg2rad(target). Radians that were unwrapped: target % (2 * np.pi).",
        )
    if not circular and str(unit).lower() in ("rad", "radian", "radians"):
        warn(
            "angle-units",
            "the target is in radians, and is decoded as plain numbers, for which 0 and 2 pi are far apart.",
            "circular=True for directions; drop its unit where it does not go round.",
        )


def _plain(raw: np.ndarray) -> np.ndarray:
    flat = raw.reshape(-1).tolist()
    numbers = all(
        isinstance(v, (int, float, np.integer, np.floating)) and not isinstance(v, bool) for v in flat
    )
    if numbers and any(isinstance(v, (float, np.floating)) for v in flat):
        return np.array(flat, dtype=np.float64).reshape(raw.shape)
    _refuse_missing(np.array([_is_missing(v) for v in flat]))
    if all(isinstance(v, str) for v in flat):
        return np.array(flat, dtype=str).reshape(raw.shape)
    if all(isinstance(v, (bool, int, np.integer, np.bool_)) for v in flat):
        return np.array(flat).reshape(raw.shape)
    bad = next(v for v in flat if not isinstance(v, (str, bool, int, np.integer)))
    raise InputError(f"{WHO}: target must be all text or all numbers, got {shorten(bad)}.", code="bad-label")


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _from_labelled(data: xr.DataArray, target: xr.DataArray, row: str) -> tuple[list[str], np.ndarray]:
    if target.dims[:1] != (row,):
        raise InputError(
            f"{WHO}: target must have the dim {row!r} first, as the data, got dims {target.dims}.",
            code="bad-dims",
        )
    if row == "time" and "time" in target.coords and "time" in data.coords:
        one, two = (np.asarray(v["time"].values, np.float64) for v in (data, target))
        step = float(np.median(np.diff(one))) if one.size > 1 else 1.0
        if one.size != two.size or np.abs(one - two).max() > 0.01 * step:
            raise InputError(
                f"{WHO}: data and target do not have the same times ({one.size} and {two.size} samples); bring them to "
                "one time base first, e.g. target.interp(time=data['time']), or bin both with one width.",
                code="bad-time",
            )
    if target.ndim == 1:
        return [str(target.name or "target")], np.asarray(target.values)
    second = str(target.dims[1])
    labels = target[second].values if second in target.coords else np.arange(target.shape[1])
    words = [str(v) for v in labels.tolist()]
    system, of = target.attrs.get("system"), target.attrs.get("recording")
    base = target.name or (system if system != of else None)
    if base and np.asarray(labels).dtype.kind in "iu":  # channels without names
        words = [str(base)] if len(words) == 1 else [f"{base} {word}" for word in words]
    return words, np.asarray(target.values)
