"""Representational dissimilarity matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from consilience._core._arrays import (
    Array,
    array_namespace,
    as_matrix,
    as_same_library,
    condensed_indices,
    float64,
    to_numpy,
)
from consilience._core._errors import InputError
from consilience._core._params import check_option
from consilience.linalg import NoiseCovariance, centre_columns, gram, squared_distances
from consilience.linalg._gram import chord_gram, distances_of_gram
from consilience.linalg._noise import whitener
from consilience.measures._poisson import poisson_distances

__all__ = [
    "ALL_DISTANCES",
    "DISTANCES",
    "GRAM_OF",
    "FlatPatternError",
    "rdm",
    "rdm_of_gram",
    "spread_of_rounding",
]

DISTANCES = ("correlation", "euclidean", "sqeuclidean", "cosine")  # of patterns alone
ALL_DISTANCES = (*DISTANCES, "mahalanobis", "poisson")
_NEAR = 0.05  # 1 - cosine below this on average: found from differences of patterns instead
# of which patterns a Gram matrix gives the distances, see `PairParts`
GRAM_OF: dict[str, Literal["columns", "rows", "origin"]] = {
    "correlation": "rows",
    "euclidean": "columns",
    "sqeuclidean": "columns",
    "cosine": "origin",
}


class FlatPatternError(InputError):
    """Stimuli whose pattern has no direction; ``rows`` are their row numbers, and `named` says their ids."""

    code = "flat-pattern"
    rows: tuple[int, ...] = ()
    distance: str = ""

    @classmethod
    def of(
        cls, rows: Sequence[int], distance: str, *, who: str, labels: Sequence[object] = ()
    ) -> FlatPatternError:
        """``labels``: what the rows are called in the text; () = by number."""
        listed = ", ".join(repr(label) for label in (labels or rows)[:3])
        more = f", ... ({len(rows)} in all)" if len(rows) > 3 else ""
        what = "the same value in all units" if distance == "correlation" else "only zeros"
        one = len(rows) == 1
        error = cls(
            f"{who}: {'stimulus' if one else 'stimuli'} {listed}{more} {'has' if one else 'have'} {what}, so "
            f"{'its' if one else 'their'} {distance} distance is not defined; drop {'it' if one else 'them'} or "
            "use distance='euclidean'."
        )
        error.rows, error.distance = tuple(rows), distance
        return error

    def named(self, ids: Sequence[object] | np.ndarray, *, who: str) -> FlatPatternError:
        """The same error for a caller that knows the ids (n,) of the rows."""
        return self.of(self.rows, self.distance, who=who, labels=np.asarray(ids)[list(self.rows)].tolist())


def rdm(
    x: Array,
    /,
    *,
    distance: Literal[
        "correlation", "euclidean", "sqeuclidean", "cosine", "mahalanobis", "poisson"
    ] = "correlation",
    noise: NoiseCovariance | Array | None = None,
    prior_rate: float = 1.0,
    prior_weight: float = 0.1,
    square: bool = False,
) -> Array:
    """Representational dissimilarity matrix: how far apart the patterns of each two stimuli are.

    Parameters
    ----------
    x : array (n stimuli, p units), any library
    distance : with patterns x_i, x_j over units and z_i the pattern minus its mean over units,
        ``"correlation"``  1 - z_i . z_j / (|z_i| |z_j|), in [0, 2]
        ``"euclidean"``    |x_i - x_j|^2 / p : squared, per unit
        ``"sqeuclidean"``  |x_i - x_j|^2
        ``"cosine"``       1 - x_i . x_j / (|x_i| |x_j|), in [0, 2]
        ``"mahalanobis"``  (x_i - x_j)' P (x_i - x_j) / p, P the noise precision: squared, per unit
        ``"poisson"``      sum over units of (r_i - r_j) (log r_i - log r_j) / p, for counts or rates:
                           the symmetrised Kullback-Leibler divergence, per unit, of Poisson variables with rates
                           r = (x + prior_rate prior_weight) / (1 + prior_weight)
    noise : for ``"mahalanobis"``: the result of `cs.linalg.noise_covariance`, or an array that is a **precision**
        (inverse covariance), (p, p) or (p,)
    prior_rate, prior_weight : for ``"poisson"``: a prior rate and the observations it is worth, which keep the
        logarithm finite for silent units
    square : False: condensed vector of n(n-1)/2 in SciPy's order (`scipy.spatial.distance.squareform`
        restores the matrix); True: (n, n).

    Returns
    -------
    float64 array of the library of ``x``. Not to be confused with SciPy's "euclidean", which is neither
    squared nor per unit, nor with the cross-validated distances `crossnobis` and `poisson_crossvalidated`: noise
    alone makes all of these larger than 0.

    Raises
    ------
    InputError : not 2-D, not numeric, NaN, fewer than 2 stimuli; a pattern without variation (correlation)
        or of zeros (cosine); no noise or one of other units (mahalanobis); values below 0 (poisson).

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008); Walther et al. (2016); Schuett et al. (2023) for "poisson".

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [0.0, 2.0, 4.0]])
    >>> cs.measures.rdm(x).round(6) + 0.0
    array([2., 0., 2.])
    """
    who = "rdm"
    check_option(distance, ALL_DISTANCES, name="distance", who=who)
    if (noise is None) == (distance == "mahalanobis"):
        raise InputError(
            f"{who}: distance='mahalanobis' and noise= belong together, got distance={distance!r} "
            f"{'without' if noise is None else 'with'} noise; cs.linalg.noise_covariance(residuals) makes one.",
            code="bad-noise",
        )
    x = as_matrix(x, name="x", who=who, min_rows=2)
    xp = array_namespace(x)
    n, p = x.shape
    if distance in ("euclidean", "sqeuclidean"):
        d = squared_distances(centre_columns(x)) / (p if distance == "euclidean" else 1)
        return (d + d.T) / 2 if square else _condensed(d)
    if distance in ("mahalanobis", "poisson"):
        if distance == "poisson":
            d = poisson_distances(x, prior_rate, prior_weight, who=who) / p
        else:
            root = as_same_library(whitener(noise, p, who=who), x)
            x = centre_columns(float64(x))
            d = squared_distances(x * root if root.ndim == 1 else x @ root) / p
        return (d + d.T) / 2 if square else _condensed(d)
    work = _long_rows(x, distance, who)
    k = gram(work)
    # the length of a row is in its product with itself: no pass over the data for it
    short = 1.0 / xp.sqrt(xp.linalg.diagonal(k))
    k = k * short[:, None] * short[None, :]
    if float(xp.mean(k)) > 1.0 - _NEAR:
        d = xp.clip(distances_of_gram(chord_gram(work)) / 2.0, 0.0, 2.0)
        return (d + d.T) / 2 if square else _condensed(d)
    if not square:
        return xp.clip(1.0 - _condensed(k), 0.0, 2.0)
    d = xp.clip(1.0 - k, 0.0, 2.0)
    d = d - xp.eye(n, dtype=d.dtype, device=d.device) * d
    return (d + d.T) / 2


def rdm_of_gram(k: np.ndarray, distance: str, units: float = 1.0) -> np.ndarray:
    """The condensed RDM (n(n-1)/2,) of the patterns whose Gram matrix (n, n) is ``k``, see `GRAM_OF`: for correlation
    and cosine of patterns at length 1, less any vector. ``units``: how many there are, for "euclidean".
    """
    if distance in ("euclidean", "sqeuclidean"):
        return np.asarray(_condensed(distances_of_gram(k)) / (units if distance == "euclidean" else 1.0))
    return np.asarray(np.clip(_condensed(distances_of_gram(k)) / 2.0, 0.0, 2.0))


def spread_of_rounding(d: np.ndarray, eps: float) -> float:
    """How much of the spread of correlation or cosine distances ``d`` may be rounding of patterns: it is relative to
    how far apart these are, the root of d.
    """
    return 16.0 * eps * float(np.sqrt(d.max(initial=0.0)))


def _condensed(d: Array) -> Array:
    xp = array_namespace(d)
    return xp.take(xp.reshape(d, (-1,)), xp.asarray(condensed_indices(d.shape[0]), device=d.device))


def _long_rows(x: Array, distance: str, who: str) -> Array:
    """The rows (for correlation minus their mean) at lengths whose squares neither overflow nor vanish.

    Refuses rows without direction.
    """
    xp = array_namespace(x)
    if distance == "correlation" and x.shape[1] < 2:
        raise InputError(
            f"{who}: correlation distance needs at least 2 units, got 1; use distance='euclidean'.",
            code="too-few",
        )
    work, size = x, 0.0
    if distance == "correlation":
        work, mean = _minus_mean(x)
        size = xp.abs(mean)
    scale = xp.maximum(xp.max(work, axis=1, keepdims=True), -xp.min(work, axis=1, keepdims=True))
    eps = float(xp.finfo(x.dtype).eps)
    # the largest entry of a flat row is its mean
    flat = float64(scale) <= (8 * eps) * (size + float64(scale))
    if bool(xp.any(flat)):
        raise FlatPatternError.of(to_numpy(flat)[:, 0].nonzero()[0].tolist(), distance, who=who)
    # p squares of that still fit; its inverse is far from the smallest number
    safe = float(xp.finfo(x.dtype).max) ** 0.25
    return work if float(xp.min(scale)) > 1 / safe and float(xp.max(scale)) < safe else work / scale


def _minus_mean(x: Array) -> tuple[Array, Array]:
    """Rows minus their float64 mean, in the dtype of ``x``, and that mean (n, 1).

    float32: the mean is taken off as a float32 number and its float32 remainder, which is the float64
    difference up to one rounding.
    """
    xp = array_namespace(x)
    mean = xp.sum(x, axis=1, keepdims=True, dtype=xp.float64) / x.shape[1]
    if x.dtype == xp.float64:
        return x - mean, mean
    high = xp.astype(mean, x.dtype)
    return (x - high) - xp.astype(mean - float64(high), x.dtype), mean
