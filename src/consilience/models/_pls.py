"""Partial least squares: one pass gives every number of components; the number is chosen on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.linalg import centre_columns, principal_scores
from consilience.models._base import Linear, Mapping, Solution, Solver, Split, held_out_r2

__all__ = ["PLSCV"]

COMPONENTS = (1, 2, 3, 5, 8, 12, 18, 25)


def components(x: np.ndarray, y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotations r (p, k) and loadings q (t, k) of centred x (n, p) and y (n, t): with k components the
    coefficients are r[:, :k] q[:, :k]'. Only X'Y is deflated (Dayal & MacGregor 1997); k is less than ``count``
    where nothing is left.
    """
    xx, xy = x.T @ x, x.T @ y
    start = float(np.linalg.norm(xy))
    size, tol = float(np.trace(xx)), float(np.finfo(x.dtype).eps)
    rotations: list[np.ndarray] = []
    loadings: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for _ in range(count):
        if np.linalg.norm(xy) <= 1e3 * tol * start or start == 0:
            break
        w = _leading(xy)
        r = w.copy()
        for p, before in zip(weights, rotations):
            r -= (p @ w) * before
        xxr = xx @ r
        tt = float(r @ xxr)
        if tt <= 1e3 * tol * size * float(r @ r):
            break
        p, q = xxr / tt, xy.T @ r / tt
        xy = xy - tt * np.outer(p, q)
        rotations.append(r)
        loadings.append(q)
        weights.append(p)
    if not rotations:
        return np.zeros((x.shape[1], 0), x.dtype), np.zeros((y.shape[1], 0), x.dtype)
    return np.stack(rotations, axis=1), np.stack(loadings, axis=1)


def _leading(xy: np.ndarray) -> np.ndarray:
    """First left singular vector of (p, t), through the smaller of its two Gram matrices."""
    if xy.shape[1] == 1:
        return xy[:, 0] / np.linalg.norm(xy)
    if xy.shape[0] <= xy.shape[1]:
        w = np.linalg.eigh(xy @ xy.T)[1][:, -1]
    else:
        w = xy @ np.linalg.eigh(xy.T @ xy)[1][:, -1]
    return w / np.linalg.norm(w)


class _PLS(Solver):
    joint = True

    def __init__(self, x: np.ndarray, grid: np.ndarray, splits: list[Split], per_target: bool) -> None:
        self.mean = x.mean(axis=0, dtype=np.float64)
        self.x = centre_columns(x)
        self.wide = x.shape[1] > x.shape[0]
        self.z = np.asarray(principal_scores(self.x)) if self.wide else self.x
        self.grid, self.splits, self.per_target = grid, splits, per_target

    def _solve(self, y: np.ndarray) -> Solution:
        mean = y.mean(axis=0, dtype=np.float64)
        target = (y - mean).astype(self.z.dtype, copy=False)
        columns = np.arange(y.shape[1])
        index = np.zeros(y.shape[1], np.int64)
        scores = None
        if self.grid.size > 1:
            errors, total = np.zeros((self.grid.size, y.shape[1])), np.zeros(y.shape[1])
            for train, test in self.splits:
                mx, my = self.z[train].mean(axis=0), target[train].mean(axis=0)
                r, q = components(self.z[train] - mx, target[train] - my, int(self.grid[-1]))
                t, left = (self.z[test] - mx) @ r, target[test] - my
                total += np.einsum("ij,ij->j", left, left)
                for k, (low, high) in enumerate(zip((0, *self.grid[:-1]), self.grid)):
                    left = left - t[:, low:high] @ q[:, low:high].T
                    errors[k] += np.einsum("ij,ij->j", left, left)
            scores = held_out_r2(errors, total)
            index = (
                np.argmin(errors, axis=0)
                if self.per_target
                else np.full(columns.size, int(np.argmin(errors.sum(axis=1))))
            )
        chosen = self.grid[index]
        r, q = components(self.z, target, int(chosen.max()))
        used = q * (np.arange(q.shape[1]) < chosen[:, None])
        coef = r @ used.T
        spread = np.linalg.norm(self.z @ coef, axis=0) / np.sqrt(len(y))
        edge = index == self.grid.size - 1 if self.grid.size > 2 else np.zeros(columns.size, bool)
        return Solution(mean, spread, chosen, edge, scores, self._back(coef))

    def _back(self, coef: np.ndarray) -> np.ndarray:
        """Coefficients of principal scores as coefficients of X: scores = X V, so w = V c, V = X' z / z'z."""
        if not self.wide:
            return coef
        squares = np.einsum("ij,ij->j", self.z, self.z)
        return self.x.T @ (self.z @ (coef / squares[:, None]))

    def _operator(self, x: np.ndarray) -> np.ndarray:
        return (x - self.mean).astype(self.x.dtype, copy=False)

    def _predict(self, operator: np.ndarray, solution: Solution) -> np.ndarray:
        return operator @ solution.inner

    def coef(self, solution: Solution) -> np.ndarray:
        return solution.inner


class PLSCV(Linear, Mapping):
    """Partial least squares regression, the number of components chosen by cross-validation.

    Components t_k = X r_k have the largest covariance with Y, one after the other; with k of them Y is predicted by
    X R_k Q_k'. X and Y are centred, not scaled (scikit-learn's `PLSRegression(scale=False)`). The components are
    shared by all targets, so that what one target gets depends on the others.

    Parameters
    ----------
    n_components : numbers to try, or one.   per_target : each target its own number; False = one for all.
    cv : see `RidgeCV`.

    Attributes
    ----------
    n_components_ : (t,) numbers chosen.   cv_scores_ : (numbers, t) held-out R2, None with one number.
    coef_ : (t, p).   intercept_ : (t,).

    References
    ----------
    Wold (1975); Dayal & MacGregor (1997).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 300))
    >>> model = cs.models.PLSCV([1, 2, 4]).fit(X, X[:, :2])
    >>> model.predict(X).shape
    (60, 2)
    """

    def __init__(
        self, n_components: Sequence[int] | int = COMPONENTS, *, per_target: bool = True, cv: Any = 5
    ) -> None:
        self.n_components = n_components
        self.per_target = per_target
        self.cv = cv

    def _prepare(self, x: np.ndarray, splits: list[Split], size: float) -> Solver:
        grid = np.unique(np.atleast_1d(np.asarray(self.n_components)))
        if grid.dtype.kind not in "iu" or not grid.size or grid[0] < 1:
            raise InputError(
                f"PLSCV: n_components must be whole numbers of at least 1, got {shorten(self.n_components)}.",
                code="bad-parameter",
            )
        most = max(1, min(x.shape[1], min((len(train) for train, _ in splits), default=len(x)) - 1))
        if grid[-1] > most and not np.array_equal(grid, COMPONENTS):
            raise InputError(
                f"PLSCV: n_components may go up to {most} here, the features or the rows of the smallest training fold "
                f"less 1; got {shorten(self.n_components)}.",
                code="bad-parameter",
            )
        return _PLS(x, np.unique(np.minimum(grid, most)), splits, self.per_target)

    def _store(self, solver: Any, solution: Solution) -> None:
        self.n_components_ = self._own(solution.alpha)
        self.cv_scores_ = None if solution.scores is None else self._own(solution.scores)
