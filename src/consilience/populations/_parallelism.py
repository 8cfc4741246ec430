"""Parallelism: whether the same difference between conditions points the same way everywhere."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import warn
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.populations._dichotomies import (
    Cells,
    as_cells,
    balanced_dichotomies,
    best_elsewhere,
    halves_of_cells,
    level_pairs,
)
from consilience.populations._geometry_null import NULLS, unrelated_means
from consilience.populations._population_score import PopulationScore
from consilience.populations._trial_groups import jackknifed, score_of_cells

__all__ = ["parallelism_score"]

_PAIRINGS = 720  # of a dichotomy: all of 6 conditions a side; of more, so many are drawn


def parallelism_score(
    trials: Array,
    condition: Array,
    across: Array | None = None,
    /,
    *,
    correct: bool = True,
    null: Literal["rotation", "geometric"] = "rotation",
    n_null: int = 200,
    level: float = 0.95,
    rng: int = 0,
) -> PopulationScore:
    """PS: mean cosine between the vectors that lead from one side to the other, in different conditions.

    With ``across``: v_a = m(u, a) - m(w, a), the difference between levels u and w of ``condition`` at level a of
    ``across``; the mean of cos(v_a, v_b) over a < b, and over all u < w. Without: for every way to part the conditions
    in two halves (at most 100, drawn) their conditions are paired so that the mean cosine is highest (of more than 6 a
    side, the highest of 720 pairings drawn); the way and its pairing are chosen on one half of the trials and scored on
    the other, and the other way round.

    1 for parallel vectors (a factorised geometry), 0 for unrelated ones, negative where the coding turns round. Noise
    lengthens vectors and so lowers the plain cosine: here |v|^2 is less the variance of the two means, and v_a v_b
    shares no trial. The corrected value can exceed 1, and has no value where no vector is longer than noise.

    Parameters
    ----------
    trials : (n_trials, units).   condition, across : (n_trials,) labels; at least 2 trials of each cell of the two;
        without ``across`` 4 conditions with at least 4 trials each.
    correct : for noise; False: the plain cosine of means.   null : as in `cross_condition_generalisation`.
    n_null : 0 = none.   level : of the interval.   rng : seed.

    Returns
    -------
    PopulationScore : p is for "more parallel than unrelated conditions would be". The interval is a jackknife over 10
        groups of trials (t, 9 degrees of freedom), cut at -1 and 1 (at the value, where that is beyond), NaN below 4
        trials of a condition (8 without ``across``). Simulated, 95 % held the cosine of the means
        without noise in 0.91 to 1.00 of the intervals; others have none, as differences are no longer than noise.
        note : the way chosen.

    Raises
    ------
    InputError : too few trials of a condition (``no-repeats``), fewer than 4 conditions, labels that are not crossed
        (``class-missing``), no unit that varies.
    ConsilienceWarning : ``vectors-in-noise``: some differences are not longer than noise, and are left out.

    References
    ----------
    Bernardi et al. (2020).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> thing, place = np.repeat([0, 0, 1, 1], 20), np.tile(np.repeat([0, 1], 20), 2)
    >>> x = np.outer(thing, rng.normal(size=200)) + np.outer(place, rng.normal(size=200))  # two factors, added
    >>> x += rng.normal(size=x.shape)
    >>> for correct in (True, False):
    ...     print(round(cs.populations.parallelism_score(x, thing, place, correct=correct, n_null=0).value, 2))
    1.01
    0.91
    """
    who = "cs.populations.parallelism_score"
    null = check_option(null, NULLS, name="null", who=who)
    n_null = check_count(n_null, name="n_null", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    cells = as_cells(trials, condition, across, who=who, repeats=2 if across is not None else 4)
    scale = 1.0 if correct else 0.0
    note = ""
    if across is not None:
        pairs = level_pairs(cells, who=who)[1]
        n = len(pairs)

        def scored(keep: np.ndarray | None = None, moved: np.ndarray | None = None) -> float:
            each = _of_pairs(*_moments(cells, keep, moved, scale), pairs)
            return float(np.nanmean(each)) if np.isfinite(each).any() else float("nan")

        shown = _of_pairs(*_moments(cells, None, None, scale), pairs)
        lost = np.isnan(shown).mean()
    else:
        signs = balanced_dichotomies(len(cells.names), seed.stream("dichotomies"))
        n = len(signs)
        rows = halves_of_cells(cells, seed.stream("halves"))
        halves = [cells.some(half) for half in rows]
        plan = _Pairings(signs, seed.stream("pairings"))

        def scored(keep: np.ndarray | None = None, moved: np.ndarray | None = None) -> float:
            tables = [
                plan.of(*_moments(half, None if keep is None else keep[own], moved, scale))
                for half, own in zip(halves, rows, strict=True)
            ]
            return _best_pairing(np.array(tables))

        tables = np.array([plan.of(*_moments(half, None, None, scale)) for half in halves])
        with np.errstate(invalid="ignore"):
            shown = _top(tables.mean(axis=0))
        lost = np.isnan(tables).mean()
        note = "" if np.isnan(shown).all() else cells.sides(signs[int(np.nanargmax(shown))])
    if lost > 0:
        warn(
            "vectors-in-noise",
            f"{who}: {lost:.0%} of the differences between conditions are not longer than noise, and their cosines "
            "have no value.",
            "More trials, or conditions further apart; the mean is over the others.",
        )
    value = float("nan") if lost == 1 else scored()
    ends = jackknifed(
        value,
        cells.number,
        lambda keep: scored(keep=keep),
        least=4 if across is not None else 8,
        level=level,
        rng=seed.stream("groups"),
        bounds=(-1.0, 1.0),
    )
    moves = unrelated_means(cells.means, null, n_null if np.isfinite(value) else 0, seed.stream("null"))
    chance = np.array([scored(moved=moved) for moved in moves])
    details = {"n_dichotomies": float(n)}
    return score_of_cells(cells, value, ends, chance, level=level, note=note, details=details)


def _moments(
    cells: Cells, keep: np.ndarray | None, moved: np.ndarray | None, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """(Gram matrix (C, C) of the condition means, variance (C,) of each mean summed over units)."""
    x, number = (cells.x, cells.number) if keep is None else (cells.x[keep], cells.number[keep])
    c = cells.counts.size
    counts = np.bincount(number, minlength=c).astype(np.float64)
    sums = np.zeros((c, x.shape[1]))
    np.add.at(sums, number, x)
    means = sums / counts[:, None]
    rest = x - means[number]
    square = np.bincount(number, weights=(rest * rest).sum(axis=1), minlength=c)
    noise = scale * square / np.maximum(counts - 1, 1) / counts
    if moved is not None:
        means = means + moved
    return means @ means.T, noise


def _cosines(gram: np.ndarray, noise: np.ndarray, up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(k, k) of the vectors from ``down`` to ``up``, (k,) numbers of conditions; NaN where one is not longer than
    noise.
    """
    dots = gram[np.ix_(up, up)] - gram[np.ix_(up, down)] - gram[np.ix_(down, up)] + gram[np.ix_(down, down)]
    own = np.diagonal(dots) - noise[up] - noise[down]
    with np.errstate(invalid="ignore", divide="ignore"):
        length = np.sqrt(np.where(own > 1e-12 * np.abs(np.diagonal(gram)).max(), own, np.nan))
        return np.asarray(dots / np.outer(length, length))


