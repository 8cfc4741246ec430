"""Variance of statistics of pairs of stimuli, of one subject or of many: what new stimuli and new subjects would do.

A value that is a mean over pairs of stimuli, c = mean_p x_p with x_ij = a_i + a_j + d_ij, varies by A + B over samples
of stimuli: A = 4 s2_a / n of the first order, and B = 2 s2_d / (n (n - 1)) of single pairs. The jackknife counts B
twice and the bootstrap three times (E[w_i^2]^2 - 1 = 3), so that between equal systems, where B is large, neither
tests at its level.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from consilience.stats._pairs import _BLOCK, weighted_cosines

__all__ = [
    "Components",
    "crossed_components",
    "crossed_degrees",
    "jackknife_variance",
    "left_out_cosines",
    "left_out_grams",
    "left_out_pairs",
    "once_counted_variance",
    "sampled_components",
]


def jackknife_variance(left_out: np.ndarray) -> np.ndarray:
    """(n - 1)/n sum_i (v_i - mean)^2 of the values v (n, ...) without each of n stimuli (Efron & Stein 1981)."""
    n = len(left_out)
    return np.asarray(left_out.var(axis=0) * (n - 1))


def once_counted_variance(jackknife: np.ndarray, bootstrap: np.ndarray, *, n: int) -> np.ndarray:
    """About 2 J - T, which counts single pairs once, from the jackknife J = A + 2 B and the bootstrap T = A + 3 B.

    For n stimuli exactly: with sums of squares over pairs of Q = (T - ((n - 2)/n)^3 J) n/(n - 1) P^2, P = n (n - 1)/2,
    the variance of single pairs is s2_d = (Q - (n - 2) P J/2) / (n (n - 3)/2), and the variance J - 2 s2_d /
    ((n - 1)(n - 2)). Not below T / 3, where all of the variance is of single pairs, nor above J.

    jackknife, bootstrap : arrays of variances, of `jackknife_variance` and of draws with multinomial weights.
    n : of stimuli, at least 4.

    References
    ----------
    Efron & Stein (1981) for what the jackknife counts.

    Examples
    --------
    >>> from consilience.stats import once_counted_variance
    >>> float(once_counted_variance(1.0 + 2 * 0.5, 1.0 + 3 * 0.5, n=10**6).round(4))
    1.5
    """
    j, t = np.asarray(jackknife, dtype=np.float64), np.asarray(bootstrap, dtype=np.float64)
    single = _single(j, t, n)
    return np.asarray(np.clip(j - 2 * single / ((n - 1) * (n - 2)), np.minimum(t / 3, j), j))


def _single(j: np.ndarray, t: np.ndarray, n: int) -> np.ndarray:
    """s2_d, the variance of single pairs."""
    pairs = n * (n - 1) / 2
    squares = (t - ((n - 2) / n) ** 3 * j) * n / (n - 1) * pairs**2
    return np.asarray((squares - (n - 2) * pairs * j / 2) / (n * (n - 3) / 2))


def left_out_cosines(a: np.ndarray, b: np.ndarray, n: int, *, diagonal: bool = False) -> np.ndarray:
    """`weighted_cosines` without each of n stimuli, from sums over its pairs instead of n weighted products.

    a, b : (n_a, P), (n_b, P) pair vectors.   Returns (n, n_a, n_b); NaN where nothing is left of a vector.
    """
    norms = [_less_each(v * v, n, diagonal) for v in (a, b)]
    out = np.empty((n, len(a), len(b)))
    step = max(1, _BLOCK // a.shape[1])
    for i, row in enumerate(a):
        for j in range(0, len(b), step):
            out[:, i, j : j + step] = _less_each(row * b[j : j + step], n, diagonal).T
    below = norms[0].T[:, :, None] * norms[1].T[:, None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        out = np.where(below > 0, out / np.sqrt(np.maximum(below, 0.0)), np.nan)
    # where one stimulus is nearly all of a vector, the difference has no digits left
    lost = [(v < 1e-6 * (w * w).sum(axis=1, keepdims=True)).any(axis=0) for v, w in zip(norms, (a, b))]
    again = np.flatnonzero(lost[0] | lost[1])
    if again.size:
        out[again] = weighted_cosines(a, b, 1.0 - np.eye(n)[again], diagonal=diagonal)
    return np.asarray(out)


def left_out_pairs(
    a: np.ndarray, b: np.ndarray, n: int, *, diagonal: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cosine of each row of a (k, P) with the same row of b: values (k,), without each of n stimuli (k, n), and the
    influences (k, n (n - 1) / 2) of single pairs that `crossed_components` takes.
    """
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
    products, squares = a * b, (a * a, b * b)
    value = products.sum(axis=1)
    above, one, two = (_less_each(v, n, diagonal) for v in (products, *squares))
    with np.errstate(invalid="ignore", divide="ignore"):
        left_out = np.where((one > 0) & (two > 0), above / np.sqrt(np.maximum(one * two, 0.0)), np.nan)
    for i in np.flatnonzero((np.minimum(one, two) < 1e-6).any(axis=0)):  # no digits left in the difference
        weights = 1.0 - np.eye(n)[i : i + 1]
        for row in range(len(a)):
            pair = a[row : row + 1], b[row : row + 1]
            left_out[row, i] = weighted_cosines(*pair, weights, diagonal=diagonal)[0, 0, 0]
    pairs = n * (n - 1) // 2
    influence = pairs * (products - value[:, None] / 2 * (squares[0] + squares[1]))[:, :pairs]
    return value, left_out, influence


