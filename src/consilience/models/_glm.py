"""`GLM`: generalised linear models of many neurons on one design matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.models._base import Solver, Split
from consilience.models._glm_base import GLMBase, GLMSolver
from consilience.models._glm_checked import checked

__all__ = ["GLM"]


class GLM(GLMBase):
    """Generalised linear models of many targets with one penalty: firing from stimulus, history and coupling.

    For target u, mu_iu = g^-1(x_i w_u + b_u), and (w_u, b_u) minimise (1 / 2n) sum_i d(y_iu, mu_iu) + penalty, d the
    unit deviance: half of it is the negative log-likelihood of Poisson, Bernoulli and negative binomial observations up
    to what does not depend on mu, half the squared error of a Gaussian. Ridge: alpha / 2 ||w_u||^2. Group lasso: alpha
    sum_g sqrt(size_g) ||w_ug||, which leaves out whole groups. alpha is that of `scikit-learn`'s PoissonRegressor and
    GammaRegressor and of `nemos`; for a Gaussian n alpha is the alpha of `RidgeCV`.

    Targets are independent, and are solved side by side: one eigendecomposition of X'X preconditions all (see
    `models/_glm_ridge.py`). Give X as float32 where memory or time matter: products are then float32, sums float64.

    Parameters
    ----------
    observation : "poisson", "gaussian", "bernoulli", "gamma" or "negative_binomial" (variance mu + s mu^2).
    link : "log" or "softplus" (poisson), "identity" (gaussian), "logit" or "cloglog" (bernoulli), "log" (gamma,
        negative_binomial); None = the first. For gamma the canonical link is the inverse, which allows negative means
        and is not offered.
    penalty : "ridge" or "group".   alpha : its strength, at least 0, a number or (t,); 0 = maximum likelihood. `GLMCV`
        chooses it.
    groups : of penalty="group": sizes of consecutive groups, e.g. [8] * 10, or lists of columns.
    dispersion : of gaussian (variance), gamma (phi) and negative_binomial (s); None = estimated (residual variance;
        Pearson; maximum likelihood in turn with the means).
    fit_intercept : an unpenalised constant.   tol : stop where less than this many nats of log-likelihood per target
        are expected beyond; 1e-4 is a hundredth of a standard error.   max_iter : iterations at most.

    Attributes
    ----------
    coef_ : (t, p).   intercept_ : (t,).   dispersion_ : (t,).   link_ : the link.   n_iter_ : iterations.
    A target without any event has no maximum: it gets coefficients 0 and a mean of half an event in all samples, and
    the warning ``no-events``. Coefficients without a finite estimate stop somewhere, with the warning ``separated``.

    References
    ----------
    McCullagh & Nelder (1989); Truccolo et al. (2005); Pillow et al. (2008); Yuan & Lin (2006).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 5))
    >>> Y = rng.poisson(np.exp(X @ rng.normal(size=(5, 3)) * 0.3 - 1))
    >>> model = cs.models.GLM("poisson", alpha=1e-3).fit(X, Y)
    >>> model.coef_.shape, model.predict(X).shape, bool(model.score(X, Y) > 0.1)
    ((3, 5), (2000, 3), True)
    >>> model.simulate(X, rng=0).shape
    (2000, 3)
    """

    cv: Any = ()  # nothing is chosen

    def __init__(
        self,
        observation: str = "poisson",
        *,
        link: str | None = None,
        penalty: str = "ridge",
        alpha: Any = 0.0,
        groups: Sequence[Any] | None = None,
        dispersion: float | None = None,
        fit_intercept: bool = True,
        tol: float = 1e-4,
        max_iter: int = 200,
    ) -> None:
        self.observation = observation
        self.link = link
        self.penalty = penalty
        self.alpha = alpha
        self.groups = groups
        self.dispersion = dispersion
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter

    def _prepare(self, x: np.ndarray, splits: list[Split], size: float) -> Solver:
        try:
            alpha = np.asarray(self.alpha, dtype=np.float64)
        except (TypeError, ValueError):
            alpha = np.full(1, -1.0)
        if alpha.ndim > 1 or not (np.isfinite(alpha) & (alpha >= 0)).all():
            raise InputError(
                f"GLM: alpha must be a finite number, at least 0, or one for each target; got {shorten(self.alpha)}.",
                code="bad-parameter",
            )
        return GLMSolver(x, self._options(x.shape[1]), alpha)

    def fit(self, X: Any, y: Any) -> GLM:  # type: ignore[override]
        """Fits. X : (n, p).   y : (n, t) or (n,)."""
        x, y = checked(self, X, y, who="GLM.fit")
        self._flat = y.ndim == 1
        y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        solver = self.prepare(x, [])
        solution = solver.solve(y)
        self._solver, self._solution = solver, solution
        self._remember(y)
        self._store(solver, solution)
        self._say_separated(x)
        return self
