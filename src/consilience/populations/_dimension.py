"""`Dimension`: a dimensionality with what says how far to trust it; groups that are left out in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

__all__ = ["Dimension", "groups_left_out", "inverse_interval", "jackknife_variance", "null_ends"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dimension:
    """One number of a population, its interval, and what data without structure would show.

    value : the dimensionality (or what the function says).   ci_low, ci_high : of ``level``; inf where the data do not
    bound it, NaN without one.   resampled : what the interval is over, in words.   null_mean, null_low, null_high : of
    the same number for data of the same size in which units are unrelated, and the middle ``level`` of it; inf: has no
    bound.   p : share of null values as low or lower, (b + 1) / (m + 1).   n_samples, n_units : what it was computed
    from.   details : further numbers by name.
    """

    value: float
    ci_low: float = float("nan")
    ci_high: float = float("nan")
    resampled: str = ""
    null_mean: float = float("nan")
    null_low: float = float("nan")
    null_high: float = float("nan")
    p: float = float("nan")
    level: float = 0.95
    n_samples: int = 0
    n_units: int = 0
    details: Mapping[str, float] = field(default_factory=dict)

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        ends = f" [{self.ci_low:.3g}, {self.ci_high:.3g}]" if self.ci_low == self.ci_low else " (no interval)"
        null = f"; unrelated units: {self.null_mean:.3g}" if self.null_mean == self.null_mean else ""
        return f"<Dimension> {self.value:.4g}{ends}{null}; {self.n_samples} samples, {self.n_units} units"


def groups_left_out(n: int, most: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Up to ``most`` disjoint groups of 0 ... n - 1, of about equal size, dealt at random."""
    return [np.sort(part) for part in np.array_split(rng.permutation(n), min(n, most))]


def jackknife_variance(values: np.ndarray) -> float:
    """Variance of an estimate from its values with each of g groups left out, (g - 1) / g sum (v - mean)^2."""
    g = values.size
    return float((g - 1) / g * np.sum((values - values.mean()) ** 2)) if g > 1 else float("nan")


def inverse_interval(
    inverse: float, without: Sequence[np.ndarray], level: float, *, centred: bool = True
) -> tuple[float, float]:
    """Interval of 1 / inverse by jackknife; ``without``: of each kind of group (stimuli, units) the values with each of
    them left out. Variances of kinds are added. Its upper end is inf where the data do not tell the inverse from 0.

    The error of a ratio of squares grows with the ratio, so that inverse +- t s misses high values; near 0 it does not,
    and there is no logarithm. The interval is that of arsinh(inverse / (s / 2)), which is a logarithm far above s and
    the value itself below it, moved by the jackknife's estimate of its bias if ``centred``.
    """
    s = float(np.sqrt(sum(jackknife_variance(one) for one in without)))
    if not np.isfinite(inverse) or not np.isfinite(s):
        return float("nan"), float("nan")
    if s == 0:
        end = 1.0 / inverse if inverse > 0 else float("inf")
        return end, end
    at = float(np.arcsinh(2 * inverse / s))
    each = [np.arcsinh(2 * one / s) for one in without]
    width = float(
        stats.t.ppf((1 + level) / 2, max(min(one.size for one in each) - 1, 1))
        * np.sqrt(sum(jackknife_variance(one) for one in each))
    )
    if centred:
        at -= float(sum((one.size - 1) * (one.mean() - at) for one in each))
    low, high = (float(np.sinh(end)) * s / 2 for end in (at - width, at + width))
    return 1.0 / high if high > 0 else float("inf"), 1.0 / low if low > 0 else float("inf")


def null_ends(null: np.ndarray, value: float, level: float) -> dict[str, Any]:
    """Fields of a `Dimension` from values of data without structure; low values are the unusual ones."""
    if not null.size:
        return {}
    low, high = np.quantile(null, [(1 - level) / 2, (1 + level) / 2])
    return {
        "null_mean": float(null.mean()),
        "null_low": float(low),
        "null_high": float(high),
        "p": float((1 + np.sum(null <= value)) / (null.size + 1)),
    }
