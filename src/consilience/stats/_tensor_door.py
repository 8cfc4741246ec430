"""The door of what takes a data tensor (conditions or trials, time, units), or trials that end at different times."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._arrays import Array, as_array, as_matrix, to_numpy
from consilience._core._errors import InputError

__all__ = ["AXES", "as_ragged", "as_tensor", "refuse_ragged"]

AXES = ("condition", "time", "unit")


def as_tensor(x: Array, *, who: str, name: str = "x", least: tuple[int, int, int] = (1, 2, 1)) -> np.ndarray:
    """Checks and returns ``x`` as finite float64 (conditions or trials, time, units); never changes ``x``.

    ``least`` : sizes that each axis must have.
    """
    array = as_array(x, name=name, who=who)
    if array.ndim != 3:
        hint = (
            f"use {name}[None] if it is one trial" if array.ndim == 2 else "average or stack the further axes"
        )
        raise InputError(
            f"{who}: {name} must be 3-D (trials or conditions, time, units), got shape {tuple(array.shape)}; {hint}.",
            code="bad-shape",
        )
    if any(size < few for size, few in zip(array.shape, least)):
        few = ", ".join(f"{k} {word}" for k, word in zip(least, ("trials or conditions", "times", "units")))
        raise InputError(
            f"{who}: {name} needs at least {few}, got shape {tuple(array.shape)}.", code="too-few"
        )
    flat = as_matrix(array.reshape(array.shape[0] * array.shape[1], -1), name=name, who=who)
    return np.asarray(to_numpy(flat), dtype=np.float64).reshape(array.shape)


def as_ragged(
    x: Any, *, who: str, name: str = "x", least: tuple[int, int, int] = (1, 2, 1)
) -> tuple[np.ndarray, np.ndarray]:
    """(values, lengths): float64 (trials, time, units), NaN past the end of a trial, and the bins (trials,) of each.

    ``x`` : such an array, a complete one, or a list of arrays (time, units) of unequal lengths.
    """
    if _unequal(x):
        parts = [as_tensor(v[None], who=who, name=f"{name}[{k}]", least=least)[0] for k, v in enumerate(x)]
        if len({v.shape[1] for v in parts}) > 1:
            raise InputError(
                f"{who}: every trial of {name} must have the same units, got {sorted({v.shape[1] for v in parts})}.",
                code="bad-shape",
            )
        lengths = np.array([len(v) for v in parts])
        values = np.full((len(parts), int(lengths.max()), parts[0].shape[1]), np.nan)
        for row, v in zip(values, parts, strict=True):
            row[: len(v)] = v
        return values, lengths
    array = as_array(x, name=name, who=who)
    values = np.asarray(to_numpy(array), dtype=np.float64) if array.ndim == 3 else np.empty(0)
    lost = np.isnan(values)
    if not lost.any():
        values = as_tensor(x, who=who, name=name, least=least)
        return values, np.full(len(values), values.shape[1])
    there = ~lost.any(axis=2)
    lengths = there.sum(axis=1)
    ends = np.arange(values.shape[1]) >= lengths[:, None]
    if (lost != ends[:, :, None]).any():
        raise InputError(
            f"{who}: {name} has {int(lost.sum())} NaN or infinite values, within trials or in some units only; a trial "
            "may end before others, with NaN for all units from there on. Fill values in, or leave those trials out.",
            code="nan-values",
        )
    for length in np.unique(lengths):
        as_tensor(values[lengths == length, :length], who=who, name=name, least=least)
    return values, lengths


def refuse_ragged(x: Any, why: str, *, who: str, name: str = "x") -> None:
    """Says why this cannot be had of trials that end at different times."""
    shape = getattr(x, "shape", ())
    unequal = _unequal(x)
    if not unequal and len(shape) == 3 and getattr(x, "dtype", None) is not None:
        array = to_numpy(as_array(x, name=name, who=who))
        lost = np.isnan(array) if array.dtype.kind == "f" else np.zeros(1, dtype=bool)
        unequal = bool(lost.any()) and bool((lost.all(axis=2) == lost.any(axis=2)).all())
    if unequal:
        raise InputError(
            f"{who}: trials of {name} end at different times, and {why}; cut them all to the times that all have, or "
            "use circularly_shifted, phase_randomised or shuffled_trials, which take each at its length.",
            code="ragged",
        )


def _unequal(x: Any) -> bool:
    return (
        isinstance(x, (list, tuple))
        and all(getattr(v, "ndim", 0) == 2 for v in x)
        and len({v.shape[0] for v in x}) > 1
    )
