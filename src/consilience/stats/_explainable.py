"""How much of a unit's response repeats: reliability of its mean over repeats, and the ceiling that follows."""

from __future__ import annotations

import numpy as np

from consilience.stats._intervals import jackknife_interval

__all__ = ["explainable", "signal_ratio_interval", "weighted_reliability"]


def explainable(trials: np.ndarray, stimulus: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(means, noise): the mean over repeats of each stimulus, (n, t), and the variance of that mean.

    trials : (m, t).   stimulus : (m,) int, 0 ... n - 1, each at least twice; numbers of repeats may differ.
    """
    counts = np.bincount(stimulus).astype(np.float64)
    order = np.argsort(stimulus, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    values = np.asarray(trials, dtype=np.float64)[order]
    means = np.add.reduceat(values, starts, axis=0) / counts[:, None]
    away = values - means[stimulus[order]]
    within = np.add.reduceat(away * away, starts, axis=0)
    return means, within / (counts * (counts - 1))[:, None]


def weighted_reliability(
    means: np.ndarray, noise: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Reliability of the means, signal variance / variance of the means, (draws, t) or (t,) without weights.

    signal = var(means) - mean(noise), the unbiased variance over stimuli less what noise adds to it; so it can be
    negative, and is 0 on average for a unit that does not repeat (Sahani & Linden 2003; Schoppe et al. 2016). Its
    root is CC_max, the highest correlation that a perfect model can have with the means. With ``weights``
    (draws, n), bootstrap draws; their variance is corrected for the stimuli drawn twice.
    """
    n = means.shape[0]
    w = np.ones((1, n)) if weights is None else weights
    size = w.sum(axis=1, keepdims=True)
    centred = means - means.mean(axis=0)
    first, second = w @ centred / size, w @ (centred * centred) / size
    variance = (second - first * first) * (n / (n - 1.0)) ** (1 if weights is None else 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        out = np.where(variance > 0, 1.0 - (w @ noise / size) / variance, np.nan)
    return out[0] if weights is None else out


def signal_ratio_interval(
    means: np.ndarray, noise: np.ndarray, *, level: float, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of F = V / N, variance of the means over mean variance of a mean, for other stimuli: ((t,), (t,)).

    Jackknife on the log scale, t with one degree of freedom less than stimuli (Miller 1968). Simulated with 10 to 60
    stimuli it covers in 0.94 to 0.95 of 95 %, in 0.92 where signals are exponential; percentiles of bootstrap draws
    in 0.82 to 0.91 with 10 to 20 stimuli.
    Reliability is 1 - 1 / F, a rising function of it. NaN with fewer than 3 stimuli, and for units of which V or N is 0
    without some stimulus; infinite where repeats do not differ at all.

    means, noise : (n, t), see `explainable`.   groups : (n,) int, stimuli left out together; None = each alone.
    """
    n, t = means.shape
    owner = np.arange(n) if groups is None else groups
    kept = [owner != g for g in np.unique(owner)]
    if len(kept) < 3 or min(int(rows.sum()) for rows in kept) < 2:
        return np.full(t, np.nan), np.full(t, np.nan)
    away = means - means.mean(axis=0)

    def parts(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return away[rows].var(axis=0, ddof=1), noise[rows].mean(axis=0)

    whole = parts(np.ones(n, dtype=bool))
    between, within = (np.array(part) for part in zip(whole, *(parts(rows) for rows in kept)))
    known = (between > 0).all(axis=0) & (within > 0).all(axis=0)
    logs = np.log(np.where(known, between, 1.0)) - np.log(np.where(known, within, 1.0))
    low, high = jackknife_interval(logs[0], logs[1:], n=len(kept), left_out=1, level=level, exhaustive=True)
    alike = np.where((within[0] == 0) & (between[0] > 0), np.inf, np.nan)  # repeats without noise
    ends = (np.where(known, np.exp(np.clip(end, -700.0, 700.0)), alike) for end in (low, high))
    return tuple(ends)  # type: ignore[return-value]
