"""What the held-out measures share: folds by stimulus, and the score of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consilience._core._arrays import Array, as_same_library, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience._core._seeds import resolve_seed
from consilience.linalg import centre_columns, principal_scores, to_safe_size
from consilience.measures._contract import PredictionParts
from consilience.measures._door import two_systems
from consilience.stats import group_folds

__all__ = ["check_groups", "held_out_score", "scores"]


def scores(x: Array) -> np.ndarray:
    """Principal scores of ``x`` as NumPy float64: (n, rank); extreme sizes are divided by a power of two."""
    return to_numpy(principal_scores(centre_columns(to_safe_size(x))))


def check_groups(groups: Sequence[Any] | np.ndarray | None, n: int, who: str) -> np.ndarray | None:
    if groups is None:
        return None
    values = np.asarray(groups)
    if values.shape != (n,):
        raise InputError(
            f"{who}: groups must give one label per stimulus ({n}), got {shorten(values.shape)}.",
            code="bad-groups",
        )
    return np.unique(values, return_inverse=True)[1]


def held_out_score(
    x: Array, y: Array, parts: PredictionParts, *, groups: Any, folds: int, rng: Any, who: str, fewest: int
) -> Array:
    """Checks, folds, plan, prediction, score: the body of every held-out measure."""
    check_count(folds, name="folds", who=who, minimum=2)
    x, y = two_systems(x, y, who=who, fewest=fewest)
    n = x.shape[0]
    owner = check_groups(groups, n, who)
    tests = group_folds(
        np.arange(n) if owner is None else owner, folds, resolve_seed(rng, who=who).stream("folds"), who=who
    )
    plan = parts.plan(parts.prepare(x), tests, owner)
    value = plan.predict(parts.prepare_y(y)).score()
    return as_same_library(np.asarray(value), x)
