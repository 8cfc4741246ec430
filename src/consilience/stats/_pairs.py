"""Cosines of pair vectors (RDMs, centred kernels) under resampled and permuted stimuli: large products, no
object per draw.

A pair vector of n stimuli holds one number per pair i < j in SciPy's order, n(n-1)/2 of them, and, where the
kernel's diagonal counts, n further numbers for i = j (scaled by sqrt(1/2), so that the inner product is half
the Frobenius product).
"""

from __future__ import annotations

import numpy as np

__all__ = ["permuted_cosines", "square", "weighted_cosines"]

_BLOCK = 1 << 20  # numbers per block: 8 MB, reused, so that memory is touched for the first time once


def _indices(n: int, diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.triu_indices(n, 1)
    if diagonal:
        rows, columns = np.concatenate([rows, np.arange(n)]), np.concatenate([columns, np.arange(n)])
    return rows, columns


def weighted_cosines(
    a: np.ndarray,
    b: np.ndarray,
    weights: np.ndarray,
    *,
    diagonal: bool = False,
    squares: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Cosine of every pair vector of ``a`` with every one of ``b`` under stimulus weights.

    Parameters
    ----------
    a, b : (n_a, P), (n_b, P) pair vectors, ranked and centred once on the original stimuli
    weights : (draws, n) multinomial weights of the stimuli; a pair i != j counts w_i w_j times, a diagonal
        entry w_i times, so that a stimulus drawn twice never counts as a pair with itself
    diagonal : whether the vectors carry the n diagonal entries
    squares : what stands for a^2 and b^2 below the root, (n_a, P) and (n_b, P); None = the squares themselves

    Returns
    -------
    (draws, n_a, n_b): sum_p v_p a_p b_p / sqrt(sum_p v_p a_p^2 sum_p v_p b_p^2); NaN where a norm is 0
    """
    draws = weights.shape[0]
    n_a, n_b = a.shape[0], b.shape[0]
    size = a.shape[1]
    sums = np.zeros((n_a * n_b + n_a + n_b, draws))
    step = max(256, min(size, _BLOCK // draws, _BLOCK // sums.shape[0]))
    w = np.ascontiguousarray(weights.T)
    v = np.empty((min(step, size), draws))
    terms = np.empty((sums.shape[0], min(step, size)))
    for start in range(0, size, step):
        stop = min(start + step, size)
        _pair_weights(w, start, stop, v)
        x, y, block = a[:, start:stop], b[:, start:stop], terms[:, : stop - start]
        np.multiply(x[:, None, :], y[None, :, :], out=block[: n_a * n_b].reshape(n_a, n_b, -1))
        if squares is None:
            np.multiply(x, x, out=block[n_a * n_b : -n_b])
            np.multiply(y, y, out=block[-n_b:])
        else:
            block[n_a * n_b : -n_b], block[-n_b:] = (each[:, start:stop] for each in squares)
        sums += block @ v[: stop - start]
    top, norm_a, norm_b = np.split(sums, [n_a * n_b, n_a * n_b + n_a])
    below = np.sqrt(norm_a[:, None] * norm_b[None, :])
    with np.errstate(invalid="ignore", divide="ignore"):
        out = np.where(below > 0, top.reshape(n_a, n_b, draws) / below, np.nan)
    return np.ascontiguousarray(np.moveaxis(out, -1, 0))


def _pair_weights(w: np.ndarray, start: int, stop: int, out: np.ndarray) -> None:
    """Writes the weights of pairs ``start`` to ``stop``, (pairs, draws), into ``out``; ``w`` (n, draws).

    A pair i < j weighs w_i w_j, a diagonal entry w_i.
    """
    n = w.shape[0]
    first = np.arange(n) * (2 * n - np.arange(n) - 1) // 2  # the pair (i, i + 1)
    pairs = n * (n - 1) // 2
    i, p = int(np.searchsorted(first[: n - 1], start, side="right")) - 1, start
    while p < min(stop, pairs):
        end = min(stop, pairs, int(first[i]) + n - 1 - i)
        j = i + 1 + p - int(first[i])
        np.multiply(w[i], w[j : j + end - p], out=out[p - start : end - start])
        i, p = i + 1, end
    if stop > pairs:
        out[p - start : stop - start] = w[p - pairs : stop - pairs]


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
    result is then the mean over subjects). ``orders`` (permutations, n): row k gives, for each stimulus of a,
    the stimulus of a whose labels it gets.
    """
    count, n = orders.shape
    rows, columns = _indices(n, diagonal)
    swap = b.shape[0] < a.shape[0]
    moved, fixed = (b, a) if swap else (a, b)
    if swap:  # permuting b by the inverse is permuting a
        orders = np.argsort(orders, axis=1)
    flat = square(moved, n, diagonal=diagonal).reshape(moved.shape[0], n * n)
    out = np.empty((count, moved.shape[0], fixed.shape[0]))
    step = max(1, _BLOCK // rows.size)
    fixed_t = np.ascontiguousarray(fixed.T)
    relabelled = np.empty((min(step, count), rows.size))
    for start in range(0, count, step):
        part = orders[start : start + step]
        index = np.take(part, rows, axis=1)
        index *= n
        index += np.take(part, columns, axis=1)
        block = relabelled[: len(part)]
        for k in range(moved.shape[0]):
            np.take(flat[k], index, out=block, mode="clip")  # the other modes buffer
            out[start : start + step, k] = block @ fixed_t
    return np.swapaxes(out, 1, 2) if swap else out


def weighted_sums(terms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_p v_p t_p of each row of ``terms`` (k, n(n-1)/2) under stimulus weights (draws, n), a pair i < j
    weighing w_i w_j: (draws, k).
    """
    draws, size = weights.shape[0], terms.shape[1]
    out = np.zeros((terms.shape[0], draws))
    w = np.ascontiguousarray(weights.T)
    step = max(256, min(size, _BLOCK // draws))
    v = np.empty((min(step, size), draws))
    for start in range(0, size, step):
        stop = min(start + step, size)
        _pair_weights(w, start, stop, v)
        out += terms[:, start:stop] @ v[: stop - start]
    return np.ascontiguousarray(out.T)
