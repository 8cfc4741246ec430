"""Naive Bayes for spike counts: each unit Poisson, units independent given the class."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from consilience._core._counts import say_rates
from consilience._core._errors import InputError
from consilience._core._params import check_number
from consilience.models._classifier import Classifier, Plan, Probabilistic, class_means, log_priors

__all__ = ["PoissonNaiveBayes", "refuse_no_counts"]


def refuse_no_counts(x: np.ndarray, who: str) -> None:
    """Refuses values that no count can have; means of counts (fractions) pass."""
    if (x < 0).any():
        raise InputError(
            f"Negative values in data passed to {who}: it takes spike counts, got a least value of {x.min():.4g}; do "
            "not centre or z-score the responses, or use a Gaussian model.",
            code="not-counts",
        )


class _PoissonPlan(Plan):
    def __init__(self, x: np.ndarray, smoothing: float, priors: str) -> None:
        self.x, self.smoothing, self.priors = x, smoothing, priors
        self.mean = x.mean(axis=0)

    def learn(self, codes: np.ndarray, classes: int) -> Any:
        means, count = class_means(self.x, codes, classes)
        n = count[:, :, None]
        rate = (means * n + self.smoothing * self.mean) / np.maximum(n + self.smoothing, 1e-300)
        # a unit that was silent throughout says nothing; one silent in a class only has a floor
        rate = np.where(self.mean > 0, np.maximum(rate, 1e-12 * self.mean), 1.0)
        return np.log(rate), rate.sum(axis=2), log_priors(count, self.priors, "PoissonNaiveBayes")

    def scores(self, learned: Any, x: np.ndarray) -> np.ndarray:
        logs, total, priors = learned
        m, classes, p = logs.shape
        known = np.where(self.mean > 0, x, 0.0)
        out = (known @ logs.reshape(m * classes, p).T).reshape(len(x), m, classes).swapaxes(0, 1)
        return out - total[:, None] + priors[:, None]


class PoissonNaiveBayes(Probabilistic, Classifier):
    """Poisson naive Bayes: score_c(x) = sum_u (x_u log rate_cu - rate_cu) + log prior_c.

    rate_cu = (sum of counts in class c + s mean_u) / (n_c + s): as if each class had s more trials of the mean over
    all, so that a unit that was silent in a class does not rule it out.

    Parameters
    ----------
    smoothing : s, in trials, at least 0.   priors : "equal" or "empirical".

    Attributes
    ----------
    classes_ : (C,).   rates_ : (C, p) mean counts.

    Raises
    ------
    InputError : ``not-counts``: negative values.
    ConsilienceWarning : ``rates-as-counts``: values that are not whole, or all multiples of one number.

    References
    ----------
    Zhang et al. (1998).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 20)
    >>> X = rng.poisson(np.array([[2.0] * 30, [4.0] * 30])[y])
    >>> cs.models.PoissonNaiveBayes().fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    1.0
    """

    counts = True

    def __init__(self, *, smoothing: float = 1.0, priors: Literal["equal", "empirical"] = "equal") -> None:
        self.smoothing = smoothing
        self.priors = priors

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def _check(self, x: np.ndarray) -> None:
        refuse_no_counts(x, type(self).__name__)

    def plan(self, x: np.ndarray) -> Plan:
        smoothing = check_number(
            self.smoothing, name="smoothing", who="PoissonNaiveBayes", low=0.0, high=1e12, closed=True
        )
        say_rates(x, who="PoissonNaiveBayes", then="its probabilities, and log_loss, hold for counts only")
        return _PoissonPlan(x, smoothing, self.priors)

    def fit(self, X: Any, y: Any) -> Any:
        """Fits. X : (n, p) counts.   y : (n,) labels."""
        super().fit(X, y)
        self.rates_ = np.where(self._plan.mean > 0, np.exp(self._learned[0][0]), 0.0)
        return self
