"""What components of a population explain, and whether others of the same data would be the same ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import t as student

__all__ = [
    "component_gains",
    "fold_interval",
    "gains_about_means",
    "matched_components",
    "subspace_overlap",
    "turned_to",
    "without_each",
]


def component_gains(x: np.ndarray, z: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the sum of squares of x that components explain, (k,) each alone and (k,) the first 1 .. k together.

    alone_j = (||x||^2 - ||x - z_j a_j||^2) / ||x||^2; together with the sum over the first j in place of z_j a_j. The
    two agree for orthogonal axes a; negative where a component adds more than it takes away, as it can held out.

    x : (n, p), less the origin of the model.   z : (n, k) latents.   axes : (k, p). Rows with NaN in z are left out.
    """
    kept = np.isfinite(z).all(axis=1)
    x, z = (x, z) if kept.all() else (x[kept], z[kept])
    total = float(np.einsum("ij,ij->", x, x))
    if total <= 0:
        return np.full(len(axes), np.nan), np.full(len(axes), np.nan)
    linear = np.einsum("nk,nk->k", z, x @ axes.T)
    products = (z.T @ z) * (axes @ axes.T)
    alone = 2 * linear - np.diag(products)
    corner = 2 * np.tril(products).sum(axis=1) - np.diag(products)
    return alone / total, np.cumsum(2 * linear - corner) / total


def without_each(
    x: np.ndarray, z: np.ndarray, make: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """`component_gains` of a model whose reconstruction ``make`` (latents -> x) is no sum over components, or of x with
    NaN, which are left out: errors of ``make`` with the other latents at 0, about ``make`` with all at 0.
    """

    def error(kept: np.ndarray) -> float:
        rest = x - make(np.where(np.isnan(z), np.nan, z * kept))
        return float(np.nansum(rest * rest))

    k = z.shape[-1]
    total = error(np.zeros(k))
    if not total > 0:
        return np.full(k, np.nan), np.full(k, np.nan)
    one = np.eye(k)
    alone = np.array([1 - error(one[j]) / total for j in range(k)])
    together = np.array([1 - error(one[: j + 1].sum(axis=0)) / total for j in range(k)])
    return alone, together


def gains_about_means(
    x: np.ndarray,
    z: np.ndarray,
    fitted: np.ndarray,
    own: np.ndarray,
    make: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """`component_gains` of a model without a mean, about the units' means: what it explains of a mean does not count.

    alone_j = (||x - m||^2 - ||x - m - (r_j - c_j)||^2) / ||x - m||^2, with m the units' means over the rows that were
    fitted, r_j the reconstruction by component j and c_j its units' means over these rows; together with the sum over
    the first j in place of r_j, and the c of all components in place of m.

    x : (..., units).   z : its latents (..., k), NaN counts as 0.   fitted : (..., units) rows of the fit, own : their
    latents.   make : latents -> values, a sum over components. NaN in x and fitted are left out.
    """
    k = z.shape[-1]
    kept, seen = ~np.isnan(x), ~np.isnan(fitted)
    about = np.where(kept, x - _unit_means(fitted), 0.0)
    total = float((about**2).sum())
    if not total > 0:
        return np.full(k, np.nan), np.full(k, np.nan)
    z = np.where(np.isnan(z), 0.0, z)
    centres = [_unit_means(np.where(seen, make(own * one), np.nan)) for one in np.eye(k)]
    rest = np.where(kept, x - np.sum(centres, axis=0), 0.0)
    alone, together = np.empty(k), np.empty(k)
    for j, one in enumerate(np.eye(k)):
        part = np.where(kept, make(z * one) - centres[j], 0.0)
        alone[j] = (2 * float((about * part).sum()) - float((part**2).sum())) / total
        rest = rest - part
        together[j] = 1 - float((rest**2).sum()) / total
    return alone, together


def _unit_means(x: np.ndarray) -> np.ndarray:
    """(units,) means of x (..., units) without NaN."""
    flat = x.reshape(-1, x.shape[-1])
    seen = ~np.isnan(flat)
    return np.where(seen, flat, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)


def fold_interval(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, low and high end over folds, ``values`` (folds, ...).

    mean -+ t sqrt((1 / folds + 1 / (folds - 1)) s^2), s^2 the variance over folds, t of folds - 1 degrees of freedom:
    the fits of folds share training rows, so that plain standard errors are too small (Nadeau & Bengio 2003).
    """
    folds = len(values)
    mean = values.mean(axis=0)
    if folds < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    spread = np.sqrt((1 / folds + 1 / (folds - 1)) * values.var(axis=0, ddof=1))
    half = student.ppf((1 + level) / 2, folds - 1) * spread
    return mean, mean - half, mean + half


def matched_components(reference: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which row of ``other`` belongs to each of ``reference``, (k,); its sign, (k,); and |cosine| of the two, (k,).

    Each row is taken once, so that the sum of |cosines| is largest. -1 and 0 where ``other`` has too few.
    """
    size = np.linalg.norm(reference, axis=1)[:, None] * np.linalg.norm(other, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.nan_to_num(reference @ other.T / size)
    rows, columns = linear_sum_assignment(-np.abs(cosine))
    which, sign, alike = np.full(len(reference), -1), np.ones(len(reference)), np.zeros(len(reference))
    which[rows], alike[rows] = columns, np.abs(cosine[rows, columns])
    sign[rows] = np.where(cosine[rows, columns] < 0, -1.0, 1.0)
    return which, sign, alike


def subspace_overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Mean squared cosine of the principal angles of the spaces that rows of a (k, p) and b (j, p) span, from 0 to 1:
    of the smaller space, the share that lies in the other.
    """
    qa, qb = (np.linalg.qr(m.T)[0] for m in (a, b))
    return float(((qa.T @ qb) ** 2).sum() / min(qa.shape[1], qb.shape[1]))


def turned_to(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``other`` (k, p), its components mixed by the rotation or reflection that brings it nearest to ``reference``."""
    left, _, right = np.linalg.svd(reference @ other.T)
    return np.asarray(left @ right @ other)