def _of_pairs(gram: np.ndarray, noise: np.ndarray, pairs: list[list[tuple[int, int]]]) -> np.ndarray:
    """(n,) mean cosine of each dichotomy whose conditions are paired."""
    out = np.full(len(pairs), np.nan)
    for k, both in enumerate(pairs):
        up, down = np.array(both).T
        cosines = _cosines(gram, noise, up, down)[np.triu_indices(up.size, 1)]
        if np.isfinite(cosines).any():
            out[k] = np.nanmean(cosines)
    return out


class _Pairings:
    """Mean cosine of all pairings of the two sides of dichotomies, whose sides are of one size."""

    def __init__(self, signs: np.ndarray, rng: np.random.Generator) -> None:
        half = int((signs[0] > 0).sum())
        if math.factorial(half) <= _PAIRINGS:
            orders = np.array(list(itertools.permutations(range(half))))
        else:
            orders = np.argsort(rng.random((_PAIRINGS, half)), axis=1)
        place = np.arange(half) * half + orders  # (pairings, half): number of the vector (i, order_i)
        one, two = np.triu_indices(half, 1)
        self.flat = place[:, one] * half * half + place[:, two]
        self.up = np.array([np.flatnonzero(row > 0) for row in signs])  # (n, half)
        self.down = np.array([np.flatnonzero(row < 0) for row in signs])

    def of(self, gram: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """(dichotomies, pairings)"""
        n = len(self.up)
        ups = gram[self.up[:, :, None], self.up[:, None, :]][:, :, None, :, None]
        downs = gram[self.down[:, :, None], self.down[:, None, :]][:, None, :, None, :]
        across = gram[self.up[:, :, None], self.down[:, None, :]]
        own = gram.diagonal()[self.up][:, :, None] + gram.diagonal()[self.down][:, None, :] - 2 * across
        own = own - noise[self.up][:, :, None] - noise[self.down][:, None, :]
        with np.errstate(invalid="ignore", divide="ignore"):
            length = np.sqrt(np.where(own > 1e-12 * np.abs(gram.diagonal()).max(), own, np.nan))
            dots = ups + downs - across[:, :, None, None, :] - np.swapaxes(across, 1, 2)[:, None, :, :, None]
            dots /= length[:, :, :, None, None] * length[:, None, None, :, :]
        return np.asarray(dots.reshape(n, -1)[:, self.flat].mean(axis=2))


def _top(table: np.ndarray) -> np.ndarray:
    """(n,) the highest of each row, NaN where there is none."""
    known = np.isfinite(table).any(axis=1)
    return np.where(known, np.max(np.where(np.isfinite(table), table, -np.inf), axis=1), np.nan)


def _best_pairing(tables: np.ndarray) -> float:
    """Tables (2, dichotomies, pairings) of two halves: the best of one half, by its score on the other."""
    return best_elsewhere(tables.reshape(2, -1))
