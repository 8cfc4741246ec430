"""Whitened comparison of RDMs: the inner product d1' V^-1 d2, V the covariance of the entries of an RDM.

The distances of one stimulus to all others share its noise, so that the entries of an RDM are not independent.
For noise that is alike and independent in all conditions V is known up to a factor (Diedrichsen et al. 2020), and
d1' V^-1 d2 is proportional to tr(G1 G2), G = -H D H / 2 the centred second moment of the patterns and H the
centring matrix. So an RDM is whitened by making G of it: no matrix of pairs of pairs is ever made, and the
whitened cosine of squared Euclidean RDMs is biased linear CKA.
"""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import n_from_condensed
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.stats._pairs import square

__all__ = ["check_covariance", "project_constant", "whitened", "whitened_vector"]


def _root(sigma: np.ndarray | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(Sigma^-1/2, Sigma^-1 1 / (1' Sigma^-1 1)) of conditions."""
    if sigma is None:
        return np.eye(n), np.full(n, 1 / n)
    if sigma.ndim == 1:
        inverse = 1 / sigma
        return np.diag(np.sqrt(inverse)), inverse / inverse.sum()
    values, vectors = np.linalg.eigh((sigma + sigma.T) / 2)
    row = (vectors / values) @ vectors.sum(axis=0)
    return (vectors / np.sqrt(values)) @ vectors.T, row / row.sum()


def whitened(d: np.ndarray, sigma: np.ndarray | None = None, kept: np.ndarray | None = None) -> np.ndarray:
    """Vector (P + n,) whose inner product with another is d1' V^-1 d2 / 2, for condensed ``d`` (P,).

    sigma : (n,) variances or (n, n) covariance of the conditions' noise; None = alike and independent.
    kept : bool (P,), entries that exist (for sigma=None). V is then that of the entries left: of all G with
        these distances the shortest one, found from n linear equations for its diagonal.
    """
    n = n_from_condensed(d.size)
    assert n is not None
    if kept is not None and not kept.all():
        there, d = square(kept[None].astype(np.float64), n)[0], np.where(kept, d, 0.0)
        full = square(d[None], n)[0]
        own = np.linalg.solve(np.diag(there.sum(axis=0) + 2.0) + there, full.sum(axis=0))
        g = (own[:, None] + own[None, :] - full) / 2 * there
        np.fill_diagonal(g, own)
    else:
        full = square(d[None], n)[0]
        half, weight = _root(sigma, n)
        row = full @ weight
        g = -0.5 * (full - row[:, None] - row[None, :] + weight @ row)
        if sigma is not None:
            g = half @ g @ half
    rows, columns = np.triu_indices(n, 1)
    return np.concatenate([g[rows, columns], np.diag(g) * np.sqrt(0.5)])


def project_constant(vector: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """A whitened vector without its part along that of a constant RDM (so that adding one number to all
    distances changes nothing).
    """
    return vector - (vector @ constant) / (constant @ constant) * constant


def whitened_vector(
    d: np.ndarray, *, centred: bool, sigma: np.ndarray | None = None, kept: np.ndarray | None = None
) -> np.ndarray:
    """`whitened` ``d`` (P,); with ``centred``, for the correlation, without its part along a constant RDM."""
    vector = whitened(d, sigma, kept)
    return project_constant(vector, whitened(np.ones(d.size), sigma, kept)) if centred else vector


def check_covariance(sigma: object, n: int, who: str) -> np.ndarray:
    """``sigma_k`` as (n,) variances or an (n, n) covariance, all positive (definite)."""
    array = np.asarray(sigma, dtype=np.float64)
    good = array.shape in ((n,), (n, n)) and bool(np.isfinite(array).all())
    if good and array.ndim == 2:
        size = float(np.abs(array).max())
        good = bool(np.abs(array - array.T).max() <= 1e-8 * size)
        good = good and float(np.linalg.eigvalsh(array)[0]) > 1e-12 * size
    elif good:
        good = bool((array > 0).all())
    if not good:
        raise InputError(
            f"{who}: sigma_k must be {n} positive variances of the conditions, or their covariance ({n}, {n}), "
            f"symmetric and positive definite; got {shorten(array) if array.ndim < 1 else f'shape {array.shape}'}.",
            code="bad-covariance",
        )
    return array
