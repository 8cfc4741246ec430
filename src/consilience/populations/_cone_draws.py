"""The quadratic programmes of manifold capacity: many Gaussian draws against the cone of one point cloud, at once."""

from __future__ import annotations

import numpy as np
from scipy import optimize

__all__ = ["multipliers"]

_TINY, _CLOSE = 1e-11, 1e-9
_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


def multipliers(points: np.ndarray, pressed: np.ndarray) -> np.ndarray:
    """lambda >= 0 that minimises lambda' K lambda / 2 - b' lambda, for every row b of ``pressed``.

    That is the dual of min ||v - t||^2 with s_i . v >= kappa for all points, K_ij = s_i . s_j, b_i = kappa - s_i . t:
    v = t + sum_i lambda_i s_i, and ||v - t||^2 = lambda' K lambda. The draws share K. They are solved side by side by
    principal pivoting, in which only the few active points of each are in its linear system (systems of about equal
    size are solved together); one that cycles goes on by Murty's rule, which ends. Clouds of many points in few
    dimensions, where pivoting is slow, go draw by draw as least-distance programmes.

    Parameters
    ----------
    points : (m, r) s_i.   pressed : (n, m).

    Returns
    -------
    (n, m), not negative

    References
    ----------
    Lawson & Hanson (1974), ch. 23; Portugal, Judice & Vicente (1994).
    """
    n, m = pressed.shape
    if m > 6 * points.shape[1]:
        return _least_distances(points, pressed)
    few = max(1, min(m, points.shape[1]) // 4)
    gram = points @ points.T
    size = np.sqrt(np.maximum(np.diag(gram), 0.0))
    size = np.where(size > 0, size, 1.0)
    k = gram / size[:, None] / size + _TINY * np.eye(m)
    b = pressed / size
    found = np.zeros((n, m))
    used = np.zeros((n, m), dtype=bool)
    best, patience = np.full(n, m + 1), np.full(n, 8)
    todo = np.flatnonzero((b > _CLOSE).any(axis=1))
    used[todo, b[todo].argmax(axis=1)] = True
    for _ in range(6 * m + 60):
        if not todo.size:
            break
        found[todo] = _solved(k, b[todo], used[todo])
        short = b[todo] - found[todo] @ k
        wrong = np.where(used[todo], found[todo] < -_CLOSE, short > _CLOSE)
        count = wrong.sum(axis=1)
        keep = count > 0
        todo, wrong, count, short = todo[keep], wrong[keep], count[keep], short[keep]
        better = count < best[todo]
        patience[todo] = np.where(better, 8, patience[todo] - 1)
        best[todo] = np.minimum(best[todo], count)
        stuck = patience[todo] <= 0
        if stuck.any():
            last = m - 1 - wrong[stuck][:, ::-1].argmax(axis=1)
            wrong[stuck] = np.arange(m) == last[:, None]
        used[todo] ^= _fewer(wrong, used[todo], short, few)
    if todo.size:
        root = np.linalg.cholesky(k + 1e-10 * np.eye(m)).T
        for row, sides in zip(todo, np.linalg.solve(root.T, b[todo].T).T):
            found[row] = optimize.nnls(root, sides)[0]
    return np.asarray(np.maximum(found, 0.0) / size)


def _least_distances(points: np.ndarray, pressed: np.ndarray) -> np.ndarray:
    """The least u with s_i . u >= b_i, each from one non-negative least-squares problem."""
    n, m = pressed.shape
    found = np.zeros((n, m))
    system = np.concatenate([points.T, np.zeros((1, m))])
    one = np.zeros(len(system))
    one[-1] = 1.0
    for row in np.flatnonzero((pressed > _CLOSE).any(axis=1)):
        system[-1] = pressed[row]
        y = optimize.nnls(system, one)[0]
        found[row] = y / max(1.0 - float(pressed[row] @ y), 1e-300)
    return found


def _fewer(wrong: np.ndarray, used: np.ndarray, short: np.ndarray, few: int) -> np.ndarray:
    """Of the points that would enter only the ``few`` furthest out; all that would leave."""
    enter = np.where(wrong & ~used, short, -1.0)
    if enter.shape[1] > few:
        edge = -np.partition(-enter, few - 1, axis=1)[:, few - 1]
        enter = np.where(enter >= np.maximum(edge, 0.0)[:, None], enter, -1.0)
    return np.asarray((wrong & used) | (enter > 0))


def _solved(k: np.ndarray, b: np.ndarray, used: np.ndarray) -> np.ndarray:
    """K x = b within the used entries of each row, 0 elsewhere."""
    out = np.zeros_like(b)
    count = used.sum(axis=1)
    low = 0
    for high in (*[s for s in _SIZES if s < k.shape[0]], k.shape[0]):
        rows = np.flatnonzero((count > low) & (count <= high))
        low = high
        if not rows.size:
            continue
        at = np.argsort(~used[rows], axis=1, kind="stable")[:, :high]
        real = np.take_along_axis(used[rows], at, axis=1)
        system = np.where(real[:, :, None] & real[:, None], k[at[:, :, None], at[:, None]], np.eye(high))
        right = np.where(real, np.take_along_axis(b[rows], at, axis=1), 0.0)
        x = np.linalg.solve(system, right[..., None])[..., 0]
        out[rows[:, None], at] = x
    return out
