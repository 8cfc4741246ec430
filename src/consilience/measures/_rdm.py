"""Representational dissimilarity matrices."""

from __future__ import annotations

from typing import Literal

from consilience._core._arrays import Array, array_namespace, as_matrix, condensed_indices, float64, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_option
from consilience.linalg import centre_columns, gram, squared_distances

__all__ = ["DISTANCES", "rdm"]

DISTANCES = ("correlation", "euclidean", "cosine")


def rdm(
    x: Array,
    /,
    *,
    distance: Literal["correlation", "euclidean", "cosine"] = "correlation",
    square: bool = False,
) -> Array:
    """Representational dissimilarity matrix: how far apart the patterns of each two stimuli are.

    Parameters
    ----------
    x : array (n stimuli, p units), any library
    distance : with patterns x_i, x_j over units and z_i the pattern minus its mean over units,
        ``"correlation"``  1 - z_i . z_j / (|z_i| |z_j|), in [0, 2]
        ``"euclidean"``    |x_i - x_j|^2 / p : squared, per unit
        ``"cosine"``       1 - x_i . x_j / (|x_i| |x_j|), in [0, 2]
    square : False: condensed vector of n(n-1)/2 in SciPy's order (`scipy.spatial.distance.squareform`
        restores the matrix); True: (n, n).

    Returns
    -------
    float64 array of the library of ``x``. Not to be confused with SciPy's "euclidean", which is neither
    squared nor per unit.

    Raises
    ------
    InputError : not 2-D, not numeric, NaN, fewer than 2 stimuli; a pattern without variation (correlation)
        or of zeros (cosine).

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [0.0, 2.0, 4.0]])
    >>> cs.measures.rdm(x).round(6) + 0.0
    array([2., 0., 2.])
    """
    who = "rdm"
    check_option(distance, DISTANCES, name="distance", who=who)
    x = as_matrix(x, name="x", who=who, min_rows=2)
    xp = array_namespace(x)
    n, p = x.shape
    if distance == "euclidean":
        d = squared_distances(centre_columns(x)) / p
    else:
        d = 1.0 - gram(_unit_rows(x, distance, who))
        d = xp.clip(d, 0.0, 2.0)
        d = d - xp.eye(n, dtype=d.dtype, device=d.device) * d
    if square:
        return (d + d.T) / 2
    index = xp.asarray(condensed_indices(n), device=x.device)
    return xp.take(xp.reshape(d, (-1,)), index)


def _unit_rows(x: Array, distance: str, who: str) -> Array:
    """Rows at length 1, for correlation after their mean is taken off (in float64 before any rounding)."""
    xp = array_namespace(x)
    if distance == "correlation" and x.shape[1] < 2:
        raise InputError(
            f"{who}: correlation distance needs at least 2 units, got 1; use distance='euclidean'.",
            code="too-few",
        )
    work = x
    if distance == "correlation":
        mean = (
            xp.mean(float64(x), axis=1, keepdims=True)
            if x.dtype != xp.float64
            else xp.mean(x, axis=1, keepdims=True)
        )
        work = xp.astype(float64(x) - mean, x.dtype) if x.dtype != xp.float64 else x - mean
    scale = xp.max(xp.abs(work), axis=1, keepdims=True)
    size = xp.max(xp.abs(x), axis=1, keepdims=True)
    flat = scale <= (8 * float(xp.finfo(x.dtype).eps)) * size
    if bool(xp.any(flat)):
        rows = [int(i) for i in to_numpy(flat)[:, 0].nonzero()[0]]
        what = "the same value in all units" if distance == "correlation" else "only zeros"
        listed = ", ".join(map(str, rows[:3])) + (f", ... ({len(rows)} in all)" if len(rows) > 3 else "")
        raise InputError(
            f"{who}: stimulus {listed} has {what}, so its {distance} distance is not defined; drop it or "
            "use distance='euclidean'.",
            code="flat-pattern",
        )
    work = work / scale
    norm = xp.sqrt(xp.sum(float64(work) * float64(work), axis=1, keepdims=True))
    return work / xp.astype(norm, work.dtype)
