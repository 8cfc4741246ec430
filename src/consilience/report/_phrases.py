"""Pieces of sentences about results: intervals, levels, names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from consilience.plots._labels import number, shortened, visible

__all__ = [
    "ALPHA",
    "held_out",
    "name_of",
    "percent",
    "share",
    "share_span",
    "shares",
    "significant",
    "span",
    "upper",
]

ALPHA = 0.05


def span(low: Any, high: Any, percent: str = "95 %", *, show: Callable[[float], str] = number) -> str:
    """`` (95 % interval 0.1 to 0.3)``, or nothing."""
    low, high = float(low), float(high)
    return (
        f" ({percent} interval {show(low)} to {show(high)})" if np.isfinite(low) and np.isfinite(high) else ""
    )


def percent(result: Any) -> str:
    return f"{100 * float(result.settings.get('level', 0.95)):g} %"


def held_out(value: Any) -> str:
    return f", {number(value)} on stimuli left out of the fit" if np.isfinite(value) else ""


def name_of(value: object) -> str:
    return shortened(visible(value), 60)


def significant(value: Any, digits: int = 3) -> str:
    """A number by its first digits, whatever its size.

    >>> significant(4.6213), significant(-0.000442), significant(1102.16), significant(6.0)
    ('4.62', '−0.000442', '1,102', '6')
    """
    value = float(value)
    if not np.isfinite(value):
        return "–" if np.isnan(value) else "unbounded"
    text = f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
    return text.replace("-", "−")


def share(value: Any) -> str:
    """A share of 1 in percent.

    >>> share(0.32714), share(-0.0031), share(1e-9)
    ('32.7 %', '−0.31 %', '0 %')
    """
    return f"{shares(value)} %"


def share_span(low: Any, high: Any, percent: str = "95 %") -> str:
    """`span` of shares, in percent.

    >>> share_span(0.2347, 0.3412)
    ' (95 % interval 23.5 to 34.1 %)'
    """
    text = span(low, high, percent, show=shares)
    return f"{text[:-1]} %)" if text else ""


def shares(value: Any) -> str:
    """The number of `share`."""
    value = 100 * float(value)
    if np.isnan(value):
        return "–"
    text = f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"
    text = (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
    return ("0" if float(text) == 0 else text).replace("-", "−")


def upper(text: str) -> str:
    """The first letter in capitals, as at the head of a sentence."""
    return text[:1].upper() + text[1:]
