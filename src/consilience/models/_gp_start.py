"""Where a fit of Gaussian-process latents starts: factor analysis, turned to its slowest latents."""

from __future__ import annotations

import numpy as np

from consilience.models._gp_kernels import Kernel
from consilience.models._trials import Trials

__all__ = ["covariance_of", "factors", "turned_to_time"]

_LAGS = 10


def covariance_of(centred: Trials) -> np.ndarray:
    """(units, units) over the bins in which both units were seen, without negative eigenvalues."""
    y = centred.data
    if centred.mask is None:
        return y.T @ y / len(y)
    seen = centred.mask.astype(np.float64)
    values, vectors = np.linalg.eigh(y.T @ y / np.maximum(seen.T @ seen, 1.0))
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


def factors(
    covariance: np.ndarray, k: int, floor: np.ndarray, *, steps: int = 50
) -> tuple[np.ndarray, np.ndarray]:
    """(units, k) loadings and (units,) noise variances of factor analysis: EM on the covariance, from its principal
    components.
    """
    values, vectors = np.linalg.eigh(covariance)
    top = np.maximum(values[::-1][:k], 0.0)
    rest = max(float(np.trace(covariance)) - float(top.sum()), 0.0) / max(1, len(values) - k)
    loadings = vectors[:, ::-1][:, :k] * np.sqrt(np.maximum(top - rest, 1e-3 * top + 1e-12 * values[-1]))
    variances = np.diagonal(covariance)
    noise = np.maximum(variances - (loadings**2).sum(axis=1), floor)
    for _ in range(steps):
        weighted = loadings / noise[:, None]
        beta = np.linalg.solve(np.eye(k) + loadings.T @ weighted, weighted.T)
        shared = covariance @ beta.T
        loadings = np.linalg.solve(np.eye(k) - beta @ loadings + beta @ shared, shared.T).T
        noise = np.maximum(variances - (loadings * shared).sum(axis=1), floor)
    return loadings, noise


def turned_to_time(
    centred: Trials, loadings: np.ndarray, noise: np.ndarray, kernel: Kernel, bounds: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Loadings turned so that the latents are uncorrelated over time lags too, as independent processes are, and (k,)
    the time constants in bins that their autocorrelations fit.

    Factor analysis leaves the turn open, as it knows no time. Noise is white, so covariances of its estimates at lags
    above 0 are those of the latents.
    """
    k = loadings.shape[1]
    weighted = loadings / noise[:, None]
    told = centred.data @ weighted
    if centred.mask is None:
        scores = np.linalg.solve(loadings.T @ weighted + 1e-9 * np.eye(k), told.T).T
    else:  # least squares of what was seen of each bin, held where that is little
        gain = (centred.mask @ (weighted[:, :, None] * loadings[:, None, :]).reshape(-1, k * k)).reshape(
            -1, k, k
        )
        least = 0.01 * max(float(np.trace(gain.mean(axis=0))) / k, 1e-9)
        scores = np.linalg.solve(gain + least * np.eye(k), told[:, :, None])[:, :, 0]
    lagged, pairs = np.zeros((_LAGS, k, k)), np.zeros(_LAGS)
    for bins, which in centred.by_length().items():
        x = np.stack([scores[centred.starts[i] : centred.starts[i] + bins] for i in which])
        for lag in range(1, min(_LAGS, bins - 1) + 1):
            a, b = x[:, :-lag].reshape(-1, k), x[:, lag:].reshape(-1, k)
            lagged[lag - 1] += a.T @ b
            pairs[lag - 1] += len(a)
    if not pairs[0]:
        return loadings, np.full(k, np.sqrt(bounds[0] * bounds[1]))
    known = pairs > 0
    lagged = lagged[known] / pairs[known, None, None]
    lagged = 0.5 * (lagged + lagged.transpose(0, 2, 1))
    _, turn = np.linalg.eigh(lagged.sum(axis=0))
    turn = turn[:, ::-1]
    seen = np.einsum("ik,lij,jk->kl", turn, lagged, turn)
    grid = np.geomspace(max(bounds[0], 0.5), min(bounds[1], 100.0), 40)
    at = np.flatnonzero(known) + 1
    rho = kernel.values(at / grid[:, None])[0]
    errors = ((seen[:, None] - rho) ** 2).sum(axis=2)
    return loadings @ turn, grid[np.argmin(errors, axis=1)]
