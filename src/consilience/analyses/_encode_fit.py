"""Held-out predictions of a mapping: everything chosen inside the training rows of each fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from consilience._core._errors import ConsilienceError, InputError
from consilience._core._params import shorten
from consilience.linalg import centre_columns, principal_scores
from consilience.measures._contract import Predictions
from consilience.models._banded_ridge import BandedRidgeCV
from consilience.models._base import Mapping, Solution, Solver, inner_splits, safe_powers
from consilience.models._pls import PLSCV
from consilience.models._ridge import RidgeCV

__all__ = ["HeldOut", "Predicted", "dealt_again", "inner_count"]

_TARGETS = 4096  # relabelled targets solved together
_LARGEST = 1e50  # times the largest y: a prediction beyond it has diverged
Split = tuple[np.ndarray, np.ndarray]
Inner = Callable[[np.ndarray, int], list[Split]]


@dataclass(frozen=True)
class Predicted:
    """predicted, actual : (rows, t) deviations from the training mean of the row's fold, over ``size``.   scaled :
    predictions in units of each fold's training spread, by which r is made.   mean : (rows, t) those training means,
    over ``size``.   size : 1, or powers of two (t,) by which targets are brought to a size whose squares a float can
    hold.   alpha, edge : (folds, t) or None.   bands : (bands, rows, t) what each band adds, over ``size``, or None.
    """

    predicted: np.ndarray
    actual: np.ndarray
    scaled: np.ndarray
    mean: np.ndarray
    alpha: np.ndarray | None
    edge: np.ndarray | None
    bands: np.ndarray | None
    size: Any = 1.0

    def correlation(self) -> Predictions:
        """r of each target as `compare` takes it: pooled raw predictions of folds would be biased below 0."""
        return Predictions(self.scaled * self.actual, self.scaled**2, self.actual**2)


class _Any(Solver):
    """Any scikit-learn regressor: cloned and fitted for each set of targets, as they are."""

    joint = True
    who = "cs.encode"

    def __init__(self, model: Any, x: np.ndarray, groups: np.ndarray | None) -> None:
        self.model, self.x = model, x

    def _target_size(self, y: np.ndarray) -> Any:
        return 1.0  # its options may be in units of y

    def _solve(self, y: np.ndarray) -> Solution:
        with self._words("fit"):
            fitted = clone(self.model).fit(self.x, y if y.shape[1] > 1 else y[:, 0])
        mean = y.mean(axis=0, dtype=np.float64)
        inside = self._ask(fitted, self.x, y.shape[1]) - mean
        size = safe_powers(inside)
        return Solution(mean, np.sqrt(((inside / size) ** 2).mean(axis=0)) * size, inner=fitted)

    def _operator(self, x: np.ndarray) -> np.ndarray:
        return x

    def _predict(self, operator: np.ndarray, solution: Solution) -> np.ndarray:
        return self._ask(solution.inner, operator, solution.mean.size) - solution.mean

    def _ask(self, fitted: Any, x: np.ndarray, t: int) -> np.ndarray:
        """Its predictions (rows, t), checked."""
        with self._words("predict"):
            found = np.asarray(fitted.predict(x))
        if found.dtype.kind not in "biuf":
            raise InputError(
                f"{self.who}: {self._name} predicts {shorten(found.ravel()[:1].tolist())}, of dtype {found.dtype}; a "
                "model must predict real numbers.",
                code="model-failed",
            )
        if found.shape not in ((len(x), t), *(((len(x),),) if t == 1 else ())):
            raise InputError(
                f"{self.who}: {self._name} predicts an array of shape {found.shape} for {len(x)} rows "
                f"and {t} units of y; a model must predict one value per row and unit.",
                code="model-failed",
            )
        return found.reshape(len(x), t).astype(np.promote_types(found.dtype, np.float32), copy=False)

    @property
    def _name(self) -> str:
        return type(self.model).__name__

    @contextmanager
    def _words(self, step: str) -> Iterator[None]:
        try:
            yield
        except ConsilienceError:
            raise
        except Exception as error:
            raise InputError(
                f"{self.who}: {self._name}.{step} failed with {type(error).__name__}: {error}",
                code="model-failed",
            ) from error


class HeldOut:
    """The predictors' part of every fold, made once for all targets and relabellings.

    x : (n, p).   splits : outer (training rows, test rows).   inner : (training rows, number of folds) -> inner
    splits of them, in positions among them.   groups : (n,) or None.   units : names of targets, for errors.
    """

    who = "cs.encode"

    def __init__(
        self,
        model: Any,
        x: np.ndarray,
        splits: list[Split],
        inner: Inner,
        groups: np.ndarray | None,
        units: np.ndarray | None = None,
    ) -> None:
        self.n, self.splits, self.model, self.units = len(x), splits, model, units
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
        size = safe_powers(y)
        for fold, (solver, operator, (train, test)) in enumerate(
            zip(self.solvers, self.operators, self.splits)
        ):
            found = solver.solve(y[train])
            values = solver.predict(operator, found)
            self._check(np.concatenate([found.spread[None], values]) / size, y / size, fold)
            predicted[test] = values / size
            actual[test] = y[test] / size - found.mean / size
            scaled[test] = values / np.where(found.spread > 0, found.spread, size)
            mean[test] = found.mean / size
            if found.alpha is not None:
                alphas.append(found.alpha)
            if found.edge is not None:
                edges.append(found.edge)
            if bands and hasattr(solver, "parts"):
                added = np.stack(solver.parts(operator, found)) / size
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
            size,
        )

    def _check(self, values: np.ndarray, y: np.ndarray, fold: int) -> None:
        """Refuses predictions (rows, t), their spread first, that are no numbers or far from the size of y: they would
        make r 0.
        """
        top = np.maximum(y.max(axis=0), -y.min(axis=0))
        bad = ~(np.abs(values) <= _LARGEST * np.where(top > 0, top, 1.0))
        if not bad.any():
            return
        row, column = np.argwhere(bad)[0]
        unit = column if self.units is None else shorten(self.units[column % len(self.units)].item(), 24)
        raise InputError(
            f"{self.who}: {type(self.model).__name__} predicts {values[row, column]:.3g} for unit {unit} in fold "
            f"{fold + 1} of {len(self.splits)} ({int(bad.any(axis=0).sum())} of {bad.shape[1]} units there); "
            "predictions must be finite and of a size that y can have. See whether its fit converged.",
            code="model-failed",
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
    return model.prepare(x, splits)


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
