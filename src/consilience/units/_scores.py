"""`UnitScores`: one number per unit, with what says how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

__all__ = ["UnitScores", "nothing"]


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitScores:
    """One number per unit. All arrays are (units,), NaN where there is none.

    value : the number.   ci_low, ci_high : its interval.   null_mean : what is expected of a unit without the property
    (the function says which).   p : one-sided by relabelling or from that null, where the function has one.
    level : of the interval.   counted : further arrays (units,) by name, e.g. how many spikes or intervals were used.
    """

    value: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    null_mean: np.ndarray
    p: np.ndarray
    level: float = 0.95
    counted: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.value.size

    def __repr__(self) -> str:
        known = self.value[np.isfinite(self.value)]
        middle = f", median {np.median(known):.3g}" if known.size else ""
        return f"<UnitScores> {known.size} of {self.value.size} units with a value{middle}"


def nothing(n: int) -> np.ndarray:
    return np.full(n, np.nan)
