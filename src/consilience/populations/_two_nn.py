"""TwoNN: intrinsic dimension from the two nearest neighbours of each point."""

from __future__ import annotations

from typing import Literal

import numpy as np

from consilience._core._arrays import Array
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.populations._dimension import Dimension
from consilience.populations._intrinsic import as_points, intrinsic
from consilience.populations._neighbours import distinct_points, nearest

__all__ = ["two_nn"]


def two_nn(
    points: Array,
    /,
    *,
    discard: float = 0.1,
    method: Literal["linear", "mle"] = "linear",
    n_perm: int = 20,
    level: float = 0.95,
    rng: int = 0,
) -> Dimension:
    """Intrinsic dimension from the ratio of the distances to the second and the first neighbour, mu = r2 / r1.

    Where the density is even over those distances, P(mu > m) = m^-d. The ``discard`` largest ratios are left out (they
    reach furthest):

    ``"linear"``  slope through 0 of -log(1 - F(mu)) on log mu, F = rank / n (Facco et al. 2017)
    ``"mle"``     (m - 1) / (sum of the m smallest log mu + (n - m) log mu_m), the others as censored

    It counts the degrees of freedom of a curved manifold, which `participation_ratio` does not, at the scale of the
    nearest neighbours: **noise wider than those distances counts too**, and fills all units, so values of single trials
    are those of the noise. Above about 10 dimensions any number of points is too few and the value too low.

    Parameters
    ----------
    points : (n, units), at least 10 distinct ones; copies are merged, with a warning.   discard : in [0, 1).
    n_perm : null, each unit's points in an order of their own: 0 = none.   level : of the interval.   rng : seed.

    Returns
    -------
    Dimension : interval from a jackknife over 16 blocks of neighbouring points (it covers the expectation at this n).
        ``details``: discard, n_merged.

    Raises
    ------
    InputError : fewer than 10 distinct points, NaN, no unit that varies.
    ConsilienceWarning : ``points-merged``.

    References
    ----------
    Facco et al. (2017); Denti et al. (2022) for the likelihood.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> angle = np.random.default_rng(0).uniform(0, 2 * np.pi, size=(1000, 1))
    >>> ring = np.hstack([np.cos(angle), np.sin(angle), np.cos(2 * angle)])
    >>> round(cs.populations.two_nn(ring).value, 1)
    1.0
    """
    who = "cs.populations.two_nn"
    discard = check_number(discard, name="discard", who=who, low=0.0, high=1.0, closed=True)
    discard = check_number(discard, name="discard", who=who, low=-1.0, high=1.0)
    method = check_option(method, ("linear", "mle"), name="method", who=who)
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    found = distinct_points(as_points(points, who=who), who=who, fewest=10, remedy="use more points")

    def combine(log_ratio: np.ndarray) -> float:
        return _slope(log_ratio, discard, method)

    return intrinsic(
        found.x,
        _log_ratios(found.x),
        combine,
        null=lambda x: combine(_log_ratios(x)),
        n_perm=n_perm,
        level=level,
        rng=seed.stream("shuffles"),
        details={"discard": discard, "n_merged": float(found.merged)},
    )


def _log_ratios(x: np.ndarray) -> np.ndarray:
    near = nearest(x, 2)[0]
    near = near[near[:, 0] > 0]  # of shuffled units some points may coincide
    return np.asarray(np.log(near[:, 1] / near[:, 0]))


def _slope(log_ratio: np.ndarray, discard: float, method: str) -> float:
    n = log_ratio.size
    kept = int(n * (1 - discard))
    if kept < 2:
        return float("nan")
    low = np.sort(log_ratio)[:kept]
    if method == "mle":
        return float((kept - 1) / (low.sum() + (n - kept) * low[-1]))
    rank = np.arange(1, kept + 1) / n
    if rank[-1] >= 1:  # the largest ratio has no finite ordinate
        low, rank = low[:-1], rank[:-1]
    return float(-(low @ np.log1p(-rank)) / (low @ low))
