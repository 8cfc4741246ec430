"""Linear discriminant analysis with shrinkage, and all relabellings of its rows in one product."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_number
from consilience.linalg._discriminant import DiscriminantPlan
from consilience.models._classifier import Classifier, Plan, Probabilistic, class_means, log_priors

__all__ = ["LDA"]


class _LDAPlan(Plan):
    def __init__(self, x: np.ndarray, shrinkage: float | None, priors: str) -> None:
        self.inner = DiscriminantPlan(x)
        self.shrinkage, self.priors = shrinkage, priors

    def learn(self, codes: np.ndarray, classes: int) -> Any:
        means, count = class_means(self.inner.rows, codes, classes)
        found = self.inner.learn(means, count, codes, self.shrinkage)
        return found, log_priors(count, self.priors, "LDA")

    def scores(self, learned: Any, x: np.ndarray) -> np.ndarray:
        found, priors = learned
        m, r, classes = found.weights.shape
        wide = np.moveaxis(found.weights, 0, 1).reshape(r, m * classes)
        out = (self.inner.coordinates(x) @ wide).reshape(len(x), m, classes).swapaxes(0, 1)
        return out + (found.offsets + priors)[:, None]


class LDA(Probabilistic, Classifier):
    """Linear discriminant analysis: Gaussian classes with one covariance, shrunk.

    score_c(x) = x' S^-1 m_c - m_c' S^-1 m_c / 2 + log prior_c, S = (1 - g) S_w + g tr(S_w)/p I, S_w the covariance
    within classes (divisor n), m_c the class means. Equals scikit-learn's ``LinearDiscriminantAnalysis(solver="lsqr",
    shrinkage=g)`` for the same g and priors; its "auto" shrinks each class by itself, ours all of them together.

    Parameters
    ----------
    shrinkage : g in [0, 1]; None = the intensity of Ledoit & Wolf (2004) for rows centred by class.
    priors : "equal" (what balanced accuracy asks for) or "empirical", the share of each class.

    Attributes
    ----------
    classes_ : (C,).   shrinkage_ : g.   means_ : (C, p).   coef_ : (C, p), intercept_ : (C,), up to what is common to
    the classes.

    References
    ----------
    Fisher (1936); Ledoit & Wolf (2004).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["face", "house"], 20)
    >>> X = rng.normal(size=(40, 100)) + (y == "face")[:, None]
    >>> cs.models.LDA().fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    1.0
    """

    def __init__(
        self, *, shrinkage: float | None = None, priors: Literal["equal", "empirical"] = "equal"
    ) -> None:
        self.shrinkage = shrinkage
        self.priors = priors

    def plan(self, x: np.ndarray) -> Plan:
        g = self.shrinkage
        if g is not None:
            g = check_number(g, name="shrinkage", who="LDA", low=0.0, high=1.0, closed=True)
        made = _LDAPlan(x, g, self.priors)
        if g == 0.0 and made.inner.rank < x.shape[1]:
            raise InputError(
                f"LDA: shrinkage=0 needs a covariance of full rank, got rank {made.inner.rank} for {x.shape[1]} units "
                f"and {x.shape[0]} rows; leave shrinkage out.",
                code="rank-deficient",
            )
        return made

    def fit(self, X: Any, y: Any) -> Any:
        """Fits. X : (n, p).   y : (n,) labels."""
        super().fit(X, y)
        inner, (found, priors) = self._plan.inner, self._learned
        self.shrinkage_ = float(found.shrinkage[0])
        self.coef_ = (inner.axes @ found.weights[0]).T
        self.intercept_ = found.offsets[0] + priors[0] - self.coef_ @ inner.mean
        return self
