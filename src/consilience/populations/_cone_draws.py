"""The quadratic programmes of manifold capacity: Gaussian draws against the cones of point clouds, all at once."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from consilience._core._arrays import Array, array_namespace, as_same_library, to_numpy

__all__ = ["multipliers", "stacked_multipliers"]

_TINY, _CLOSE = 1e-11, 1e-9
_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
_ENTRIES = 1 << 19  # draws times points solved side by side, which a cache holds
_ENTRIES_DEVICE = 1 << 25


def multipliers(points: np.ndarray, pressed: np.ndarray) -> np.ndarray:
    """lambda >= 0 that minimises lambda' K lambda / 2 - b' lambda, for every row b of ``pressed``.

    That is the dual of min ||v - t||^2 with s_i . v >= kappa for all points, K_ij = s_i . s_j, b_i = kappa - s_i . t:
    v = t + sum_i lambda_i s_i, and ||v - t||^2 = lambda' K lambda.

    Parameters
    ----------
    points : (m, r) s_i.   pressed : (n, m).

    Returns
    -------
    (n, m), not negative
    """
    if len(points) > 6 * points.shape[1]:
        return _least_distances(points, pressed)
    found = stacked_multipliers((points @ points.T)[None], pressed[None], few=points.shape[1] // 4)
    return np.asarray(found[0])


def stacked_multipliers(grams: Array, pressed: Array, *, few: int) -> Array:
    """`multipliers` of several clouds of as many points each, on the device of the arrays.

    The draws of all clouds are solved side by side by principal pivoting, in which only the few active points of each
    are in its linear system (systems of about equal size are solved together); one that cycles goes on by Murty's rule,
    which ends. Clouds of many points in few dimensions, where pivoting is slow, go draw by draw as least-distance
    programmes (`multipliers`).

    Parameters
    ----------
    grams : (g, m, m) K of each cloud.   pressed : (g, n, m).   few : points that may enter at a step.

    Returns
    -------
    (g, n, m), not negative

    References
    ----------
    Lawson & Hanson (1974), ch. 23; Portugal, Judice & Vicente (1994).
    """
    xp = array_namespace(grams, pressed)
    g, n, m = pressed.shape
    room = _ENTRIES if isinstance(grams, np.ndarray) else _ENTRIES_DEVICE
    step = max(1, room // (n * m))
    parts = [
        _pivoted(xp, grams[k : k + step, ...], pressed[k : k + step, ...], few) for k in range(0, g, step)
    ]
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=0)


def _pivoted(xp: Array, grams: Array, pressed: Array, few: int) -> Array:
    g, n, m = pressed.shape
    few = max(1, min(m // 4, few))
    own = {"device": grams.device}
    eye = xp.eye(m, dtype=xp.float64, **own)
    size = xp.sqrt(xp.clip(xp.sum(grams * eye, axis=2), min=0.0))
    size = xp.where(size > 0, size, xp.ones_like(size))
    k = grams / size[:, :, None] / size[:, None, :] + _TINY * eye
    b = xp.reshape(pressed / size[:, None, :], (g * n, m))
    cloud = xp.asarray(np.repeat(np.arange(g), n), **own)
    column = xp.arange(m, **own)
    found = xp.zeros_like(b)
    used = xp.zeros(b.shape, dtype=xp.bool, **own)
    best = xp.full(b.shape[0], m + 1, dtype=xp.int64, **own)
    patience = xp.full(b.shape[0], 8, dtype=xp.int64, **own)
    todo = xp.nonzero(xp.any(b > _CLOSE, axis=1))[0]
    used[todo, xp.argmax(b[todo], axis=1)] = True
    for _ in range(6 * m + 60):
        if not todo.shape[0]:
            break
        active = used[todo]
        x, short = _solved(xp, k, b[todo], active, cloud[todo])
        found[todo] = x
        wrong = xp.where(active, x < -_CLOSE, short > _CLOSE)
        count = xp.sum(xp.astype(wrong, xp.int64), axis=1)
        keep = count > 0
        todo, wrong, count, short, active = (z[keep] for z in (todo, wrong, count, short, active))
        better = count < best[todo]
        patience[todo] = xp.where(better, xp.full_like(count, 8), patience[todo] - 1)
        best[todo] = xp.minimum(best[todo], count)
        stuck = patience[todo] <= 0
        last = xp.max(xp.where(wrong, column[None, :], -xp.ones_like(column)[None, :]), axis=1)
        wrong = xp.where(stuck[:, None], column[None, :] == last[:, None], wrong)
        used[todo] = active ^ _fewer(xp, wrong, active, short, few)
    if todo.shape[0]:
        found[todo] = _one_by_one(to_numpy(k), to_numpy(b[todo]), to_numpy(cloud[todo]), like=found)
    return xp.reshape(xp.clip(found, min=0.0), (g, n, m)) / size[:, None, :]


def _one_by_one(k: np.ndarray, b: np.ndarray, cloud: np.ndarray, *, like: Array) -> Array:
    """Those that pivoting left, by non-negative least squares."""
    found = np.zeros_like(b)
    for c in np.unique(cloud):
        root = np.linalg.cholesky(k[c] + 1e-10 * np.eye(k.shape[1])).T
        rows = np.flatnonzero(cloud == c)
        for row, sides in zip(rows, np.linalg.solve(root.T, b[rows].T).T):
            found[row] = optimize.nnls(root, sides)[0]
    return as_same_library(found, like)


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


def _fewer(xp: Array, wrong: Array, used: Array, short: Array, few: int) -> Array:
    """Of the points that would enter only the ``few`` furthest out; all that would leave."""
    enter = xp.where(wrong & ~used, short, -xp.ones_like(short))
    if enter.shape[1] > few and enter.shape[0]:
        edge = xp.clip(xp.sort(enter, axis=1)[:, -few], min=0.0)
        enter = xp.where(enter >= edge[:, None], enter, -xp.ones_like(enter))
    return (wrong & used) | (enter > 0)


def _solved(xp: Array, k: Array, b: Array, used: Array, cloud: Array) -> tuple[Array, Array]:
    """(x, b - K x) of K x = b within the used entries of each row, x 0 elsewhere."""
    out, short = xp.zeros_like(b), xp.zeros_like(b)
    count = xp.sum(xp.astype(used, xp.int64), axis=1)
    low, m = 0, b.shape[1]
    most = int(xp.max(count))
    for high in (*[s for s in _SIZES if s < m], m):
        rows = xp.nonzero((count > low) & (count <= high))[0]
        low = high
        if rows.shape[0]:
            at = xp.argsort(xp.astype(~used[rows], xp.uint8), axis=1, stable=True)[:, :high]
            row = rows[:, None]
            real = used[row, at]
            beside = k[cloud[row], at]  # (rows, high, m)
            system = xp.where(
                real[:, :, None] & real[:, None, :],
                k[cloud[row][:, :, None], at[:, :, None], at[:, None, :]],
                xp.eye(high, dtype=b.dtype, device=b.device),
            )
            right = xp.where(real, b[row, at], xp.zeros_like(b[row, at]))
            x = xp.linalg.solve(system, right[:, :, None])
            out[row, at] = x[:, :, 0]
            short[rows] = b[rows] - xp.matmul(xp.matrix_transpose(x), beside)[:, 0, :]
        if high >= most:
            break
    return out, short
