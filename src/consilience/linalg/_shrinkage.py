"""Ledoit-Wolf shrinkage of a covariance matrix towards a multiple of the identity."""

from __future__ import annotations

from consilience._core._arrays import Array, array_namespace

__all__ = ["ledoit_wolf"]


def ledoit_wolf(x: Array) -> tuple[Array, float]:
    """Shrunk covariance (p, p) of centred ``x`` (n, p), and the shrinkage in [0, 1] (Ledoit & Wolf 2004).

    S* = (1 - r) S + r m I with S = X'X/n, m = tr(S)/p and r = min(b2, d2)/d2, d2 = ||S - m I||^2, b2 = mean
    ||x_i x_i' - S||^2 / n.
    """
    xp = array_namespace(x)
    n, p = x.shape
    s = x.T @ x / n
    trace = float(xp.linalg.trace(s))
    m = trace / p
    squared = float(xp.sum(s * s))
    d2 = squared - p * m * m
    norms = xp.sum(x * x, axis=1)
    b2 = (float(xp.sum(norms * norms)) / n - squared) / n
    shrinkage = 1.0 if d2 <= 0 else min(max(b2, 0.0), d2) / d2
    return (1 - shrinkage) * s + shrinkage * m * xp.eye(p, dtype=s.dtype, device=s.device), shrinkage
