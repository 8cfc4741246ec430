"""Classical multidimensional scaling, and turning one configuration onto another."""

from __future__ import annotations

import numpy as np

__all__ = ["classical_mds", "rotate_onto"]


def classical_mds(d: np.ndarray, k: int) -> tuple[np.ndarray, float]:
    """Coordinates (n, k) whose distances approximate the dissimilarities ``d`` (n, n), and the share of
    positive variance they hold.

    Eigenvectors of -J d^2 J / 2, J the centring matrix, scaled by the square roots of their eigenvalues
    (Torgerson 1952). The sign of each axis is
    fixed so that its largest entry is positive.
    """
    n = d.shape[0]
    squared = d * d
    row = squared.mean(axis=0)
    b = -0.5 * (squared - row[:, None] - row[None, :] + row.mean())
    values, vectors = np.linalg.eigh(b)
    values, vectors = values[::-1], vectors[:, ::-1]
    positive = values[values > 0].sum()
    kept = np.clip(values[:k], 0, None)
    out = np.zeros((n, k))
    out[:, : kept.size] = vectors[:, :k] * np.sqrt(kept)
    signs = np.sign(out[np.argmax(np.abs(out), axis=0), np.arange(k)])
    return out * np.where(signs == 0, 1.0, signs), float(kept.sum() / positive) if positive > 0 else 0.0


def rotate_onto(x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """``x`` (n, k) rotated (or reflected) to lie closest to ``target`` (n, k); lengths are kept."""
    u, _, vt = np.linalg.svd(x.T @ target)
    return x @ u @ vt
