"""How many trials show a change: power of the two-sample t test."""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = ["MOST", "power_of_trials", "trials_needed"]

MOST = 1_000_000  # per arm; more is said to be infinitely many


def power_of_trials(n: np.ndarray | float, effect: np.ndarray | float, *, alpha: float = 0.05) -> np.ndarray:
    """Chance that a two-sided two-sample t test at ``alpha`` finds a difference of ``effect`` standard deviations with
    ``n`` trials in each arm, by the noncentral t distribution (Cohen 1988).

    power = P(|T| > t_(1 - alpha/2, 2n - 2)), T noncentral t with 2n - 2 degrees of freedom and noncentrality
    effect sqrt(n / 2). NaN where the effect is.
    """
    n, effect = np.broadcast_arrays(np.asarray(n, np.float64), np.abs(np.asarray(effect, np.float64)))
    df, away = 2 * n - 2, effect * np.sqrt(n / 2)
    edge = stats.t.ppf(1 - alpha / 2, df)
    known = np.isfinite(away) & (away < 37)  # beyond, certain, and the noncentral t of scipy gives up
    safe = np.where(known, away, 0.0)
    found = stats.nct.sf(edge, df, safe) + stats.nct.cdf(-edge, df, safe)
    out = np.where(known, found, np.where(np.isnan(away), np.nan, 1.0))
    return np.asarray(np.where(np.isnan(out) & known, stats.norm.sf(edge - safe), out))


def trials_needed(
    change: np.ndarray | float,
    sd: np.ndarray | float,
    sd_changed: np.ndarray | float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> np.ndarray:
    """(...) least number of trials in each arm by which a change of the mean is found with chance ``power``.

    effect = |change| / sqrt((sd^2 + sd_changed^2) / 2), the trial-to-trial standard deviations of the two arms. inf
    for more than a million, and where there is no change; 2 where nothing varies and there is a change; NaN where
    something is not known.
    """
    change, sd, sd_changed = np.broadcast_arrays(
        *(np.asarray(v, np.float64) for v in (change, sd, sd_changed))
    )
    spread = np.sqrt((sd**2 + sd_changed**2) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.where(change == 0, 0.0, np.abs(change) / spread)
    effect = np.where(np.isnan(change) | np.isnan(spread), np.nan, effect)
    low, high = np.full(change.shape, 1.0), np.full(change.shape, float(MOST))
    reached = power_of_trials(high, effect, alpha=alpha) >= power
    for _ in range(21):  # bisection: power(low) < power <= power(high)
        middle = np.floor((low + high) / 2)
        enough = power_of_trials(np.maximum(middle, 2), effect, alpha=alpha) >= power
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    out = np.where(reached, np.maximum(high, 2), np.inf)
    return np.asarray(np.where(np.isnan(effect), np.nan, out))
