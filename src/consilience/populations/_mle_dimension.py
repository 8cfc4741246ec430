"""Levina & Bickel's maximum likelihood estimate of intrinsic dimension, of all points together and of each."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.populations._dimension import Dimension
from consilience.populations._intrinsic import as_points, intrinsic
from consilience.populations._neighbours import distinct_points, nearest

__all__ = ["mle_dimension", "mle_pointwise"]


def mle_dimension(
    points: Array, /, *, k: int = 20, n_perm: int = 20, level: float = 0.95, rng: int = 0
) -> Dimension:
    """Intrinsic dimension by maximum likelihood from the distances T_1 ... T_k to k neighbours.

    Around each point 1 / m = sum_(j < k) log(T_k / T_j) / (k - 1), the mean of which over points is 1 / value (MacKay &
    Ghahramani 2005): 1 / m is unbiased where the density is even within T_k, its inverse m is not, so means of m (as
    first proposed) are too high by (k - 1) / (k - 2).

    As of `two_nn`: noise wider than the distances counts as dimensions, and high dimensions come out too low; more
    neighbours reach further, which is steadier and more biased.

    Parameters
    ----------
    points : (n, units), more than k distinct ones; copies are merged, with a warning.   k : neighbours, at least 3.
    n_perm : null, each unit's points in an order of their own: 0 = none.   level : of the interval.   rng : seed.

    Returns
    -------
    Dimension : interval from a jackknife over 16 blocks of neighbouring points (it covers the expectation at this n).
        ``details``: k, n_merged.

    Raises
    ------
    InputError : not more than k distinct points, NaN, no unit that varies.   ConsilienceWarning : ``points-merged``.

    References
    ----------
    Levina & Bickel (2004); MacKay & Ghahramani (2005).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> angle = np.random.default_rng(0).uniform(0, 2 * np.pi, size=(1000, 2))
    >>> torus = np.hstack([np.cos(angle), np.sin(angle)])
    >>> round(cs.populations.mle_dimension(torus).value, 1)
    2.0
    """
    who = "cs.populations.mle_dimension"
    k = check_count(k, name="k", who=who, minimum=3)
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    found = distinct_points(as_points(points, who=who), who=who, fewest=k + 1)
    return intrinsic(
        found.x,
        _inverses(found.x, k),
        _harmonic,
        null=lambda x: _harmonic(_inverses(x, k)),
        n_perm=n_perm,
        level=level,
        rng=seed.stream("shuffles"),
        details={"k": float(k), "n_merged": float(found.merged)},
    )


def mle_pointwise(points: Array, /, *, k: int = 20, unbiased: bool = False) -> np.ndarray:
    """The estimate of each point, m = (k - 1) / sum_(j < k) log(T_k / T_j): (n,).

    A single one has a standard error of about m / sqrt(k - 2) and is too high by (k - 1) / (k - 2); ``unbiased`` takes
    k - 2 above instead. Neighbouring points share neighbours, so it is smooth by construction. Copies of a point get
    the value of the first. For the value of all points together see `mle_dimension`.

    Parameters
    ----------
    points : (n, units), more than k distinct ones.   k : neighbours, at least 3.

    Raises
    ------
    InputError : not more than k distinct points, NaN, no unit that varies.   ConsilienceWarning : ``points-merged``.

    References
    ----------
    Levina & Bickel (2004).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(500, 3))
    >>> cs.populations.mle_pointwise(x).shape
    (500,)
    """
    who = "cs.populations.mle_pointwise"
    k = check_count(k, name="k", who=who, minimum=3)
    if not isinstance(unbiased, bool | np.bool_):
        raise InputError(f"{who}: unbiased must be True or False, got {unbiased!r}.", code="bad-parameter")
    x = as_points(points, who=who)
    found = distinct_points(x, who=who, fewest=k + 1)
    inverse = _inverses(found.x, k)
    value = ((k - 2) / (k - 1) if unbiased else 1.0) / np.where(inverse > 0, inverse, np.nan)
    if not found.merged:
        return np.asarray(value)
    own = {row.tobytes(): number for row, number in zip(np.ascontiguousarray(x[found.first]), value)}
    return np.array([own[row.tobytes()] for row in np.ascontiguousarray(x)])


def _inverses(x: np.ndarray, k: int) -> np.ndarray:
    """(n,) 1 / m of each point."""
    logs = np.log(np.maximum(nearest(x, k)[0], 1e-300))
    return np.asarray((logs[:, -1:] - logs).sum(axis=1) / (k - 1))


def _harmonic(inverse: np.ndarray) -> float:
    mean = float(inverse.mean())
    return 1.0 / mean if mean > 0 else float("nan")
