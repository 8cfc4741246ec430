"""Effects of lesions from paired scores: intervals, areas under curves, one order against random ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from consilience.stats._held_out_change import ROUNDING
from consilience.stats._item_changes import sign_flip_p
from consilience.stats._paired import t_test

__all__ = [
    "AgainstRandom",
    "area_under_curve",
    "effect_around",
    "lesion_p",
    "order_against_random",
    "paired_effect",
    "random_orders_interval",
    "settled",
]


def paired_effect(
    differences: np.ndarray, *, level: float = 0.95, bounded: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of paired differences with its t interval: value, low, high, each (...).

    value +- t s / sqrt(n), t with n - 1 degrees of freedom. Where differences are ``bounded`` in [-1, 1] and most are
    exactly 0 (a lesion that changes the answer to one of 200 stimuli), s knows next to nothing of rare changes; half a
    difference of +1, half of -1 and one of 0 are then added before mean and s are taken (Agresti & Min 2005, for the
    difference of two paired proportions); and where no difference of a sign was seen, the end on its side is at least
    1 - (alpha / 2)^(1 / n) away, the exact bound on something not seen in n: 200 differences of 0 give 0 +- 0.018, not
    0 +- 0. In simulations of 4000 sets of 50 or 200 differences the interval of 95 % held the truth in 0.94 to 1.00 of
    sets; the plain t interval in 0.39 to 0.98 where changes come in 1 to 3 % of stimuli.

    Parameters
    ----------
    differences : (..., n), one per stimulus.   level : of the interval.   bounded : are they within [-1, 1]?

    Returns
    -------
    value, low, high : (...). NaN ends for n < 2.

    References
    ----------
    Agresti & Min (2005).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import paired_effect
    >>> [float(v.round(3)) for v in paired_effect(np.array([0.1, 0.2, 0.3, 0.4]))]
    [0.25, 0.045, 0.455]
    >>> [float(v.round(3)) for v in paired_effect(np.zeros(200), bounded=True)]
    [0.0, -0.018, 0.018]
    """
    d = np.asarray(differences, dtype=np.float64)
    n = d.shape[-1]
    value = d.mean(axis=-1)
    if n < 2:
        return value, np.full_like(value, np.nan), np.full_like(value, np.nan)
    if bounded:
        m = n + 2
        middle = d.sum(axis=-1) / m
        variance = np.maximum((np.square(d).sum(axis=-1) + 1) / m - middle**2, 0.0) * m / (m - 1)
        away = stats.norm.ppf((1 + level) / 2) * np.sqrt(variance / m)
        unseen = 1 - ((1 - level) / 2) ** (1 / n)
        low = np.fmin(middle - away, np.where((d < 0).any(axis=-1), value, value - unseen))
        high = np.fmax(middle + away, np.where((d > 0).any(axis=-1), value, value + unseen))
        return value, np.maximum(low, -1.0), np.minimum(high, 1.0)
    away = stats.t.ppf((1 + level) / 2, n - 1) * d.std(axis=-1, ddof=1) / np.sqrt(n)
    return value, value - away, value + away


