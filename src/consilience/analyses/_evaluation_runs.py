"""Values of models, fixed or cross-validated, under all draws and relabellings."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._seeds import Seed
from consilience.analyses._evaluation import Table
from consilience.analyses._evaluation_tables import FACTORS, Draws

__all__ = ["ASSIGNMENTS", "cross_validated", "plain"]

ASSIGNMENTS, _REPEATS, _BLOCK = 20, 2, 64


def _mean(each: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the last axis, (draws, ..., s) by (draws, s); entries of weight 0 may be NaN."""
    shape = (len(weights), *[1] * (each.ndim - 2), weights.shape[1])
    w = weights.reshape(shape)
    return np.asarray((np.where(w > 0, each, 0.0) * w).sum(axis=-1) / w.sum(axis=-1))


def plain(
    table: Table, w: Any, u: Any, orders: Any, seed: Seed, *_: int
) -> tuple[Draws, np.ndarray | None, np.ndarray]:
    """Values of fixed models; one column per model, then the two ceilings."""
    one, all_people = np.ones((1, table.n)), np.ones((1, table.s))

    def columns(stimuli: np.ndarray, subjects: np.ndarray) -> np.ndarray:
        found = table.plain(stimuli, subjects)
        mean = [
            _mean(found.models, subjects),
            *(_mean(v[:, None], subjects) for v in (found.low, found.high)),
        ]
        size = max(len(stimuli), len(subjects))
        return np.concatenate([np.broadcast_to(v, (size, v.shape[1])) for v in mean], axis=1)

    value = columns(one, all_people)[0]
    found: dict[str, np.ndarray] = {}
    if w is not None:
        pairs = {"stimuli": (w, all_people)}
        if u is not None:
            pairs |= {"subjects": (one, u), "both": (w, u)}
        found = {factor: columns(*pair)[:, None] for factor, pair in pairs.items()}
    null = table.permuted(orders) if orders is not None else None
    components = table.components(w) if found else None
    return Draws(value, found, components), null, table.plain(one, all_people).models[0]


def _deal(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Folds (draws, items) of the items drawn (weight > 0), dealt at random, sizes balanced; NaN-like -1 else."""
    keys = np.where(weights > 0, rng.random(weights.shape), np.inf)
    rank = np.argsort(np.argsort(keys, axis=1), axis=1)
    return np.where(weights > 0, rank % count, -1)


def cross_validated(
    table: Table, w: Any, u: Any, orders: Any, seed: Seed, of_stimuli: int, of_subjects: int
) -> tuple[Draws, np.ndarray | None, np.ndarray]:
    rng = seed.stream("folds")
    everyone, all_stimuli = np.ones((ASSIGNMENTS, table.s)), np.ones((ASSIGNMENTS, table.n))
    base_folds = _deal(all_stimuli, of_stimuli, rng)
    base = table.fold_grams(all_stimuli, base_folds, of_stimuli)

    def columns(grams: tuple[np.ndarray, np.ndarray], subjects: np.ndarray) -> np.ndarray:
        dealt = _deal(subjects, of_subjects, rng)
        models, low, high = table.cross_validated(*grams, dealt, of_subjects, subjects)
        return np.concatenate([models, low[:, None], high[:, None]], axis=1)

    value = columns(base, everyone).mean(axis=0)
    found: dict[str, np.ndarray] = {}
    if w is not None:
        factors = FACTORS if u is not None else ("stimuli",)
        found = {factor: np.full((len(w), _REPEATS, value.size), np.nan) for factor in factors}
        for start in range(0, len(w), _BLOCK):
            stimuli = w[start : start + _BLOCK]
            people = np.ones((len(stimuli), table.s)) if u is None else u[start : start + _BLOCK]
            enough = (stimuli > 0).sum(axis=1) >= 3 * of_stimuli
            for r in range(_REPEATS):
                grams = table.fold_grams(stimuli, _deal(stimuli, of_stimuli, rng), of_stimuli)
                block = slice(start, start + len(stimuli))
                plain = columns(grams, np.ones((len(stimuli), table.s)))
                found["stimuli"][block, r] = np.where(enough[:, None], plain, np.nan)
                if u is not None:
                    found["both"][block, r] = np.where(enough[:, None], columns(grams, people), np.nan)
                    pick = rng.integers(0, ASSIGNMENTS, len(stimuli))
                    found["subjects"][block, r] = columns((base[0][pick], base[1][pick]), people)
    null = None
    if orders is not None:
        null = np.empty((len(orders), len(table.models)))
        for k, order in enumerate(orders):
            folds = base_folds[k % ASSIGNMENTS]
            grams = table.permuted_fold_grams(order, folds, of_stimuli)
            null[k] = columns(grams, everyone[:1])[0, :-2]
    components = table.components(w) if found else None
    return Draws(value, found, components, fitted=True), null, np.full((len(table.models), table.s), np.nan)
