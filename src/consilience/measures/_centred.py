"""Centred matrices over stimuli as pair vectors: what CKA and distance correlation are cosines of."""

from __future__ import annotations

import functools

import numpy as np

from consilience._core._arrays import Array, array_namespace, condensed_indices
from consilience._core._errors import InputError

__all__ = ["check_structure", "pair_indices", "pair_vector"]

_FEW = 500  # stimuli; up to here the places of the pairs are kept between calls, 1 MB each


def pair_indices(n: int) -> np.ndarray:
    """Flat indices of the n(n-1)/2 entries above the diagonal of an (n, n) matrix."""
    return _few_pairs(n) if n <= _FEW else condensed_indices(n)


@functools.lru_cache(maxsize=4)
def _few_pairs(n: int) -> np.ndarray:
    return condensed_indices(n)


def pair_vector(k: Array, debiased: bool) -> Array:
    """Pair vector of a kernel (n, n) or of distances: U-centred off-diagonal entries (debiased), or doubly
    centred entries with the diagonal (biased).
    """
    xp = array_namespace(k)
    n = k.shape[0]
    index = xp.asarray(pair_indices(n), device=k.device)
    if not debiased:
        row = xp.mean(k, axis=0)
        centred = k - row[:, None] - row[None, :] + xp.mean(row)
        pairs = xp.take(xp.reshape(centred, (-1,)), index)
        return xp.concat([pairs, xp.linalg.diagonal(centred) * float(np.sqrt(0.5))])
    off = k - xp.eye(n, dtype=k.dtype, device=k.device) * k
    row = xp.sum(off, axis=0)
    # Szekely & Rizzo (2014), eq. 3.3: zero diagonal, rows that sum to 0
    centred = off - row[:, None] / (n - 2) - row[None, :] / (n - 2) + xp.sum(row) / ((n - 1) * (n - 2))
    return xp.take(xp.reshape(centred, (-1,)), index)


def check_structure(vector: Array, size: float, *, who: str = "cka", label: str = "CKA") -> Array:
    """Refuses a matrix in which all stimuli look alike (or all are equally far apart): rounding is not
    structure.
    """
    xp = array_namespace(vector)
    if float(xp.max(xp.abs(vector))) <= 1e-12 * size:
        raise InputError(
            f"{who}: a system has no structure over stimuli (all patterns equal, or all equally far apart), "
            f"so {label} is not defined; check its data.",
            code="no-structure",
        )
    return vector
