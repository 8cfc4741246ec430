"""Angles in other units than the period says."""

from __future__ import annotations

import numpy as np

from consilience._core._errors import warn

__all__ = ["folded", "say_turns"]


def say_turns(values: np.ndarray, period: float, *, who: str, given: str, stacklevel: int = 3) -> None:
    """Warns where ``values`` (n[, k]) span more than two periods. ``given``: what said how long a period is."""
    span = float(np.ptp(values, axis=0).max()) if values.size else 0.0
    if span > 2 * period:
        warn(
            "angle-units",
            f"{who}: {given}, and the values span {span:.4g}, {span / period:.1f} turns.",
            "Degrees have a period of 360, radians of 2 * np.pi (np.deg2rad). Angles that were unwrapped: values % "
            "period.",
            stacklevel=stacklevel,
        )


def folded(angles: np.ndarray, period: float) -> np.ndarray:
    """Angles (n,) within one turn where that makes labels equal that are the same angle (0 and 360); else as given."""
    if angles.dtype.kind not in "iuf":
        return angles
    labels, number = np.unique(angles, return_inverse=True)
    place = np.round(np.mod(labels.astype(np.float64), period) / period, 9) % 1.0
    first, same = np.unique(place, return_index=True, return_inverse=True)[1:]
    if first.size == labels.size:
        return angles
    inside = np.mod(labels, np.asarray(period).astype(labels.dtype) if period == round(period) else period)
    return np.asarray(inside[first][same][number])
