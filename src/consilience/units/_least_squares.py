"""Many small non-linear least-squares problems of one model, solved side by side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["Model", "solve_batch"]

# (parameters (b, p)) -> values (b, n) and their derivatives (b, n, p)
Model = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

_CHUNK = 1 << 22  # entries of the derivatives held at a time


def solve_batch(
    model: Model,
    start: np.ndarray,
    target: np.ndarray,
    free: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    steps: int = 80,
    tolerance: float = 1e-9,
) -> tuple[np.ndarray, np.ndarray]:
    """Levenberg-Marquardt for b problems at once: parameters (b, p) and sums of squares (b,).

    start : (b, p).   target : (b, n).   free : bool (p,), the others stay as they are.   low, high : (p,) ends,
    to which steps are cut. A step is taken only where it lowers the sum of squares.
    """
    out, cost = np.clip(start, low, high), np.empty(len(start))
    width = max(1, _CHUNK // (target.shape[1] * start.shape[1]))
    for k in range(0, len(start), width):
        some = slice(k, k + width)
        out[some], cost[some] = _solve(
            model, out[some], target[some], np.flatnonzero(free), low, high, steps, tolerance
        )
    return out, cost


def _solve(
    model: Model,
    now: np.ndarray,
    target: np.ndarray,
    free: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    steps: int,
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray]:
    values, jacobian = model(now)
    left = target - values
    cost = (left * left).sum(axis=1)
    least = 1e-24 * np.maximum((target * target).sum(axis=1), np.finfo(np.float64).tiny)
    damping = np.full(len(now), 1e-2)
    own = np.arange(len(now))  # those that still move
    gradient, curvature = _normal(jacobian, left, free)
    for _ in range(steps):
        scale = np.einsum("bii->bi", curvature)
        scale = np.maximum(scale, 1e-12 * scale.max(axis=1, keepdims=True)) + 1e-300
        matrix = curvature + (damping[own, None] * scale)[:, :, None] * np.eye(free.size)
        move = np.linalg.solve(matrix, gradient[..., None])[..., 0]
        trial = now[own].copy()
        trial[:, free] += move
        trial = np.clip(trial, low, high)
        values, jacobian = model(trial)
        left = target[own] - values
        found = (left * left).sum(axis=1)
        better = found < cost[own]  # NaN is not
        small = better & (cost[own] - found <= tolerance * cost[own])
        now[own[better]], cost[own[better]] = trial[better], found[better]
        gradient[better], curvature[better] = _normal(jacobian[better], left[better], free)
        damping[own] = np.where(better, np.maximum(damping[own] / 5, 1e-10), damping[own] * 6)
        goes_on = ~small & (damping[own] < 1e8) & (cost[own] > least[own])
        own, gradient, curvature = own[goes_on], gradient[goes_on], curvature[goes_on]
        if not own.size:
            break
    return now, cost


def _normal(jacobian: np.ndarray, left: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    j = jacobian[:, :, free]
    return (j.transpose(0, 2, 1) @ left[..., None])[..., 0], j.transpose(0, 2, 1) @ j
