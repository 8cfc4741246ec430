"""Permutation p-values."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["false_discovery_q", "max_statistic_p", "p_value", "permutations"]

_TIE = 1e-10  # relative: equal up to rounding counts as a tie, and ties count against the claim


def permutations(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` random relabellings of ``n`` stimuli, (count, n) int64, drawn independently (the identity
    may come).
    """
    return np.argsort(rng.random((count, n)), axis=1)


def _not_below(null: np.ndarray, value: np.ndarray) -> np.ndarray:
    scale = np.maximum(np.abs(value), np.nanmax(np.abs(null), axis=0, initial=0.0))
    return null >= value - _TIE * np.maximum(scale, math.ulp(0.0))


def p_value(value: np.ndarray | float, null: np.ndarray) -> np.ndarray:
    """One-sided p = (b + 1) / (m + 1), b the number of the m permutations with a value at least as high
    (Phipson & Smyth 2010).

    value : array (...).   null : array (m, ...). Ties, up to a relative 1e-10, count as at least as high;
        the result is never 0.
    """
    value = np.asarray(value, dtype=np.float64)
    count = _not_below(null, value).sum(axis=0)
    return np.where(np.isfinite(value), (count + 1.0) / (null.shape[0] + 1.0), np.nan)


def max_statistic_p(value: np.ndarray, null: np.ndarray, *, axis: int = 0) -> np.ndarray:
    """Family-wise p: each value against the maximum over ``axis`` of the permuted values (Westfall & Young
    1993).

    value : array (...).   null : array (m, ...).   axis : the axis of ``value`` that is the family.
    """
    top = np.nanmax(null, axis=axis + 1, keepdims=True)
    return p_value(value, np.broadcast_to(top, null.shape))


def false_discovery_q(p: np.ndarray) -> np.ndarray:
    """Smallest false discovery rate at which each of the p-values (k,) is found (Benjamini & Hochberg 1995)."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)
    steps = p[order] * p.size / np.arange(1, p.size + 1)
    out = np.empty_like(p)
    out[order] = np.minimum.accumulate(steps[::-1])[::-1]
    return np.minimum(out, 1.0)
