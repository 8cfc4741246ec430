"""`PairScores`: one number per pair of units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["PairScores"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PairScores:
    """One number per pair of units; arrays (units, units), symmetric, NaN on the diagonal and where there is none.

    value, ci_low, ci_high, null_mean : the number, its interval, what is expected without it.   p : of each pair by
    itself, two-sided.   p_fwer : family-wise over all pairs, against the largest of each relabelling.
    """

    value: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    null_mean: np.ndarray
    p: np.ndarray
    p_fwer: np.ndarray
    level: float = 0.95

    def __repr__(self) -> str:
        above = self.above()
        known = above[np.isfinite(above)]
        middle = f", mean {known.mean():.3g}" if known.size else ""
        return f"<PairScores> {known.size} of {above.size} pairs of {len(self.value)} units{middle}"

    def above(self, name: str = "value") -> np.ndarray:
        """The pairs above the diagonal, (units (units - 1) / 2,), in SciPy's order."""
        found: np.ndarray = getattr(self, name)
        return found[np.triu_indices(len(found), 1)]
