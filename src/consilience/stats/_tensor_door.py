"""The door of what takes a data tensor (conditions or trials, time, units)."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array, as_array, as_matrix, to_numpy
from consilience._core._errors import InputError

__all__ = ["AXES", "as_tensor"]

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
