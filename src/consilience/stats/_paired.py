"""Tests of a number, often a difference, from its draws: variance over stimuli, subjects or both, t, p, interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from consilience._core._params import check_option

__all__ = ["Test", "cross_validated_variance", "equivalence_p", "t_test", "two_factor_variance"]


def two_factor_variance(
    stimuli: np.ndarray, subjects: np.ndarray, both: np.ndarray, *, n_stimuli: int, n_subjects: int
) -> np.ndarray:
    """Variance for new stimuli and new subjects together, from the variances of three bootstraps.

    With c = n / (n - 1) for each factor, which undoes what a bootstrap of n items loses,
        c1 s2_subjects + c2 s2_stimuli - c1 c2 (s2_both - s2_subjects - s2_stimuli),
    bounded below by the larger corrected single one and above by max(c1, c2) s2_both (rsatoolbox: by s2_both, which
    a variance that is all between few subjects exceeds). For many stimuli and subjects this is
    2 (s2_subjects + s2_stimuli) - s2_both.

    stimuli, subjects, both : arrays of variances of draws of one factor, the other, and both.

    References
    ----------
    Schuett, Kipnis, Diedrichsen & Kriegeskorte (2023).

    Examples
    --------
    >>> from consilience.stats import two_factor_variance
    >>> float(two_factor_variance(1.0, 1.0, 3.0, n_stimuli=10**9, n_subjects=10**9).round(6))
    1.0
    """
    one, two = n_subjects / (n_subjects - 1), n_stimuli / (n_stimuli - 1)
    stimuli, subjects, both = (np.asarray(s, dtype=np.float64) for s in (stimuli, subjects, both))
    larger = np.maximum(one * subjects, two * stimuli)
    variance = one * subjects + two * stimuli - one * two * (both - subjects - stimuli)
    return np.asarray(np.clip(variance, larger, np.maximum(max(one, two) * both, larger)))


def cross_validated_variance(draws: np.ndarray) -> np.ndarray:
    """Variance of draws of a cross-validated value, without what the choice of folds adds.

    With r assignments to folds in each draw, (r var(mean over them) - mean var(single one)) / (r - 1): the
    variance that infinitely many assignments would have. Never below 0; with r = 1 the plain variance.

    draws : (m, r, ...); NaN draws are left out.

    References
    ----------
    Schuett et al. (2023).
    """
    r = draws.shape[1]
    mean = _variance(draws.mean(axis=1))
    if r == 1:
        return mean
    single = _variance(draws).mean(axis=0)
    return np.asarray(np.maximum((r * mean - single) / (r - 1), 0.0))


def _variance(draws: np.ndarray) -> np.ndarray:
    """Over axis 0, NaN left out; NaN where fewer than 2 are left."""
    known = np.isfinite(draws)
    enough = known.sum(axis=0) > 1
    filled = np.where(enough, np.where(known, draws, np.nan), 0.0)
    return np.where(enough, np.nanvar(filled, axis=0, ddof=1), np.nan)


@dataclass(frozen=True)
class Test:
    """low, high : interval.   p : of the hypothesis that the value is 0.   statistic : value / sqrt(variance)."""

    __test__ = False  # not a test case for pytest

    low: np.ndarray
    high: np.ndarray
    statistic: np.ndarray
    p: np.ndarray


def t_test(
    value: np.ndarray | float,
    variance: np.ndarray | float,
    *,
    df: int | np.ndarray,
    level: float = 0.95,
    side: Literal["two", "less", "greater"] = "two",
) -> Test:
    """value +- t sqrt(variance), and p of value = 0, from Student's t with ``df`` degrees of freedom.

    value, variance : arrays of one shape. Where both are 0 (a system against itself) p is 1; NaN stays NaN.
    side : what the p is small for: ``"two"`` either sign, ``"less"`` a negative value, ``"greater"`` a positive one.

    Examples
    --------
    >>> from consilience.stats import t_test
    >>> found = t_test(0.2, 0.01, df=11)
    >>> found.p.round(3), found.low.round(3)
    (np.float64(0.071), np.float64(-0.02))
    """
    check_option(side, ("two", "less", "greater"), name="side", who="t_test")
    value, variance = np.asarray(value, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    error = np.sqrt(variance)
    df = np.maximum(1, df)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.where((error == 0) & (value == 0), 0.0, value / error)
    if side == "two":
        p = 2 * stats.t.sf(np.abs(statistic), df)
    else:
        p = stats.t.cdf(statistic, df) if side == "less" else stats.t.sf(statistic, df)
    width = stats.t.ppf((1 + level) / 2, df) * error
    return Test(value - width, value + width, statistic, np.asarray(p))


def equivalence_p(
    value: np.ndarray | float, variance: np.ndarray | float, margin: float, *, df: int | np.ndarray
) -> np.ndarray:
    """p of two one-sided tests that ``value`` lies inside (-margin, margin): the larger of the two.

    Small p: the value is equivalent to 0 up to the margin. The interval at level 1 - 2 alpha lies inside the margin
    exactly where p < alpha.

    References
    ----------
    Schuirmann (1987).

    Examples
    --------
    >>> from consilience.stats import equivalence_p
    >>> equivalence_p(0.0, 0.0001, 0.05, df=20) < 0.001
    np.True_
    """
    above = t_test(np.asarray(value) + margin, variance, df=df, side="greater").p
    below = t_test(np.asarray(value) - margin, variance, df=df, side="less").p
    return np.asarray(np.maximum(above, below))
