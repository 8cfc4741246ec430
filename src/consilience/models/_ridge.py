"""Ridge regression of many targets, each with the penalty that predicts it best on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consilience.linalg import DualRidge, centre_columns, ridge_solver
from consilience.models._base import (
    ALPHAS,
    Linear,
    Penalised,
    Solution,
    Solver,
    Split,
    at_edge,
    check_alphas,
    held_out_r2,
    in_units,
)

__all__ = ["RidgeCV"]


class RidgeOf(Solver):
    """A ridge solver of `linalg` behind the parts of `Solver`."""

    times = 2  # how often `size` divides what alphas are added to

    def __init__(self, ridge: Any, per_target: bool) -> None:
        self.ridge, self.per_target = ridge, per_target
        self.joint = not per_target  # one penalty is chosen by the errors of all
        self.alphas: np.ndarray = ridge.alphas

    def alphas_of_user(self) -> np.ndarray:
        return in_units(self.alphas, self.size, self.times)

    def _solve(self, y: np.ndarray) -> Solution:
        found = self.ridge.solve(y, per_target=self.per_target)
        edge = at_edge(found.index, self.alphas.size)
        scores = held_out_r2(found.errors, found.total)
        alpha = in_units(found.alpha, self.size, self.times)
        return Solution(found.mean, found.spread, alpha, edge, scores, found)

    def _operator(self, x: np.ndarray) -> np.ndarray:
        return self.ridge.operator(x)

    def _predict(self, operator: np.ndarray, solution: Solution) -> np.ndarray:
        return operator @ solution.inner.weights


class _LinearRidge(RidgeOf):
    def __init__(
        self, x: np.ndarray, alphas: np.ndarray | None, splits: list[Split], intercept: bool, per_target: bool
    ) -> None:
        self.mean = x.mean(axis=0, dtype=np.float64) if intercept else np.zeros(x.shape[1])
        self.x = centre_columns(x) if intercept else x
        if alphas is None:
            alphas = relative(float(np.einsum("ij,ij->", self.x, self.x, dtype=np.float64)) / len(x))
        super().__init__(ridge_solver(self.x, alphas, splits, intercept=intercept), per_target)

    def _operator(self, x: np.ndarray) -> np.ndarray:
        x = (x - self.mean).astype(self.x.dtype, copy=False)
        return self.ridge.operator(x @ self.x.T if isinstance(self.ridge, DualRidge) else x)

    def coef(self, solution: Solution) -> np.ndarray:
        if isinstance(self.ridge, DualRidge):
            return self.x.T @ self.ridge.dual(solution.inner)
        return self.ridge.coef(solution.inner)


def relative(scale: float) -> np.ndarray:
    """The default grid: `ALPHAS` times the mean squared length of a centred row (1 where that is 0)."""
    return np.array(ALPHAS) * (scale if scale > 0 else 1.0)


class RidgeCV(Linear, Penalised):
    """Ridge regression, the penalty of each target chosen by cross-validation.

    For target u, w_u = argmin ||y_u - X w - b||^2 + alpha_u ||w||^2, alpha_u the penalty with the least summed
    squared error over the held-out rows of the inner folds. One eigendecomposition of X'X or XX', the smaller
    one, serves all penalties and targets; with XX' it serves all folds too.

    Parameters
    ----------
    alphas : penalties, in squared units of X; None = 1e-5 ... 1e4 times the mean squared length of a centred
        row of X. `scikit-learn` and `himalaya` mean the same alpha; `himalaya`'s kernel form too. X and y of any
        size: 1e-200 X gives the same predictions, with alphas 0 or inf in its units where a float64 holds them not.
    per_target : each target its own penalty; False = one for all, by the error summed over targets.
    cv : int (consecutive folds; give shuffled rows or a splitter where order matters), splitter, or list of
        (training rows, test rows).
    fit_intercept : an unpenalised constant.

    Attributes
    ----------
    alpha_ : (t,).   cv_scores_ : (alphas, t) held-out R2, 1 - squared error / squared error of the training
    mean.   alphas_ : the grid.   coef_ : (t, p), made when asked for.   intercept_ : (t,).

    References
    ----------
    Hoerl & Kennard (1970).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(80, 200))
    >>> Y = X[:, :3] @ rng.normal(size=(3, 2))
    >>> model = cs.models.RidgeCV().fit(X[:60], Y[:60])
    >>> model.predict(X[60:]).shape, model.coef_.shape
    ((20, 2), (2, 200))
    """

    def __init__(
        self,
        alphas: Sequence[float] | None = None,
        *,
        per_target: bool = True,
        cv: Any = 5,
        fit_intercept: bool = True,
    ) -> None:
        self.alphas = alphas
        self.per_target = per_target
        self.cv = cv
        self.fit_intercept = fit_intercept

    def _prepare(self, x: np.ndarray, splits: list[Split], size: float) -> Solver:
        alphas = check_alphas(self.alphas, "RidgeCV", size, RidgeOf.times)
        return _LinearRidge(x, alphas, splits, self.fit_intercept, self.per_target)
