"""Rule ``predictions``: folds fixed by stimulus, held-out predictions resampled, and the folds dealt again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._threads import one_thread_if_small
from consilience.analyses._ceiling_gap import Gap
from consilience.analyses._design import REFIT_GROUPS, Block, Design, ceiling_of_halves, half_means
from consilience.analyses._inputs import System
from consilience.measures import Measure
from consilience.measures._contract import halves_ceiling
from consilience.stats import (
    cross_validated_draws,
    group_folds,
    held_out_interval,
    jackknife_variance,
)

_GAP_GROUPS, DEALS = 40, 3


def predictions_block(measure: Measure, a: list[System], b: list[System], design: Design, who: str) -> Block:
    """Rule ``predictions``: folds fixed by stimulus, held-out predictions resampled, and the draws spread for
    the stimuli's part in the fits and for what the score owes to one deal of the folds.
    """
    parts, n = measure.parts, design.n
    kinds = np.unique(design.owners).size
    count = int(measure.options.get("folds", max(2, min(parts.folds, kinds))))
    folds = group_folds(design.owners, count, design.seed.stream("folds"), who=who)
    shape = (len(a), len(b))
    bottom, top = measure.claims.range

    def spread(draws: np.ndarray, value: np.ndarray) -> np.ndarray:
        return cross_validated_draws(draws, value, low=bottom, high=top)

    out = Block(values=np.full(shape, np.nan), spread=spread)
    out.ceiling_low, out.ceiling_high = np.full(shape, np.nan), np.full(shape, np.nan)
    if design.weights is not None:
        out.draws = np.full((design.n_boot, *shape), np.nan)
    if design.orders is not None:
        out.null = np.full((len(design.orders), *shape), np.nan)
    prepared_y = [parts.prepare_y(s.x) for s in b]
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    predictions: dict[tuple[int, int], Any] = {}
    kept = np.empty((0, n), dtype=bool)  # without each group: the jackknife of values and ceilings together
    if design.n_boot:
        groups = group_folds(design.owners, min(kinds, _GAP_GROUPS), design.seed.stream("gap"), who=who)
        kept = np.stack([~np.isin(np.arange(n), rows) for rows in groups])
        out.gap = Gap.blank(shape)
    ceilings = [_prediction_ceiling(measure, s, design, folds, kept) for s in b]
    prepared_x = [parts.prepare(s.x) for s in a]
    deals = np.full((DEALS if design.n_boot else 0, *shape), np.nan)
    for k, dealt in enumerate(deals):
        again = group_folds(design.owners, count, design.seed.child(f"deal{k}").stream("folds"), who=who)
        for i, x in enumerate(prepared_x):
            with one_thread_if_small(x.shape, *(y.shape for y in prepared_y)):
                plan = parts.plan(x, again, design.groups)
                dealt[i] = [plan.predict(y).score() for y in prepared_y]
    for i, x in enumerate(prepared_x):
        plan = parts.plan(x, folds, design.groups)
        for j, y in enumerate(prepared_y):
            with one_thread_if_small(x.shape, y.shape):
                found = predictions[i, j] = plan.predict(y)
                out.values[i, j] = found.score()
                out.ceiling_low[i, j], out.ceiling_high[i, j] = ceilings[j].bounds
                if out.gap is not None and ceilings[j].left_out is not None:
                    out.gap.variance[i, j] = _gap_variance(found.draws(kept.astype(np.float64)), ceilings[j])
                    out.gap.variance[i, j] += np.var([out.values[i, j], *deals[:, i, j]], ddof=1)
                    out.gap.df[i, j] = len(kept) - 1
                if out.draws is not None:
                    out.draws[:, i, j] = found.draws(design.weights)
                if design.refit and design.n_boot:
                    low[i, j], high[i, j] = _refit_interval(
                        measure, x, y, out.values[i, j], deals[:, i, j], design, folds, who
                    )
                if out.null is not None and design.orders is not None:
                    out.null[:, i, j] = _permuted(plan, y, design.orders)
    if out.draws is not None:
        out.interval = (
            (low, high)
            if design.refit
            else held_out_interval(
                out.draws,
                out.values,
                level=design.level,
                blocks=kinds,
                correlation=_correlates(measure),
                deals=deals,
            )
        )
        out.interval = (np.maximum(out.interval[0], bottom), np.minimum(out.interval[1], top))
        out.draws = cross_validated_draws(out.draws, out.values, low=bottom, high=top, deals=deals)

    def halves(mode: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        weights = design.weights if mode == "draws" and design.weights is not None else np.ones((1, n))
        for split in design.splits:
            pair = []
            for half in (split, ~split):
                values = np.empty((len(weights), *shape, 2 if mode == "draws" else 1))
                for (i, j), found in predictions.items():
                    values[:, i, j] = found.score(weights * half)[:, None]
                pair.append(values)
            yield pair[0], pair[1]

    def choices(mode: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        weights = design.weights if mode == "draws" and design.weights is not None else np.ones((1, n))
        for k, split in enumerate(design.splits):
            pair = []
            for half in (split, ~split):
                rows = np.flatnonzero(half)
                inner = _folds_within(design.owners[rows], count, design.seed.stream(f"half{k}"), who)
                values = np.empty((len(weights), *shape, 2 if mode == "draws" else 1))
                for i, x in enumerate(prepared_x):
                    inside = None if design.groups is None else design.groups[rows]
                    with one_thread_if_small(x.shape, *(y.shape for y in prepared_y)):
                        plan = parts.plan(x[rows], inner, inside)
                        for j, y in enumerate(prepared_y):
                            values[:, i, j] = plan.predict(y[rows]).score(weights[:, rows])[:, None]
                pair.append(values)
            yield pair[0], pair[1]

    # predictions of one half are fitted with targets of the other: the choice must not see those
    out.halves, out.choices = halves, choices
    return out


def _folds_within(owners: np.ndarray, count: int, rng: np.random.Generator, who: str) -> list[np.ndarray]:
    """Folds of some of the stimuli: as many as asked for, or as there are groups for."""
    return group_folds(owners, max(2, min(count, np.unique(owners).size // 2)), rng, who=who)


def _permuted(plan: Any, y: np.ndarray, orders: np.ndarray) -> np.ndarray:
    if hasattr(plan, "permuted_scores"):
        return plan.permuted_scores(y, orders)
    return np.array([plan.predict(y[order]).score() for order in orders])


def _correlates(measure: Measure) -> bool:
    return measure.claims.range == (-1.0, 1.0)


def _refit_interval(
    measure: Measure,
    x: np.ndarray,
    y: np.ndarray,
    value: float,
    deals: np.ndarray,
    design: Design,
    folds: list[np.ndarray],
    who: str,
) -> tuple[float, float]:
    """Everything refitted with one group of stimuli left out at a time (grouped jackknife).

    The folds stay as they are, less the stimuli left out: a new deal each time would add its own variance,
    which the jackknife multiplies by the number of groups. That of one deal is added once.
    """
    parts = measure.parts
    groups = min(np.unique(design.owners).size, REFIT_GROUPS)
    left_out = group_folds(design.owners, groups, design.seed.stream("refit"), who=who)
    values = []
    for rows in (np.setdiff1d(np.arange(design.n), out) for out in left_out):
        smaller = [np.flatnonzero(np.isin(rows, test)) for test in folds]
        smaller = [test for test in smaller if test.size]
        inside = None if design.groups is None else design.groups[rows]
        values.append(parts.plan(x[rows], smaller, inside).predict(y[rows]).score())
    low, high = held_out_interval(
        np.array(values, dtype=np.float64),
        value,
        level=design.level,
        blocks=groups,
        correlation=_correlates(measure),
        deals=deals,
        refitted=True,
    )
    return float(low), float(high)


@dataclass(frozen=True)
class _Ceiling:
    """bounds : (low, high).   left_out : the lower one without each group of stimuli.   extra : variance of the choice
    of halves.   fitted : it is a score of predictions itself.
    """

    bounds: tuple[float, float]
    left_out: np.ndarray | None = None
    extra: float = 0.0
    fitted: bool = False


def _gap_variance(value: np.ndarray, ceiling: _Ceiling) -> float:
    """Of value - ceiling: the jackknife, and once more the part of what is fitted, which the fits add."""
    assert ceiling.left_out is not None
    away = value - ceiling.left_out
    refitted = away if ceiling.fitted else value
    return float(jackknife_variance(away) + jackknife_variance(refitted)) + ceiling.extra


def _prediction_ceiling(
    measure: Measure, system: System, design: Design, folds: list[np.ndarray], kept: np.ndarray
) -> _Ceiling:
    if system.trials is None:
        return _Ceiling((float("nan"), float("nan")))
    parts, scores, without = measure.parts, [], []
    for one, two in half_means(system, design):
        if parts.ceiling is not None:
            scores.append(parts.ceiling(one, two))
            without.append([parts.ceiling(one[rows], two[rows])[0] for rows in kept])
        else:
            plan = parts.plan(parts.prepare(one), folds, design.groups)
            found = plan.predict(parts.prepare_y(two))
            scores.append((float(found.score()),) * 2)
            without.append(found.draws(kept.astype(np.float64)) if len(kept) else [])
    low, high = np.mean(scores, axis=0)
    bounds = (float(low), float(high)) if parts.ceiling is not None else halves_ceiling(float(low))
    found_bounds = ceiling_of_halves(system, *bounds)
    if not len(kept):
        return _Ceiling(found_bounds)
    extra = float(np.var([s[0] for s in scores], ddof=1) / len(scores))
    return _Ceiling(found_bounds, np.mean(without, axis=0), extra, parts.ceiling is None)
