"""Do two sets of values rank the same things alike?"""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = ["kendall_tau_b", "same_top", "spearman_rho"]

_TIE = 1e-9  # of the largest absolute value: values that differ by rounding are ties


def _signs(values: np.ndarray) -> np.ndarray:
    """Signs (..., k(k-1)/2) of the differences between all pairs of values (..., k)."""
    rows, columns = np.triu_indices(values.shape[-1], 1)
    gap = values[..., rows] - values[..., columns]
    size = np.max(np.abs(values), axis=-1, keepdims=True)
    return np.where(np.abs(gap) <= _TIE * size, 0.0, np.sign(gap))


def kendall_tau_b(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Kendall's tau-b along the last axis: (C - D) / sqrt((N - T_x)(N - T_y)), N pairs, T of them tied.

    x, y : (..., k) -> (...). NaN where all values of one side are tied.
    """
    a, b = _signs(x), _signs(y)
    below = np.sqrt(np.sum(a * a, axis=-1) * np.sum(b * b, axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, np.sum(a * b, axis=-1) / below, np.nan)


def spearman_rho(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's correlation along the last axis, ties with mean ranks: x, y (..., k) -> (...)."""
    a, b = (stats.rankdata(v, axis=-1) - (v.shape[-1] + 1) / 2 for v in (x, y))
    below = np.sqrt(np.sum(a * a, axis=-1) * np.sum(b * b, axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, np.sum(a * b, axis=-1) / below, np.nan)


def same_top(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether the same places hold the largest of x and of y (..., k), ties included: (...) bool."""
    tops = [v >= v.max(axis=-1, keepdims=True) - _TIE * np.abs(v).max(axis=-1, keepdims=True) for v in (x, y)]
    return np.asarray((tops[0] == tops[1]).all(axis=-1))
