"""Normalised Bures similarity of the kernels behind two RDMs."""

from __future__ import annotations

import numpy as np

from consilience._core._errors import InputError, warn
from consilience.stats._pairs import square

__all__ = ["bures", "kernel_root"]

_NEGATIVE = 1e-8  # share of the spectrum below which negative eigenvalues are rounding


def kernel_root(d: np.ndarray, *, name: str = "an RDM") -> np.ndarray:
    """Coordinates x (n, k) with x x' = -H D H / 2, from the condensed RDM ``d`` of squared distances.

    Where no points have these distances (negative eigenvalues) the nearest kernel that has is taken, with a
    warning (code ``not-euclidean``).
    """
    n = (1 + int(np.sqrt(1 + 8 * d.size))) // 2
    full = square(d[None], n)[0]
    row = full.mean(axis=0)
    values, vectors = np.linalg.eigh(-0.5 * (full - row[:, None] - row[None, :] + row.mean()))
    negative, size = -values[values < 0].sum(), np.abs(values).sum()
    floor = n * np.finfo(np.float64).eps * np.abs(values).max()
    if not values[-1] > floor:
        raise InputError(
            f"compare_rdms: {name} has no kernel with positive variance, so method='bures' is not defined; "
            "check that it holds distances, not similarities.",
            code="no-structure",
        )
    if negative > _NEGATIVE * size:
        warn(
            "not-euclidean",
            f"compare_rdms: no points have the squared distances of {name}; {negative / size:.1%} of its spectrum "
            "is negative and was set to 0 for method='bures'.",
            "Use squared Euclidean or correlation distances, or another method.",
            stacklevel=4,
        )
    kept = values > floor
    return vectors[:, kept] * np.sqrt(values[kept])


def bures(x: np.ndarray, y: np.ndarray) -> float:
    """tr((K^1/2 L K^1/2)^1/2) / sqrt(tr K tr L) = ||X'Y||_* / (||X|| ||Y||), K = X X' and L = Y Y' centred.

    x, y : (n, r) and (n, s); they are centred here.
    """
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    below = np.linalg.norm(x) * np.linalg.norm(y)
    return float(np.linalg.svd(x.T @ y, compute_uv=False).sum() / below) if below > 0 else float("nan")
