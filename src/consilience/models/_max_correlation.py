"""The maximum-correlation classifier: the class whose mean pattern is most like the trial."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.models._classifier import Classifier, Plan, class_means

__all__ = ["MaxCorrelation"]


def _unit_rows(x: np.ndarray) -> np.ndarray:
    """Rows less their mean, of length 1; 0 where a row is constant."""
    z = x - x.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(z, axis=-1, keepdims=True)
    small = length <= 1e-12 * np.abs(x).max(axis=-1, keepdims=True, initial=0.0) * np.sqrt(x.shape[-1])
    return np.where(small, 0.0, z / np.where(small, 1.0, length))


class _CorrelationPlan(Plan):
    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def learn(self, codes: np.ndarray, classes: int) -> Any:
        means, count = class_means(self.x, codes, classes)
        return _unit_rows(means), np.where(count > 0, 0.0, -np.inf)

    def scores(self, learned: Any, x: np.ndarray) -> np.ndarray:
        templates, absent = learned
        m, classes, p = templates.shape
        out = _unit_rows(x) @ templates.reshape(m * classes, p).T
        return out.reshape(len(x), m, classes).swapaxes(0, 1) + absent[:, None]


class MaxCorrelation(Classifier):
    """The class whose mean training pattern has the highest Pearson correlation, over units, with the row.

    score_c(x) = corr(x, m_c), m_c the mean of the training rows of class c. It has no parameter to fit but the means,
    so it holds with very few trials; it takes no account of noise that units share. With two classes and z-scored
    units both templates are mirror images, and the rule is a nearest-mean one.

    Attributes
    ----------
    classes_ : (C,).

    References
    ----------
    Meyers et al. (2008).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1, 2], 10)
    >>> X = rng.normal(size=(3, 50))[y] + rng.normal(size=(30, 50))
    >>> cs.models.MaxCorrelation().fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    1.0
    """

    def plan(self, x: np.ndarray) -> Plan:
        return _CorrelationPlan(x)
