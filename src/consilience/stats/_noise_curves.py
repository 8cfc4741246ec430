"""Curves of scores over levels of noise: intervals, half levels, areas, differences of areas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from consilience.stats._decoding import proportion_interval
from consilience.stats._half_height import area_under, half_height
from consilience.stats._item_changes import sign_flip_p
from consilience.stats._paired import t_test
from consilience.stats._weights import multinomial_weights

__all__ = ["AreaDifferences", "NoiseCurves", "area_differences", "mismatched_mean", "noise_curves"]


@dataclass(frozen=True, kw_only=True)
class NoiseCurves:
    """value, low, high : (layers, levels).   half, half_low, half_high, area, area_low, area_high : (layers,).
    each : (layers, n) area of each stimulus.   above : is the score without noise above chance with certainty?
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    half: np.ndarray
    half_low: np.ndarray
    half_high: np.ndarray
    area: np.ndarray
    area_low: np.ndarray
    area_high: np.ndarray
    each: np.ndarray
    above: bool


def noise_curves(
    scores: np.ndarray,
    levels: np.ndarray,
    *,
    sign: int,
    chance: float | None,
    proportion: bool,
    n_boot: int,
    level: float,
    rng: np.random.Generator,
) -> NoiseCurves:
    """Mean scores with intervals over stimuli (Wilson's of proportions), areas with t intervals, and half levels with
    percentiles of a bootstrap over stimuli; a draw that is nowhere above chance has the half level 0.

    Half levels are NaN where ``chance`` is not known, or where it lies within the interval of the scores at the first
    level, which is no noise and the same in all layers.

    scores : (layers, levels, n).   levels : (levels,) from 0.   sign : -1: lower is better.
    """
    n = scores.shape[-1]
    value, variance = scores.mean(axis=-1), scores.var(axis=-1, ddof=1) / n
    if proportion:
        low, high = proportion_interval(value, variance, items=n, level=level, df=n - 1)
    else:
        test = t_test(value, variance, df=n - 1, level=level)
        low, high = test.low, test.high
    each = area_under(levels, np.swapaxes(scores, 1, 2))  # their mean is the area of the mean curve
    area = each.mean(axis=1)
    between = t_test(area, each.var(axis=1, ddof=1) / n, df=n - 1, level=level)
    end = low if sign > 0 else -high
    above = chance is not None and bool((end[:, 0] > sign * chance).all())
    half, half_low, half_high = (np.full(len(scores), np.nan) for _ in range(3))
    if chance is not None and above:
        weights = multinomial_weights(n, n_boot, rng) / n
        draws = np.einsum("bi,lki->blk", weights, scores, optimize=True)
        half = half_height(levels, sign * value, sign * chance)
        halves = half_height(levels, sign * draws, sign * chance)
        halves = np.where(np.isnan(halves), 0.0, halves)  # nothing above chance was there to lose
        ends = np.quantile(halves, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
        half_low, half_high = (np.where(np.isnan(half), np.nan, end) for end in ends)
    return NoiseCurves(
        value=value,
        low=low,
        high=high,
        half=half,
        half_low=half_low,
        half_high=half_high,
        area=area,
        area_low=between.low,
        area_high=between.high,
        each=each,
        above=above,
    )


@dataclass(frozen=True, kw_only=True)
class AreaDifferences:
    """Of layer i less layer j, each (layers, layers), NaN on the diagonal."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_family: np.ndarray


def area_differences(
    each: np.ndarray, *, n_perm: int, level: float, rng: np.random.Generator
) -> AreaDifferences:
    """Mean differences of the rows of ``each`` (layers, n) over the same stimuli, with t intervals, and p by flips of
    signs, family-wise over all pairs (`sign_flip_p`).
    """
    count, n = each.shape
    value, low, high, p_family = (np.full((count, count), np.nan) for _ in range(4))
    i, j = np.triu_indices(count, 1)
    if i.size:
        away = each[i] - each[j]
        test = t_test(away.mean(axis=1), away.var(axis=1, ddof=1) / n, df=n - 1, level=level)
        value[i, j], low[i, j], high[i, j] = away.mean(axis=1), test.low, test.high
        value[j, i], low[j, i], high[j, i] = -value[i, j], -high[i, j], -low[i, j]
        p_family[i, j] = p_family[j, i] = sign_flip_p(away, n_perm, rng)[1]
    return AreaDifferences(value=value, low=low, high=high, p_family=p_family)


def mismatched_mean(score: Callable[[np.ndarray], np.ndarray], n: int, *, most: int = 200) -> float:
    """The mean score of outputs with the targets of other stimuli, over ``most`` shifts at most, spread evenly.

    score : function of (n,), the stimulus whose target goes with each output, -> (n,) scores.
    """
    shifts = np.unique(np.linspace(1, n - 1, min(n - 1, most)).astype(int))
    rows = np.arange(n)
    return float(np.mean([score((rows + shift) % n).mean() for shift in shifts]))
