"""Cosines of pair vectors (RDMs, centred kernels) under resampled and permuted stimuli: large products, no
object per draw.

A pair vector of n stimuli holds one number per pair i < j in SciPy's order, n(n-1)/2 of them, and, where
the kernel's diagonal
counts, n further numbers for i = j (scaled by sqrt(1/2), so that the inner product is half the Frobenius
product).
"""

from __future__ import annotations

import numpy as np

__all__ = ["permuted_cosines", "square", "weighted_cosines"]

_PAIRS = 1 << 13  # pairs per block: draws x block stays in cache-sized memory
_BYTES = 1 << 27


def _indices(n: int, diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.triu_indices(n, 1)
    if diagonal:
        rows, columns = np.concatenate([rows, np.arange(n)]), np.concatenate([columns, np.arange(n)])
    return rows, columns


def weighted_cosines(
    a: np.ndarray, b: np.ndarray, weights: np.ndarray, *, diagonal: bool = False
) -> np.ndarray:
    """Cosine of every pair vector of ``a`` with every one of ``b`` under stimulus weights.

    Parameters
    ----------
    a, b : (n_a, P), (n_b, P) pair vectors, ranked and centred once on the original stimuli
    weights : (draws, n) multinomial weights of the stimuli; a pair i != j counts w_i w_j times, a diagonal
        entry w_i times,
        so that a stimulus drawn twice never counts as a pair with itself
    diagonal : whether the vectors carry the n diagonal entries

    Returns
    -------
    (draws, n_a, n_b): sum_p v_p a_p b_p / sqrt(sum_p v_p a_p^2 sum_p v_p b_p^2); NaN where a norm is 0
    """
    draws, n = weights.shape
    rows, columns = _indices(n, diagonal)
    n_a, n_b = a.shape[0], b.shape[0]
    step = max(256, min(_PAIRS, _BYTES // (8 * max(draws, n_a * n_b))))
    top = np.zeros((draws, n_a * n_b))
    norm_a, norm_b = np.zeros((draws, n_a)), np.zeros((draws, n_b))
    pairs = n * (n - 1) // 2
    for start in range(0, rows.size, step):
        part = slice(start, min(start + step, rows.size))
        v = weights[:, rows[part]]
        other = weights[:, columns[part]].copy()
        if part.stop > pairs:  # diagonal entries count w_i, not w_i^2
            other[:, max(0, pairs - start) :] = 1.0
        v = v * other
        x, y = a[:, part], b[:, part]
        top += v @ (x[:, None, :] * y[None, :, :]).reshape(n_a * n_b, -1).T
        norm_a += v @ (x * x).T
        norm_b += v @ (y * y).T
    below = np.sqrt(norm_a[:, :, None] * norm_b[:, None, :])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, top.reshape(draws, n_a, n_b) / below, np.nan)


def square(vectors: np.ndarray, n: int, *, diagonal: bool = False) -> np.ndarray:
    """Pair vectors (k, P) as symmetric matrices (k, n, n)."""
    out = np.zeros((vectors.shape[0], n, n))
    rows, columns = _indices(n, diagonal)
    out[:, rows, columns] = vectors
    out[:, columns, rows] = vectors
    return out


def permuted_cosines(
    a: np.ndarray, b: np.ndarray, orders: np.ndarray, *, diagonal: bool = False
) -> np.ndarray:
    """Inner products of pair vectors after the stimuli of one side are relabelled: (permutations, n_a, n_b).

    ``a`` (n_a, P) and ``b`` (n_b, P) must have norm 1 (a mean over subjects of such vectors is fine: the
    result is then the mean over
    subjects). ``orders`` (permutations, n): row k gives, for each stimulus of a, the stimulus of a whose
    labels it gets.
    """
    count, n = orders.shape
    rows, columns = _indices(n, diagonal)
    swap = b.shape[0] < a.shape[0]
    moved, fixed = (b, a) if swap else (a, b)
    if swap:  # permuting b by the inverse is permuting a
        orders = np.argsort(orders, axis=1)
    flat = square(moved, n, diagonal=diagonal).reshape(moved.shape[0], n * n)
    out = np.empty((count, moved.shape[0], fixed.shape[0]))
    step = max(1, _BYTES // (16 * rows.size))
    fixed_t = np.ascontiguousarray(fixed.T)
    for start in range(0, count, step):
        part = orders[start : start + step]
        index = part[:, rows] * n + part[:, columns]
        for k in range(moved.shape[0]):
            out[start : start + step, k] = flat[k][index] @ fixed_t
    return np.swapaxes(out, 1, 2) if swap else out
