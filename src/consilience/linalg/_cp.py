"""Alternating least squares of the canonical polyadic decomposition, many starts at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["CPFits", "cp_fit", "cp_loadings", "cp_predict", "cp_similarity"]

_ROOM = 2.0e8  # bytes of one partial product
_FLOOR = 1e-14  # ridge of the normal equations, times their mean diagonal
_INNER = 3  # passes over the components of a non-negative update

Factors = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class CPFits:
    """factors : (starts, I, r), (starts, J, r), (starts, K, r).   errors : (starts,) share of the sum of squares
    that is left.   sweeps : (starts,) until the end.   converged : (starts,) bool.
    """

    factors: Factors
    errors: np.ndarray
    sweeps: np.ndarray
    converged: np.ndarray

    def one(self, i: int) -> Factors:
        """Factors of one start."""
        a, b, c = self.factors
        return a[i], b[i], c[i]


def cp_fit(
    x: np.ndarray,
    mask: np.ndarray | None,
    start: Factors,
    *,
    non_negative: bool = False,
    tol: float = 1e-6,
    max_sweeps: int = 200,
    rows: np.ndarray | None = None,
) -> CPFits:
    r"""min over factors of sum over (i, j, k) of m_ijk (x_ijk - sum_s a_is b_js c_ks)^2, by turns for a, b and c.

    The two large products of a sweep, x with all starts' c and x with all starts' a, are one matrix product each; the
    first serves a and b. Where values are missing, the normal equations of each row are such products of the mask with
    the pairs of columns. Non-negative factors: hierarchical least squares, a column at a time.

    x : (I, J, K) float64, 0 where missing.   mask : (I, J, K) bool or None.   start : factors (starts, I | J | K, r).
    tol : fall of the share of squares that is left, per sweep, below which a start ends.   rows : (starts, I) weights
    0 or 1 of the first dim: a start does not see the rows of weight 0 (their a follows from b and c).

    References: Carroll & Chang (1970); Harshman (1970); Cichocki & Phan (2009).
    """
    a, b, c = (np.array(f, dtype=np.float64) for f in start)
    n = len(a)
    whole = float(np.einsum("ijk,ijk->", x, x))
    errors, sweeps = np.full(n, np.nan), np.zeros(n, int)
    done = np.zeros(n, bool)
    width = _width(a.shape[2], mask is not None)
    chunk = max(1, int(_ROOM / (8 * width * max(x.shape[0] * x.shape[1], x.shape[1] * x.shape[2]))))
    weights = None if mask is None else mask.astype(np.float64)
    for first in range(0, n, chunk):
        live = np.arange(first, min(first + chunk, n))
        before = np.full(n, np.inf)
        for sweep in range(max_sweeps):
            kept = None if rows is None else rows[live]
            a[live], b[live], c[live], left = _sweep(
                x, weights, (a[live], b[live], c[live]), non_negative, kept, whole
            )
            errors[live], sweeps[live] = left / whole, sweep + 1
            stop = before[live] - errors[live] < tol
            before[live] = errors[live]
            done[live[stop]] = True
            live = live[~stop]
            if not live.size:
                break
    return CPFits((a, b, c), np.maximum(errors, 0.0), sweeps, done)


def cp_loadings(
    x: np.ndarray, mask: np.ndarray | None, b: np.ndarray, c: np.ndarray, *, non_negative: bool = False
) -> np.ndarray:
    """(I, r) least squares loadings of the first dim, given b (J, r) and c (K, r); NaN for rows without any value."""
    one = (b[None], c[None])
    weights = None if mask is None else mask.astype(np.float64)
    made = _large(x, weights, c[None], last=True)
    target, normal = _normal(made, b[None])
    if normal is None:
        normal = _gram(*one)[:, None]
    start = _solve(target, normal)
    if non_negative:
        start = np.maximum(start, 0.0)
        for _ in range(200):
            start = _hals(start, target, normal)
    out = start[0]
    if mask is not None:
        out[~mask.any(axis=(1, 2))] = np.nan
    return out


def cp_predict(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """(I, J, K) sum over s of a_is b_js c_ks."""
    rows = (b[:, None, :] * c[None, :, :]).reshape(-1, b.shape[1])
    return (a @ rows.T).reshape(len(a), len(b), len(c))


def cp_similarity(one: Factors, other: Factors) -> tuple[np.ndarray, np.ndarray]:
    """Match of the components of two decompositions: ``order`` of the other's that goes with each of the first's, and
    their congruence, the product over dims of the cosines, in [-1, 1] (Tomasi & Bro 2006).
    """
    from scipy.optimize import linear_sum_assignment

    alike = np.ones((one[0].shape[1], other[0].shape[1]))
    for f, g in zip(one, other):
        size = np.linalg.norm(f, axis=0)[:, None] * np.linalg.norm(g, axis=0)[None, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            alike *= np.where(size > 0, f.T @ g / size, 0.0)
    rows, order = linear_sum_assignment(-alike)
    return order, alike[rows, order]


def _width(r: int, missing: bool) -> int:
    return r + (r * (r + 1) // 2 if missing else 0)


def _sweep(
    x: np.ndarray,
    weights: np.ndarray | None,
    factors: Factors,
    non_negative: bool,
    rows: np.ndarray | None,
    whole: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    a, b, c = factors
    made = _large(x, weights, c, last=True)  # (I, J, starts, .)
    target, normal = _normal(made, b)
    a = _update(a, target, _gram(b, c)[:, None] if normal is None else normal, non_negative)
    used = a if rows is None else a * rows[..., None]
    target, normal = _normal(tuple(None if m is None else m.transpose(1, 0, 2, 3) for m in made), used)
    b = _update(b, target, _gram(used, c)[:, None] if normal is None else normal, non_negative)
    made = _large(x, weights, used, last=False)  # (J, K, starts, .)
    target, normal = _normal(tuple(None if m is None else m.transpose(1, 0, 2, 3) for m in made), b)
    equations = _gram(used, b)[:, None] if normal is None else normal
    c = _update(c, target, equations, non_negative)
    fitted = np.einsum("nkr,nkrs,nks->n", c, np.broadcast_to(equations, (*c.shape, c.shape[2])), c)
    left = whole - 2 * np.einsum("nkr,nkr->n", target, c) + fitted
    # columns of a and b of length 1: nothing runs away
    for f in (a, b):
        size = np.linalg.norm(f, axis=1, keepdims=True)
        size[size == 0] = 1.0
        f /= size
        c *= size
    return a, b, c, left


def _large(x: np.ndarray, weights: np.ndarray | None, f: np.ndarray, *, last: bool) -> tuple[Any, ...]:
    """Products of x (and of the mask) with the factors f of the last, or of the first, dim: (I, J, starts, r) or
    (J, K, starts, r), and the same of pairs of columns.
    """
    n = len(f)
    columns = f.transpose(1, 0, 2)

    def product(z: np.ndarray, g: np.ndarray) -> np.ndarray:
        flat = g.reshape(len(g), -1)
        if last:
            out = z.reshape(-1, z.shape[2]) @ flat
            return out.reshape(z.shape[0], z.shape[1], n, -1)
        out = z.reshape(z.shape[0], -1).T @ flat
        return out.reshape(z.shape[1], z.shape[2], n, -1)

    if weights is None:
        return product(x, columns), None
    return product(x, columns), product(weights, _pairs_of(columns))


def _pairs_of(f: np.ndarray) -> np.ndarray:
    """(..., r (r + 1) / 2) products of pairs of columns."""
    i, j = np.triu_indices(f.shape[-1])
    return f[..., i] * f[..., j]


def _normal(made: tuple[Any, ...], f: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Right-hand sides (starts, rows, r), and the normal equations (starts, rows, r, r) of each row where values are
    missing. made : (rows, others, starts, .).   f : (starts, others, r).
    """
    target = np.einsum("pqnr,nqr->npr", made[0], f)
    if made[1] is None:
        return target, None
    flat = np.einsum("pqnr,nqr->npr", made[1], _pairs_of(f))
    r = f.shape[2]
    i, j = np.triu_indices(r)
    out = np.empty((*flat.shape[:2], r, r))
    out[..., i, j] = flat
    out[..., j, i] = flat
    return target, out