def left_out_grams(vectors: np.ndarray, n: int, *, diagonal: bool = False) -> np.ndarray:
    """Products (m, m, n) of all pair vectors (m, P) with each other, without each of n stimuli."""
    out = np.empty((len(vectors), len(vectors), n))
    for i, row in enumerate(vectors):
        out[i, i:] = out[i:, i] = _less_each(row * vectors[i:], n, diagonal)
    return out


def _less_each(terms: np.ndarray, n: int, diagonal: bool) -> np.ndarray:
    """Sum of terms (k, P) without those of each stimulus: (k, n)."""
    return np.asarray(terms.sum(axis=1, keepdims=True) - _of_stimuli(terms, n, diagonal))


def _of_stimuli(terms: np.ndarray, n: int, diagonal: bool = False) -> np.ndarray:
    """Sum of the terms (k, P) of all pairs of each stimulus: (k, n). A diagonal entry counts once."""
    pairs = n * (n - 1) // 2
    out = np.array(terms[:, pairs:]) if diagonal else np.zeros((len(terms), n))
    start = 0
    for i in range(n - 1):
        stop = start + n - 1 - i
        out[:, i] += terms[:, start:stop].sum(axis=1)
        out[:, i + 1 :] += terms[:, start:stop]
        start = stop
    return out


@dataclass(frozen=True)
class Components:
    """Covariances (k, k) of k values that are means over subjects, as parts of what new samples would do.

    first, second : A and B of the stimuli, with the parts of each that differ between subjects.   shared : those
    parts alone, which the subjects' own variance has as well.   subjects : of the subjects' values, over their number;
    NaN for one subject.
    """

    first: np.ndarray
    second: np.ndarray
    shared: np.ndarray
    subjects: np.ndarray

    def variances(self, contrasts: np.ndarray) -> dict[str, np.ndarray]:
        """Of linear combinations (r, k): over ``stimuli``, ``subjects``, and ``both``, each (r,).

        Both is stimuli + subjects - shared, never below the larger nor above the sum of the two.
        """

        def of(matrix: np.ndarray) -> np.ndarray:
            return np.einsum("ri,ij,rj->r", contrasts, matrix, contrasts)

        second = np.maximum(of(self.second), 0.0)
        stimuli, subjects = np.maximum(of(self.first), 0.0) + second, np.maximum(of(self.subjects), 0.0)
        both = np.clip(
            stimuli + subjects - of(self.shared), np.maximum(stimuli, subjects), stimuli + subjects
        )
        return {"stimuli": stimuli, "subjects": subjects, "both": both}

    def degrees(self, contrasts: np.ndarray, *, n_stimuli: int, n_subjects: int) -> np.ndarray:
        """Degrees of freedom of ``both`` (r,), V^2 / (V_stimuli^2/(n - 1) + V_subjects^2/(s - 1)) (Satterthwaite
        1946), between those of the smaller sample and of the two together.
        """
        found = self.variances(contrasts)
        return crossed_degrees(**found, n_stimuli=n_stimuli, n_subjects=n_subjects)


