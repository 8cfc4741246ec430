"""Intervals: percentiles of weighted draws, cross-validated scores, two-factor variance, delete-d jackknife."""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = [
    "cross_validated_draws",
    "held_out_interval",
    "jackknife_interval",
    "percentile_interval",
    "two_factor_interval",
]


def percentile_interval(draws: np.ndarray, value: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles (over axis 0) of ``draws`` (m, ...), widened where needed so that ``value`` (...) lies
    inside.

    NaN where every draw is NaN.
    """
    tail = (1 - level) / 2
    value = np.asarray(value, dtype=np.float64)
    known = np.isfinite(draws).any(axis=0)
    filled = np.where(known, draws, 0.0)
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(known, np.fmin(low, value), np.nan), np.where(known, np.fmax(high, value), np.nan)


def cross_validated_draws(
    draws: np.ndarray,
    value: np.ndarray | float,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    deals: np.ndarray | None = None,
) -> np.ndarray:
    """Draws of a held-out score, sqrt(2) times as far from ``value``, for the stimuli's part in the fits.

    Draws that weight held-out predictions take the fits as given. Yet every pair of stimuli of two folds adds
    to the score twice, once with either as training stimulus and the other held out. For unrelated systems
    both terms are one number h_ij (exactly so where the cross-covariance is the fit: h_ij = (x_i . x_j)
    (y_i . y_j)), so the score is a sum over i of s_i = sum_j h_ij with variance 2 sum_ij h_ij^2, while draws
    of the s_i have half of that. The correction of Nadeau & Bengio (2003) for the training stimuli that k
    folds share, 1 + k/(k - 1), tends to the same 2. Where the fit is settled (strong signal, very many
    stimuli) the score hangs less on who trained it, and the interval is up to sqrt(2) wider than it need be.
    Where features outnumber stimuli that do carry signal, it hangs more on them, and on the deal of the folds: in
    simulations of single units the variance was up to 2.5 times that of the draws, so intervals of 95 % held 0.91
    to 0.93. The variance over ``deals`` of the folds, added, makes that 0.94 to 0.96: the draws are then spread by
    sqrt(2 + variance over deals / variance of draws).

    Parameters
    ----------
    draws : (m, ...)
    value : (...), the score without weights
    low, high : the range of the score; draws are kept inside
    deals : (k, ...) the score with the folds dealt again, k times

    Returns
    -------
    array (m, ...)

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import cross_validated_draws
    >>> cross_validated_draws(np.array([0.4, 0.5, 0.6]), 0.5).round(3)
    array([0.359, 0.5  , 0.641])
    """
    factor: np.ndarray | float = 2.0
    if deals is not None and len(deals):
        known = np.isfinite(draws).any(axis=0)
        own = np.nanvar(np.where(known, draws, 0.0), axis=0, ddof=1)
        factor = 2.0 + np.where(own > 0, _deal_variance(value, deals) / np.where(own > 0, own, 1.0), 0.0)
    return np.clip(value + np.sqrt(factor) * (draws - value), low, high)


def two_factor_interval(
    value: np.ndarray | float,
    stimuli: np.ndarray,
    subjects: np.ndarray,
    both: np.ndarray,
    *,
    n_stimuli: int,
    n_subjects: int,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Interval for new stimuli and new subjects together (Schuett et al. 2023).

    The naive bootstrap over both factors counts the noise of single entries three times; the corrected
    variance is 2 (s2_subjects + s2_stimuli) - s2_both, bounded below by the larger single one and above by
    s2_both. value +- t sqrt(variance), df = min(subjects, stimuli) - 1.

    value : (...).   stimuli, subjects, both : (m, ...) draws of one factor, the other, and both.
    """
    s2_stimuli, s2_subjects, s2_both = (np.nanvar(d, axis=0, ddof=1) for d in (stimuli, subjects, both))
    larger = np.maximum(s2_stimuli, s2_subjects)
    variance = np.clip(2 * (s2_stimuli + s2_subjects) - s2_both, larger, np.maximum(s2_both, larger))
    width = stats.t.ppf((1 + level) / 2, max(1, min(n_stimuli, n_subjects) - 1)) * np.sqrt(variance)
    return value - width, value + width


def jackknife_interval(
    value: np.ndarray | float,
    subsets: np.ndarray,
    *,
    n: int,
    left_out: int,
    level: float,
    exhaustive: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """value +- t sqrt((n - d)/d var) from values on subsets of n - d items (delete-d jackknife; Shao & Wu
    1989).

    ``subsets`` (m, ...): the values on random subsets, or with ``exhaustive=True`` on all subsets (var then
    divides by m, as in the plain jackknife). No bias correction, so it covers the expectation at this n, never
    the value at infinite n.
    """
    variance = (n - left_out) / left_out * np.nanvar(subsets, axis=0, ddof=0 if exhaustive else 1)
    width = stats.t.ppf((1 + level) / 2, n - 1) * np.sqrt(variance)
    return np.asarray(value - width), np.asarray(value + width)


def _deal_variance(value: np.ndarray | float, deals: np.ndarray) -> np.ndarray:
    """(...) variance of a score over deals of the folds: ``value`` (...) and that of the further ``deals`` (k, ...)
    that are known; 0 where none is.
    """
    every = np.concatenate([np.asarray(value)[None], deals])
    count = np.isfinite(every).sum(axis=0)
    filled = np.where(np.isfinite(every), every, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    square = np.where(np.isfinite(every), (filled - mean) ** 2, 0.0).sum(axis=0)
    return np.asarray(square / np.maximum(count - 1, 1))


def held_out_interval(
    draws: np.ndarray,
    value: np.ndarray | float,
    *,
    level: float,
    blocks: int,
    correlation: bool = False,
    deals: np.ndarray | None = None,
    refitted: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """value +- t s for held-out scores; s^2 = 2 b / (b - 1) times the variance of the draws, and that over deals of the
    folds where ``deals`` are given.

    The 2 is that of `cross_validated_draws`. Percentiles of the draws are too narrow for few stimuli and a skewed
    score: here a t distribution with b - 1 degrees of freedom, on Fisher's scale artanh r for a correlation.

    draws : (m, ...) scores under bootstrap weights.   value : (...).   blocks : b, how many independent items were
    drawn (stimuli, groups, stretches of time).   deals : (k, ...) the score with the folds dealt again, k times: what
    the deal adds to the variance is in no draw of held-out predictions.   refitted : the draws are instead the scores
    (b, ...) with everything fitted without each of the b items: s^2 is their jackknife variance, and that over deals.
    """
    df = max(1, blocks - 1)
    quantile = stats.t.ppf((1 + level) / 2, df)
    top = 1 - 1e-12

    def on_scale(score: np.ndarray | float) -> np.ndarray:
        return np.arctanh(np.clip(score, -top, top)) if correlation else np.asarray(score)

    known = np.isfinite(draws).any(axis=0)
    scaled, middle = on_scale(np.where(known, draws, 0.0)), on_scale(value)
    if refitted:
        variance = df * np.nanvar(scaled, axis=0)
    else:
        variance = 2.0 * (df + 1) / df * np.nanvar(scaled, axis=0, ddof=1)
    if deals is not None and len(deals):
        variance = variance + _deal_variance(middle, on_scale(deals))
    away = np.where(known, quantile * np.sqrt(variance), np.nan)
    low, high = middle - away, middle + away
    if correlation:
        low, high = np.tanh(low), np.tanh(high)
    return (
        np.where(np.isnan(low), np.nan, np.fmin(low, value)),
        np.where(np.isnan(high), np.nan, np.fmax(high, value)),
    )
