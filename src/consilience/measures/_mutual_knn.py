"""Mutual nearest neighbours."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from consilience._core._arrays import Array, as_same_library, n_from_condensed, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_option
from consilience.linalg import to_safe_size
from consilience.measures._cka import warn_null
from consilience.measures._contract import Claims, PairParts, measure, square_of
from consilience.measures._door import two_systems
from consilience.measures._rdm import DISTANCES, GRAM_OF, rdm, rdm_of_gram

__all__ = ["mutual_knn"]

_WHO = "mutual_knn"
_INVARIANT = {
    "cosine": frozenset({"scaling", "permutation", "rotation", "stimulus_scaling"}),
    "correlation": frozenset({"scaling", "permutation", "stimulus_shift", "stimulus_scaling"}),
    "euclidean": frozenset({"translation", "scaling", "permutation", "rotation"}),
    "sqeuclidean": frozenset({"translation", "scaling", "permutation", "rotation"}),
}


def _claims(*, k: int = 10, distance: str = "cosine") -> Claims:
    check_count(k, name="k", who=_WHO, minimum=1)
    check_option(distance, DISTANCES, name="distance", who=_WHO)
    return Claims(
        label=f"mutual {k}-nearest neighbours ({distance} distance)",
        range=(0.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=_INVARIANT[distance],
        null=lambda n, p, q: min(1.0, k / (n - 1)),
        null_text="k/(n-1): a neighbour shared by chance",
        resample="pairs",
        takes_rdms=True,
        min_stimuli=max(4, k + 2),
        converts=True,
        references=("huh2024platonic",),
        method=(
            f"The share of the {k} nearest neighbours of each stimulus ({distance} distance) that two systems have "
            "in common was averaged over stimuli."
        ),
    )


class NeighbourParts(PairParts):
    """Two channels: whether j is a neighbour of i, and i of j, for each pair i < j: (2P,).

    A draw weighs the entry (i, j) by w_i + w_j - 1, what w_i w_j is to first order: the k entries of a row are
    so few that the product would count the noise of single entries as that of stimuli (simulated: intervals
    1.5 times too wide; now 1.3 times).
    """

    channels = 2

    def combine(self, a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        if weights is None:
            return self.normalise(a) @ self.normalise(b).T
        one, two = (_directed(v, weights.shape[1]) for v in (a, b))

        def weighted(products: np.ndarray) -> np.ndarray:
            """sum over i, j of (w_i + w_j - 1) times products (..., n, n): (draws, ...)."""
            of_stimulus = products.sum(axis=-1) + products.sum(axis=-2)
            return np.tensordot(weights, of_stimulus, axes=(1, -1)) - products.sum(axis=(-2, -1))

        out = np.stack([weighted(m * two) for m in one], axis=1)
        below = weighted(one**2)[:, :, None] * weighted(two**2)[:, None, :]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(below > 0, out / np.sqrt(below), np.nan)

    def permute(
        self, a: np.ndarray, b: np.ndarray, orders: np.ndarray, groups: np.ndarray | None = None
    ) -> np.ndarray:
        unit = self.averaged(b, groups)
        n = orders.shape[1]
        flat_a = _directed(self.normalise(a), n).reshape(len(a), n * n)
        out = np.empty((len(orders), len(a), len(unit)))
        for j, two in enumerate(_directed(unit, n).reshape(len(unit), n * n)):
            places = np.flatnonzero(two)
            rows, columns = np.divmod(places, n)
            for k, order in enumerate(orders):
                out[k, :, j] = flat_a[:, order[rows] * n + order[columns]] @ two[places]
        return out


def _directed(vectors: np.ndarray, n: int) -> np.ndarray:
    """Vectors (m, 2P) as matrices (m, n, n): entry (i, j) says whether j is a neighbour of i."""
    upper, lower = np.split(vectors, 2, axis=1)
    out = np.zeros((len(vectors), n, n))
    rows, columns = np.triu_indices(n, 1)
    out[:, rows, columns], out[:, columns, rows] = upper, lower
    return out


def _neighbours(d: np.ndarray, k: int, rounding: float) -> np.ndarray:
    """Condensed distances -> (2P,). Of stimuli equally far at the k-th place each counts an equal share, so
    that their order in the data does not matter.
    """
    n = n_from_condensed(d.size)
    assert n is not None
    if k > n - 2:
        raise InputError(
            f"{_WHO}: k={k} nearest neighbours need at least {k + 2} stimuli, got {n}; use a smaller k.",
            code="too-few",
        )
    full = square_of(d, n)
    np.fill_diagonal(full, np.inf)
    edge = np.partition(full, k - 1, axis=1)[:, k - 1 : k]
    slack = rounding * float(d.max())
    closer = full < edge - slack
    tied = ~closer & (full <= edge + slack)
    share = (k - closer.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True)
    inside = closer + tied * share
    rows, columns = np.triu_indices(n, 1)
    return np.concatenate([inside[rows, columns], inside[columns, rows]])


def _parts(*, k: int = 10, distance: str = "cosine") -> NeighbourParts:
    _claims(k=k, distance=distance)

    def prepare(x: Array) -> np.ndarray:
        eps = float(np.finfo(to_numpy(x[:1, ...]).dtype).eps) if x.shape[0] else 0.0
        work = to_safe_size(x) if distance in ("euclidean", "sqeuclidean") else x
        return _neighbours(to_numpy(rdm(work, distance=distance)), k, 16 * eps)  # type: ignore[arg-type]

    def from_gram(gram: np.ndarray, eps: float) -> np.ndarray:
        return _neighbours(rdm_of_gram(gram, distance), k, 16 * eps)

    return NeighbourParts(
        prepare,
        from_gram=from_gram,
        gram=GRAM_OF[distance],
        from_rdm=lambda d, name: _neighbours(np.asarray(d, dtype=np.float64), k, 1e-12),
        rdm_distance=lambda other: distance,
    )


@measure(claims=_claims, parts=_parts)
def mutual_knn(
    x: Array,
    y: Array,
    /,
    *,
    k: int = 10,
    distance: Literal["correlation", "euclidean", "sqeuclidean", "cosine"] = "cosine",
) -> Array:
    """Mutual nearest neighbours: share of each stimulus' k nearest stimuli that two systems have in common.

    value = mean over i of |N_x(i) intersect N_y(i)| / k, N_x(i) the k stimuli nearest to i in x. Only ranks of
    small distances count. Chance is k/(n-1), not 0, and depends on n: compare values at one n and k only. Where
    several stimuli are equally far at the k-th place each counts an equal share (the value is then the cosine
    of the two neighbour matrices, which it is without ties too).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows, n >= k + 2
    k : neighbours per stimulus.   distance : by which they are found, see `rdm`. The cosine is of the responses as
        they are: a level that all stimuli share (units after a ReLU, baselines) moves the value; it does not with
        ``"euclidean"``, which takes differences of patterns.

    Returns
    -------
    0-d array of the library of ``x``, in [0, 1]; higher = more alike; k/(n-1) for unrelated systems. The interval
    of `cs.compare` is wide rather than narrow (simulated: a 95 % interval covers 98 %).

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than k + 2 stimuli, no variation.
    ConsilienceWarning ``null-not-zero`` : k/(n-1) > 0.1.

    References
    ----------
    Huh et al. (2024).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(200, 30))
    >>> float(cs.measures.mutual_knn(x, 2 * x))
    1.0
    """
    claims = _claims(k=k, distance=distance)
    x, y = two_systems(x, y, who=_WHO)
    parts: Any = _parts(k=k, distance=distance)
    value = parts.combine(parts.prepare(x)[None], parts.prepare(y)[None])[0, 0]
    warn_null(claims, x.shape[0], x.shape[1], y.shape[1], "a smaller k")
    return as_same_library(np.asarray(np.clip(value, 0.0, 1.0)), x)
