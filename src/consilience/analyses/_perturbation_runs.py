"""Perturbed inputs of fitted models, what is measured of each row, and fits to halves of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from consilience._core._errors import InputError
from consilience._core._params import check_number, shorten
from consilience.analyses._recorded_fits import Fit, Task, fits_of
from consilience.models._removed_units import predictions_without

__all__ = ["Act", "Outcomes", "acts_of", "half_splits_of", "family_changes", "reseeded"]

WHO = "cs.predict_perturbation"
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Act:
    """What is done to units.   name : its words.   to : (x, mean, sd of training rows) -> x of the same shape."""

    name: str
    to: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _to(value: float) -> Any:
    return lambda x, _mean, _sd: np.full(x.shape, value)


def _by(value: float) -> Any:
    return lambda x, _mean, _sd: x + value


def _sd(value: float) -> Any:
    return lambda x, _mean, sd: x + value * sd


def acts_of(act: Any) -> list[Act]:
    """ "silence", ("to", value), ("add", value), ("sd", k), or a list of them."""
    listed = act if isinstance(act, list) else [act]
    out = []
    for one in listed:
        if one == "silence" and isinstance(one, str):
            out.append(Act("silence", _to(0.0)))
            continue
        if not (isinstance(one, tuple) and len(one) == 2 and one[0] in ("to", "add", "sd")):
            raise InputError(
                f"{WHO}: act must be 'silence', ('to', value), ('add', value) or ('sd', how many standard deviations), "
                f"or a list of them; got {shorten(one)}.",
                code="bad-parameter",
            )
        value = check_number(one[1], name=f"act {one[0]!r}", who=WHO, low=-np.inf, high=np.inf)
        if one[0] == "to":
            out.append(Act(f"drive to {value:g}", _to(value)))
        elif one[0] == "add":
            out.append(Act(f"drive by {value:+g}", _by(value)))
        else:
            out.append(Act(f"drive by {value:+g} sd", _sd(value)))
    if not out:
        raise InputError(
            f"{WHO}: act is an empty list; name what is done, such as 'silence'.", code="bad-parameter"
        )
    return out


class Outcomes:
    """What is measured of each row, from predictions: (m, rows, outcomes).

    names : of the outcomes.   observed : (n, outcomes) the same of the behaviour itself, NaN where the model's own
    answers tell it.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        if task.kind == "classes":
            shares = [f"share of {c}" for c in task.names] if len(task.names) <= 12 else []
            self.names = ["accuracy", *shares]
        elif task.kind == "angles":
            self.names = [f"{w} of {n}" for n in task.names for w in ("error", "signed error")]
        else:
            errors = [f"error of {n}" for n in task.names] if task.kind == "numbers" else []
            self.names = [*task.names, *errors]
        self.observed = np.full((len(task.x), len(self.names)), np.nan)
        if task.kind in ("numbers", "units"):
            self.observed[:, : len(task.names)] = task.actual

    def __call__(self, fit: Fit, told: np.ndarray) -> np.ndarray:
        """Of predictions (m, rows, k) of the test rows of ``fit``."""
        task = self.task
        if task.kind == "classes":
            found = told.argmax(axis=2)
            parts = [found == task.codes[fit.test]]
            if len(self.names) > 1:
                parts += [found == c for c in range(len(task.names))]
            return np.stack(parts, axis=2).astype(np.float64)
        value = told + fit.mean
        actual = task.actual[fit.test]
        if task.kind == "angles":
            if not task.direct:
                k = value.shape[2] // 2
                value = np.arctan2(value[:, :, k:], value[:, :, :k])
            signed = (value - actual + np.pi) % (2 * np.pi) - np.pi
            return np.stack([np.abs(signed), signed], axis=3).reshape(*signed.shape[:2], -1)
        if task.kind == "units":
            return value
        return np.concatenate([value, np.abs(value - actual)], axis=2)


def family_changes(
    fits: list[Fit], outcomes: Outcomes, masks: np.ndarray, act: Act, trials: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean outcome (1 + m, outcomes) without and with each perturbation (m, p) of the test rows, and its standard
    deviation from trial to trial; ``trials`` (n,) the trial of each row, -1 = of none.
    """
    means, squares, weight = 0.0, 0.0, 0
    every = np.concatenate([np.zeros((1, masks.shape[1]), bool), masks])
    for fit in fits:
        mean, sd = fit.inside.mean(axis=0), fit.inside.std(axis=0)
        instead = act.to(fit.x, mean, sd)
        step = max(1, _CHUNK // (len(fit.test) * len(outcomes.names)))
        found = []
        own, at = np.unique(trials[fit.test], return_inverse=True)
        gather = (own[:, None] == trials[fit.test]) / np.bincount(at)[:, None] if own.size < at.size else None
        for start in range(0, len(every), step):
            told = predictions_without(
                fit.predict, fit.affine, fit.x, instead, every[start : start + step], stacked=fit.stacked
            )
            made = outcomes(fit, told)
            found.append(made if gather is None else np.einsum("tr,mro->mto", gather, made, optimize=True))
        values = np.concatenate(found)
        means = means + values.sum(axis=1)
        squares = squares + (values**2).sum(axis=1)
        weight += values.shape[1]
    mean_ = np.asarray(means / weight)
    spread = np.sqrt(np.maximum(np.asarray(squares / weight) - mean_**2, 0.0) * weight / max(1, weight - 1))
    return mean_, spread


def half_splits_of(task: Task, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """One split: a random half of the independent items trains, the other is tested; of classes, half of each."""
    source: Any = task.design if task.design is not None else task.encoding
    n = len(task.x)
    length = source.settings.get("block_steps")
    if length is not None:
        items = np.arange(n) // int(length)
    else:
        owner = source.owner if task.design is not None else source.groups
        items = np.arange(n) if owner is None else owner
    first = np.unique(items, return_index=True)[1]
    strata = np.zeros(first.size, int)
    if task.kind == "classes" and all(np.ptp(task.codes[items == i]) == 0 for i in np.unique(items)):
        strata = task.codes[first]
    chosen = np.zeros(first.size, bool)
    for level in np.unique(strata):
        own = rng.permutation(np.flatnonzero(strata == level))
        chosen[own[: (own.size + int(rng.integers(2)) * (own.size % 2)) // 2 or 1]] = True
    inside = chosen[np.searchsorted(np.unique(items), items)]
    return [(np.flatnonzero(inside), np.flatnonzero(~inside))]


def reseeded(model: Any, state: int) -> Any:
    """A copy of the model with every ``random_state`` it has set."""
    made = clone(model)
    named = [k for k in made.get_params(deep=True) if k == "random_state" or k.endswith("__random_state")]
    return made.set_params(**dict.fromkeys(named, state)) if named else made


def half_changes(
    task: Task,
    outcomes: Outcomes,
    masks: np.ndarray,
    acts: list[Act],
    count: int,
    rng: np.random.Generator,
) -> Iterator[list[np.ndarray]]:
    """``count`` times the changes (m, outcomes) of each act, fitted to one half of the rows and tested on the other."""
    for _ in range(count):
        splits = half_splits_of(task, rng)
        own = replace(task, model=reseeded(task.model, int(rng.integers(2**31 - 1))))
        fits = fits_of(own, splits)
        made = []
        for act in acts:
            mean, _ = family_changes(fits, outcomes, masks, act, np.arange(len(task.x)))
            made.append(mean[1:] - mean[0])
        yield made
