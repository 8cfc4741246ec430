"""`GLMCV`: a GLM whose penalty is chosen on held-out stretches, for each target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience.models._base import Solution, Solver, Split, at_edge, check_alphas, held_out_r2, inner_splits
from consilience.models._glm_base import GLMBase, GLMSolver, Options
from consilience.models._glm_checked import checked
from consilience.stats import autocorrelation_time, blocked_folds, deviance

__all__ = ["GLMCV"]

_GRID = 10.0 ** np.arange(-5, 4)  # ridge: times the mean eigenvalue of the Hessian of a typical target
_GROUP_GRID = np.geomspace(1e-3, 1.0, 10)  # group lasso: times the least penalty that leaves every group out
_COLUMNS = 64  # of X, of which the autocorrelation is measured


class _Path(GLMSolver):
    """A GLM solver that chooses among penalties; the folds' own predictors are prepared once for all targets."""

    def __init__(
        self,
        x: np.ndarray,
        options: Options,
        alphas: np.ndarray | None,
        splits: list[Split],
        per_target: bool,
    ) -> None:
        super().__init__(x, options, 0.0)
        self.alphas, self.splits, self.per_target = alphas, splits, per_target
        self.joint = not per_target or alphas is None  # one choice, or one grid, for all
        self.folds = [(GLMSolver(x[train], options, 0.0), x[test]) for train, test in splits]

    def alphas_of_user(self) -> np.ndarray:
        return self.grid

    def choose(self, y: np.ndarray) -> tuple[np.ndarray, Any, Any]:
        grid = self.grid = self._grid(y) if self.alphas is None else self.alphas
        errors, total = np.zeros((grid.size, y.shape[1])), np.zeros(y.shape[1])
        if grid.size > 1:
            for (solver, x_test), (train, test) in zip(self.folds, self.splits):
                found, constant = _held_out(solver, y[train], x_test, y[test], grid)
                errors += found
                total += constant
        if self.per_target:
            index = np.argmin(errors, axis=0)
        else:
            share = errors / np.where(total > 0, total, 1.0)
            index = np.full(y.shape[1], int(np.argmin(share.sum(axis=1))))
        scores = held_out_r2(errors, total) if grid.size > 1 else np.full(errors.shape, np.nan)
        return grid[index], at_edge(index, grid.size), scores

    def _grid(self, y: np.ndarray) -> np.ndarray:
        theta = self.start(y)
        observation = self.options.observation()
        mean = theta[-1:] if self.options.intercept else np.zeros((1, y.shape[1]))
        weight = float(np.median(observation.weight(mean)))
        x = self.design.x[:, : self.design.q]
        size = float(np.trace(self.design.moment * self.design.unit * self.design.unit[:, None]))
        groups = self.options.groups
        if groups is None:
            scale = weight * size / max(1, self.design.q)
            return _GRID * (scale if scale > 0 else 1.0)
        residual = observation.terms(np.broadcast_to(mean, y.shape), y)[1] - (
            y if observation.linear else 0.0
        )
        pull = x.T.astype(np.float64) @ residual / len(y)
        most = float((groups.norms(pull) / groups.root[:, None]).max())
        return _GROUP_GRID * (most if most > 0 else 1.0)