def _gram(f: np.ndarray, g: np.ndarray) -> np.ndarray:
    return np.matmul(f.transpose(0, 2, 1), f) * np.matmul(g.transpose(0, 2, 1), g)


def _solve(target: np.ndarray, normal: np.ndarray) -> np.ndarray:
    r = target.shape[2]
    mean = np.trace(normal, axis1=-2, axis2=-1)[..., None, None] / r
    safe = normal + np.where(mean > 0, _FLOOR * mean, 1.0) * np.eye(r)
    if safe.shape[1] == 1:  # one set of equations for all rows
        return np.linalg.solve(safe[:, 0], target.transpose(0, 2, 1)).transpose(0, 2, 1)
    return np.linalg.solve(safe, target[..., None])[..., 0]


def _update(f: np.ndarray, target: np.ndarray, normal: np.ndarray, non_negative: bool) -> np.ndarray:
    if not non_negative:
        return np.ascontiguousarray(_solve(target, normal))
    for _ in range(_INNER):
        f = _hals(f, target, normal)
    return f


def _hals(f: np.ndarray, target: np.ndarray, normal: np.ndarray) -> np.ndarray:
    f = f.copy()
    for s in range(f.shape[2]):
        own = normal[..., s, s]
        pull = target[..., s] - np.einsum("npr,npr->np", f, np.broadcast_to(normal[..., s], f.shape))
        with np.errstate(divide="ignore", invalid="ignore"):
            f[..., s] = np.where(own > 0, np.maximum(f[..., s] + pull / own, 0.0), f[..., s])
    return f
