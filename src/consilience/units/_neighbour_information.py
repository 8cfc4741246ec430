"""Mutual information of continuous responses with a variable or a label, from distances to nearest neighbours."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma
from scipy.stats import norm

from consilience._core._arrays import Array
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.stats import autocorrelation_time
from consilience.units._scores import UnitScores
from consilience.units._targets import Target, chance, target_of
from consilience.units._trials import say_silent

__all__ = ["neighbour_information"]

_JITTER = 1e-8  # of the sd, so that no two values are equal
_SHARED = (
    1.5  # the terms of a mean share neighbours: its variance over that of independent terms, by simulation
)
_LN2 = float(np.log(2.0))


def neighbour_information(
    responses: Array,
    target: Array,
    /,
    *,
    k: int = 3,
    estimator: Literal[1, 2] = 1,
    period: float | None = None,
    series: bool = False,
    n_perm: int = 200,
    level: float = 0.95,
    rng: int = 0,
) -> UnitScores:
    """Information in bits between a continuous response and a variable or a label, without bins.

    With a variable (Kraskov et al. 2004): e_i is the distance (the larger of that in the response and that in the
    variable) to the k-th neighbour of sample i, n_x and n_y how many others are nearer than e_i in one of them;
    I = psi(k) + psi(n) - mean(psi(n_x + 1) + psi(n_y + 1)). ``estimator=2`` takes the sides of the rectangle that holds
    the k neighbours, and psi(k) - 1/k. With a label (Ross 2014): e_i is the distance to the k-th neighbour of the same
    label, m_i how many of all are as near; I = psi(k) + psi(n) - mean(psi(n_label) + psi(m_i)).

    Both are about 0 for responses without information, also of few samples, and too low where information is high and
    samples are few (above about 3 bits). Spike counts have too many equal values: see `mutual_information`.

    Parameters
    ----------
    responses : (n, units).   target : (n,) or (n, d). Text, whole numbers and True/False are labels, floats a variable.
    k : neighbours; more have less variance and more bias.   estimator : 1 or 2 of Kraskov et al.
    period : of the variable, an angle: 2 pi or 360.
    series : samples follow each other in time. Then the null is of circular shifts and its mean is taken off, and the
        interval counts samples by their autocorrelation.
    n_perm : shuffles or shifts; 0 = no p, and nothing taken off.   level : of the interval.   rng : seed, also of the
        noise of 1e-8 sd that parts equal values.

    Returns
    -------
    UnitScores : counted: ``plain``, with nothing taken off; ``samples``, n, or how many independent ones it is worth.

    The interval is value +- z sd / sqrt(samples), sd^2 1.5 times the variance of the terms of the mean (which share
    neighbours), or the variance under the null where that is larger.

    In simulations (100 to 2000 samples, 0 to 1.2 bits with a variable, 0 to 2.1 with 2 to 8 labels, k = 3) the value
    was off by at most 0.02 bits (0.05 for 8 labels of 30 samples), and of series of 200 and 1000 samples that were
    correlated over 3 and 10 by 0.05, where the plain value was too high by up to 0.15. Intervals at 95 % held the truth
    in 0.88 to 1.00; without information p was at most 0.05 in 0.00 to 0.08.

    Raises
    ------
    InputError : other lengths, NaN, a label with no more than k samples, n <= k + 1 (``too-few``).
    ConsilienceWarning : ``tied-values`` (half of the values of some units equal others: counts?), ``silent-units``.

    References
    ----------
    Kraskov, Stoegbauer & Grassberger (2004); Ross (2014).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(1000, 2))
    >>> y = 0.8 * x[:, 0] + 0.6 * rng.normal(size=1000)  # -log2(0.6) = 0.737 bits, and 0
    >>> found = cs.units.neighbour_information(x, y)
    >>> bool(abs(found.value[0] - 0.737) < 0.1), bool(abs(found.value[1]) < 0.1), bool(found.p[0] < 0.01)
    (True, True, True)
    """
    who = "cs.units.neighbour_information"
    k = check_count(k, name="k", who=who, minimum=1)
    estimator = check_count(estimator, name="estimator", who=who, minimum=1, maximum=2)  # type: ignore[assignment]
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    x, goal = target_of(responses, target, period, who=who, few=k + 2)
    n = len(x)
    if goal.labels is not None and (rare := int(np.bincount(goal.labels).min())) <= k:
        raise InputError(
            f"{who}: every label needs more than k = {k} samples, the rarest has {rare}; a smaller k, or fewer labels.",
            code="too-few",
        )
    spread = x.std(axis=0)
    silent = np.ptp(x, axis=0) == 0
    say_silent(silent, who=who, given="they tell nothing, and their value is 0")
    _say_ties(x, ~silent, who)
    noise = seed.stream("jitter")
    x = (x - x.mean(axis=0)) / np.where(silent, 1.0, spread) + _JITTER * noise.normal(size=x.shape)
    goal = _apart(goal, noise)

    def measure(given: Target) -> np.ndarray:
        return np.stack([_terms(column, given, k, estimator).mean() for column in x.T])

    terms = np.stack([_terms(column, goal, k, estimator) for column in x.T], axis=1)
    plain = terms.mean(axis=0)
    samples = n / autocorrelation_time(terms) if series else np.full(x.shape[1], float(n))
    null, variance, p = chance(
        plain, measure, goal, n_perm, series=series, x=x, rng=seed.stream("permutations")
    )
    off = np.nan_to_num(null) if series else np.zeros_like(plain)
    error = np.sqrt(np.maximum(_SHARED * terms.var(axis=0, ddof=1) / samples, np.nan_to_num(variance)))
    half = norm.ppf((1 + level) / 2) * error
    value = plain - off
    zero = np.where(silent, 0.0, 1.0)
    return UnitScores(
        value=value * zero,
        ci_low=(value - half) * zero,
        ci_high=(value + half) * zero,
        null_mean=(null - off) * zero,
        p=np.where(silent & np.isfinite(p), 1.0, p),
        level=level,
        counted={"plain": plain * zero, "samples": samples},
    )


def _say_ties(x: np.ndarray, varies: np.ndarray, who: str) -> None:
    ordered = np.sort(x, axis=0)
    same = np.zeros(x.shape, dtype=bool)
    equal = ordered[1:] == ordered[:-1]
    same[1:] |= equal
    same[:-1] |= equal
    tied = (same.mean(axis=0) > 0.5) & varies
    if tied.any():
        warn(
            "tied-values",
            f"{who}: more than half of the responses of {int(tied.sum())} of {tied.size} units equal another; "
            "distances between neighbours then say nothing.",
            "Counts of spikes: cs.units.mutual_information. Rates: a longer bin, or smoothing.",
            stacklevel=3,
        )


def _apart(target: Target, noise: np.random.Generator) -> Target:
    if target.values is None:
        return target
    v = target.values
    if target.period is not None:  # on a circle of length 2 pi
        v = v * (2 * np.pi / target.period) + _JITTER * noise.normal(size=v.shape)
        return Target(None, np.mod(v, 2 * np.pi), 2 * np.pi)
    v = (v - v.mean(axis=0)) / v.std(axis=0)
    return Target(None, v + _JITTER * noise.normal(size=v.shape), None)


def _terms(x: np.ndarray, target: Target, k: int, estimator: int) -> np.ndarray:
    """(n,) what each sample adds to the mean, bits."""
    if target.labels is not None:
        return _ross(x, target.labels, k)
    y = target.values
    assert y is not None
    n, box = len(x), None
    if target.period is not None:
        box = [0.0] + [target.period] * y.shape[1]
    both = np.concatenate([x[:, None], y], axis=1)
    tree = cKDTree(both, boxsize=box)
    distance, near = tree.query(both, k=k + 1, p=np.inf)
    other = cKDTree(y, boxsize=None if box is None else box[1:]) if y.shape[1] > 1 or box else None
    ordered = np.sort(x)
    if estimator == 1:
        reach = distance[:, -1]
        inner = _inside(reach)
        nx = _within(ordered, x, inner) - 1
        ny = _count(other, y, inner) - 1
        return np.asarray((digamma(k) + digamma(n) - digamma(nx + 1) - digamma(ny + 1)) / _LN2)
    near = near[:, 1:]
    wide = np.abs(x[near] - x[:, None]).max(axis=1)
    high = np.abs(y[near] - y[:, None])
    if target.period is not None:
        high = np.minimum(high, target.period - high)
    tall = high.max(axis=(1, 2))
    nx = _within(ordered, x, wide * (1 + 1e-9) + 1e-14) - 1
    ny = _count(other, y, tall * (1 + 1e-9) + 1e-14) - 1
    return np.asarray(
        (digamma(k) - 1 / k + digamma(n) - digamma(np.maximum(nx, 1)) - digamma(np.maximum(ny, 1))) / _LN2
    )


def _count(tree: cKDTree | None, y: np.ndarray, reach: np.ndarray) -> np.ndarray:
    if tree is None:
        return _within(np.sort(y[:, 0]), y[:, 0], reach)
    return np.asarray(tree.query_ball_point(y, reach, p=np.inf, return_length=True))


def _within(ordered: np.ndarray, x: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """How many values are at most ``reach`` away from each, itself counted."""
    return np.searchsorted(ordered, x + reach, side="right") - np.searchsorted(
        ordered, x - reach, side="left"
    )


def _inside(reach: np.ndarray) -> np.ndarray:
    """A little less, so that rounding does not take in the neighbour at this very distance."""
    return reach * (1 - 1e-9) - 1e-14


def _ross(x: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    n, ordered = len(x), np.sort(x)
    reach, size = np.empty(n), np.bincount(labels)[labels]
    for c in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == c)
        rows = rows[np.argsort(x[rows])]
        own = np.concatenate([np.full(k, -np.inf), x[rows], np.full(k, np.inf)])
        at = np.arange(rows.size) + k
        sides = [np.maximum(own[at] - own[at - j], own[at + k - j] - own[at]) for j in range(k + 1)]
        reach[rows] = np.min(sides, axis=0)
    near = _within(ordered, x, _inside(reach))
    return np.asarray((digamma(k) + digamma(n) - digamma(size) - digamma(near)) / _LN2)
