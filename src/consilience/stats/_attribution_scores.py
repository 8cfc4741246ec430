"""How good attribution maps are: places taken out in their order, and how alike two sets of maps are."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

__all__ = ["mean_with_interval", "patch_numbers", "rank_agreement", "removal_masks", "share_lost"]


def patch_numbers(places: tuple[int, ...], most: int, *, ordered: bool) -> np.ndarray:
    """Number of the patch of each place, (*places): a grid of at most ``most`` patches per axis; where places have no
    order each is a patch of its own.
    """
    if not ordered:
        return np.arange(math.prod(places)).reshape(places)
    numbers = np.zeros(places, dtype=np.int64)
    for axis, size in enumerate(places):
        count = min(size, most)
        mine = (np.arange(size) * count) // size
        numbers = numbers * count + mine.reshape([-1 if i == axis else 1 for i in range(len(places))])
    return numbers


def removal_masks(scores: np.ndarray, patches: np.ndarray, levels: int) -> np.ndarray:
    """Places taken out, highest patches first, at ``levels`` equal shares between none and all.

    scores : (..., n_patches).   patches : (*places).   Returns (..., levels, *places) bool; level i of L (from 1) takes
    out round(i / (L + 1) n) patches. The order is that of the scores; equal ones in the order of patches.
    """
    n = scores.shape[-1]
    rank = np.argsort(np.argsort(-scores, axis=-1, kind="stable"), axis=-1)
    out = np.round(np.arange(1, levels + 1) / (levels + 1) * n)
    return np.asarray((rank[..., None, :] < out[:, None])[..., patches])


def share_lost(curve: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Mean height above ``end`` of a curve (..., levels) that begins at ``start`` and ends at ``end``, by trapezoids:
    the area between the curve and its end, in units of the value.
    """
    ends = [np.broadcast_to(v, curve.shape[:-1])[..., None] for v in (start, end)]
    whole = np.concatenate([ends[0], curve, ends[1]], axis=-1) - ends[1]
    return np.asarray((whole[..., 1:] + whole[..., :-1]).mean(axis=-1) / 2)


def rank_agreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's correlation of every row of a (n, p) with every row of b (m, p), (n, m); NaN for constant rows."""
    ranks = [stats.rankdata(v, axis=1) for v in (a, b)]
    centred = [r - r.mean(axis=1, keepdims=True) for r in ranks]
    with np.errstate(invalid="ignore", divide="ignore"):
        one, two = (c / np.linalg.norm(c, axis=1, keepdims=True) for c in centred)
        return np.asarray(one @ two.T)


def mean_with_interval(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over the last axis (NaN left out) and its t interval, NaN below 2 values: mean, low, high."""
    known = np.isfinite(values)
    n = known.sum(axis=-1)
    filled = np.where(known, values, 0.0)
    mean = np.where(n > 0, filled.sum(axis=-1) / np.maximum(n, 1), np.nan)
    away = np.where(known, values - mean[..., None], 0.0)
    variance = (away**2).sum(axis=-1) / np.maximum(n - 1, 1) / np.maximum(n, 1)
    half = stats.t.ppf((1 + level) / 2, np.maximum(n - 1, 1)) * np.sqrt(variance)
    half = np.where(n > 1, half, np.nan)
    return mean, mean - half, mean + half
