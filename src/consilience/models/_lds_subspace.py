"""Linear dynamical systems from lagged covariances: stochastic subspace identification."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import linalg

from consilience.models._lds_smooth import System, positive
from consilience.models._trials import Trials

__all__ = ["MOST_STATES", "Lagged", "lagged_covariances", "subspace"]

MOST_STATES = 100
_MOST = 1200  # rows of a block Hankel matrix
_STABLE = 0.999
_SOME = 1e-2  # share of the variance that the states of a start have at least


class Lagged:
    """covariances : (lags + 1, p, p) of y_{t + l} and y_t about the mean, over pairs of values that were both seen, of
    units scaled by ``scale`` (p,).   mean : (p,).
    """

    def __init__(self, mean: np.ndarray, scale: np.ndarray, covariances: np.ndarray) -> None:
        self.mean, self.scale, self.covariances = mean, scale, covariances

    @cached_property
    def basis(self) -> np.ndarray:
        """(p, size) orthonormal: all units, or the directions of the largest lagged covariances."""
        p, blocks = len(self.mean), len(self.covariances) // 2
        if p * blocks <= _MOST:
            return np.eye(p)
        wide = np.concatenate([*self.covariances[1:], *self.covariances[1:].swapaxes(1, 2)], axis=1)
        return np.linalg.eigh(wide @ wide.T)[1][:, ::-1][:, : max(_MOST // blocks, 1)]

    @cached_property
    def hankel(self) -> tuple[np.ndarray, np.ndarray]:
        """Leading left singular vectors and singular values of the block Hankel matrix in `basis`: those of all numbers
        of states.
        """
        blocks = len(self.covariances) // 2
        small = self.basis.T @ self.covariances @ self.basis
        matrix = np.block([[small[a + b + 1] for b in range(blocks)] for a in range(blocks)])
        size = len(matrix)
        values, vectors = linalg.eigh(
            matrix @ matrix.T, subset_by_index=[max(0, size - MOST_STATES), size - 1], check_finite=False
        )
        return vectors[:, ::-1], np.sqrt(np.maximum(values[::-1], 0.0))


def lagged_covariances(trials: Trials, lags: int) -> Lagged:
    """Pooled over trials, never over a border of two."""
    mean, scale = trials.mean(), np.sqrt(trials.variance())
    scale = np.where(scale > 0, scale, 1.0)
    z = trials.centred(mean).data / scale
    owner = np.repeat(np.arange(len(trials)), trials.lengths)
    out = np.empty((lags + 1, trials.units, trials.units))
    for lag in range(lags + 1):
        pair = np.flatnonzero(owner[lag:] == owner[: len(owner) - lag])
        if trials.mask is None:
            count: float | np.ndarray = max(len(pair), 1)
        else:
            count = np.maximum(
                trials.mask[pair + lag].T.astype(np.float64) @ trials.mask[pair].astype(np.float64), 1
            )
        out[lag] = z[pair + lag].T @ z[pair] / count
    return Lagged(mean, scale, out)


def subspace(lagged: Lagged, k: int, *, lowest: float) -> System:
    """A system with k states. The block Hankel matrix of covariances of lags 1 .. 2 i - 1 has rank k; its leading left
    singular vectors span C, C A, C A^2, ... (Van Overschee & De Moor 1996, chapter 3). A follows from the shift
    by one block, the covariance of the states from all lags by least squares, Q and R from what it leaves, made
    positive. Noise of single units that is independent in time is in no lag above 0, so that it does not bias A or C.
    """
    covariances = lagged.covariances
    blocks = len(covariances) // 2
    basis, (u, s) = lagged.basis, lagged.hankel
    size = basis.shape[1]
    k_found = min(k, int((s > 1e-7 * s[0]).sum()) if s.size and s[0] > 0 else 0)
    observe = np.zeros((size * blocks, k))
    observe[:, :k_found] = u[:, :k_found] * np.sqrt(s[:k_found])
    a = np.linalg.lstsq(observe[:-size], observe[size:], rcond=1e-10)[0]
    radius = float(np.abs(np.linalg.eigvals(a)).max(initial=0.0))
    if radius > _STABLE:
        a = a * (_STABLE / radius)
    c = basis @ observe[:size]
    # O A Pi C' = [lag 1, lag 2, ...], so that Pi C' is known; the symmetric Pi nearest to it
    below = np.concatenate([basis.T @ covariances[lag + 1] for lag in range(blocks)])
    known = np.linalg.lstsq(observe @ a, below, rcond=1e-8)[0]
    inner = c.T @ c
    inner += 1e-8 * max(np.trace(inner) / k, np.finfo(float).tiny) * np.eye(k)
    state = positive(linalg.solve_sylvester(inner, inner, known @ c + (known @ c).T), 1e-6)
    # without relation between bins (white latents) it can have no positive direction: some variance, for EM to start
    some = _SOME * max(float(np.trace(covariances[0])), np.finfo(float).tiny) / max(np.trace(c.T @ c), 1e-8)
    if not np.trace(state) > some:
        state = some * np.eye(k)
    q = positive(state - a @ state @ a.T, 1e-6)
    state = linalg.solve_discrete_lyapunov(a, q)
    noise = np.diag(covariances[0]) - np.einsum("pk,kl,pl->p", c, state, c)
    noise = np.maximum(noise, max(lowest, 0.02))
    return System(
        a, q, c * lagged.scale[:, None], lagged.mean, noise * lagged.scale**2, np.zeros(k), positive(state)
    )
