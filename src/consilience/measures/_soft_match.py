"""Soft matching of units by optimal transport, whole or in part, in-sample and held out."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from consilience._core._arrays import Array, as_same_library, float64, to_numpy
from consilience._core._errors import warn
from consilience._core._params import check_number
from consilience.linalg import centre_columns, transport
from consilience.measures._cka import warn_null
from consilience.measures._contract import Claims, PredictionParts, SubsampleParts, measure
from consilience.measures._door import two_systems, without_constant_units
from consilience.measures._held_out import alignment_claims, alignment_parts, held_out_score
from consilience.measures._one_to_one import (
    UNIT_WISE,
    CouplingPlan,
    centred,
    check_pairs,
    coupled_correlation,
    matching_null,
    simulated_null,
)

__all__ = ["soft_match", "soft_match_distance", "soft_match_held_out"]

_NOTED = 1e-3  # a gap (of a correlation) above which the approximate plan is told


def _check_mass(mass: float, who: str) -> None:
    check_number(mass, name="mass", who=who, low=1e-6, high=1.0, closed=True)


def coupling(correlations: np.ndarray, mass: float = 1.0) -> tuple[np.ndarray, float]:
    """The coupling (p, q) with row sums at most 1/p, column sums at most 1/q and sum ``mass`` that has the highest
    sum of correlations; and by how much a better one could raise that sum.

    What may stay unmatched goes to a dummy unit of either side, at a cost that no pair of dummies can pay.
    """
    p, q = correlations.shape
    if mass == 1:
        found = transport(1 - correlations)
        return found.plan, found.gap
    cost = np.zeros((p + 1, q + 1))
    cost[:p, :q] = 1 - correlations
    cost[p, q] = 8.0
    found = transport(cost, *(np.append(np.full(k, 1 / k), 1 - mass) for k in (p, q)))
    return found.plan[:p, :q], found.gap


def couple(correlations: np.ndarray, *, mass: float = 1.0, who: str = "soft_match") -> np.ndarray:
    """The coupling, with a warning where it may not be the best one."""
    plan, gap = coupling(correlations, mass)
    if gap > _NOTED:
        p, q = correlations.shape
        warn(
            "transport-not-exact",
            f"{who}: the coupling of {p} and {q} units was found by Sinkhorn iterations; a better one could raise the "
            f"value by up to {gap / mass:.4f}.",
            "Read the value with that slack, or compare fewer units (exact up to 40000 pairs).",
        )
    return plan


# -- in-sample ---------------------------------------------------------------------------------------------


def _of_the_null(correlations: np.ndarray, mass: float = 1.0) -> np.ndarray:
    return coupling(correlations, mass)[0]


@functools.lru_cache(maxsize=1024)
def soft_null(n: int, p: int, q: int, mass: float = 1.0) -> float:
    """Expected value for independent Gaussian data (simulated). With mass 1, q is brought to a simple ratio to p, for
    an exact coupling.
    """
    small, large = sorted((p, q))
    if small == large and mass == 1:
        return matching_null(n, p, q)  # the coupling of equal sizes is a matching
    if mass < 1:
        return simulated_null(n, small, large, functools.partial(_of_the_null, mass=mass))
    ratio = max(1, round(large / small))
    if math.lcm(small, large) > 1_200:
        small = max(1, round(large / ratio))
        large = small * ratio
    scale = min(1.0, 150 / large)
    if scale < 1:  # keep the ratio whole while scaling down
        few = max(1, round(small * scale))
        reduced = simulated_null(n, few, few * ratio, _of_the_null)
        highest = [math.sqrt(1 - max(k, 2) ** (-2 / (n - 1))) for k in (large, few * ratio)]
        return float(min(1.0, reduced * highest[0] / highest[1]))
    return simulated_null(n, small, large, _of_the_null)


def _claims(*, mass: float = 1.0) -> Claims:
    return Claims(
        label="soft-matching correlation (in-sample)",
        range=(-1.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=UNIT_WISE,
        null=functools.partial(soft_null, mass=mass),
        null_text="about sqrt(2 log(units)/n), simulated; higher with less mass, as what is matched is chosen",
        resample="subsample",
        held_out="soft_match_held_out",
        converts=True,
        references=("khosla2024soft",) if mass == 1 else ("khosla2024soft", "kapoor2026partial"),
        method=(
            "Units were coupled by optimal transport, each with an equal share, so that the mean correlation of "
            "coupled units is highest, on all stimuli (in-sample: inflated when units are many)."
        ),
    )


def _parts(*, mass: float = 1.0) -> SubsampleParts:
    _check_mass(mass, "soft_match")
    how = functools.partial(couple, mass=mass)
    return SubsampleParts(centred, lambda x, y: coupled_correlation(x, y, how, who="soft_match"))


@measure(claims=_claims, parts=_parts)
def soft_match(x: Array, y: Array, /, *, mass: float = 1.0) -> Array:
    """Soft-matching correlation, in-sample: one-to-one matching for systems of different numbers of units.

    value = max over couplings P of sum_jk P_jk corr(x_j, y_k) / mass. P >= 0 shares the unit mass of either system
    out: its rows sum to 1/p, its columns to 1/q (Khosla & Williams 2024). With p = q it is `one_to_one`. With mass
    < 1 rows and columns sum to at most that and all of P to ``mass``: units without a counterpart may stay
    unmatched (partial soft matching, Kapoor et al. 2026). The coupling is exact up to 40000 pairs of units; beyond,
    Sinkhorn iterations stop at a gap of 1e-4 of the range of correlations. Use `soft_match_held_out` where units are
    many (as `cs.compare` does).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows. Units that
        do not vary are dropped, as by `cs.compare`.
    mass : share of either system that is matched, in (0, 1].

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation, mass outside (0, 1].
    ConsilienceWarning ``null-not-zero`` : independent data of this size would score above 0.1;
        ``transport-not-exact`` : the gap of an approximate coupling exceeds 0.001; ``constant-units`` : units that do
        not vary were dropped.

    References
    ----------
    Khosla & Williams (2024); Kapoor et al. (2026).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(2000, 3))
    >>> twice = np.concatenate([x, x], axis=1)
    >>> float(cs.measures.soft_match(x, twice).round(6))
    1.0
    """
    _check_mass(mass, "soft_match")
    x, y = two_systems(x, y, who="soft_match")
    x, y = (without_constant_units(z, name=name, who="soft_match") for z, name in ((x, "x"), (y, "y")))
    check_pairs(x.shape[1], y.shape[1], "soft_match")
    claims = _claims(mass=mass)
    warn_null(claims, x.shape[0], x.shape[1], y.shape[1], "cs.measures.soft_match_held_out")
    value = coupled_correlation(
        centred(x), centred(y), functools.partial(couple, mass=mass), who="soft_match"
    )
    return as_same_library(np.asarray(value), x)


def soft_match_distance(x: Array, y: Array, /) -> Array:
    """Soft-matching distance: a metric between systems of any numbers of units, up to their order. In-sample.

    value = sqrt(min over couplings P of sum_jk P_jk ||x_j - y_k||^2), x_j the responses of unit j to all stimuli
    less their mean, P as in `soft_match` with mass 1: the 2-Wasserstein distance of two clouds of units in the
    space of the stimuli (Khosla & Williams 2024). A unit and two copies of it are the same.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows

    Returns
    -------
    0-d array of the library of ``x``, >= 0, in the unit of x times sqrt(n); lower = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation.
    ConsilienceWarning ``transport-not-exact`` : the gap of an approximate coupling exceeds 0.001.

    References
    ----------
    Khosla & Williams (2024).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(20, 3))
    >>> float(cs.measures.soft_match_distance(x, np.concatenate([x, x], axis=1)).round(6))
    0.0
    """
    x, y = two_systems(x, y, who="soft_match_distance")
    check_pairs(x.shape[1], y.shape[1], "soft_match_distance")
    a, b = (to_numpy(float64(centre_columns(z))).T for z in (x, y))
    squared = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2 * a @ b.T
    found = transport(np.maximum(squared, 0.0))
    if found.gap > _NOTED * max(found.cost, 1e-300):
        warn(
            "transport-not-exact",
            f"soft_match_distance: the coupling of {len(a)} and {len(b)} units was found by Sinkhorn iterations; the "
            f"squared distance {found.cost:.4g} could be lower by up to {found.gap:.2g}.",
            "Read the value with that slack, or compare fewer units (exact up to 40000 pairs).",
        )
    # differences of the coupled units themselves: the squared form leaves rounding where they are equal
    rows, columns = np.nonzero(found.plan)
    exact = float(np.sum(found.plan[rows, columns] * ((a[rows] - b[columns]) ** 2).sum(axis=1)))
    return as_same_library(np.asarray(np.sqrt(exact)), x)


# -- held out ----------------------------------------------------------------------------------------------


def _held_out_claims(*, mass: float = 1.0, **options: Any) -> Claims:
    return alignment_claims(
        label="soft-matching correlation (held out)",
        itself=1.0,
        invariant=UNIT_WISE,
        references=("khosla2024soft",) if mass == 1 else ("khosla2024soft", "kapoor2026partial"),
        method=(
            "Units were coupled by optimal transport with the stimuli of a fold held out; the value is the "
            "correlation of coupled units over the held-out stimuli."
        ),
    )


def _held_out_parts(*, mass: float = 1.0, folds: int = 5, **split: Any) -> PredictionParts:
    who = "soft_match_held_out"
    _check_mass(mass, who)
    how = functools.partial(couple, mass=mass, who=who)
    return alignment_parts(
        lambda x, tests: CouplingPlan(x, tests, how, who=who), folds=folds, who=who, prepare=centred
    )


@measure(claims=_held_out_claims, parts=_held_out_parts)
def soft_match_held_out(
    x: Array, y: Array, /, *, mass: float = 1.0, folds: int = 5, groups: Any = None, rng: Any = 0
) -> Array:
    """Soft-matching correlation on stimuli held out: 0 for unrelated systems, however many units.

    The coupling P is found on the training stimuli of each fold; value = sum_i sum_jk P_jk x_ij y_ik / sqrt(sum_i
    sum_jk P_jk x_ij^2 sum_i sum_jk P_jk y_ik^2) over held-out stimuli i, each unit as a deviation from its training
    mean in units of its training spread.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    mass : share of either system that is matched, in (0, 1]; see `soft_match`.
    folds : number of folds.   groups : n labels never split.   rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds, mass outside (0, 1].
    ConsilienceWarning ``transport-not-exact`` : the gap of an approximate coupling exceeds 0.001; ``constant-units`` :
        units that do not vary were dropped.

    References
    ----------
    Khosla & Williams (2024); Kapoor et al. (2026).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(100, 4))
    >>> float(cs.measures.soft_match_held_out(x, np.concatenate([x, x], axis=1)).round(6))
    1.0
    """
    parts = _held_out_parts(mass=mass, folds=folds)
    return held_out_score(x, y, parts, groups=groups, rng=rng, who="soft_match_held_out", varying=True)