def crossed_degrees(
    *, stimuli: np.ndarray, subjects: np.ndarray, both: np.ndarray, n_stimuli: int, n_subjects: int
) -> np.ndarray:
    """Degrees of freedom of the variance ``both``; see `Components.degrees`."""
    n, s = n_stimuli, n_subjects
    below = stimuli**2 / (n - 1) + subjects**2 / max(1, s - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.where(below > 0, both**2 / below, 0.0)
    return np.asarray(np.clip(df, max(1, min(n, s) - 1), n + s - 2))


def crossed_components(
    values: np.ndarray, left_out: np.ndarray, influences: Iterable[np.ndarray], *, n_stimuli: int
) -> Components:
    """Components of variance of k values over stimuli and subjects, by the method of moments, without draws.

    With x_ps the influence of pair p on the value of subject s: the mean over subjects gives A + B, the deviations
    from it the parts of A and B that differ between subjects, and the subjects' values the rest. Sums over the pairs
    of a stimulus are replaced by what leaving it out does to the value, which holds at few stimuli as well.

    Parameters
    ----------
    values : (k, s), each value in each subject.   left_out : (k, s, n), the same without each stimulus.
    influences : for each subject (k, P): the derivatives of the values by the weight of each pair (all weights being
        1) times the number of pairs; n entries of i = j may follow.

    References
    ----------
    Efron & Stein (1981); Satterthwaite (1946); Schuett et al. (2023) for stimuli and subjects as crossed factors.

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import crossed_components
    >>> found = crossed_components(
    ...     np.array([[0.1, 0.3, 0.2, 0.6]]), np.zeros((1, 4, 6)), np.zeros((4, 1, 15)), n_stimuli=6
    ... )  # subjects differ, stimuli do not
    >>> found.variances(np.eye(1))["both"].round(4)
    array([0.0117])
    """
    n, (k, s) = n_stimuli, values.shape
    pairs = n * (n - 1) // 2
    first = (left_out.mean(axis=-1, keepdims=True) - left_out) * (n - 1) / 2
    rows, mean, products = np.empty((k, s, n)), np.zeros((k, pairs)), np.zeros((k, k))
    for t, each in enumerate(influences):
        x = each[:, :pairs] - each[:, :pairs].mean(axis=1, keepdims=True)
        rows[:, t] = _of_stimuli(x, n) / (n - 2)
        mean += x / s
        products += x @ x.T
    one, two = first.mean(axis=1), rows.mean(axis=1)
    a, b = _moments(one @ one.T, two @ two.T, mean @ mean.T, n)
    if s == 1:
        blank = np.full((k, k), np.nan)
        return Components(a, b, blank, blank)
    one, two = (
        np.einsum("ksi,lsi->kl", v, v) for v in (v - v.mean(axis=1, keepdims=True) for v in (first, rows))
    )
    size = s * (s - 1)
    of_first, of_pairs = _moments(one / size, two / size, (products - s * mean @ mean.T) / size, n)
    return Components(a, b, of_first + of_pairs, np.cov(values).reshape(k, k) / s)


def sampled_components(
    values: np.ndarray, left_out: np.ndarray, draws: np.ndarray, *, n_stimuli: int
) -> Components:
    """`crossed_components` where the influence of single pairs is not known (tau-a, rho-a): from draws over stimuli.

    values : (k, s).   left_out : (k, s, n).   draws : (k, s, m), with multinomial weights of the stimuli.
    """
    n, (k, s) = n_stimuli, values.shape

    def parts(out: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        j, t = np.cov(out, ddof=0).reshape(k, k) * (n - 1), np.cov(drawn).reshape(k, k)
        single = _single(j, t, n)
        return j - 4 * single / (n * (n - 2)), 2 * single / (n * (n - 1))

    a, b = parts(left_out.mean(axis=1), draws.mean(axis=1))
    if s == 1:
        blank = np.full((k, k), np.nan)
        return Components(a, b, blank, blank)
    apart = [v - v.mean(axis=1, keepdims=True) for v in (left_out, draws)]
    shared = np.zeros((k, k))
    for t in range(s):
        shared += np.sum(parts(apart[0][:, t], apart[1][:, t]), axis=0) / (s * (s - 1))
    return Components(a, b, shared, np.cov(values).reshape(k, k) / s)


def _moments(first: np.ndarray, rows: np.ndarray, pairs: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A and B from sums of products over stimuli (of jackknifed and of linear effects) and over pairs."""
    single = (pairs - (n - 2) * rows) / (n * (n - 3) / 2)
    return 4 / n * (first / (n - 1) - single / (n - 2)), 2 * single / (n * (n - 1))
