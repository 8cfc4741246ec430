"""How much of a unit's response repeats: reliability of its mean over repeats, and the ceiling that follows."""

from __future__ import annotations

import numpy as np

__all__ = ["explainable", "weighted_reliability"]


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
