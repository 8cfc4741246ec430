"""Unbiased (tr C)^2 and tr C^2 of the covariance C of responses over stimuli, from few stimuli, units and repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Moments", "squared_traces"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over distinct stimuli. ``trace`` : estimates (tr C)^2.   ``square`` : tr C^2.   ``own`` : sum_a C_aa^2, the
    part of both that is of a unit with itself.
    """

    trace: float
    square: float
    own: float

    def inverse_ratio(self, *, finite_units: bool) -> float:
        """tr C^2 / (tr C)^2; with ``finite_units`` over pairs of different units alone, which both are the same number
        of, as it would be with infinitely many units.
        """
        above, below = (
            (self.square - self.own, self.trace - self.own) if finite_units else (self.square, self.trace)
        )
        return above / below if below > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class Products:
    """Of n stimuli with trials x_i^r, means m_i, and G_i = mean over r != s of x_i^r x_i^s' (of one trial x_i x_i'),
    which estimates the product of the true response with itself, noise having mean 0.

    k : (n, n) m_i . m_j.   pairs : (n, n) <G_i, G_j>.   once : (n, n) m_j' G_i m_j.   same : (n,) tr G_i.
    cross : (trials, n) x_i^r . m_j.   starts, counts : (n,) of trials, those of a stimulus side by side.
    """

    k: np.ndarray
    pairs: np.ndarray
    once: np.ndarray
    same: np.ndarray
    cross: np.ndarray
    starts: np.ndarray
    counts: np.ndarray


def _weights(counts: np.ndarray) -> np.ndarray:
    """1 / (k (k - 1)), the number of pairs of different trials; 1 where there is one trial, paired with itself."""
    return np.where(counts > 1, 1.0 / np.maximum(counts * (counts - 1.0), 1.0), 1.0)


def products(gram: np.ndarray, counts: np.ndarray) -> Products:
    """From the Gram matrix (trials, trials), those of a stimulus side by side."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    single = counts.max() == 1
    if single:
        square = gram * gram
        return Products(gram, square, square, np.diag(gram).copy(), gram, starts, counts)
    w = _weights(counts)
    own = (counts == 1)[:, None]
    sums = np.add.reduceat(gram, starts, axis=1)  # (trials, n)
    total = np.add.reduceat(sums, starts, axis=0)  # (n, n)
    rows = np.add.reduceat(sums * sums, starts, axis=0)
    each = np.add.reduceat(np.add.reduceat(gram * gram, starts, axis=1), starts, axis=0)
    columns = rows.T
    # sum over r != s and t != u of b_rt b_su; a stimulus with one trial is paired with itself
    pairs = total * total
    pairs -= np.where(own, 0.0, rows) + np.where(own.T, 0.0, columns)
    pairs += np.where(own | own.T, 0.0, each)
    pairs *= w[:, None] * w[None, :]
    cross = sums / counts
    once = np.add.reduceat(cross, starts, axis=0) ** 2
    once -= np.where(own, 0.0, np.add.reduceat(cross * cross, starts, axis=0))
    once *= w[:, None]
    diagonal = np.diag(gram)
    same = w * (np.diagonal(total) - np.where(own[:, 0], 0.0, np.add.reduceat(diagonal, starts)))
    return Products(total / np.outer(counts, counts), pairs, once, same, cross, starts, counts)


def traces(p: Products, keep: np.ndarray | None = None) -> tuple[float, float]:
    """((tr C)^2, tr C^2), each the mean over distinct stimuli i, j, k, l of <G_i, G_j> - 2 <G_i, m_j m_k'> +
    <m_i m_j', m_k m_l'> (of products of traces, for the first), so that noise and the finite number of stimuli drop
    out. ``keep`` : (n,) bool, the stimuli to use.
    """
    k, pairs, once, same, cross, starts, counts = (
        p.k, p.pairs, p.once, p.same, p.cross, p.starts, p.counts
    )  # fmt: skip
    if keep is not None:
        rows = np.repeat(keep, counts)
        k, pairs, once = (v[np.ix_(keep, keep)] for v in (k, pairs, once))
        same, cross, counts = same[keep], cross[np.ix_(rows, keep)], counts[keep]
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    n = same.size
    diagonal = np.diagonal(k)
    row = k.sum(axis=1) - diagonal  # over j != i
    s1 = float(row.sum())
    s2 = float(row @ row)
    s3 = float(np.sum(k * k) - np.sum(diagonal**2))
    four = s1 * s1 - 4.0 * s2 + 2.0 * s3  # sum over distinct i, j, k, l of k_ij k_kl
    n2, n3, n4 = n * (n - 1.0), n * (n - 1.0) * (n - 2.0), n * (n - 1.0) * (n - 2.0) * (n - 3.0)
    trace_two = float(same.sum() ** 2 - same @ same)
    trace_three = float(same.sum() * s1 - 2.0 * (same @ row))
    square_two = float(np.sum(pairs) - np.trace(pairs))
    own_cross = np.take_along_axis(cross, np.repeat(np.arange(n), counts)[:, None], axis=1)[:, 0]
    away = cross.sum(axis=1) - own_cross  # sum over j != i of x_i^r . m_j
    many = counts > 1
    both = np.add.reduceat(away, starts) ** 2 - np.where(many, np.add.reduceat(away * away, starts), 0.0)
    square_three = float(_weights(counts) @ both - (np.sum(once) - np.trace(once)))
    return (
        trace_two / n2 - 2.0 * trace_three / n3 + four / n4,
        square_two / n2 - 2.0 * square_three / n3 + four / n4,
    )


def own_squares(means: np.ndarray, same: np.ndarray) -> np.ndarray:
    """(units,) the same for each unit alone, C_aa^2. means : (n, units).   same : (n, units), G of each unit."""
    n = len(means)
    n2, n3, n4 = n * (n - 1.0), n * (n - 1.0) * (n - 2.0), n * (n - 1.0) * (n - 2.0) * (n - 3.0)
    squares = means * means
    p1, p2 = means.sum(axis=0), squares.sum(axis=0)
    p3 = (squares * means).sum(axis=0)
    p4 = (squares * squares).sum(axis=0)
    g = same.sum(axis=0)
    two = g * g - (same * same).sum(axis=0)
    # sum over distinct i, j, k of g_i m_j m_k
    gm, gmm = (same * means).sum(axis=0), (same * squares).sum(axis=0)
    three = g * (p1 * p1 - p2) - 2.0 * (gm * p1 - gmm)
    four = p1**4 - 6.0 * p1 * p1 * p2 + 8.0 * p1 * p3 + 3.0 * p2 * p2 - 6.0 * p4
    return np.asarray(two / n2 - 2.0 * three / n3 + four / n4)


def same_of_units(x: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(n, units) mean over r != s of x^r x^s of each unit; of one trial its square."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    sums = np.add.reduceat(x, starts, axis=0)
    squares = np.add.reduceat(x * x, starts, axis=0)
    return np.asarray(_weights(counts)[:, None] * (sums * sums - np.where(counts[:, None] > 1, squares, 0.0)))


def squared_traces(x: np.ndarray, counts: np.ndarray) -> Moments:
    """Moments of trials (trials, units), those of a stimulus side by side, centred beforehand."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    means = np.add.reduceat(x, starts, axis=0) / counts[:, None]
    trace, square = traces(products(x @ x.T, counts))
    return Moments(trace, square, float(own_squares(means, same_of_units(x, counts)).sum()))
