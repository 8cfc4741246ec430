"""What the package's classifiers share: checks, and the part of a fit that does not hang on the labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from consilience._core._errors import InputError

__all__ = ["Classifier", "Plan", "class_means", "log_priors", "softmax"]


class Plan(ABC):
    """Training rows, prepared for any labels of them: relabelling is then a product with the labels."""

    @abstractmethod
    def learn(self, codes: np.ndarray, classes: int) -> Any:
        """What labels ``codes`` (m, n), 0 ... classes - 1, make of the training rows; m labellings at once."""

    @abstractmethod
    def scores(self, learned: Any, x: np.ndarray) -> np.ndarray:
        """(m, k, classes) of new rows ``x`` (k, p); the largest is the prediction, -inf for a class without rows."""


class Classifier(ClassifierMixin, BaseEstimator, ABC):
    """Base: `fit` checks, plans and learns; `plan` is the estimator's own."""

    _plan: Any
    counts = False  # rows are counts, which must not be centred or scaled

    @abstractmethod
    def plan(self, x: np.ndarray) -> Plan:
        """Training rows (n, p), prepared for any labels."""

    def _check(self, x: np.ndarray) -> None:
        """Refuses rows that the model is not for."""

    def fit(self, X: Any, y: Any) -> Any:
        """Fits. X : (n, p).   y : (n,) labels of at least two classes."""
        x, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self._check(x)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if self.classes_.size < 2:
            raise InputError(
                f"{type(self).__name__}: y must have at least 2 classes, got one class ({self.classes_[0]!r}).",
                code="one-class",
            )
        self._plan = self.plan(x)
        self._learned = self._plan.learn(codes[None], self.classes_.size)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores (k, classes) of rows X (k, p); of two classes the second less the first, (k,)."""
        check_is_fitted(self, "_learned")
        x = validate_data(self, X, reset=False, dtype=np.float64)
        self._check(x)
        out = self._plan.scores(self._learned, x)[0]
        return out[:, 1] - out[:, 0] if self.classes_.size == 2 else out

    def predict(self, X: Any) -> np.ndarray:
        """Labels (k,) of rows X (k, p)."""
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[best]


class Probabilistic:
    """Scores that are log joint probabilities, up to a constant of the row."""

    classes_: np.ndarray

    def predict_proba(self, X: Any) -> np.ndarray:
        """Posterior probabilities (k, classes) of rows X (k, p)."""
        scores = self.decision_function(X)  # type: ignore[attr-defined]
        if scores.ndim == 1:
            scores = np.stack([np.zeros_like(scores), scores], axis=1)
        return softmax(scores)


def softmax(scores: np.ndarray) -> np.ndarray:
    """exp(scores) / sum over the last axis."""
    top = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return top / top.sum(axis=-1, keepdims=True)


def class_means(x: np.ndarray, codes: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Means (m, classes, p) of ``x`` (n, p) under labellings ``codes`` (m, n), and how many rows each has,
    (m, classes); 0 for a class without rows.
    """
    m, n = codes.shape
    member = codes[:, None, :] == np.arange(classes)[:, None]
    count = member.sum(axis=2)
    total = member.reshape(m * classes, n).astype(np.float64) @ x
    return total.reshape(m, classes, -1) / np.maximum(count, 1)[:, :, None], count


def log_priors(count: np.ndarray, priors: str, who: str) -> np.ndarray:
    """(m, classes): the same for every class that has rows ("equal"), or its share of them ("empirical")."""
    if priors not in ("equal", "empirical"):
        raise InputError(
            f"{who}: priors must be 'equal' or 'empirical', got {priors!r}.", code="unknown-option"
        )
    with np.errstate(divide="ignore"):
        weights = np.log((count > 0) / 1.0 if priors == "equal" else count / 1.0)
    return weights - np.log(np.exp(weights).sum(axis=1, keepdims=True))
