"""What behaviour-relevant models take and give: behaviour beside the trials of a population, and held-out scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.models._trials import Trials, as_trials

__all__ = ["BehaviourScores", "behaviour_of"]


@dataclass(frozen=True, kw_only=True)
class BehaviourScores:
    """Held-out R2 of behaviour.

    r2 : (b,) mean over folds.   ci_low, ci_high : (b,) t interval over folds, widened for the training data that they
    share (Nadeau & Bengio 2003).   null : (shifts, b) the same with behaviour shifted in time, fitted again; None with
    n_shifts=0.   p : (b,) share of shifts that reach r2, the data counted among them.   n_relevant : (folds,).
    """

    r2: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    null: np.ndarray | None
    p: np.ndarray | None
    n_relevant: np.ndarray


def _deeper(y: Any, form: str) -> Any:
    """One behaviour may come without its last axis."""
    if form == "list":
        if not isinstance(y, (list, tuple, np.ndarray)):
            return y
        return [part[:, None] if getattr(part, "ndim", 0) == 1 else part for part in y]
    array = np.asarray(y)
    return array[..., None] if array.ndim == (1 if form == "trial" else 2) else y


def behaviour_of(y: Any, trials: Trials, *, who: str, missing: str, varies: bool = True) -> Trials:
    """Behaviour, bin by bin beside ``trials``; in an array, without bins after the end of a trial of the population.
    ``varies``: refuse those that do not.
    """
    y = _deeper(y, trials.form)
    if (
        trials.form == "array"
        and getattr(y, "ndim", 0) == 3
        and np.issubdtype(np.asarray(y).dtype, np.number)
    ):
        y = np.asarray(y)
        if y.shape[:2] == (len(trials), trials.span) and y.shape[2]:
            y = [part[:length] for part, length in zip(y, trials.lengths)]
    try:
        found = as_trials(y, who=who, missing=missing, flat="trial")
    except InputError as error:
        raise InputError(
            str(error).replace(": X ", ": y ").replace(" of X ", " of y "), code=error.code
        ) from None
    if len(found) != len(trials) or (found.lengths != trials.lengths).any():
        raise InputError(
            f"{who}: y must hold behaviour (time, behaviours) of every bin of X, {trials.n_bins} bins in {len(trials)} "
            f"trials; got {found.n_bins} bins in {len(found)} trials.",
            code="shape-mismatch",
        )
    seen = np.ones(found.data.shape, bool) if found.mask is None else found.mask
    first = found.data[seen.argmax(axis=0), np.arange(found.units)]
    flat = np.logical_not(((found.data != first) & seen).any(axis=0))
    if varies and flat.any():
        raise InputError(
            f"{who}: behaviour {int(np.argmax(flat))} of {flat.size} does not vary; leave it out of y.",
            code="constant-units",
        )
    return found
