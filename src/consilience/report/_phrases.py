"""Pieces of sentences about results: intervals, levels, names."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number, shortened, visible

__all__ = ["ALPHA", "held_out", "name_of", "percent", "span"]

ALPHA = 0.05


def span(low: Any, high: Any, percent: str = "95 %") -> str:
    """`` (95 % interval 0.1 to 0.3)``, or nothing."""
    low, high = float(low), float(high)
    return (
        f" ({percent} interval {number(low)} to {number(high)})"
        if np.isfinite(low) and np.isfinite(high)
        else ""
    )


def percent(result: Any) -> str:
    return f"{100 * float(result.settings.get('level', 0.95)):g} %"


def held_out(value: Any) -> str:
    return f", {number(value)} on stimuli left out of the fit" if np.isfinite(value) else ""


def name_of(value: object) -> str:
    return shortened(visible(value), 60)
