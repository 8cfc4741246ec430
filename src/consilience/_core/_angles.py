"""Angles in other units than the period says."""

from __future__ import annotations

import numpy as np

from consilience._core._errors import warn

__all__ = ["say_turns"]


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
