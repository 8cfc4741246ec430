"""Maximum likelihood of factor analysis from a covariance, for one number of factors after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import eigsh

from consilience.models._linear_gaussian import rotated

__all__ = ["Factors", "fit_factors", "held_out_likelihood", "start_noise"]

_LARGE = 1000  # units above which leading eigenvectors are cheaper by Lanczos
_MOST = 200  # Newton steps


@dataclass(frozen=True)
class Factors:
    """loadings : (k, p), rows orthogonal, the largest first.   noise : (p,).   converged : bool.   steps : int.
    floor : (p,) bool, units whose noise is held at its lowest.
    """

    loadings: np.ndarray
    noise: np.ndarray
    converged: bool
    steps: int
    floor: np.ndarray


@dataclass(frozen=True)
class _Point:
    """The profile likelihood at log noise ``theta``: value, gradient, whitened covariance, leading eigenpairs."""

    theta: np.ndarray
    value: float
    gradient: np.ndarray
    whitened: np.ndarray
    values: np.ndarray
    vectors: np.ndarray


def _leading(matrix: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    p = len(matrix)
    if k == 0:
        return np.zeros(0), np.zeros((p, 0))
    if p > _LARGE and k < p // 10:
        try:
            values, vectors = eigsh(matrix, k=k, v0=np.ones(p), tol=1e-12)
            return values, vectors
        except linalg.LinAlgError:  # pragma: no cover
            pass
    return linalg.eigh(matrix, subset_by_index=[p - k, p - 1], check_finite=False)


def _at(covariance: np.ndarray, theta: np.ndarray, k: int) -> _Point:
    """-2 log-likelihood per row, less p log 2 pi, of the best loadings for noise exp(theta):
    sum(theta) + tr T + sum over the k largest eigenvalues l > 1 of T of (log l - l + 1), T = N^-1/2 S N^-1/2.
    """
    scale = np.exp(-theta / 2)
    whitened = covariance * scale * scale[:, None]
    values, vectors = _leading(whitened, k)
    above = values > 1  # a factor that would explain less than nothing has loadings of 0
    values, vectors = values[above], vectors[:, above]
    diagonal = np.diag(whitened)
    value = float(theta.sum() + diagonal.sum() + (np.log(values) - values + 1).sum())
    gradient = 1 - diagonal - (vectors * vectors) @ (1 - values)
    return _Point(theta, value, gradient, whitened, values, vectors)


def _direction(point: _Point, free: np.ndarray) -> np.ndarray:
    """Newton's step with the expected curvature (T - U L U') * (I - U U'), products entry by entry, which is
    positive semi-definite and equals the Hessian where the eigenvalues that are left are 1 (Joreskog 1967; Clarke
    1970); by conjugate gradients.
    """
    u, values = point.vectors, point.values
    curvature = -(u @ u.T)
    curvature.flat[:: len(u) + 1] += 1
    curvature *= point.whitened - (u * values) @ u.T
    if not free.all():
        curvature = curvature[np.ix_(free, free)]
    target = -point.gradient[free]
    diagonal = np.maximum(np.diag(curvature), 1e-3)
    found, rest = np.zeros_like(target), target.copy()
    z = rest / diagonal
    way, size = z.copy(), float(rest @ z)
    start = size
    for _ in range(100):
        if size <= 1e-8 * start or size == 0:
            break
        along = curvature @ way
        bend = float(way @ along)
        if bend <= 1e-12 * float(way @ (diagonal * way)):
            break
        step = size / bend
        found += step * way
        rest -= step * along
        z = rest / diagonal
        new = float(rest @ z)
        way = z + new / size * way
        size = new
    if not found.any():  # no curvature: down the gradient
        found = target / diagonal
    out = np.zeros(len(free))
    out[free] = found
    return out


def start_noise(covariance: np.ndarray, k: int) -> np.ndarray:
    """(p,) noise variances from the principal axes: the diagonal that k of them leave."""
    values, vectors = _leading(covariance, k)
    p = len(covariance)
    rest = max((np.trace(covariance) - values.sum()) / max(p - k, 1), 0.0)
    return np.diag(covariance) - (vectors * vectors) @ np.maximum(values - rest, 0.0)


def fit_factors(
    covariance: np.ndarray, ks: Any, *, lowest: float, tol: float, start: np.ndarray | None = None
) -> list[Factors]:
    """Factors of a covariance (p, p) for each number in ``ks``, rising: each starts where the one before ended.

    The likelihood is that of the noise alone, loadings being the best for it: Newton's method on log noise, with a
    line search. Units are scaled to variance 1 inside. lowest : least noise of a unit, as a share of its variance.
    tol : least expected gain of log-likelihood per row, in nats, of a step that is still taken.
    """
    spread = np.sqrt(np.diag(covariance))
    scaled = covariance / spread / spread[:, None]
    low = float(np.log(lowest))
    made = []
    theta = None if start is None else np.log(np.clip(start / spread**2, lowest, 1.0))
    for k in ks:
        if theta is None:
            theta = np.log(np.clip(start_noise(scaled, k), max(lowest, 0.02), 1.0))
        point, converged, step_count = _minimise(scaled, theta, int(k), low, tol)
        theta = point.theta
        made.append(_factors(point, spread, int(k), converged, step_count, low))
    return made


def _minimise(
    scaled: np.ndarray, theta: np.ndarray, k: int, low: float, tol: float
) -> tuple[_Point, bool, int]:
    point = _at(scaled, theta, k)
    for count in range(_MOST):
        free = (point.theta > low) | (point.gradient < 0)
        step = _direction(point, free)
        expected = -float(point.gradient @ step)
        if expected <= 4 * tol:  # half of it, of twice the log-likelihood
            return point, True, count
        share = min(1.0, 2.0 / np.abs(step).max())
        while True:
            new = _at(scaled, np.maximum(point.theta + share * step, low), k)
            moved = new.theta - point.theta
            if new.value <= point.value + 1e-4 * float(point.gradient @ moved):
                break
            share /= 2
            if share < 1e-8:  # rounding
                return point, True, count
        point = new
    return point, False, _MOST


def _factors(point: _Point, spread: np.ndarray, k: int, converged: bool, steps: int, low: float) -> Factors:
    noise = np.exp(point.theta)
    loadings = (
        point.vectors * np.sqrt(np.maximum(point.values - 1, 0.0)) * np.sqrt(noise)[:, None] * spread[:, None]
    )
    out = np.zeros((k, len(noise)))
    out[: loadings.shape[1]] = rotated(loadings.T)
    return Factors(out, noise * spread**2, converged, steps, point.theta <= low)


def held_out_likelihood(found: Factors, second: np.ndarray) -> float:
    """Mean log-likelihood of a row, in nats, of rows with second moments ``second`` (p, p) about the training mean."""
    w, noise = found.loadings, found.noise
    scaled = w / noise
    inner = np.eye(len(w)) + scaled @ w.T
    chol = np.linalg.cholesky(inner)
    half = linalg.solve_triangular(chol, scaled, lower=True, check_finite=False)  # (k, p)
    square = np.diag(second) @ (1 / noise) - np.einsum("kp,kp->", half @ second, half)
    log_det = np.log(noise).sum() + 2 * np.log(np.diag(chol)).sum()
    return float(-0.5 * (len(noise) * np.log(2 * np.pi) + log_det + square))
