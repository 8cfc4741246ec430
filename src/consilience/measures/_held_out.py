"""What the held-out measures share: folds by stimulus, claims, parts, and the score of a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from consilience._core._arrays import Array, as_same_library, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience._core._seeds import resolve_seed
from consilience.linalg import centre_columns, principal_scores, to_safe_size
from consilience.measures._contract import SIMILARITIES, Claims, PredictionParts
from consilience.measures._door import two_systems, without_constant_units
from consilience.stats import group_folds

__all__ = ["alignment_claims", "alignment_parts", "check_groups", "deviations", "held_out_score", "scores"]

_FEWEST = 8  # stimuli for a held-out alignment


def scores(x: Array) -> np.ndarray:
    """Principal scores of ``x`` as NumPy float64: (n, rank); extreme sizes are divided by a power of two."""
    return to_numpy(principal_scores(centre_columns(to_safe_size(x))))


def deviations(z: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The training and the test rows of ``z``, both as deviations from the mean of the training rows. Training rows
    that are alike up to rounding deviate by 0.
    """
    train = z[np.setdiff1d(np.arange(z.shape[0]), test)]
    mean = train.mean(axis=0)
    inside = train - mean
    if np.linalg.norm(inside) <= 1e-12 * np.linalg.norm(train):
        inside = np.zeros_like(inside)
    return inside, z[test] - mean


def alignment_claims(
    *,
    label: str,
    itself: float | None,
    references: tuple[str, ...],
    method: str,
    symmetric: bool = True,
    invariant: frozenset[str] = SIMILARITIES,
    invariant_y: frozenset[str] | None = None,
) -> Claims:
    """Claims of an alignment (CCA, Procrustes, a matching of units) fitted on training stimuli and scored on the
    others.
    """
    return Claims(
        label=label,
        range=(-1.0, 1.0),
        itself=itself,
        symmetric=symmetric,
        invariant=invariant,
        invariant_y=invariant_y,
        resample="predictions",
        min_stimuli=_FEWEST,
        converts=True,
        references=references,
        method=method,
    )


def alignment_parts(
    plan: Callable[[np.ndarray, list[np.ndarray]], Any],
    *,
    folds: int,
    who: str,
    prepare: Callable[[Array], np.ndarray] = scores,
) -> PredictionParts:
    """Parts of an alignment; ``plan``: (prepared x, test rows of each fold) -> object with ``predict``."""
    check_count(folds, name="folds", who=who, minimum=2)
    return PredictionParts(prepare, lambda x, tests, owner: plan(x, tests), folds=folds)


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
    x: Array,
    y: Array,
    parts: PredictionParts,
    *,
    groups: Any,
    rng: Any,
    who: str,
    fewest: int = _FEWEST,
    varying: bool = False,
) -> Array:
    """Checks, folds, plan, prediction, score: the body of every held-out measure.

    ``varying``: units that do not vary would count, so they are dropped with a warning.
    """
    x, y = two_systems(x, y, who=who, fewest=fewest)
    if varying:
        x, y = (
            without_constant_units(z, name=name, who=who, stacklevel=5) for z, name in ((x, "x"), (y, "y"))
        )
    n = x.shape[0]
    owner = check_groups(groups, n, who)
    dealt = np.arange(n) if owner is None else owner
    tests = group_folds(dealt, parts.folds, resolve_seed(rng, who=who).stream("folds"), who=who)
    plan = parts.plan(parts.prepare(x), tests, owner)
    value = plan.predict(parts.prepare_y(y)).score()
    return as_same_library(np.asarray(value), x)
