"""Resamples of stimuli as weights: nothing is ever copied per draw."""

from __future__ import annotations

import numpy as np

__all__ = ["multinomial_weights", "subset_rows"]


def multinomial_weights(n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of ``n`` items comes in each bootstrap resample: (draws, n) float64, rows sum to n
    (Efron 1979).
    """
    return rng.multinomial(n, np.full(n, 1.0 / n), size=draws).astype(np.float64)


def subset_rows(n: int, size: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """``draws`` random subsets without replacement of ``size`` of ``n`` rows: (draws, size) int64, each
    sorted.
    """
    order = np.argsort(rng.random((draws, n)), axis=1)[:, :size]
    return np.sort(order, axis=1)
