"""Predicted numbers held against observed ones: signs, coverage, correlation, error."""

from __future__ import annotations

import numpy as np
from scipy import stats

from consilience.stats._decoding import proportion_interval

__all__ = ["correlation_interval", "prediction_scores"]


def correlation_interval(x: np.ndarray, y: np.ndarray, level: float) -> tuple[float, float, float]:
    """Pearson r of two arrays (n,) with its interval on Fisher's scale, artanh r +- z / sqrt(n - 3); NaN for fewer than
    4 pairs or where one does not vary.
    """
    if x.size < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan, np.nan, np.nan
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -1 + 1e-12, 1 - 1e-12))
    away = stats.norm.ppf((1 + level) / 2) / np.sqrt(x.size - 3)
    return r, float(np.tanh(np.arctanh(r) - away)), float(np.tanh(np.arctanh(r) + away))


def prediction_scores(
    predicted: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    observed: np.ndarray,
    observed_se: np.ndarray,
    control: np.ndarray,
    sd: np.ndarray,
    *,
    level: float,
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """(scores, sign_agrees (n,), inside (n,)) of predictions (n,) with intervals ``low``, ``high``.

    inside: low' <= observed <= high', each end moved out so that its distance from the prediction becomes
    sqrt(distance^2 + (z se)^2). Correlation and errors are of changes over ``sd`` (n,), so that outcomes in different
    units count alike.
    """
    z = stats.norm.ppf((1 + level) / 2)
    noise = z * np.nan_to_num(observed_se)
    lower = predicted - np.sqrt((predicted - low) ** 2 + noise**2)
    upper = predicted + np.sqrt((high - predicted) ** 2 + noise**2)
    inside = (observed >= lower) & (observed <= upper)
    right = np.sign(predicted) == np.sign(observed)
    n = predicted.size
    out: dict[str, float] = {"n": float(n), "sign_agreement": float(right.mean())}
    s_low, s_high = _wilson(float(right.mean()), n, level)
    out |= {"sign_low": float(s_low), "sign_high": float(s_high)}
    out["sign_p"] = float(stats.binomtest(int(right.sum()), n).pvalue)
    known = np.isfinite(low) & np.isfinite(high)
    share = float(inside[known].mean()) if known.any() else np.nan
    ends = _wilson(share, int(known.sum()), level) if known.any() else (np.nan, np.nan)
    out |= {"inside": share, "inside_low": float(ends[0]), "inside_high": float(ends[1])}
    one, two, other = (v / np.where(sd > 0, sd, 1.0) for v in (predicted, observed, control))
    out["r"], out["r_low"], out["r_high"] = correlation_interval(one, two, level)
    out["error"] = float(np.sqrt(np.mean((one - two) ** 2)))
    out["error_no_change"] = float(np.sqrt(np.mean(two**2)))
    out["error_controls"] = float(np.sqrt(np.mean((other - two) ** 2)))
    return out, right, inside


def _wilson(share: float, n: int, level: float) -> tuple[float, float]:
    value = np.array(share)
    low, high = proportion_interval(value, value * (1 - value) / n, items=n, level=level, df=1e9)
    return float(low), float(high)
