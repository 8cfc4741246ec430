"""Is there anything that units share in single trials? Held-out units against the same with units taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_option
from consilience._core._seeds import resolve_seed
from consilience.models._latent_cv import parts_of, shared_score
from consilience.models._trials import Trials, as_trials
from consilience.stats import group_folds, p_value

__all__ = ["SharedStructure", "shared_structure"]


@dataclass(frozen=True)
class SharedStructure:
    """Held-out score of units beside what it is where units are independent.

    value : mean R2 or bits per spike of units of held-out trials, each predicted from the others.   null : (m,) the
    same of surrogates.   p : (b + 1) / (m + 1).   effect : value less the mean of the null, over its deviation.
    n_trials, n_units, surrogate : what it was made of.
    """

    value: float
    null: np.ndarray
    p: float
    effect: float
    n_trials: int
    n_units: int
    surrogate: str


def shared_structure(
    model: Any,
    X: Any,
    /,
    *,
    by: Any = None,
    null: str = "trials",
    n_null: int = 99,
    cv: int = 2,
    rng: Any = 0,
) -> SharedStructure:
    """Tests whether units of a trial say something of each other, by a latent model fitted to other trials.

    Each fold of whole trials is scored by the model fitted to the others: every unit is predicted from the other units
    of its trial. Surrogates are treated in the same way, with the same folds.

    Parameters
    ----------
    model : `GPFA`, `PoissonGPFA` or another estimator with ``unit_scores``; it is cloned.
    X : trials, as the model takes them.
    by : (trial,) labels of conditions; trials change places within a condition only. None = one condition.
    null : "trials": each unit's trials change places with trials of the same length, independently of other units. What
        is locked to the start of a trial stays shared, so this asks for single trials: are units independent given
        the time course (of the condition)? Exact. "shifts": each unit is shifted
        in time, circularly, by a random number of bins in each trial. Nothing stays shared, and each unit keeps its
        autocorrelation but for the seam: this asks for anything shared at all, a common time course included. The seam
        makes it approximate: for independent smooth units p came out too large rather than too small.
    n_null : surrogates.   cv : folds.   rng : of folds and surrogates.

    Raises
    ------
    InputError : trials too few to change places; ``by`` of another length.

    References
    ----------
    Yu et al. (2009); Phipson & Smyth (2010).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20, 10, 1)) @ rng.normal(size=(1, 8)) + rng.normal(size=(20, 10, 8))
    >>> model = cs.models.GPFA(1, max_iter=5, tol=0.0)
    >>> cs.models.shared_structure(model, X, n_null=19).p
    0.05
    """
    who = "shared_structure"
    check_option(null, ("trials", "shifts"), name="null", who=who)
    check_count(n_null, name="n_null", who=who, minimum=1)
    missing = "mask" if getattr(model, "missing", "mask") != "raise" else "raise"
    trials = as_trials(X, who=who, missing=missing, flat="trial")
    n = len(trials)
    codes = np.zeros(n, int) if by is None else np.unique(np.asarray(by), return_inverse=True)[1].ravel()
    if codes.size != n:
        raise InputError(f"{who}: by must have one label a trial ({n}), got {codes.size}.", code="bad-shape")
    # trials that may change places: of one condition and one length
    _, strata = np.unique(np.column_stack([codes, trials.lengths]), axis=0, return_inverse=True)
    strata = strata.ravel()
    if null == "trials" and np.bincount(strata).max() < 2:
        raise InputError(
            f"{who}: no two of {n} trials have the same length and condition, so none can change places; use "
            "null='shifts', or cut trials to one length.",
            code="too-few",
        )
    seed = resolve_seed(rng, who=who)
    held = group_folds(
        np.arange(n), check_count(cv, name="cv", who=who, minimum=2), seed.stream("folds"), who=who
    )
    value = _cross_validated(model, trials, held)
    draws, stream = np.empty(n_null), seed.stream("null")
    for i in range(n_null):
        made = _shuffled(trials, strata, stream) if null == "trials" else _shifted(trials, stream)
        draws[i] = _cross_validated(model, made, held)
    spread = float(draws.std(ddof=1)) if n_null > 1 else float("nan")
    return SharedStructure(
        value=value,
        null=draws,
        p=float(p_value(value, draws)),
        effect=(value - float(draws.mean())) / spread if spread > 0 else float("nan"),
        n_trials=n,
        n_units=trials.units,
        surrogate=null,
    )


def _cross_validated(model: Any, trials: Trials, held: list[np.ndarray]) -> float:
    scores = []
    for test in held:
        fitted = clone(model).fit(parts_of(trials, np.setdiff1d(np.arange(len(trials)), test)))
        scores.append(shared_score(fitted, parts_of(trials, test)))
    return float(np.mean(scores))


def _shuffled(trials: Trials, strata: np.ndarray, rng: np.random.Generator) -> Trials:
    rows = np.empty((trials.n_bins, trials.units), int)
    for s in np.unique(strata):
        which = np.flatnonzero(strata == s)
        order = rng.permuted(np.tile(which[:, None], (1, trials.units)), axis=0)
        for i, trial in enumerate(which):
            span = np.arange(trials.lengths[trial])
            rows[trials.starts[trial] + span] = trials.starts[order[i]] + span[:, None]
    return _gathered(trials, rows)


def _shifted(trials: Trials, rng: np.random.Generator) -> Trials:
    rows = np.empty((trials.n_bins, trials.units), int)
    for start, bins in zip(trials.starts[:-1], trials.lengths):
        shift = rng.integers(0, bins, trials.units)
        rows[start : start + bins] = start + (np.arange(bins)[:, None] + shift) % bins
    return _gathered(trials, rows)


def _gathered(trials: Trials, rows: np.ndarray) -> Trials:
    mask = None if trials.mask is None else np.take_along_axis(trials.mask, rows, axis=0)
    return Trials(np.take_along_axis(trials.data, rows, axis=0), mask, trials.lengths, "list", trials.span)
