"""How many components a tensor has, and how sure their factors are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from consilience._core._seeds import Seed
from consilience.linalg._cp import Factors, cp_fit, cp_predict

__all__ = ["hidden_courses", "lengths_of", "standard_errors", "unit_means"]

Run = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], Factors]


def hidden_courses(
    x: np.ndarray, mask: np.ndarray | None, numbers: np.ndarray, folds: int, run: Run, seed: Seed
) -> np.ndarray:
    """(numbers, folds) R2, about the units' means, of time courses of (trial, unit) pairs that ``run`` did not see.

    x : (trial, time, unit), 0 where missing.   run : (values, mask, number, generator) -> factors.
    """
    n, _, p = x.shape
    # a balanced table: every trial and every unit is in every fold about as often
    rng = seed.stream("folds")
    fold = (rng.permutation(n)[:, None] + rng.permutation(p)[None, :]) % folds
    seen = np.ones(x.shape, bool) if mask is None else mask
    scores = np.full((len(numbers), folds), np.nan)
    for f in range(folds):
        hidden = np.broadcast_to((fold == f)[:, None, :], x.shape) & seen
        train = seen & ~hidden
        rest = np.where(train, x, 0.0)
        base = float((np.where(hidden, x - unit_means(rest, train), 0.0) ** 2).sum())
        for i, k in enumerate(numbers):
            predicted = cp_predict(*run(rest, train, int(k), seed.stream(f"cv-{f}-{k}")))
            scores[i, f] = 1 - float((np.where(hidden, x - predicted, 0.0) ** 2).sum()) / base
    return scores


def standard_errors(
    x: np.ndarray, mask: np.ndarray | None, best: Factors, *, groups: int, non_negative: bool, max_sweeps: int
) -> list[np.ndarray]:
    """Standard errors of the time and the unit factors, of length 1: jackknife over groups of trials left out, all of
    them fitted at once from ``best``.
    """
    n = len(x)
    groups = min(groups, n)
    rows = np.ones((groups, n))
    rows[np.arange(n) * groups // n, np.arange(n)] = 0.0
    start: Any = tuple(np.repeat(f[None], groups, axis=0) for f in best)
    fits = cp_fit(x, mask, start, non_negative=non_negative, tol=-1.0, max_sweeps=max_sweeps, rows=rows)
    out = []
    for d in (1, 2):
        whole = best[d] / lengths_of(best[d])
        draws = np.array([fits.one(g)[d] / lengths_of(fits.one(g)[d]) for g in range(groups)])
        draws *= np.where((draws * whole).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
        out.append(np.sqrt((groups - 1) / groups * ((draws - draws.mean(axis=0)) ** 2).sum(axis=0)))
    return out


def lengths_of(f: np.ndarray) -> np.ndarray:
    """(r,) lengths of columns, 1 for those of zeros."""
    size = np.linalg.norm(f, axis=0)
    return np.where(size > 0, size, 1.0)


def unit_means(x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """(units,) means of the values that are there."""
    count = np.full(x.shape[2], x.shape[0] * x.shape[1]) if mask is None else mask.sum(axis=(0, 1))
    return x.sum(axis=(0, 1)) / np.maximum(count, 1)
