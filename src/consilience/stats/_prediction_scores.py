"""Predicted numbers held against observed ones: signs, coverage, correlation, error."""

from __future__ import annotations

import numpy as np
from scipy import stats

from consilience.stats._decoding import proportion_interval

__all__ = ["correlation_interval", "prediction_scores"]


def correlation_interval(
    x: np.ndarray, y: np.ndarray, level: float, independent: int | None = None
) -> tuple[float, float, float]:
    """Pearson r of two arrays (n,) with its interval on Fisher's scale, artanh r +- z / sqrt(n - 3); NaN for fewer than
    4 pairs or where one does not vary. independent: takes the place of n in the interval, NaN where it is below 4.
    """
    if x.size < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan, np.nan, np.nan
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -1 + 1e-12, 1 - 1e-12))
    n = x.size if independent is None else independent
    if n < 4:
        return r, np.nan, np.nan
    away = stats.norm.ppf((1 + level) / 2) / np.sqrt(n - 3)
    return r, float(np.tanh(np.arctanh(r) - away)), float(np.tanh(np.arctanh(r) + away))


def prediction_scores(
    predicted: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    observed: np.ndarray,
    observed_se: np.ndarray,
    control: np.ndarray,
    sd: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    level: float,
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """(scores, sign_agrees (n,), inside (n,)) of predictions (n,) with intervals ``low``, ``high``.

    inside: low' <= observed <= high', each end moved out so that its distance from the prediction becomes
    sqrt(distance^2 + (z se)^2). Correlation and errors are of changes over ``sd`` (n,), so that outcomes in different
    units count alike. sign_agrees is NaN where either change is exactly 0, and such are not among the signs.

    groups : (n,) whole numbers: changes that were measured together. Intervals of shares and of r take the number of
    groups for that of independent changes, and signs are flipped for whole groups; each its own where not given.
    """
    z = stats.norm.ppf((1 + level) / 2)
    noise = z * np.nan_to_num(observed_se)
    lower = predicted - np.sqrt((predicted - low) ** 2 + noise**2)
    upper = predicted + np.sqrt((high - predicted) ** 2 + noise**2)
    inside = (observed >= lower) & (observed <= upper)
    groups = np.arange(predicted.size) if groups is None else np.asarray(groups)
    product = np.sign(predicted) * np.sign(observed)
    right = np.where(product == 0, np.nan, (product > 0).astype(float))
    signed = product != 0
    out: dict[str, float] = {"n": float(predicted.size), "n_independent": float(np.unique(groups).size)}
    out["n_signs"] = float(signed.sum())
    out["sign_agreement"], out["sign_low"], out["sign_high"] = _share(right[signed], groups[signed], level)
    out["sign_p"] = _sign_p(product, groups) if signed.any() else np.nan
    known = np.isfinite(low) & np.isfinite(high)
    share, *ends = _share(inside[known].astype(float), groups[known], level)
    out |= {"inside": share, "inside_low": float(ends[0]), "inside_high": float(ends[1])}
    one, two, other = (v / np.where(sd > 0, sd, 1.0) for v in (predicted, observed, control))
    out["r"], out["r_low"], out["r_high"] = correlation_interval(one, two, level, int(out["n_independent"]))
    out["error"] = float(np.sqrt(np.mean((one - two) ** 2)))
    out["error_no_change"] = float(np.sqrt(np.mean(two**2)))
    out["error_controls"] = float(np.sqrt(np.mean((other - two) ** 2)))
    return out, right, inside


def _share(values: np.ndarray, groups: np.ndarray, level: float) -> tuple[float, float, float]:
    if not values.size:
        return np.nan, np.nan, np.nan
    share = float(values.mean())
    return share, *_wilson(share, np.unique(groups).size, level)


def _sign_p(product: np.ndarray, groups: np.ndarray) -> float:
    """Two-sided p of right less wrong signs, those of a group flipped together: exact. The binomial test, where each
    stands for itself.
    """
    sums = np.abs(np.bincount(np.unique(groups, return_inverse=True)[1], weights=product)).astype(np.int64)
    chance = np.ones(1)  # of each total from -reach to reach
    for size in sums[sums > 0].tolist():
        flipped = np.zeros(chance.size + 2 * size)
        flipped[: chance.size] += chance / 2
        flipped[2 * size :] += chance / 2
        chance = flipped
    reach = (chance.size - 1) // 2
    totals = np.abs(np.arange(-reach, reach + 1))
    return float(min(1.0, chance[totals >= abs(int(product.sum()))].sum()))


def _wilson(share: float, n: int, level: float) -> tuple[float, float]:
    value = np.array(share)
    low, high = proportion_interval(value, value * (1 - value) / n, items=n, level=level, df=1e9)
    return float(low), float(high)
