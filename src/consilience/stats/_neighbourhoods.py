"""Whether a map keeps who is near to whom."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

__all__ = ["nearest_rows", "neighbours_shared", "trustworthiness"]


def nearest_rows(x: np.ndarray, k: int) -> np.ndarray:
    """(n, k) the rows of x (n, p) nearest to each row, by Euclidean distance, itself not among them."""
    n = len(x)
    if x.shape[1] <= 15:
        found = cKDTree(x).query(x, k + 1)[1].reshape(n, k + 1)
    else:
        square = (x**2).sum(axis=1)
        found = np.empty((n, k + 1), np.int64)
        step = max(1, 4_000_000 // n)
        for start in range(0, n, step):
            rows = slice(start, start + step)
            far = square[None] - 2 * (x[rows] @ x.T)  # less the row's own square, which is the same for all
            near = np.argpartition(far, min(k, n - 1), axis=1)[:, : k + 1]
            order = np.argsort(np.take_along_axis(far, near, axis=1), axis=1, kind="stable")
            found[rows] = np.take_along_axis(near, order, axis=1)
    # where rows are equal, a row may come after another, or not at all
    own = found == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    return np.asarray(found[~own].reshape(n, k))


def neighbours_shared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) share of the neighbours (n, k) of each row in ``a`` that are its neighbours in ``b``. Of maps without
    relation it is k / (n - 1) on average.
    """
    together = np.sort(np.concatenate([a, b], axis=1), axis=1)
    return np.asarray((together[:, 1:] == together[:, :-1]).sum(axis=1) / a.shape[1])


def trustworthiness(x: np.ndarray, near: np.ndarray) -> float:
    """Venna & Kaski (2001): 1 less what neighbours ``near`` (n, k) in a map intrude, by their rank of distance in x
    (n, p); about 0.5 for a map without relation to x, 1 where all are among the k nearest of x.
    """
    n, k = near.shape
    if 2 * n - 3 * k - 1 <= 0:
        return float("nan")
    square = (x**2).sum(axis=1)
    total = 0.0
    step = max(1, 4_000_000 // n)
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        far = square[None] - 2 * (x[rows] @ x.T)
        far[np.arange(rows.size), rows] = -np.inf
        own = np.sort(np.take_along_axis(far, near[rows], axis=1), axis=1)
        every = np.sort(far, axis=1)
        for i in range(rows.size):
            rank = np.searchsorted(every[i], own[i], side="left")
            total += float(np.maximum(rank - k, 0).sum())
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * total
