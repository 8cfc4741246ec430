"""Local PCA: how many directions the neighbours of a point spread in."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.populations._dimension import Dimension
from consilience.populations._intrinsic import as_points, intrinsic
from consilience.populations._neighbours import distinct_points, nearest

__all__ = ["local_pca_dimension"]

_BLOCK = 1 << 24  # numbers in a block of neighbourhoods


def local_pca_dimension(
    points: Array,
    /,
    *,
    k: int = 30,
    alpha: float = 0.05,
    n_perm: int = 20,
    level: float = 0.95,
    rng: int = 0,
) -> Dimension:
    """Mean number of eigenvalues of the covariance of a point and its k neighbours above alpha times the largest.

    The criterion of Fukunaga & Olsen (1971). It sees no more than k dimensions, counts curvature within the
    neighbourhood as dimensions where it exceeds ``alpha``, and noise where its variance does. It is not
    `participation_ratio`, which is of all points and weighs by variance.

    Parameters
    ----------
    points : (n, units), more than k distinct ones; copies are merged, with a warning.   k : neighbours, at least 3.
    alpha : share of the largest eigenvalue, in (0, 1).
    n_perm : null, each unit's points in an order of their own: 0 = none.   level : of the interval.   rng : seed.

    Returns
    -------
    Dimension : interval from a jackknife over 16 blocks of neighbouring points.   ``details``: k, alpha, n_merged.

    Raises
    ------
    InputError : not more than k distinct points, NaN, no unit that varies.   ConsilienceWarning : ``points-merged``.

    References
    ----------
    Fukunaga & Olsen (1971).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> plane = rng.uniform(size=(500, 2)) @ rng.normal(size=(2, 10))
    >>> cs.populations.local_pca_dimension(plane).value
    2.0
    """
    who = "cs.populations.local_pca_dimension"
    k = check_count(k, name="k", who=who, minimum=3)
    alpha = check_number(alpha, name="alpha", who=who, low=0.0, high=1.0)
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    found = distinct_points(as_points(points, who=who), who=who, fewest=k + 1)

    def mean(each: np.ndarray) -> float:
        return float(each.mean())

    return intrinsic(
        found.x,
        _counts(found.x, k, alpha),
        mean,
        null=lambda x: mean(_counts(x, k, alpha)),
        n_perm=n_perm,
        level=level,
        rng=seed.stream("shuffles"),
        details={"k": float(k), "alpha": alpha, "n_merged": float(found.merged)},
    )


def _counts(x: np.ndarray, k: int, alpha: float) -> np.ndarray:
    """(n,) eigenvalues above ``alpha`` times the largest, from the smaller product of each neighbourhood."""
    where = nearest(x, k, indices=True)[1]
    where = np.hstack([np.arange(len(x))[:, None], where])
    out = np.empty(len(x))
    step = max(1, _BLOCK // (where.shape[1] * (x.shape[1] + where.shape[1])))
    for start in range(0, len(x), step):
        near = x[where[start : start + step]]
        near -= near.mean(axis=1, keepdims=True)
        wide = near.shape[2] >= near.shape[1]
        product = near @ near.transpose(0, 2, 1) if wide else near.transpose(0, 2, 1) @ near
        values = np.linalg.eigvalsh(product)
        out[start : start + step] = (values > alpha * values[:, -1:]).sum(axis=1)
    return out
