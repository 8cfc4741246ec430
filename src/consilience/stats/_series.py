"""Time series: how far samples depend on each other, resampling in blocks, circular shifts."""

from __future__ import annotations

import numpy as np

__all__ = ["autocorrelation_time", "block_weights", "circular_shifts"]


def autocorrelation_time(x: np.ndarray) -> np.ndarray:
    """(p,) integrated autocorrelation time of each column of ``x`` (n, p), in steps: 1 + 2 sum_k rho_k, the sum
    up to the first lag at which rho_k < 0.05 (at most n / 2). White noise has 1, and so
    has a column that does not vary beyond rounding. NaN: pairs of samples of which one is missing are left out.
    """
    n = x.shape[0]
    there = ~np.isnan(x)
    if not there.all():
        return _time_of_known(np.asarray(x, dtype=np.float64), there)
    z = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    z[:, np.abs(z).max(axis=0) <= 1e-12 * np.abs(x).max(axis=0)] = 0.0
    power = _lagged_products(z)
    rho = power / np.where(power[:1] > 0, power[:1], 1.0) * (n / (n - np.arange(n // 2 + 1)))[:, None]
    return _time_of(rho)


def _time_of_known(x: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The same where samples are missing."""
    many = np.maximum(there.sum(axis=0), 1)
    z = np.where(there, x, 0.0)
    top = np.abs(z).max(axis=0)
    z = np.where(there, z - z.sum(axis=0) / many, 0.0)
    z[:, np.abs(z).max(axis=0) <= 1e-12 * top] = 0.0
    pairs = np.round(_lagged_products(there.astype(np.float64)))
    power = _lagged_products(z) / np.maximum(pairs, 1.0)
    return _time_of(power / np.where(power[:1] > 0, power[:1], 1.0))


def _lagged_products(z: np.ndarray) -> np.ndarray:
    """(n // 2 + 1, p) sums over t of z_t z_{t+k}."""
    n = len(z)
    return np.fft.irfft(np.abs(np.fft.rfft(z, 2 * n, axis=0)) ** 2, axis=0)[: n // 2 + 1]


def _time_of(rho: np.ndarray) -> np.ndarray:
    below = rho < 0.05
    stop = np.where(below.any(axis=0), below.argmax(axis=0), len(rho))
    inside = np.arange(len(rho))[:, None] < stop
    return np.maximum(1.0, 2.0 * np.where(inside, rho, 0.0).sum(axis=0) - 1.0)


def block_weights(n: int, length: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of ``n`` samples comes when blocks of ``length`` are drawn on a circle: (draws, n), the sum
    of a row is n up to rounding up to whole blocks (Politis & Romano 1992).
    """
    count = -(-n // length)
    starts = rng.integers(0, n, size=(draws, count))
    change = np.zeros((draws, 2 * n + 1))
    for k in range(count):
        np.add.at(change, (np.arange(draws), starts[:, k]), 1.0)
        np.add.at(change, (np.arange(draws), starts[:, k] + length), -1.0)
    weights = np.cumsum(change, axis=1)
    return weights[:, :n] + weights[:, n : 2 * n]


def circular_shifts(n: int, least: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """At most ``count`` different shifts of at least ``least`` and at most n - least steps, (m,) int64, in random
    order; empty where there are none.
    """
    possible = np.arange(least, n - least + 1)
    return rng.permutation(possible)[:count]
