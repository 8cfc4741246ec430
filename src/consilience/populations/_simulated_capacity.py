"""Capacity of class manifolds by sorting them at random: no theory of their centres, any number of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize
from scipy.stats import t as student

from consilience._core._arrays import Array
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.populations._manifolds import as_manifolds

__all__ = ["SimulatedCapacity", "simulated_capacity"]

WHO = "cs.populations.simulated_capacity"


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedCapacity:
    """Classes per unit at which half of all dichotomies can be separated.

    value, ci_low, ci_high : P / n; the interval is over dichotomies (and projections), of these very classes.
    needed : n, units (of random mixtures of the units) at which half are separable.   each : (n_dichotomies,) what
    each of them needed.   not_separable : share of dichotomies that no readout of all units separates.   method.
    n_classes, n_units.
    """

    value: float
    ci_low: float
    ci_high: float
    needed: float
    each: np.ndarray
    not_separable: float
    method: str
    n_classes: int
    n_units: int
    level: float

    def __repr__(self) -> str:
        return (
            f"<SimulatedCapacity> {self.value:.3g} [{self.ci_low:.3g}, {self.ci_high:.3g}] ({self.method}); "
            f"{self.n_classes} classes need {self.needed:.3g} of {self.n_units} units"
        )


def simulated_capacity(
    x: Array,
    label: Array,
    /,
    *,
    method: Literal["cone", "dichotomies"] = "cone",
    n_dichotomies: int = 50,
    level: float = 0.95,
    rng: int = 0,
) -> SimulatedCapacity:
    """How many classes per unit a linear readout can sort into two, from random dichotomies of the given classes.

    Every class gets a sign y = +-1 (as many of either, at random), and a readout w must have y w . x > 0 for all points
    x of all classes. The units are mixed at random into n new ones; n is the number at which half of all dichotomies
    are separable, and capacity is P / n, P the number of classes. The mean of all rows is taken off (as in
    `manifold_capacity`), w has no offset.

    ``"dichotomies"``  for each dichotomy and random mixture (units added one by one) the smallest separable n is found
                       by bisection; the mean of n - 1/2
    ``"cone"``         n is the mean squared length of the projection of T ~ N(0, I) onto the cone of the signed points,
                       its statistical dimension: a random subspace changes from missing to meeting a cone within about
                       sqrt(n) of it. One non-negative least squares instead of eight, and less noise of each

    Both hold for correlated centres and any number of classes. Points in general position have P / n = 2 with both.

    Parameters
    ----------
    x : (points, units), finite.   label : (points,) class of each; 2 or more classes, also of one point each.
    n_dichotomies : 2 or more.   level : of the interval.   rng : seed.

    Returns
    -------
    SimulatedCapacity

    Raises
    ------
    InputError : fewer than 2 classes, NaN.
    ConsilienceWarning : ``not-separable``, all units together do not separate some dichotomies: capacity is then an
        upper bound (those count as needing all units, or with "dichotomies" one more).

    References
    ----------
    Cover (1965); Amelunxen, Lotz, McCoy & Tropp (2014); Cohen et al. (2020); Chou et al. (2025).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(40, 60))
    >>> found = cs.populations.simulated_capacity(x, np.arange(40))  # points: the truth is 2
    >>> bool(found.ci_low < 2.05 and found.ci_high > 1.95)
    True
    """
    how = check_option(method, ("cone", "dichotomies"), name="method", who=WHO)
    count = check_count(n_dichotomies, name="n_dichotomies", who=WHO, minimum=2)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    values, number, names = as_manifolds(x, label, who=WHO, points=1)
    values = values - values.mean(axis=0)
    length = np.linalg.norm(values, axis=1)
    if length.min() <= 1e-12 * length.max():
        raise InputError(
            f"{WHO}: point {int(length.argmin())} lies at the mean of all points, where no readout has a sign; leave "
            "it out.",
            code="no-structure",
        )
    units = values.shape[1]
    values = values / length[:, None]  # only the directions matter
    basis = np.linalg.svd(values, full_matrices=False)
    rank = int(np.sum(basis[1] > 1e-10 * basis[1][0]))
    own = basis[0][:, :rank] * basis[1][:rank]
    stream = seed.stream("dichotomies")
    run = _needed_of_cone if how == "cone" else _needed_by_bisection
    pairs = [run(own * _signs(names.size, stream)[number][:, None], stream) for _ in range(count)]
    needed = np.array([pair[0] for pair in pairs])
    lost = float(np.mean([pair[1] for pair in pairs]))
    if lost > 0:
        warn(
            "not-separable",
            f"{WHO}: {lost:.0%} of the dichotomies are not separable by any readout of all {units} units.",
            "The value is an upper bound; fewer points of each class, or more units.",
        )
    mean = float(needed.mean())
    half = float(student.ppf((1 + level) / 2, count - 1) * needed.std(ddof=1) / np.sqrt(count))
    top = names.size / max(mean - half, 1e-12)
    return SimulatedCapacity(
        value=names.size / mean,
        ci_low=names.size / (mean + half),
        ci_high=top if mean > half else float("inf"),
        needed=mean,
        each=needed,
        not_separable=lost,
        method=how,
        n_classes=names.size,
        n_units=units,
        level=level,
    )


def _signs(classes: int, stream: np.random.Generator) -> np.ndarray:
    """As many of either sign, or one more of a random one."""
    signs = np.where(np.arange(classes) < (classes + stream.integers(2)) // 2, 1.0, -1.0)
    return np.asarray(stream.permutation(signs))


def _needed_of_cone(points: np.ndarray, stream: np.random.Generator) -> tuple[float, bool]:
    t = np.asarray(stream.standard_normal(points.shape[1]))
    t *= np.sqrt(t.size / (t @ t))  # the length of T is independent of its direction: its mean will do
    weights, left = optimize.nnls(points.T, t, maxiter=100_000)
    shift = weights @ points
    return float(shift @ shift), left < 1e-9 * np.sqrt(t.size) and not separable(points)


def _needed_by_bisection(points: np.ndarray, stream: np.random.Generator) -> tuple[float, bool]:
    rank = points.shape[1]
    mixed = points @ np.linalg.qr(stream.standard_normal((rank, rank)))[0]
    if not separable(mixed):
        return rank + 0.5, True
    low, high = 0, rank  # not separable at low, separable at high
    step = 1
    while step < high and not separable(mixed[:, :step]):
        low, step = step, step * 2
    high = min(step, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if separable(mixed[:, :middle]) else (middle, high)
    return high - 0.5, False


def separable(points: np.ndarray) -> bool:
    """Whether one w has w . x > 0 for all rows x: whether 0 lies outside of their convex hull (Gordan)."""
    length = np.linalg.norm(points, axis=1)
    if length.min() <= 0:
        return False
    system = np.concatenate([(points / length[:, None]).T, np.ones((1, len(points)))])
    one = np.zeros(len(system))
    one[-1] = 1.0
    return bool(optimize.nnls(system, one, maxiter=100_000)[1] > 1e-7)
