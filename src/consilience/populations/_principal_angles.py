"""Angles between subspaces, and the variance of one set of responses in the subspace of another: plain values."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count
from consilience.linalg._subspace import span_basis

__all__ = ["alignment_index", "angles_between", "principal_angles"]


def principal_angles(a: Array, b: Array, /) -> np.ndarray:
    """Angles between two subspaces, smallest first: cos theta_i is the i-th singular value of A' B.

    A (units, i) and B (units, j) are orthonormal bases of what the rows of ``a`` and ``b`` span. theta_1 is the
    smallest angle between any direction of the one and any of the other, theta_2 the smallest among what is orthogonal
    to those two, and so on. Small angles are taken from sines, so that they are exact.

    Parameters
    ----------
    a : (i, units), b : (j, units): directions as rows, such as ``components_`` of a model; of the same units in the
        same order.

    Returns
    -------
    (min(rank a, rank b),) rad, in [0, pi/2].

    Subspaces that were fitted to noisy data are further apart than those of the truth, and even two halves of one
    data set are not at 0: `subspace_alignment` gives the null and the ceiling.

    Raises
    ------
    InputError : other numbers of units, directions that are all 0, NaN.

    References
    ----------
    Bjorck & Golub (1973).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> a = [[1.0, 0, 0, 0], [0, 1, 0, 0]]
    >>> b = [[1.0, 0, 0, 0], [0, np.cos(0.3), np.sin(0.3), 0]]
    >>> cs.populations.principal_angles(a, b).round(6)
    array([0. , 0.3])
    """
    who = "cs.populations.principal_angles"
    x, y = (_rows(v, name, who) for v, name in ((a, "a"), (b, "b")))
    _same_units(x, y, who)
    return angles_between(span_basis(x), span_basis(y))


def angles_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(min(i, j),) of orthonormal bases (units, i) and (units, j), smallest first."""
    if a.shape[1] < b.shape[1]:
        a, b = b, a
    inner = a.T @ b
    cosine = np.linalg.svd(inner, compute_uv=False)
    sine = np.linalg.svd(b - a @ inner, compute_uv=False)[::-1]
    small = cosine**2 > 0.5
    return np.where(small, np.arcsin(np.clip(sine, 0, 1)), np.arccos(np.clip(cosine, 0, 1)))


def alignment_index(a: Array, b: Array, /, *, k: int) -> float:
    """Share of the variance of a that lies in the k-dimensional subspace of b: tr(D_b' C_a D_b) / sum_{i<=k} s_i(C_a).

    C_a (units, units) is the covariance of ``a`` over samples, s_i its eigenvalues, largest first, and D_b (units, k)
    are the leading eigenvectors of C_b. 1 where the leading subspaces are the same, 0 where they are orthogonal. Not
    symmetric: swap a and b for the other way.

    This is the published number. Of noisy data it is not 1 even for two halves of the same data, and covariances that
    share noisy units are alike through their noise: `subspace_alignment` has the null, the ceiling and the interval.

    Parameters
    ----------
    a : (samples, units), b : (samples, units): of the same units, means over trials of conditions (and times), usually.
    k : dimensions, fewer than the units.

    Raises
    ------
    InputError : other numbers of units, fewer than k dimensions in the data, NaN.

    References
    ----------
    Elsayed et al. (2016).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(50, 10))
    >>> first, last = x * np.repeat([1, 0], 5), x * np.repeat([0, 1], 5)
    >>> round(cs.populations.alignment_index(x, x, k=3), 6), round(cs.populations.alignment_index(first, last, k=3), 6)
    (1.0, 0.0)
    """
    who = "cs.populations.alignment_index"
    x, y = (_rows(v, name, who, least=2) for v, name in ((a, "a"), (b, "b")))
    _same_units(x, y, who)
    k = check_count(k, name="k", who=who, minimum=1, maximum=x.shape[1])
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    size = np.linalg.svd(x, compute_uv=False)
    _, own, right = np.linalg.svd(y, full_matrices=False)
    for name, values in (("a", size), ("b", own)):
        rank = int((values > 1e-10 * max(values[0], np.finfo(np.float64).tiny)).sum())
        if rank < k:
            raise InputError(
                f"{who}: {name} varies along {rank} dimensions only, fewer than k={k}; ask for at most as many.",
                code="rank-deficient",
            )
    return float(np.sum((x @ right[:k].T) ** 2) / np.sum(size[:k] ** 2))


def _rows(x: Array, name: str, who: str, least: int = 1) -> np.ndarray:
    values = np.asarray(to_numpy(as_matrix(x, name=name, who=who, min_rows=least)), dtype=np.float64)
    if not values.any():
        raise InputError(f"{who}: {name} is 0 everywhere, so it spans nothing.", code="constant-units")
    return values


def _same_units(x: np.ndarray, y: np.ndarray, who: str) -> None:
    if x.shape[1] != y.shape[1]:
        raise InputError(
            f"{who}: a has {x.shape[1]} units and b has {y.shape[1]}; both must be of the same units, in one order.",
            code="units-differ",
        )
