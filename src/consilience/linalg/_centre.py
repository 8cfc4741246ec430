"""Centring by a float64 mean, so that float32 data with a large offset keeps its digits."""

from __future__ import annotations

import math

import numpy as np

from consilience._core._arrays import Array, array_namespace, float64, to_numpy

__all__ = ["centre_columns", "column_means", "constant_columns", "level_columns", "to_safe_size"]

_BLOCK = 1 << 22


def column_means(x: Array) -> Array:
    """Mean of each column, (p,), float64, whatever the dtype of ``x`` (n, p)."""
    xp = array_namespace(x)
    if x.dtype == xp.float64:
        return xp.mean(x, axis=0)
    step = max(1, _BLOCK // max(1, x.shape[1]))
    n = x.shape[0]
    total = xp.sum(float64(x[: min(step, n), ...]), axis=0)
    for start in range(step, n, step):
        total = total + xp.sum(float64(x[start : min(start + step, n), ...]), axis=0)
    return total / n


def centre_columns(x: Array) -> Array:
    """``x`` (n, p) minus its column means, in the dtype of ``x``; the subtraction is done in float64."""
    xp = array_namespace(x)
    mean = column_means(x)
    if x.dtype == xp.float64:
        return x - mean
    step = max(1, _BLOCK // max(1, x.shape[1]))
    blocks = [
        xp.astype(float64(x[start : min(start + step, x.shape[0]), ...]) - mean, x.dtype)
        for start in range(0, x.shape[0], step)
    ]
    return blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)


def safe_power(x: Array) -> float:
    """1, or the power of two that brings ``x`` to about 1 where products of its squares could overflow or vanish."""
    xp = array_namespace(x)
    top = max(float(xp.max(x)), -float(xp.min(x)))
    limit, largest = (2.0**100, 1023) if x.dtype == xp.float64 else (2.0**30, 127)
    return 1.0 if top == 0 or 1 / limit < top < limit else math.ldexp(1.0, min(math.frexp(top)[1], largest))


def to_safe_size(x: Array) -> Array:
    """``x`` itself, or, where products of its squares could overflow or vanish, ``x`` over a power of two."""
    power = safe_power(x)
    return x if power == 1.0 else x / power


def constant_columns(x: Array, *, tolerance: float = 8.0) -> Array:
    """Which columns of ``x`` (n, p) do not vary: range at most ``tolerance`` eps times the largest
    magnitude. Bool (p,).
    """
    xp = array_namespace(x)
    high, low = xp.max(x, axis=0), xp.min(x, axis=0)
    size = xp.maximum(xp.abs(high), xp.abs(low))
    return (high - low) <= tolerance * float(xp.finfo(x.dtype).eps) * size


def level_columns(x: Array) -> Array:
    """The centred columns of ``x`` (n, p), each over a power of two that brings its largest value to about 1, so that
    a unit on a large scale does not push the others below a cut that is relative to all; 0 where it does not vary.
    """
    xp = array_namespace(x)
    fixed = constant_columns(x)
    z = _over_powers(centre_columns(_over_powers(x)))
    return xp.where(fixed[None, :], xp.zeros_like(z), z)


def _over_powers(x: Array) -> Array:
    xp = array_namespace(x)
    top = to_numpy(xp.max(xp.abs(x), axis=0))
    limits = np.finfo(top.dtype)
    # no further than both the power and its inverse are ordinary numbers
    powers = np.clip(np.frexp(top)[1], limits.minexp + 1, limits.maxexp - 2)
    return x * xp.asarray(np.ldexp(top.dtype.type(1), -powers), dtype=x.dtype, device=x.device)[None, :]
