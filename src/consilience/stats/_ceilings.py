"""Noise ceilings: what the best possible model could reach, given the noise of the data."""

from __future__ import annotations

import numpy as np

__all__ = ["leave_one_out_ceiling", "repeats_ceiling", "spearman_brown", "split_half_rows"]


def spearman_brown(r: np.ndarray | float, factor: float = 2.0) -> np.ndarray:
    """Reliability of ``factor`` times as much data, from reliability ``r``: f r / (1 + (f - 1) r); NaN for
    r <= 0 (not defined there).
    """
    r = np.asarray(r, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(r > 0, factor * r / (1 + (factor - 1) * r), np.nan)


def repeats_ceiling(
    half: float, quarter: float | None, *, per_half: float, per_quarter: float, per_all: float
) -> float:
    """Correlation of the mean of all repeats with what is free of noise, for numbers that are products of responses
    (RDMs, kernels): their noise has a part that falls as 1/m with m repeats, signal times noise, and one that falls as
    1/m^2, noise times noise, of which Spearman-Brown knows the first only and comes out too low.

    1/r(m) - 1 = a/m + b/m^2, a, b >= 0, with r the correlation of means of m repeats; from r of halves and of
    quarters, to all: (1 + a/m + b/m^2)^-1/2. Without quarters the mean of what a alone and b alone give is taken.

    Parameters
    ----------
    half, quarter : r between means of half, of a quarter of the repeats; None = not known
    per_half, per_quarter, per_all : 1/m of them, its mean over stimuli, per_all < per_half < per_quarter

    Returns
    -------
    float; NaN for half <= 0 (not defined there)

    References
    ----------
    Spearman (1910) and Brown (1910) for b = 0.

    Examples
    --------
    >>> from consilience.stats import repeats_ceiling
    >>> a, b = 2.0, 3.0  # r of 2, 1 and 4 repeats
    >>> found = repeats_ceiling(1 / (1 + a / 2 + b / 4), 1 / (1 + a + b), per_half=1 / 2, per_quarter=1, per_all=1 / 4)
    >>> round(found**-2 - 1, 9) == round(a / 4 + b / 16, 9)
    True
    """
    if not half > 0:
        return float("nan")
    noise, steep = 1.0 / half - 1.0, per_all / per_half
    once, twice = noise * steep, noise * steep**2
    if quarter is None:
        left = (once + twice) / 2
    elif quarter <= 0:
        left = twice
    else:
        most = noise / per_half**2
        b = min(
            max(((1.0 / quarter - 1.0) / per_quarter - noise / per_half) / (per_quarter - per_half), 0.0),
            most,
        )
        left = (noise / per_half - b * per_half) * per_all + b * per_all**2
    return float((1.0 + max(left, 0.0)) ** -0.5)


def leave_one_out_ceiling(each: np.ndarray, others: np.ndarray, everyone: np.ndarray) -> tuple[float, float]:
    """(low, high) from per-subject scores: against the mean of the other subjects, and against the mean of
    all (Nili et al. 2014).

    each : (subjects,) ids, only for its length.   others, everyone : (subjects,) scores.
    """
    if each.shape[0] < 2:
        return float("nan"), float("nan")
    return float(np.mean(others)), float(np.mean(everyone))


def split_half_rows(ids: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random halves of the repeats of each stimulus: bool (count, trials), True = first half.

    ids : (trials,) stimulus of each trial, each at least twice. An odd repeat goes to either half at random.
    """
    _, inverse, counts = np.unique(ids, return_inverse=True, return_counts=True)
    out = np.empty((count, ids.size), dtype=bool)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    for k in range(count):
        order = np.lexsort((rng.random(ids.size), inverse))
        rank = np.empty(ids.size, dtype=np.int64)
        rank[order] = np.arange(ids.size) - np.repeat(starts, counts)
        first = counts // 2 + (counts % 2) * rng.integers(0, 2, counts.size)
        out[k] = rank < first[inverse]
    return out
