"""Values on chosen subsets of the stimuli, by each measure's rule: what influence and deciding stimuli need.

pairs        weights 0 and 1 on pairs, everything ranked and centred once on all stimuli: one product.
predictions  held-out predictions of the stimuli that stay; the fits keep the others.
others       computed anew on the stimuli that stay.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from consilience.analyses._by_pairs import PairsBlock
from consilience.analyses._by_subsets import whole_values
from consilience.analyses._design import Design
from consilience.analyses._inputs import System
from consilience.measures import Measure
from consilience.stats import group_folds

__all__ = ["values_on"]


def values_on(
    measure: Measure, a: list[System], b: list[System], kept: np.ndarray, design: Design, *, who: str
) -> np.ndarray:
    """Values (k, n_a, n_b) with only the stimuli of each row of ``kept`` (k, n) bool; means over subjects."""
    if measure.claims.resample == "pairs":
        weighted = replace(design, weights=kept.astype(np.float64), n_boot=len(kept), orders=None)
        draws = PairsBlock(measure, a, b, weighted, None).weighted_values()
        return np.asarray(draws)
    if measure.claims.resample == "predictions":
        return _by_predictions(measure, a, b, kept, design, who)
    return whole_values(measure, a, b, [np.flatnonzero(row) for row in kept])


def _by_predictions(
    measure: Measure, a: list[System], b: list[System], kept: np.ndarray, design: Design, who: str
) -> np.ndarray:
    parts = measure.parts
    count = int(measure.options.get("folds", max(2, min(parts.folds, design.n))))
    folds = group_folds(design.owners, count, design.seed.stream("folds"), who=who)
    prepared = [parts.prepare_y(s.x) for s in b]
    out = np.empty((len(kept), len(a), len(b)))
    for i, system in enumerate(a):
        plan = parts.plan(parts.prepare(system.x), folds, design.groups)
        for j, y in enumerate(prepared):
            out[:, i, j] = plan.predict(y).score(kept.astype(np.float64))
    return out
