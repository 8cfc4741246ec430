"""Centring by a float64 mean, so that float32 data with a large offset keeps its digits."""

from __future__ import annotations

from consilience._core._arrays import Array, array_namespace, float64

__all__ = ["centre_columns", "column_means", "constant_columns"]

_BLOCK = 1 << 22


def column_means(x: Array) -> Array:
    """Mean of each column, (p,), float64, whatever the dtype of ``x`` (n, p)."""
    xp = array_namespace(x)
    if x.dtype == xp.float64:
        return xp.mean(x, axis=0)
    step = max(1, _BLOCK // max(1, x.shape[1]))
    total = xp.sum(float64(x[:step, ...]), axis=0)
    for start in range(step, x.shape[0], step):
        total = total + xp.sum(float64(x[start : start + step, ...]), axis=0)
    return total / x.shape[0]


def centre_columns(x: Array) -> Array:
    """``x`` (n, p) minus its column means, in the dtype of ``x``; the subtraction is done in float64."""
    xp = array_namespace(x)
    mean = column_means(x)
    if x.dtype == xp.float64:
        return x - mean
    step = max(1, _BLOCK // max(1, x.shape[1]))
    blocks = [
        xp.astype(float64(x[start : start + step, ...]) - mean, x.dtype)
        for start in range(0, x.shape[0], step)
    ]
    return blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)


def constant_columns(x: Array, *, tolerance: float = 8.0) -> Array:
    """Which columns of ``x`` (n, p) do not vary: range at most ``tolerance`` eps times the largest
    magnitude. Bool (p,).
    """
    xp = array_namespace(x)
    high, low = xp.max(x, axis=0), xp.min(x, axis=0)
    size = xp.maximum(xp.abs(high), xp.abs(low))
    return (high - low) <= tolerance * float(xp.finfo(x.dtype).eps) * size
