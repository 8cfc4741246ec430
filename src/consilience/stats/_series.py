"""Time series: how far samples depend on each other, resampling in blocks, circular shifts."""

from __future__ import annotations

import numpy as np

__all__ = ["autocorrelation_time", "block_weights", "circular_shifts"]


def autocorrelation_time(x: np.ndarray) -> np.ndarray:
    """(p,) integrated autocorrelation time of each column of ``x`` (n, p), in steps: 1 + 2 sum_k rho_k, the sum
    up to the first lag at which rho_k < 0.05 (at most n / 2). White noise has 1, and so
    has a column that does not vary beyond rounding.
    """
    n = x.shape[0]
    z = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    z[:, np.abs(z).max(axis=0) <= 1e-12 * np.abs(x).max(axis=0)] = 0.0
    spectrum = np.fft.rfft(z, 2 * n, axis=0)
    power = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: n // 2 + 1]
    rho = power / np.where(power[:1] > 0, power[:1], 1.0) * (n / (n - np.arange(n // 2 + 1)))[:, None]
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
