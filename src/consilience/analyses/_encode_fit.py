"""Held-out predictions of a mapping: everything chosen inside the training rows of each fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.linalg import centre_columns, principal_scores
from consilience.measures._contract import Predictions
from consilience.models._banded_ridge import BandedRidgeCV
from consilience.models._base import Mapping, Solution, Solver, inner_splits
from consilience.models._pls import PLSCV
from consilience.models._ridge import RidgeCV

__all__ = ["HeldOut", "Predicted", "dealt_again", "inner_count"]

_TARGETS = 4096  # relabelled targets solved together
Split = tuple[np.ndarray, np.ndarray]
Inner = Callable[[np.ndarray, int], list[Split]]


@dataclass(frozen=True)
class Predicted:
    """predicted, actual : (rows, t) deviations from the training mean of the row's fold.   scaled : predictions in
    units of each fold's training spread, by which r is made.   mean : (rows, t) those training means.   alpha,
    edge : (folds, t) or None.   bands : (bands, rows, t) what each band adds, or None.
    """

    predicted: np.ndarray
    actual: np.ndarray
    scaled: np.ndarray
    mean: np.ndarray
    alpha: np.ndarray | None
    edge: np.ndarray | None
    bands: np.ndarray | None

    def correlation(self) -> Predictions:
        """r of each target as `compare` takes it: pooled raw predictions of folds would be biased below 0."""
        return Predictions(self.scaled * self.actual, self.scaled**2, self.actual**2)


class _Any(Solver):
    """Any scikit-learn regressor: cloned and fitted for each set of targets."""

    joint = True

    def __init__(self, model: Any, x: np.ndarray, groups: np.ndarray | None) -> None:
        self.model, self.x = model, x

    def solve(self, y: np.ndarray) -> Solution:
        fitted = clone(self.model).fit(self.x, y if y.shape[1] > 1 else y[:, 0])
        mean = y.mean(axis=0, dtype=np.float64)
        found = np.asarray(fitted.predict(self.x))
        if found.size != y.size:
            raise InputError(
                f"cs.encode: {type(self.model).__name__} predicts an array of shape {found.shape} for {len(y)} rows "
                f"and {y.shape[1]} units of y; a model must predict one value per row and unit.",
                code="bad-parameter",
            )
        inside = found.reshape(y.shape) - mean
        return Solution(mean, np.sqrt((inside**2).mean(axis=0)), inner=fitted)

    def operator(self, x: np.ndarray) -> np.ndarray:
        return x

    def predict(self, operator: np.ndarray, solution: Solution) -> np.ndarray:
        return np.asarray(solution.inner.predict(operator)).reshape(len(operator), -1) - solution.mean


class HeldOut:
    """The predictors' part of every fold, made once for all targets and relabellings.

    x : (n, p).   splits : outer (training rows, test rows).   inner : (training rows, number of folds) -> inner
    splits of them, in positions among them.   groups : (n,) or None.
    """

    def __init__(
        self,
        model: Any,
        x: np.ndarray,
        splits: list[Split],
        inner: Inner,
        groups: np.ndarray | None,
    ) -> None:
        self.n, self.splits = len(x), splits
        self.rows = np.sort(np.concatenate([test for _, test in splits]))
        self.solvers: list[Solver] = []
        for train, _ in splits:
            own = None if groups is None else groups[train]
            self.solvers.append(_solver(model, x[train], train, inner, own))
        self.operators = [s.operator(x[test]) for s, (_, test) in zip(self.solvers, splits)]
        self.joint = any(s.joint for s in self.solvers)

    def predict(self, y: np.ndarray, *, bands: bool = False) -> Predicted:
        """Of targets (n, t), in the order of ``rows``."""
        shape = (self.n, y.shape[1])
        predicted, actual, scaled, mean = (np.full(shape, np.nan) for _ in range(4))
        alphas, edges, parts = [], [], None
        for solver, operator, (train, test) in zip(self.solvers, self.operators, self.splits):
            found = solver.solve(y[train])
            values = solver.predict(operator, found)
            predicted[test] = values
            actual[test] = y[test] - found.mean
            scaled[test] = values / np.where(found.spread > 0, found.spread, 1.0)
            mean[test] = found.mean
            if found.alpha is not None:
                alphas.append(found.alpha)
            if found.edge is not None:
                edges.append(found.edge)
            if bands and hasattr(solver, "parts"):
                added = np.stack(solver.parts(operator, found))
                parts = np.full((len(added), *shape), np.nan) if parts is None else parts
                parts[:, test] = added
        rows = self.rows
        return Predicted(
            predicted[rows],
            actual[rows],
            scaled[rows],
            mean[rows],
            np.stack(alphas) if alphas else None,
            np.stack(edges) if edges else None,
            None if parts is None else parts[:, rows],
        )

    def null(self, y: np.ndarray, orders: np.ndarray) -> np.ndarray:
        """r (orders, t) with the rows of ``y`` relabelled and everything fitted anew, penalties too."""
        n, t = y.shape
        out = np.empty((len(orders), t))
        step = 1 if self.joint else max(1, _TARGETS // t)
        one = np.ones((1, self.rows.size))
        for start in range(0, len(orders), step):
            part = orders[start : start + step]
            wide = np.swapaxes(y[part], 0, 1).reshape(n, -1)
            out[start : start + step] = self.predict(wide).correlation().columns(one).reshape(len(part), t)
        return out


def dealt_again(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None,
    deals: Iterable[tuple[list[Split], Inner]],
) -> np.ndarray:
    """r (deals, t) with other folds, inner and outer. What no fold changes is done once: ridge and PLS need the rows
    of x up to rotation only, so more units than rows are first made as many as rows.
    """
    if x.shape[1] > len(x) and isinstance(model, (RidgeCV, PLSCV)) and getattr(model, "fit_intercept", True):
        x = principal_scores(centre_columns(x))
    one = np.ones((1, len(x)))
    found = [HeldOut(model, x, *deal, groups).predict(y).correlation().columns(one)[0] for deal in deals]
    return np.stack(found) if found else np.empty((0, y.shape[1]))


def _solver(
    model: Any,
    x: np.ndarray,
    train: np.ndarray,
    inner: Inner,
    groups: np.ndarray | None,
) -> Solver:
    if not isinstance(model, Mapping):
        return _Any(model, x, groups)
    count = inner_count(model)
    splits = inner(train, count) if count is not None else inner_splits(model.cv, x, groups, "cs.encode")
    return model._prepare(x, splits)


def inner_count(model: Any) -> int | None:
    """How many inner folds the model asks for; None if it brings its own splitter."""
    cv = getattr(model, "cv", None)
    return int(cv) if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool) else None


def with_bands(model: Any, sizes: list[int], who: str) -> Any:
    """The model, told which columns are which band where it has bands."""
    if not isinstance(model, BandedRidgeCV):
        return model
    if model.bands is not None and list(np.ravel(model.bands)) != sizes:
        raise InputError(
            f"{who}: BandedRidgeCV(bands={shorten(model.bands)}) does not fit the bands of x, which have {sizes} "
            "units; leave bands out, they are taken from x.",
            code="bad-parameter",
        )
    return clone(model).set_params(bands=sizes)
