"""`PopulationScore`: one number of a population with its interval, its null and its ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["PopulationScore"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PopulationScore:
    """One number of a population, its interval, and what it would be by chance.

    value : the number.   ci_low, ci_high : of ``level``, NaN without one.   resampled : what the interval is over, in
    words.   null_mean, null_low, null_high : of the same number under the null that the function names, and the middle
    ``level`` of it.   p : share of null values at least as far in the direction that the function names,
    (b + 1) / (m + 1).   ceiling : the most that these data could show, NaN where there is none.   n_trials, n_units,
    n_conditions : what it was computed from.   details : further numbers by name.   note : what was chosen, in words.
    each : (n_conditions,) what each condition contributes (pseudo-values, whose mean is about the value), where the
    interval is over conditions; else empty.
    """

    value: float
    ci_low: float = float("nan")
    ci_high: float = float("nan")
    resampled: str = ""
    null_mean: float = float("nan")
    null_low: float = float("nan")
    null_high: float = float("nan")
    p: float = float("nan")
    ceiling: float = float("nan")
    level: float = 0.95
    n_trials: int = 0
    n_units: int = 0
    n_conditions: int = 0
    details: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    each: np.ndarray = field(default_factory=lambda: np.empty(0))

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        ends = f" [{self.ci_low:.3g}, {self.ci_high:.3g}]" if self.ci_low == self.ci_low else " (no interval)"
        null = f"; null {self.null_mean:.3g}" if self.null_mean == self.null_mean else ""
        p = f", p={self.p:.3g}" if self.p == self.p else ""
        return (
            f"<PopulationScore> {self.value:.4g}{ends}{null}{p}; {self.n_trials} trials, {self.n_units} units"
        )
