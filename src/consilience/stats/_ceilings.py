"""Noise ceilings: what the best possible model could reach, given the noise of the data."""

from __future__ import annotations

import numpy as np

__all__ = ["leave_one_out_ceiling", "spearman_brown", "split_half_rows"]


def spearman_brown(r: np.ndarray | float, factor: float = 2.0) -> np.ndarray:
    """Reliability of ``factor`` times as much data, from reliability ``r``: f r / (1 + (f - 1) r); NaN for
    r <= 0 (not defined there).
    """
    r = np.asarray(r, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(r > 0, factor * r / (1 + (factor - 1) * r), np.nan)


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
