"""A lossless change of coordinates to at most as many columns as there are rows."""

from __future__ import annotations

from consilience._core._arrays import Array, array_namespace, float64
from consilience.linalg._gram import cross, gram

__all__ = ["principal_scores"]


def principal_scores(x: Array) -> Array:
    """``x`` (n, p), centred, in the coordinates of its principal axes: (n, rank) float64, with X X'
    unchanged.

    Everything that does not change under rotation of the units (CCA, Procrustes, ridge) can be computed
    from these at the
    size of the smaller side. Columns are ordered by falling variance; the rank is counted at eps max(n, p)
    of the largest
    singular value, eps of the dtype of ``x``.
    """
    xp = array_namespace(x)
    n, p = x.shape
    eps = float(xp.finfo(x.dtype).eps)
    wide = p >= n
    product = gram(x) if wide else cross(x, x)
    values, vectors = xp.linalg.eigh(product)
    top = float(values[-1])
    # the Gram route squares the condition number: eigenvalues below its rounding are not signal
    floor = max(max(n, p) * eps * eps, 4 * max(n, p) * float(xp.finfo(xp.float64).eps)) * top
    if top <= 0:
        return xp.zeros((n, 0), dtype=xp.float64, device=x.device)
    keep = int(xp.sum(xp.astype(values > floor, xp.int64)))
    vectors = xp.flip(vectors[:, -keep:], axis=1)
    values = xp.flip(values[-keep:], axis=0)
    return vectors * xp.sqrt(values)[None, :] if wide else float64(x) @ vectors
