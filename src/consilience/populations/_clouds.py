"""Capacity, radius and dimension of each of several point clouds, from Gaussian draws against all of them at once."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array, array_namespace, as_same_library, to_numpy
from consilience.populations._cone_draws import multipliers, stacked_multipliers

__all__ = ["of_anchors", "of_clouds"]


def of_clouds(
    clouds: list[np.ndarray], margin: float, draws: int, rng: np.random.Generator, like: Array
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(1 / alpha, R, D, variance of the first over draws), (classes,) each, of clouds (points, units) around 0.

    Clouds of as many points are solved together, on the device of ``like``.
    """
    points = [len(c) for c in clouds]
    own, rank = [np.empty(0)] * len(clouds), np.zeros(len(clouds), dtype=np.int64)
    for m in sorted(set(points)):
        rows = np.flatnonzero(np.asarray(points) == m)
        for row, one, r in zip(rows, *_own_axes(np.stack([clouds[row] @ clouds[row].T for row in rows]))):
            own[row], rank[row] = one, r
    t: list[np.ndarray] = []
    for k, m in enumerate(points):  # the rank last axes are those in which a cloud extends
        drawn = np.zeros((draws, m + 1))
        drawn[:, m - rank[k] : m] = rng.standard_normal((draws, rank[k]))
        drawn[:, m] = rng.standard_normal(draws)
        t.append(drawn)
    out = np.empty((4, len(clouds)))
    flat = np.asarray(points) > 6 * (rank + 1)  # pivoting is slow there
    for m, low in sorted({(m, bool(f)) for m, f in zip(points, flat)}):
        rows = np.flatnonzero((np.asarray(points) == m) & (flat == low))
        out[:, rows] = of_anchors(
            np.stack([own[k] for k in rows]),
            np.stack([t[k] for k in rows]),
            margin,
            few=int(rank[rows].max() + 1) // 4,
            one_by_one=low,
            like=like,
        )
    # a cloud that no draw touches would have infinite capacity: count half a touch
    out[0] = np.maximum(out[0], 0.5 / draws)
    return out[0], out[1], out[2], out[3]


def of_anchors(
    own: np.ndarray, t: np.ndarray, margin: float, *, few: int, one_by_one: bool = False, like: Array
) -> np.ndarray:
    """(4, g): E F, R, D and the variance of F over draws, of points (g, m, d) and draws (g, n, d + 1), centre last."""
    xp = array_namespace(like)
    points, sides = as_same_library(own, like), as_same_library(t, like)
    along = xp.matmul(sides[..., :-1], xp.matrix_transpose(points))
    pressed = margin - along - sides[..., -1:]
    if one_by_one:
        found = [
            multipliers(np.concatenate([p[:, p.any(axis=0)], np.ones((len(p), 1))], axis=1), b)
            for p, b in zip(own, to_numpy(pressed))
        ]
        weights = as_same_library(np.stack(found), like)
    else:
        grams = xp.matmul(points, xp.matrix_transpose(points)) + 1.0
        weights = stacked_multipliers(grams, pressed, few=few)
    total = xp.sum(weights, axis=2, keepdims=True)
    loose = total <= 1e-12
    nearest = xp.arange(own.shape[1], device=points.device) == xp.argmin(along, axis=2, keepdims=True)
    shift = xp.matmul(weights, points)
    f = xp.where(
        loose[..., 0], xp.zeros_like(total[..., 0]), xp.sum(shift * shift, axis=2) + total[..., 0] ** 2
    )
    shares = xp.where(
        loose, xp.astype(nearest, xp.float64), weights / xp.where(loose, xp.ones_like(total), total)
    )
    anchors = xp.matmul(shares, points)
    length = xp.sum(anchors * anchors, axis=2)
    overlap = xp.sum(sides[..., :-1] * anchors, axis=2) ** 2
    f, anchors, length, overlap = (to_numpy(z) for z in (f, anchors, length, overlap))
    at = length > 1e-18
    dimension = np.where(at, overlap / np.where(at, length, 1.0), 0.0).sum(axis=1) / np.maximum(
        at.sum(axis=1), 1
    )
    away = anchors - anchors.mean(axis=1, keepdims=True)
    radius = np.sqrt((away * away).sum(axis=2).mean(axis=1))
    return np.stack([f.mean(axis=1), radius, dimension, f.var(axis=1, ddof=1) / f.shape[1]])


def _own_axes(inner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (g, m, m) in axes of their own from their products, axes without extent 0 and first; and their ranks."""
    values, vectors = np.linalg.eigh(inner)
    keep = values > np.maximum(values[:, -1:], 0.0) * 1e-12
    return vectors * np.sqrt(np.where(keep, values, 0.0))[:, None, :], keep.sum(axis=1)
