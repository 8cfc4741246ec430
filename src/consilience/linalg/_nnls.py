"""Non-negative least squares from normal equations, many small problems at once."""

from __future__ import annotations

import numpy as np
from scipy import optimize

__all__ = ["nnls_from_gram"]

_TINY, _CLOSE = 1e-12, 1e-10


def nnls_from_gram(gram: np.ndarray, target: np.ndarray, *, nonnegative: bool = True) -> np.ndarray:
    """The w >= 0 that minimises w' G w / 2 - c' w, for each of many small problems.

    With G = X X' and c = X y that is the least-squares fit of y by the rows of X. All problems are solved side by
    side by principal pivoting (Murty's rule once a problem has cycled), which is exact and ends after finitely
    many exchanges; a relative 1e-12 on the diagonal settles which of two equal rows is used.

    Parameters
    ----------
    gram : (..., k, k) positive semi-definite.   target : (..., k).
    nonnegative : False leaves the sign of w free.

    Returns
    -------
    (..., k) weights; all 0 where no w >= 0 is better than none

    References
    ----------
    Lawson & Hanson (1974); Portugal, Judice & Vicente (1994) for the pivoting.

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.linalg import nnls_from_gram
    >>> nnls_from_gram(np.eye(2), np.array([3.0, -1.0])).round(6)
    array([3., 0.])
    """
    gram, target = np.asarray(gram, dtype=np.float64), np.asarray(target, dtype=np.float64)
    shape, k = target.shape, target.shape[-1]
    g, c = np.broadcast_to(gram, (*shape, k)).reshape(-1, k, k), target.reshape(-1, k)
    scale = np.sqrt(np.einsum("tkk->tk", g))
    scale = np.where(scale > 0, scale, 1.0)
    g = g / scale[:, :, None] / scale[:, None, :] + _TINY * np.eye(k)
    c = c / scale
    if not nonnegative:
        return np.asarray(np.linalg.solve(g, c[..., None])[..., 0] / scale).reshape(shape)
    size = np.abs(c).max(axis=1, keepdims=True, initial=0)
    size = np.where(size > 0, size, 1.0)
    c = c / size
    w = np.zeros_like(c)
    used = np.zeros(c.shape, dtype=bool)
    best = np.full(len(c), k + 1)  # the fewest infeasible entries so far
    patience = np.full(len(c), 3)
    todo = np.flatnonzero((c > 0).any(axis=1) & np.isfinite(c).all(axis=1) & np.isfinite(g).all(axis=(1, 2)))
    w[~np.isfinite(c).all(axis=1) | ~np.isfinite(g).all(axis=(1, 2))] = np.nan
    for _ in range(20 * k + 50):
        wrong = np.where(used[todo], w[todo] < -_CLOSE, _gradient(g, c, w, todo) > _CLOSE)
        wrong_count = wrong.sum(axis=1)
        keep = wrong_count > 0
        todo, wrong, wrong_count = todo[keep], wrong[keep], wrong_count[keep]
        if not todo.size:
            break
        better = wrong_count < best[todo]
        patience[todo] = np.where(better, 3, patience[todo] - 1)
        best[todo] = np.minimum(best[todo], wrong_count)
        last = k - 1 - np.argmax(wrong[:, ::-1], axis=1)
        single = np.zeros_like(wrong)
        single[np.arange(len(todo)), last] = True
        used[todo] ^= np.where((patience[todo] > 0)[:, None], wrong, single)
        w[todo] = _solve_used(g[todo], c[todo], used[todo])
    for t in todo:  # rounding made it cycle: nearly equal rows
        w[t] = _one(g[t], c[t])
    return np.asarray(np.maximum(w, 0.0) * size / scale).reshape(shape)


def _one(g: np.ndarray, c: np.ndarray) -> np.ndarray:
    root = np.linalg.cholesky(g + 1e-10 * np.eye(len(g))).T
    return np.asarray(optimize.nnls(root, np.linalg.solve(root.T, c))[0])


def _gradient(g: np.ndarray, c: np.ndarray, w: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.asarray(c[rows] - np.einsum("tij,tj->ti", g[rows], w[rows]))


def _solve_used(g: np.ndarray, c: np.ndarray, used: np.ndarray) -> np.ndarray:
    """G w = c within the used entries, 0 elsewhere."""
    both = used[:, :, None] & used[:, None, :]
    system = np.where(both, g, np.eye(g.shape[-1]))
    return np.asarray(np.linalg.solve(system, np.where(used, c, 0.0)[..., None])[..., 0])
