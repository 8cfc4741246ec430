"""Shattering dimensionality: how many ways to part the conditions in two a linear readout can tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from consilience._core._arrays import Array
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.populations._condition_readout import ConditionReadout
from consilience.populations._dichotomies import Splits, as_cells, balanced_dichotomies
from consilience.populations._population_score import PopulationScore
from consilience.populations._trial_groups import jackknifed, score_of_cells

__all__ = ["shattering_dimensionality"]


def shattering_dimensionality(
    trials: Array,
    condition: Array,
    /,
    *,
    of: Literal["accuracy", "share"] = "accuracy",
    n_null: int = 100,
    folds: int = 5,
    level: float = 0.95,
    rng: int = 0,
) -> PopulationScore:
    """Held-out accuracy of a linear readout, averaged over all ways to part the conditions in two halves.

    ``of="share"``: the share of those ways that are told better than by chance (above 95 % of relabelled data; 0.05
    by chance). At most 100 ways, drawn; of an odd number of conditions one is left out in turn. The readout is that of
    `cross_condition_generalisation`, here trained on all conditions, on other trials than it is tested on.

    n conditions in general position (n - 1 dimensions) can all be parted: high. A factorised geometry of f binary
    factors has f dimensions, and few of the ways can be told: low, while it generalises best. Noise lowers both.

    Parameters
    ----------
    trials : (n_trials, units).   condition : (n_trials,) labels; at least 2 trials of each of at least 4 conditions.
    n_null : relabellings of trials, 0 = none (then "share" has no value).   folds : of trials.   level : of the
        interval.   rng : seed.

    Returns
    -------
    PopulationScore : p is for "more than trials without conditions". The interval is that of
        `cross_condition_generalisation` (simulated, 95 % held the mean over data sets in 0.94 to 1.00), NaN below 5
        trials of each condition, and for "share", which moves in steps.

    Raises
    ------
    InputError : fewer than 2 trials of a condition (``no-repeats``), fewer than 4 conditions, no unit that varies.

    References
    ----------
    Bernardi et al. (2020); Rigotti et al. (2013).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> ids = np.repeat(np.arange(8), 20)
    >>> noise = 0.5 * rng.normal(size=(160, 40))
    >>> apart = rng.normal(size=(8, 40))  # 8 points in 7 dimensions
    >>> cube = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T @ rng.normal(size=(3, 40))
    >>> for means in (apart, cube):
    ...     print(round(cs.populations.shattering_dimensionality(means[ids] + noise, ids, n_null=0).value, 2))
    1.0
    0.74
    """
    who = "cs.populations.shattering_dimensionality"
    of = check_option(of, ("accuracy", "share"), name="of", who=who)
    n_null = check_count(n_null, name="n_null", who=who)
    folds = check_count(folds, name="folds", who=who, minimum=2)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    cells = as_cells(trials, condition, None, who=who)
    signs = balanced_dichotomies(len(cells.names), seed.stream("dichotomies"))
    splits = Splits(signs, signs, np.arange(len(signs)), len(signs))
    readout = ConditionReadout(cells, folds, seed.stream("folds"))
    each = readout.accuracy(splits)
    shuffle, chance = seed.stream("null"), np.empty((n_null, len(signs)))
    for k in range(n_null):
        dealt = replace(cells, number=shuffle.permutation(cells.number))
        chance[k] = ConditionReadout(dealt, folds, seed.stream("folds")).accuracy(splits)
    details = {
        "n_dichotomies": float(splits.n),
        "lowest": float(each.min()),
        "highest": float(each.max()),
    }
    none = (float("nan"), float("nan"))
    if of == "share":
        if not n_null:
            return score_of_cells(cells, float("nan"), none, np.empty(0), level=level, details=details)
        edge = np.quantile(chance, 0.95, axis=0)
        value = float((each > edge).mean())
        return score_of_cells(cells, value, none, (chance > edge).mean(axis=1), level=level, details=details)
    value = float(each.mean())
    ends = jackknifed(
        value,
        cells.number,
        lambda keep: float(readout.accuracy(splits, keep=keep).mean()),
        least=5,
        level=level,
        rng=seed.stream("groups"),
        tests=readout.variance_of_tests(splits),
    )
    return score_of_cells(cells, value, ends, chance.mean(axis=1), level=level, details=details)