def _held_out(
    solver: GLMSolver, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, grid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(alphas, t) deviance of test rows along the path from the strongest penalty, each from the one before, and (t,)
    that of the training mean.
    """
    said, t = solver.options, y.shape[1]
    theta = solver.start(y)
    s: Any = np.broadcast_to(np.asarray(1.0 if said.dispersion is None else said.dispersion), t)
    if said.name == "negative_binomial" and said.dispersion is None:
        s = solver._about(y, theta, 1)
    mean = said.observation().floor(y.mean(axis=0), len(y))
    total = deviance(y_test, np.broadcast_to(mean, y_test.shape), said.name, s)
    z = solver._operator(x_test)
    errors = np.empty((grid.size, t))
    for k in np.argsort(-grid):
        theta = solver.solved(y, np.full(t, grid[k]), theta, s).theta
        eta = z @ solver.design.weights(theta).astype(z.dtype) + solver.design.constant(theta)
        with np.errstate(over="ignore"):
            mu = said.observation(s).mean(eta.astype(np.float64))
            errors[k] = deviance(y_test, mu, said.name, s)
    return np.where(np.isfinite(errors), errors, np.inf), total


class GLMCV(GLMBase):
    """A GLM, the penalty of each target chosen by the deviance of held-out stretches of time.

    The model is that of `GLM`. For each inner fold the targets are solved along the path of penalties from the
    strongest down, each start being the solution before; alpha_u has the least deviance summed over the folds, and the
    final fit is to all samples. With ``dispersion=None`` the folds of a negative binomial take s about the constant
    mean; the final fit estimates it.

    Parameters
    ----------
    observation, link, penalty, groups, dispersion, fit_intercept, tol, max_iter : see `GLM`.
    alphas : penalties; None = ridge: 1e-5 ... 1e3 times the mean eigenvalue of the Hessian of a target of median rate;
        group: 1e-3 ... 1 times the least penalty that leaves every group out.
    per_target : each target its own penalty; False = one for all, by the share of deviance averaged over targets.
    cv : int (contiguous stretches), splitter, or list of (training rows, test rows).
    gap : samples left out of training beside a stretch that is held out, of an int ``cv``; "auto" = the longest
        autocorrelation time (90th percentile over targets and up to 64 features), at most half a stretch. Inside
        `encode` the folds and the gap are those of the verb.

    Attributes
    ----------
    alpha_ : (t,).   alphas_ : the grid.   cv_scores_ : (alphas, t) held-out share of deviance explained.
    coef_, intercept_, dispersion_, link_, n_iter_ : see `GLM`.

    References
    ----------
    Friedman, Hastie & Tibshirani (2010); Roberts et al. (2017).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 40))
    >>> Y = rng.poisson(np.exp(X[:, :5] @ rng.normal(size=(5, 2)) * 0.3))
    >>> model = cs.models.GLMCV("poisson", cv=3).fit(X, Y)
    >>> model.alpha_.shape, bool(model.cv_scores_.max(axis=0).min() > 0.1)
    ((2,), True)
    """

    def __init__(
        self,
        observation: str = "poisson",
        *,
        link: str | None = None,
        penalty: str = "ridge",
        alphas: Sequence[float] | None = None,
        groups: Sequence[Any] | None = None,
        dispersion: float | None = None,
        per_target: bool = True,
        cv: Any = 5,
        gap: Any = "auto",
        fit_intercept: bool = True,
        tol: float = 1e-4,
        max_iter: int = 200,
    ) -> None:
        self.observation = observation
        self.link = link
        self.penalty = penalty
        self.alphas = alphas
        self.groups = groups
        self.dispersion = dispersion
        self.per_target = per_target
        self.cv = cv
        self.gap = gap
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter

    def _prepare(self, x: np.ndarray, splits: list[Split], size: float) -> Solver:
        alphas = check_alphas(self.alphas, "GLMCV")
        return _Path(x, self._options(x.shape[1]), alphas, splits, self.per_target)

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> GLMCV:
        """Fits. X : (n, p).   y : (n, t) or (n,).   groups : (n,) rows of a group are never on both sides of an inner
        split; the folds are then whole groups, without a gap.
        """
        x, y = checked(self, X, y, who="GLMCV.fit")
        self._flat = y.ndim == 1
        y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        whole = isinstance(self.cv, (int, np.integer)) and not isinstance(self.cv, bool) and groups is None
        splits = inner_splits(self.cv, x, groups, "GLMCV")
        if whole and (gap := self._gap(x, y)):
            splits = blocked_folds(np.arange(len(x)), int(self.cv), gap, who="GLMCV")
        solver = self.prepare(x, splits)
        solution = solver.solve(y)
        self._solver, self._solution = solver, solution
        self._remember(y)
        self._store(solver, solution)
        return self

    def _gap(self, x: np.ndarray, y: np.ndarray) -> int:
        if self.gap != "auto" or not isinstance(self.gap, str):
            if isinstance(self.gap, str):
                raise InputError(
                    f"GLMCV: gap must be 'auto' or a number of samples, got {shorten(self.gap)}.",
                    code="bad-parameter",
                )
            return check_count(self.gap, name="gap", who="GLMCV")
        some = x[:, :: -(-x.shape[1] // _COLUMNS)]
        times = [autocorrelation_time(part) for part in (y, some)]
        longest = max(float(np.quantile(part, 0.9)) for part in times)
        return min(int(np.ceil(longest)), len(x) // (2 * int(self.cv)))

    def _store(self, solver: Any, solution: Solution) -> None:
        super()._store(solver, solution)
        self.alphas_ = solver.alphas_of_user()
        self.alpha_ = self._own(solution.alpha)
        self.cv_scores_ = self._own(solution.scores)
