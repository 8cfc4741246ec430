"""Jackknife over groups of trials: intervals of numbers of conditions, and the scores that carry them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import stats

from consilience.populations._dichotomies import Cells
from consilience.populations._dimension import jackknife_variance
from consilience.populations._population_score import PopulationScore
from consilience.stats import proportion_interval
from consilience.stats._folds import stratified_folds

__all__ = ["groups_kept", "jackknifed", "null_fields", "score_of_cells"]

_GROUPS = 10


def groups_kept(number: np.ndarray, rng: np.random.Generator, groups: int = _GROUPS) -> list[np.ndarray]:
    """Bool (trials,) of each group: all trials but those of the group, as many of every condition as can be."""
    kept = []
    for out in stratified_folds(number, np.arange(number.size), groups, rng):
        keep = np.ones(number.size, dtype=bool)
        keep[out] = False
        kept.append(keep)
    return kept


def jackknifed(
    value: float,
    number: np.ndarray,
    without: Callable[[np.ndarray], float],
    *,
    least: int,
    level: float,
    rng: np.random.Generator,
    tests: float | None = None,
    lowest: float = 0.0,
    bounds: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """value +- t s, s^2 the variance of the jackknife over groups of trials; NaN where a condition has fewer than
    ``least`` trials.   without : from the trials kept, bool (trials,), to the value.

    tests : of a share of trials, its variance from the trials tested with the readouts as they are. The interval is
    then Wilson's, which stays in 0 ... 1, of the mean of the two variances: the jackknife counts twice what trials do
    in pairs (one trained on, one tested), the other not at all. Degrees of freedom are Satterthwaite's.
    lowest : variance that it is not below: where all tested trials fall on one side, both are 0.

    bounds : that the number cannot leave, in which the ends are cut; the value itself, corrected for noise, may lie
    beyond, and then is the end.
    """
    if np.bincount(number).min() < least or not np.isfinite(value):
        return float("nan"), float("nan")
    left = np.array([without(keep) for keep in groups_kept(number, rng)])
    if not np.isfinite(left).all():
        return float("nan"), float("nan")
    variance = jackknife_variance(left)
    if tests is not None:
        both = max((variance + tests) / 2, lowest)
        low, high = proportion_interval(
            np.asarray(value),
            np.asarray(both),
            items=number.size,
            level=level,
            df=(left.size - 1) * (2 * both / variance) ** 2 if variance > 0 else left.size - 1,
        )
        return float(low), float(high)
    width = float(stats.t.ppf((1 + level) / 2, left.size - 1) * np.sqrt(variance))
    ends = np.array([value - width, value + width])
    if bounds is not None:
        ends = np.clip(ends, *bounds)
    return min(float(ends[0]), value), max(float(ends[1]), value)


def null_fields(value: float, null: np.ndarray, level: float) -> dict[str, Any]:
    """Fields of a score of which high is far from chance."""
    null = null[np.isfinite(null)]
    if not null.size or not np.isfinite(value):
        return {}
    low, high = np.quantile(null, [(1 - level) / 2, (1 + level) / 2])
    return {
        "null_mean": float(null.mean()),
        "null_low": float(low),
        "null_high": float(high),
        "p": float((1 + np.sum(null >= value - 1e-10)) / (null.size + 1)),
    }


def score_of_cells(
    cells: Cells,
    value: float,
    ends: tuple[float, float],
    null: np.ndarray,
    *,
    level: float,
    note: str = "",
    details: Mapping[str, float],
) -> PopulationScore:
    """A score of conditions with the ``ends`` of its interval (NaN: none), its values under the null, and ``details``
    of the dichotomies.
    """
    return PopulationScore(
        value=value,
        ci_low=ends[0],
        ci_high=ends[1],
        resampled="jackknife over trials" if np.isfinite(ends[0]) else "",
        level=level,
        n_trials=len(cells.x),
        n_units=cells.n_units,
        n_conditions=len(cells.names),
        note=note,
        details=details,
        **null_fields(value, null, level),
    )
