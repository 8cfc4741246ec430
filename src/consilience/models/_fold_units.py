"""Cross-validation over trials: units that every training set knows, and scores that exist."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import InputError, warn
from consilience.models._trials import Trials

__all__ = ["finite_scores", "units_of_folds", "varying_in_folds"]

_NONE = 1e-9  # share of a unit's variance below which a training set does not know it


def varying_in_folds(trials: Trials, folds: Any) -> np.ndarray:
    """(units,) bool: units that vary in every training set of ``folds`` [(training trials, test trials)]."""
    z = trials.centred(trials.mean()).data
    first = trials.starts[:-1]
    sums, squares = np.add.reduceat(z, first, axis=0), np.add.reduceat(z * z, first, axis=0)
    if trials.mask is None:
        many = np.repeat(trials.lengths[:, None], trials.units, axis=1)
    else:
        many = np.add.reduceat(trials.mask.astype(np.int64), first, axis=0)
    whole = squares.sum(axis=0) / many.sum(axis=0)
    out = np.ones(trials.units, bool)
    for train, _ in folds:
        count = many[train].sum(axis=0)
        n = np.maximum(count, 1)
        variance = squares[train].sum(axis=0) / n - (sums[train].sum(axis=0) / n) ** 2
        out &= (count > 1) & (variance > _NONE * whole)
    return out


def units_of_folds(
    trials: Trials, folds: Any, varies: np.ndarray, *, who: str, stacklevel: int = 5
) -> Trials:
    """``trials`` without the units that do not vary in one of the training sets: a model has nothing to say of them
    there, and all numbers of components must be scored on the same values. Warns of them; refuses if none is left.

    varies : (p,) bool, which units of the data those of ``trials`` are.
    """
    keep = varying_in_folds(trials, folds)
    if keep.all():
        return trials
    lost = np.flatnonzero(varies)[~keep]
    named = ", ".join(map(str, lost[:5])) + (", ..." if lost.size > 5 else "")
    if not keep.any():
        raise InputError(
            f"{who}: each of {keep.size} units is constant in one of the {len(folds)} training sets of "
            "cross-validation; give a number of components, or more data.",
            code="constant-units",
        )
    warn(
        "constant-in-fold",
        f"{who}: {lost.size} of {varies.size} units vary in one run of trials only (unit {named}); cross-validation of "
        "the number of components leaves them out.",
        "Expected for units with a few spikes; the model itself has them. Else check the data for artefacts.",
        stacklevel=stacklevel,
    )
    return trials.take(keep)


def finite_scores(scores: np.ndarray, *, who: str) -> None:
    """Refuses held-out scores that are not numbers, which would choose at random."""
    bad = np.argwhere(~np.isfinite(scores))
    if len(bad):
        raise InputError(
            f"{who}: {len(bad)} of {scores.size} held-out scores are not finite (first: number {bad[0][0]} of those "
            f"tried, fold {bad[0][-1]}), so that no number of components can be chosen; look for units or trials that "
            "hardly vary, or give a number.",
            code="score-not-finite",
        )
