"""What the estimators of mappings share: checks, inner folds, prediction, and the parts that `encode` uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_is_fitted, validate_data

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.linalg._centre import safe_power

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
    "in_units",
    "inner_splits",
    "safe_powers",
]

ALPHAS = tuple(10.0 ** np.arange(-5, 5))  # times the mean squared length of a centred row
_SAFE = 2.0**30
Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Solution:
    """A fit of prepared predictors to targets, in the terms of the solver that made it.

    mean : (t,) of the training targets.   spread : (t,) root mean square of predictions of training rows.
    alpha : (t,) what was chosen (penalty, number of components), or None.   edge : (t,) bool, at an end of the
    grid.   scores : (grid, t) held-out R2 of every choice, or None.   inner : the solver's own, for targets over
    ``size``.   size : 1, or the powers of two (t,).
    """

    mean: np.ndarray
    spread: np.ndarray
    alpha: np.ndarray | None = None
    edge: np.ndarray | None = None
    scores: np.ndarray | None = None
    inner: Any = None
    size: Any = 1.0


class Solver(ABC):
    """Prepared predictors. ``joint``: a target's prediction depends on the other targets. ``size``: the power of two
    that the predictors were divided by; what `_solve`, `_operator` and `_predict` see is of a size whose squares a
    float can hold, and what `solve` and `predict` give is in the units of the user.
    """

    joint = False
    size = 1.0

    def solve(self, y: np.ndarray, dtype: Any = None) -> Solution:
        """The fit to targets (n, t)."""
        size = self._target_size(y)
        safe = y if _is_one(size) else y / size
        found = self._solve(safe if dtype is None else safe.astype(dtype, copy=False))
        if _is_one(size):
            return found
        return replace(found, mean=found.mean * size, spread=found.spread * size, size=size)

    def operator(self, x: np.ndarray) -> Any:
        """What of new rows a prediction needs."""
        return self._operator(x if self.size == 1.0 else x / self.size)

    def predict(self, operator: Any, solution: Solution) -> np.ndarray:
        """Deviations from ``solution.mean``, (m, t)."""
        out = self._predict(operator, solution)
        return out if _is_one(solution.size) else out * solution.size

    def _target_size(self, y: np.ndarray) -> Any:
        """One power for all where targets are fitted together, so that none gains weight."""
        return safe_power(y) if self.joint else safe_powers(y)

    @abstractmethod
    def _solve(self, y: np.ndarray) -> Solution: ...

    @abstractmethod
    def _operator(self, x: np.ndarray) -> Any: ...

    @abstractmethod
    def _predict(self, operator: Any, solution: Solution) -> np.ndarray: ...


class Mapping(MultiOutputMixin, RegressorMixin, BaseEstimator, ABC):
    """Base of the estimators: `fit` checks, prepares and solves; `_prepare` is the estimator's own."""

    cv: Any
    _solver: Any
    _solution: Any
    _flat: bool

    @abstractmethod
    def _prepare(self, x: np.ndarray, splits: list[Split], size: float) -> Solver:
        """Predictors, already over ``size``, prepared for any targets."""

    def prepare(self, x: np.ndarray, splits: list[Split]) -> Solver:
        """The predictors, prepared for any targets."""
        size = safe_power(x)
        solver = self._prepare(x if size == 1.0 else x / size, splits, size)
        solver.size = size
        return solver

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
        solver = self.prepare(x, inner_splits(self.cv, x, groups, type(self).__name__))
        solution = solver.solve(np.asarray(y.reshape(len(y), -1)), x.dtype)
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
        self.alphas_ = solver.alphas_of_user()
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
        with np.errstate(over="ignore", under="ignore"):
            coef = (self._solver.coef(self._solution) / self._solver.size * self._solution.size).T
        return coef[0] if self._flat else coef

    @property
    def intercept_(self) -> Any:
        check_is_fitted(self, "_solution")
        solver, found = self._solver, self._solution
        out = found.mean - solver.mean @ solver.coef(found) * found.size
        return out[0] if self._flat else out


def check_alphas(
    alphas: Sequence[float] | float | None, who: str, size: float = 1.0, times: int = 0
) -> np.ndarray | None:
    """Sorted penalties; None stays None (a grid relative to the data). In units of predictors (kernel) over ``size``,
    ``times`` times.
    """
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
    scaled = in_units(values, size, -times)
    if not np.isfinite(scaled).all() or (scaled < np.finfo(np.float64).tiny).any():
        raise InputError(
            f"{who}: alphas are in {'squared ' if times > 1 else ''}units of X, whose largest entry is about "
            f"{size:.1g}, and no float64 can hold their ratio to that; got {shorten(alphas)}. Multiply X by a power of "
            "ten, or leave alphas out for a grid relative to the data.",
            code="out-of-range",
        )
    return np.sort(scaled)


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


def _is_one(size: Any) -> bool:
    return isinstance(size, float) and size == 1.0


def safe_powers(x: np.ndarray) -> Any:
    """1, or for each column (t,) the power of two that brings it to about 1 where it is too large or too small for its
    square, even in float32.
    """
    top = np.maximum(x.max(axis=0), -x.min(axis=0)).astype(np.float64)
    unsafe = (top > 0) & ((top >= _SAFE) | (top <= 1 / _SAFE))
    if not unsafe.any():
        return 1.0
    return np.where(unsafe, np.ldexp(1.0, np.minimum(np.frexp(top)[1], 1023)), 1.0)


def in_units(alphas: np.ndarray, size: float, times: int) -> np.ndarray:
    """``alphas`` times ``size`` to the power of ``times`` (negative: over it); 0 or inf beyond the floats."""
    with np.errstate(over="ignore", under="ignore"):
        for _ in range(abs(times)):
            alphas = alphas * size if times > 0 else alphas / size
    return alphas


def held_out_r2(errors: np.ndarray, total: np.ndarray) -> np.ndarray:
    """1 - errors / total, (grid, t); NaN for targets that do not vary."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, 1.0 - errors / total, np.nan)


def at_edge(index: np.ndarray, size: int) -> np.ndarray:
    """(t,) whether a choice is the first or the last of a grid of more than two."""
    return (index == 0) | (index == size - 1) if size > 2 else np.zeros(index.size, bool)
