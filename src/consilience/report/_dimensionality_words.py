"""What dimensionalities say, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._results._dimensionality import METHODS_OF_DIMENSION
from consilience.report._phrases import name_of, percent, significant, span, upper

__all__ = ["of_dimensionality"]

_SYSTEMS = 6


def of_dimensionality(result: Any) -> tuple[str, ...]:
    said = []
    every = result.data["system"].values.tolist()
    if len(every) > _SYSTEMS:
        said = [_along(result, measure) for measure in result.data["measure"].values.tolist()]
        said = [text for text in said if text]
    for name in every if len(every) <= _SYSTEMS else []:
        at = result.data.sel(system=name)
        parts = [
            text for measure in at["measure"].values.tolist() if (text := _one(at, measure, percent(result)))
        ]
        if parts:
            said.append(f"{name_of(name)}: {'; '.join(parts)}.")
    if result.settings.get("match"):
        said.append(
            f"Systems were made equal in {', '.join(result.settings['match'])} first; values are medians over "
            f"{result.settings['n_match']} draws."
        )
    said.append(
        "The measures count different things (see the table), so they need not agree; none has a ceiling."
    )
    return tuple(said)


def _along(result: Any, measure: str) -> str:
    """One measure over many systems: the first, the last, and the range."""
    every = result.data.sel(measure=measure)
    value = every["value"].values
    known = every["system"].values[~np.isnan(value)].tolist()
    if not known:
        return ""
    words = upper(METHODS_OF_DIMENSION[measure][0])
    ends = [
        f"{_one(every.expand_dims('measure').sel(system=name), measure, percent(result), named=False)} of "
        f"{name_of(name)}"
        for name in dict.fromkeys((known[0], known[-1]))
    ]
    text = f"{words}: {' to '.join(ends)}" if len(ends) > 1 else f"{words}: {ends[0]}"
    finite = value[np.isfinite(value)]
    if finite.size > 2:
        text += f"; {significant(finite.min())} to {significant(finite.max())} over {finite.size} systems"
    return text + "."


def _one(at: Any, measure: str, level: str, *, named: bool = True) -> str:
    one = at.sel(measure=measure)
    value, low, high, null_low, null_high = (
        float(one[key]) for key in ("value", "ci_low", "ci_high", "null_low", "null_high")
    )
    if np.isnan(value):
        return ""
    text = f"{METHODS_OF_DIMENSION[measure][0]} {significant(value)}" if named else significant(value)
    if np.isfinite(low):
        text += (
            span(low, high, level, show=significant)
            if np.isfinite(high)
            else f" ({level} interval from {significant(low)} up)"
        )
    if measure in ("svca", "shared") or np.isnan(null_low) or not named:
        return text
    ends = (
        f"{significant(null_low)} to {significant(null_high)}" if np.isfinite(null_high) else _above(null_low)
    )
    return f"{text}, unrelated units: {ends}"


def _above(low: float) -> str:
    return f"above {significant(low)}" if np.isfinite(low) else "no bound"
