"""What dimensionalities say, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._results._dimensionality import METHODS_OF_DIMENSION
from consilience.report._phrases import name_of, percent, span

__all__ = ["of_dimensionality"]

_SYSTEMS = 6


def of_dimensionality(result: Any) -> tuple[str, ...]:
    said = []
    for name in result.data["system"].values.tolist()[:_SYSTEMS]:
        at = result.data.sel(system=name)
        parts = [
            text for measure in at["measure"].values.tolist() if (text := _one(at, measure, percent(result)))
        ]
        if parts:
            said.append(f"{name_of(name)}: {'; '.join(parts)}.")
    more = result.data.sizes["system"] - _SYSTEMS
    if more > 0:
        said.append(f"{more} further systems are in the table.")
    if result.settings.get("match"):
        said.append(
            f"Systems were made equal in {', '.join(result.settings['match'])} first; values are medians over "
            f"{result.settings['n_match']} draws."
        )
    said.append(
        "The measures count different things (see the table), so they need not agree; none has a ceiling."
    )
    return tuple(said)


def _one(at: Any, measure: str, level: str) -> str:
    one = at.sel(measure=measure)
    value, low, high, null_low, null_high = (
        float(one[key]) for key in ("value", "ci_low", "ci_high", "null_low", "null_high")
    )
    if np.isnan(value):
        return ""
    text = f"{METHODS_OF_DIMENSION[measure][0]} {_number(value)}"
    if np.isfinite(low):
        text += span(low, high, level) if np.isfinite(high) else f" ({level} interval from {_number(low)} up)"
    if measure in ("svca", "shared") or np.isnan(null_low):
        return text
    ends = f"{_number(null_low)} to {_number(null_high)}" if np.isfinite(null_high) else _above(null_low)
    return f"{text}, unrelated units: {ends}"


def _above(low: float) -> str:
    return f"above {_number(low)}" if np.isfinite(low) else "no bound"


def _number(value: float) -> str:
    if np.isinf(value):
        return "unbounded"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
