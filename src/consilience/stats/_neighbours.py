"""Are trials that follow each other alike beyond their class: slow drift, state, fatigue."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from consilience.stats._label_permutations import stretches

__all__ = ["alike_beyond", "in_stretches", "neighbours_alike", "order_matters"]

_REACHES = (1.0, 3.0, 10.0, 30.0, 100.0)  # trials over which likeness falls to 1/e
_UNITS = 100


def in_stretches(codes: np.ndarray, strata: np.ndarray | None = None) -> tuple[float, float]:
    """Mean number of trials in a row of one class, and what it would be with classes in random order."""
    found = stretches(codes, np.zeros_like(codes) if strata is None else strata)
    share = np.bincount(codes) / codes.size
    return codes.size / (found.max() + 1), 1.0 / max(1.0 - float((share**2).sum()), 1e-9)


def neighbours_alike(
    x: np.ndarray, codes: np.ndarray, *, n_perm: int = 199, rng: np.random.Generator | None = None
) -> tuple[float, float]:
    """(p, r): that trials near to each other are no more alike than their classes make them, and the mean over units of
    the correlation of each trial with the next, class means taken out.

    With z (n, units) the trials less the means of their class, in units of their standard deviation, T = sum_ij z_i
    z_j exp(-|i - j| / reach) is the score statistic of a drift with that reach beside white noise, the most powerful
    test of a weak one. It is taken for reaches of 1 to 100 trials, summed over units (drift of each) and of their mean
    (drift of all), and the largest, each in standard deviations of its null, is compared with that of trials that
    change places within their class: exact where noise does not depend on time. Drift that is slow against a class
    shown only once, in one stretch, goes into the mean of that class, and is seen by `order_matters` alone.

    In simulations of 200 trials without signal, with drift of a tenth of the noise's variance that is correlated over
    30 trials, p was at most 0.05 in 0.46 (1 unit) to 1.00 (10 units) with 10 classes in 4 stretches of 5 each, and in
    0.09 with 20 classes in one stretch of 10 each, where that of `order_matters` was in 0.35 (1 unit) and 0.95 (10
    units). Without drift both were in 0.01 to 0.09 of 80 data sets.

    x : (n, units) in the order of time.   codes : (n,) int.   n_perm : the least p is 1 / (1 + n_perm).   rng : default
    a fixed one.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    order = np.argsort(codes, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    counts = np.bincount(codes)
    counts = counts[counts > 0]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    z = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    top = np.abs(z).max(axis=0)
    means = np.add.reduceat(z[order], starts, axis=0) / counts[:, None]
    z = z - np.repeat(means, counts, axis=0)[place]
    z = _scaled(z, top)
    if not z.size:
        return 1.0, 0.0
    p = _tested(z, lambda: np.lexsort((rng.random(codes.size), codes))[place], n_perm)
    return p, float((z[1:] * z[:-1]).mean())


def alike_beyond(x: np.ndarray, y: np.ndarray, *, n_perm: int = 199) -> tuple[float, float]:
    """`neighbours_alike` of x (n, units) less what a smooth function of y (n, k) explains: of few values of y the mean
    of each, else polynomials (degree up to 6, by rows that there are) of each column, and products of two columns.
    """
    levels, codes = np.unique(y, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    if 5 * len(levels) <= len(y):
        return neighbours_alike(x, codes, n_perm=n_perm)
    low, high = y.min(axis=0), y.max(axis=0)
    u = 2 * (y - low) / np.where(high > low, high - low, 1.0) - 1
    degree = int(np.clip(len(y) // (8 * u.shape[1]), 1, 6))
    parts = [np.polynomial.legendre.legvander(column, degree)[:, 1:] for column in u.T]
    if len(y) > 8 * (degree + u.shape[1]) * u.shape[1]:
        parts += [u[:, [i]] * u[:, i + 1 :] for i in range(u.shape[1] - 1)]
    basis = np.concatenate([np.ones((len(u), 1)), *parts], axis=1)[:, : len(u) // 2]
    q, values, _ = np.linalg.svd(basis, full_matrices=False)
    q = q[:, values > 1e-9 * values[0]]
    x = np.asarray(x, dtype=np.float64)
    x = x - x.mean(axis=0)
    return neighbours_alike(x - q @ (q.T @ x), np.zeros(len(x), np.int64), n_perm=n_perm)


def order_matters(
    x: np.ndarray, codes: np.ndarray, *, n_perm: int = 199, rng: np.random.Generator | None = None
) -> float:
    """p: that means of stretches of trials of one class are no more alike where one follows the other: drift, if
    classes came in random order. The statistic of `neighbours_alike`, of means over stretches that change places; 1
    with fewer than 5 stretches.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    stretch = stretches(codes, np.zeros_like(codes))
    first = np.flatnonzero(np.diff(stretch, prepend=-1))
    z = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    top = np.abs(z).max(axis=0)
    counts = np.diff(np.append(first, len(z)))
    z = np.add.reduceat(z, first, axis=0) / counts[:, None]
    z = _scaled(z - z.mean(axis=0), top)
    if len(z) < 5 or not z.size:
        return 1.0
    return _tested(z, lambda: rng.permutation(len(z)), n_perm)


def _scaled(z: np.ndarray, top: np.ndarray) -> np.ndarray:
    z = z / np.where(top > 0, top, 1.0)  # squares of the values themselves may not fit a float64
    size = np.sqrt((z * z).mean(axis=0))
    kept = size > 1e-9
    return np.asarray(z[:, kept] / size[kept])


def _tested(z: np.ndarray, draw: Callable[[], np.ndarray], n_perm: int) -> float:
    few = z[:, :: -(-z.shape[1] // _UNITS)]
    few = np.concatenate([few, z.mean(axis=1, keepdims=True)], axis=1) if z.shape[1] > 1 else few
    reaches = [reach for reach in _REACHES if reach <= len(z) / 2] or [1.0]
    drawn = np.stack([_scores(few, reaches), *(_scores(few[draw()], reaches) for _ in range(n_perm))])
    spread = drawn.std(axis=0)
    score = ((drawn - drawn.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).max(axis=1)
    return float((score >= score[0] - 1e-9).mean())


def _scores(z: np.ndarray, reaches: list[float]) -> np.ndarray:
    """Of each reach: T summed over the columns but the last, and of the last."""
    out = []
    for reach in reaches:
        smooth = lfilter([1.0], [1.0, -np.exp(-1.0 / reach)], z, axis=0)
        each = (z * smooth).sum(axis=0)
        out += [each[:-1].sum(), each[-1]] if each.size > 1 else [each[0]]
    return np.array(out)
