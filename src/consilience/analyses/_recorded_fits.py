"""Models of recorded data, fitted once in each fold, as functions of raw responses: what lesions and predicted
perturbations ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import clone

from consilience._core._errors import ConsilienceError, InputError
from consilience.analyses._decode_classes import standardised
from consilience.analyses._decode_design import Design, Split
from consilience.analyses._decode_values import HeldOutValues
from consilience.analyses._encode_design import EncodingData
from consilience.analyses._encode_fit import HeldOut
from consilience.models._classifier import Classifier
from consilience.models._removed_units import Affine, affine_part

__all__ = ["Fit", "Task", "class_fits", "encoder_fits", "fits_of", "in_words_of", "value_fits"]


@dataclass
class Task:
    """What is fitted: a design of `decode`, or the data of `encode`.

    kind : "classes", "numbers", "angles" or "units".   y : (n, k) what models of numbers are fitted to.   names : of
    the classes, columns or units that are told.
    """

    kind: str
    x: np.ndarray
    names: list[str]
    splits: list[Split]
    model: Any
    standardise: bool
    design: Design | None = None
    encoding: EncodingData | None = None
    direct: bool = False

    @property
    def codes(self) -> np.ndarray:
        assert self.design is not None
        assert self.design.target.codes is not None
        return self.design.target.codes

    @property
    def y(self) -> np.ndarray:
        if self.encoding is not None:
            return np.asarray(self.encoding.y, np.float64)
        assert self.design is not None
        values = self.design.target.values
        assert values is not None
        if self.kind != "angles":
            return values
        return (
            values % (2 * np.pi) if self.direct else np.concatenate([np.cos(values), np.sin(values)], axis=1)
        )

    @property
    def actual(self) -> np.ndarray:
        """(n, k) of numbers, angles and units, as they were given."""
        if self.encoding is not None:
            return np.asarray(self.encoding.y, np.float64)
        assert self.design is not None
        assert self.design.target.values is not None
        return self.design.target.values


@dataclass
class Fit:
    """A model fitted to the rows ``train``, asked about raw responses (b, p) of the rows ``test``.

    predict : scores of classes (b, C), or predictions (b, k) less ``mean``.   mean, spread : (k,) of the training
    targets, and root mean square of predictions of training rows.
    """

    train: np.ndarray
    test: np.ndarray
    x: np.ndarray
    inside: np.ndarray
    predict: Callable[[np.ndarray], np.ndarray]
    mean: Any = 0.0
    spread: Any = 1.0
    stacked: bool = True

    @cached_property
    def affine(self) -> Affine | None:
        if not self.stacked:
            return None
        return affine_part(self.predict, self.x, self.inside.mean(axis=0), self.inside.std(axis=0))


@contextmanager
def in_words_of(who: str) -> Iterator[None]:
    """Errors of `decode` and `encode` under the name of the verb that called them."""
    try:
        yield
    except InputError as error:
        said = str(error)
        for other in ("cs.decode", "cs.encode"):
            said = said.replace(f"{other}:", f"{who}:")
        raise type(error)(said, code=error.code) from error


def fits_of(task: Task, splits: list[Split] | None = None, kept: np.ndarray | None = None) -> list[Fit]:
    """One for each split; ``kept``: fitted to these columns of x alone."""
    splits = task.splits if splits is None else splits
    x = task.x if kept is None else task.x[:, kept]
    if task.kind == "classes":
        return class_fits(task, x, splits)
    return encoder_fits(task, x, splits) if task.kind == "units" else value_fits(task, x, splits)


def class_fits(task: Task, x: np.ndarray, splits: list[Split]) -> list[Fit]:
    assert task.design is not None
    classes = task.design.target.classes
    assert classes is not None
    return [
        Fit(
            train,
            test,
            x[test],
            x[train],
            _classifier(task.model, x[train], task.codes[train], classes, task.standardise),
        )
        for train, test in splits
    ]


def _classifier(
    model: Any, x: np.ndarray, codes: np.ndarray, classes: np.ndarray, wanted: bool
) -> Callable[[np.ndarray], np.ndarray]:
    inside, shift, scale = standardised(x, wanted)
    if isinstance(model, Classifier):
        model._check(inside)
        plan = model.plan(inside)
        learned = plan.learn(codes[None], classes.size)
        return lambda raw: plan.scores(learned, (raw - shift) / scale)[0]
    fitted = _run(model, "fit", clone(model).fit, inside, classes[codes])
    own = np.searchsorted(classes, fitted.classes_)

    def told(raw: np.ndarray) -> np.ndarray:
        found = np.searchsorted(classes, _run(model, "predict", fitted.predict, (raw - shift) / scale))
        return (found[:, None] == np.arange(classes.size)).astype(np.float64)

    if not hasattr(fitted, "decision_function"):
        return told

    def scores(raw: np.ndarray) -> np.ndarray:
        made = np.asarray(_run(model, "decision_function", fitted.decision_function, (raw - shift) / scale))
        out = np.full((len(raw), classes.size), -1e300)
        out[:, own] = np.stack([-made / 2, made / 2], axis=1) if made.ndim == 1 else made
        return out

    if scores(x[:2]).shape != (min(2, len(x)), classes.size) or own.size < classes.size:
        return told
    return scores if np.array_equal(scores(x).argmax(axis=1), told(x).argmax(axis=1)) else told


def value_fits(task: Task, x: np.ndarray, splits: list[Split]) -> list[Fit]:
    assert task.design is not None
    design = replace(task.design, x=x[:, None, :])
    held = HeldOutValues(task.model, design, splits, 0, standardise=task.standardise)
    out = []
    for solver, (train, test) in zip(held.solvers, splits):
        _, shift, scale = standardised(x[train], task.standardise)
        clock = None
        if design.clock is not None and getattr(task.model, "takes_steps", False):
            clock = design.clock[test]
        solution = solver.solve(task.y[train])

        def predict(
            raw: np.ndarray, solver: Any = solver, solution: Any = solution, s: Any = (shift, scale, clock)
        ) -> np.ndarray:
            z: Any = (raw - s[0]) / s[1]
            return np.asarray(solver.predict(solver.operator(z if s[2] is None else (z, s[2])), solution))

        out.append(
            Fit(train, test, x[test], x[train], predict, solution.mean, solution.spread, clock is None)
        )
    return out


def encoder_fits(task: Task, x: np.ndarray, splits: list[Split]) -> list[Fit]:
    data = task.encoding
    assert data is not None
    held = HeldOut(task.model, x, splits, data.inner, data.groups, data.units)
    out = []
    for solver, (train, test) in zip(held.solvers, splits):
        solution = solver.solve(task.y[train])

        def predict(raw: np.ndarray, solver: Any = solver, solution: Any = solution) -> np.ndarray:
            return np.asarray(solver.predict(solver.operator(np.asarray(raw, x.dtype)), solution))

        out.append(
            Fit(
                train,
                test,
                np.asarray(x[test], np.float64),
                np.asarray(x[train], np.float64),
                predict,
                solution.mean,
                solution.spread,
            )
        )
    return out


def _run(model: Any, step: str, function: Any, *given: Any) -> Any:
    try:
        return function(*given)
    except ConsilienceError:
        raise
    except Exception as error:
        raise InputError(
            f"cs.decode: {type(model).__name__}.{step} failed with {type(error).__name__}: {error}",
            code="model-failed",
        ) from error
