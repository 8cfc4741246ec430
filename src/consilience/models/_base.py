"""What the estimators of mappings share: checks, inner folds, prediction, and the parts that `encode` uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_is_fitted, validate_data

from consilience._core._errors import InputError
from consilience._core._params import shorten

__all__ = [
    "ALPHAS",
    "Linear",
    "Mapping",
    "Penalised",
    "Solution",
    "Solver",
    "at_edge",
    "check_alphas",
    "held_out_r2",
    "inner_splits",
]

ALPHAS = tuple(10.0 ** np.arange(-5, 5))  # times the mean squared length of a centred row
Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Solution:
    """A fit of prepared predictors to targets, in the terms of the solver that made it.

    mean : (t,) of the training targets.   spread : (t,) root mean square of predictions of training rows.
    alpha : (t,) what was chosen (penalty, number of components), or None.   edge : (t,) bool, at an end of the
    grid.   scores : (grid, t) held-out R2 of every choice, or None.   inner : the solver's own.
    """

    mean: np.ndarray
    spread: np.ndarray
    alpha: np.ndarray | None = None
    edge: np.ndarray | None = None
    scores: np.ndarray | None = None
    inner: Any = None


class Solver(ABC):
    """Prepared predictors. ``joint``: a target's prediction depends on the other targets."""

    joint = False

    @abstractmethod
    def solve(self, y: np.ndarray) -> Solution:
        """The fit to targets (n, t)."""

    @abstractmethod
    def operator(self, x: np.ndarray) -> Any:
        """What of new rows a prediction needs."""

    @abstractmethod
    def predict(self, operator: Any, solution: Solution) -> np.ndarray:
        """Deviations from ``solution.mean``, (m, t)."""


class Mapping(MultiOutputMixin, RegressorMixin, BaseEstimator, ABC):
    """Base of the estimators: `fit` checks, prepares and solves; `_prepare` is the estimator's own."""

    cv: Any
    _solver: Any
    _solution: Any
    _flat: bool

    @abstractmethod
    def _prepare(self, x: np.ndarray, splits: list[Split]) -> Solver:
        """The predictors, prepared for any targets."""

    def _store(self, solver: Solver, solution: Solution) -> None:
        """Sets fitted attributes; ``self._flat`` says that y was one column."""

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> Any:
        """Fits. X : (n, p).   y : (n, t) or (n,).   groups : (n,) rows of a group are never on both sides of an
        inner split.
        """
        x, y = validate_data(
            self,
            X,
            y,
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
            ensure_min_samples=2,
        )
        self._flat = y.ndim == 1
        target = np.asarray(y.reshape(len(y), -1), dtype=x.dtype)
        solver = self._prepare(x, inner_splits(self.cv, x, groups, type(self).__name__))
        solution = solver.solve(target)
        self._solver, self._solution = solver, solution
        self._store(solver, solution)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predictions (m, t), or (m,) after a fit to one column, for X (m, p)."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        deviations = self._solver.predict(self._solver.operator(x), self._solution)
        out = deviations + self._solution.mean
        return out[:, 0] if self._flat else out

    def _own(self, values: Any) -> Any:
        """(t,) or (k, t) -> a number or (k,) where y was one column."""
        return values[..., 0] if self._flat else values


class Penalised(Mapping):
    """A mapping whose solver chooses among penalties, its ``alphas``."""

    def _store(self, solver: Any, solution: Solution) -> None:
        self.alphas_ = solver.alphas
        self.alpha_ = self._own(solution.alpha)
        self.cv_scores_ = self._own(solution.scores)


class Linear:
    """Coefficients, made when asked for, of a mapping whose solver has ``coef(solution)`` (p, t) and ``mean`` (p,)."""

    _solver: Any
    _solution: Any
    _flat: bool

    @property
    def coef_(self) -> np.ndarray:
        check_is_fitted(self, "_solution")
        coef = self._solver.coef(self._solution).T
        return coef[0] if self._flat else coef

    @property
    def intercept_(self) -> Any:
        check_is_fitted(self, "_solution")
        out = self._solution.mean - self._solver.mean @ self._solver.coef(self._solution)
        return out[0] if self._flat else out


def check_alphas(alphas: Sequence[float] | float | None, who: str) -> np.ndarray | None:
    """Sorted penalties; None stays None (a grid relative to the data)."""
    if alphas is None:
        return None
    try:
        values = np.atleast_1d(np.asarray(alphas, dtype=np.float64))
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all() or (values <= 0).any():
        raise InputError(
            f"{who}: alphas must be positive finite numbers, or None for a grid relative to the data; got "
            f"{shorten(alphas)}.",
            code="bad-parameter",
        )
    return np.sort(values)


def inner_splits(cv: Any, x: np.ndarray, groups: Any, who: str) -> list[Split]:
    """(training rows, test rows) of the inner folds; ``cv`` is an int, a splitter, or the pairs themselves.

    An int makes consecutive folds, whole groups where there are groups.
    """
    if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool):
        owner = np.arange(len(x)) if groups is None else np.unique(groups, return_inverse=True)[1]
        kinds = int(owner.max()) + 1
        what = "rows" if groups is None else "groups"
        if cv < 2:
            raise InputError(
                f"{who}: cv must be at least 2 folds, got {cv}; 5 is usual.", code="bad-parameter"
            )
        if cv > kinds:
            raise InputError(
                f"{who}: cv={cv} folds need at least {cv} {what}, got {kinds}; use a smaller cv, or more {what}.",
                code="bad-parameter",
            )
        count = int(cv)
        fold = np.arange(kinds) * count // kinds
        return [(np.flatnonzero(fold[owner] != k), np.flatnonzero(fold[owner] == k)) for k in range(count)]
    try:
        pairs = list(check_cv(cv).split(x, None, groups))
    except (TypeError, ValueError) as error:
        if groups is None and "groups" in str(error):
            way = "cs.encode(..., groups='label')" if who == "cs.encode" else "fit(X, y, groups=labels)"
            raise InputError(
                f"{who}: cv={shorten(cv)} splits by groups, and none were given; give one label per row: {way}.",
                code="bad-groups",
            ) from None
        raise InputError(
            f"{who}: cv must be an int, a scikit-learn splitter or a list of (training rows, test rows); got "
            f"{shorten(cv)}: {error}",
            code="bad-parameter",
        ) from None
    return [(np.sort(np.asarray(a)), np.sort(np.asarray(b))) for a, b in pairs]


def held_out_r2(errors: np.ndarray, total: np.ndarray) -> np.ndarray:
    """1 - errors / total, (grid, t); NaN for targets that do not vary."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, 1.0 - errors / total, np.nan)


def at_edge(index: np.ndarray, size: int) -> np.ndarray:
    """(t,) whether a choice is the first or the last of a grid of more than two."""
    return (index == 0) | (index == size - 1) if size > 2 else np.zeros(index.size, bool)