def effect_around(
    value: np.ndarray, each: np.ndarray | None, *, level: float, bounded: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``value`` (...) with the ends of `paired_effect` of ``each`` (..., k), moved with it: jackknife pseudo-values, or
    areas per stimulus, have another mean than the number that they are of. NaN ends without ``each``.
    """
    value = np.asarray(value)
    if each is None:
        return value, np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    middle, low, high = paired_effect(each, level=level, bounded=bounded)
    return value, low + (value - middle), high + (value - middle)


def settled(change: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Changes of scores with those that are rounding (1e-12 of the largest score of ``of``) set to 0."""
    size = float(np.abs(of[np.isfinite(of)]).max(initial=0.0))
    return np.asarray(np.where(np.abs(change) <= ROUNDING * size, 0.0, change))


def lesion_p(
    impact: np.ndarray, lost: np.ndarray | None, *, paired: bool, n_perm: int, rng: np.random.Generator
) -> np.ndarray:
    """(m,) two-sided p that lesions cost nothing: by flips of the signs of what each stimulus loses (`sign_flip_p`);
    where ``lost`` (m, k) are jackknife pseudo-values and not ``paired``, by t of the impact over their variance / k.

    NaN where nothing is known of single stimuli, for n_perm = 0 and for fewer than 2 columns.
    """
    if lost is None or not n_perm or lost.shape[1] < 2 or not lost.size:
        return np.full(impact.shape, np.nan)
    if paired:
        return sign_flip_p(lost, n_perm, rng)[0]
    variance = lost.var(axis=1, ddof=1) / lost.shape[1]
    return t_test(impact, variance, df=lost.shape[1] - 1).p


def random_orders_interval(
    spread: np.ndarray, each: np.ndarray | None, *, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """low, high (t,) of the mean over random orders: variance over stimuli, over their number, and over orders, over
    theirs; t with the smaller number less 1. NaN where neither varies.

    spread : (K, t) score of each order.   each : (K, t, k) per stimulus, or None.
    """
    k = len(spread)
    value = spread.mean(axis=0)
    variance, df = np.zeros(value.shape), np.inf
    if k > 1:
        variance, df = spread.var(axis=0, ddof=1) / k, float(k - 1)
    if each is not None and each.shape[-1] > 1:
        variance = variance + each.mean(axis=0).var(axis=-1, ddof=1) / each.shape[-1]
        df = min(df, float(each.shape[-1] - 1))
    if not np.isfinite(df):
        return np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    found = t_test(value, variance, df=int(df), level=level)
    return found.low, found.high


def area_under_curve(scores: np.ndarray, fraction: np.ndarray, axis: int = -1) -> np.ndarray:
    """Area under scores against the fraction removed, by the trapezoid rule, over the range of ``fraction``: the mean
    score along the way from intact to all removed.

    scores : (..., steps, ...), the steps along ``axis``.   fraction : (steps,), rising.
    """
    span = float(fraction[-1] - fraction[0])
    area = np.trapezoid(scores, fraction, axis=axis)
    return np.asarray(area / span if span > 0 else np.take(scores, 0, axis=axis))


@dataclass(frozen=True, eq=False)
class AgainstRandom:
    """difference : of an order's area from the mean area of random orders, with low, high and two-sided p.
    placement : the share of random orders whose area is below (equal ones count half).
    """

    difference: float
    low: float
    high: float
    p: float
    placement: float


def order_against_random(ordered: np.ndarray, random: np.ndarray, *, level: float = 0.95) -> AgainstRandom:
    """Area under one order's curve against those of random orders, over the same stimuli.

    difference = mean_i (a_i - mean_k r_ki). Its variance is that over stimuli of a_i - mean_k r_ki, over n, and that
    over orders of mean_i r_ki, over K; t with Satterthwaite's degrees of freedom. With one column (n = 1: a score
    without parts per stimulus) only random orders vary, and the interval says nothing of other stimuli.

    Parameters
    ----------
    ordered : (n,) area per stimulus.   random : (K, n) of K random orders.   level : of the interval.

    References
    ----------
    Satterthwaite (1946).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import order_against_random
    >>> rng = np.random.default_rng(0)
    >>> random = 0.8 + 0.02 * rng.normal(size=(20, 1)) + 0.1 * rng.normal(size=(1, 100))
    >>> found = order_against_random(random.mean(axis=0) - 0.2, random)
    >>> round(found.difference, 3), found.placement
    (-0.2, 0.0)
    """
    n, k = ordered.size, len(random)
    away = ordered - random.mean(axis=0)
    of_orders = random.mean(axis=1)
    mine = float(ordered.mean())
    tie = 1e-12 * float(np.abs(random).max(initial=abs(mine)))  # what is below is rounding
    away = np.where(np.abs(away) <= tie, 0.0, away)
    value = float(away.mean())
    placement = float(np.mean(np.where(np.abs(of_orders - mine) <= tie, 0.5, of_orders < mine)))
    parts = [(float(away.var(ddof=1)) / n, n - 1)] if n > 1 else []
    if k > 1:
        parts.append((float(of_orders.var(ddof=1)) / k, k - 1))
    parts = [(v if v > tie**2 else 0.0, f) for v, f in parts]
    variance = sum(v for v, _ in parts)
    if not parts:
        return AgainstRandom(value, np.nan, np.nan, np.nan, placement)
    if variance <= 0:
        return AgainstRandom(value, value, value, 1.0 if abs(value) <= tie else 0.0, placement)
    df = variance**2 / sum(v**2 / f for v, f in parts)
    width = float(stats.t.ppf((1 + level) / 2, df)) * variance**0.5
    p = float(2 * stats.t.sf(abs(value) / variance**0.5, df))
    return AgainstRandom(value, value - width, value + width, p, placement)
