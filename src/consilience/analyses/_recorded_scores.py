"""Scores of many lesions from held-out predictions: what each row adds, under weights of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from consilience.analyses._recorded_fits import Task
from consilience.stats import angular_error, class_weights

__all__ = ["HIGHER", "Scorer", "Terms"]

HIGHER = {"balanced_accuracy": True, "accuracy": True, "r": True, "circular_error": False}


@dataclass
class Terms:
    """Sums over segments of rows: ``top``, ``left``, ``right`` (segments, m, k) of r; of the other scores ``top``
    alone, (rows, m, k), k = 1 of classes.
    """

    top: np.ndarray
    left: np.ndarray | None = None
    right: np.ndarray | None = None


class Scorer:
    """Predictions of lesions -> the score, higher or lower better by ``higher``, and that of each class (column,
    unit).

    segments : (n,) the segment that a row belongs to, 0 ... S - 1; rows of a series are summed over segments that are
    short beside the blocks that are drawn.
    """

    def __init__(self, task: Task, score: str, segments: np.ndarray) -> None:
        self.task, self.score, self.higher = task, score, HIGHER[score]
        self.segments, self.size = segments, int(segments.max()) + 1

    def terms(self, fit: Any, told: np.ndarray) -> Terms:
        """Of predictions (m, rows, k) of the test rows of ``fit``, (rows, m, k)."""
        task = self.task
        if task.kind == "classes":
            right = told.argmax(axis=2) == task.codes[fit.test]
            return Terms(right.T[:, :, None].astype(np.float64))
        if task.kind == "angles":
            angle = told + fit.mean
            if not task.direct:
                k = angle.shape[2] // 2
                angle = np.arctan2(angle[:, :, k:], angle[:, :, :k])
            return Terms(np.swapaxes(angular_error(angle, task.actual[fit.test]), 0, 1))
        scaled = np.swapaxes(told / np.where(fit.spread > 0, fit.spread, 1.0), 0, 1)
        actual = (task.y[fit.test] - fit.mean)[:, None, :]
        return Terms(scaled * actual, scaled**2, np.broadcast_to(actual**2, scaled.shape))

    def width(self, fit: Any) -> int:
        """k of a prediction."""
        return len(self.task.names) if self.task.kind == "classes" else int(np.size(fit.mean))

    def of_rows(self, fit: Any, told: np.ndarray) -> np.ndarray:
        """(m,) the score of predictions (m, rows, k) of the rows ``fit.test`` alone."""
        found = self.terms(fit, told)
        if self.task.kind == "classes":
            codes = self.task.codes[fit.test]
            small = class_weights(codes, len(self.task.names), balanced=self.score == "balanced_accuracy")
            return np.asarray(small[0] @ found.top[:, :, 0])
        if found.left is None or found.right is None:
            return np.asarray(found.top.mean(axis=(0, 2)))
        top, size = found.top.sum(axis=0), np.sqrt(found.left.sum(axis=0) * found.right.sum(axis=0))
        return np.asarray(np.where(size > 0, top / np.where(size > 0, size, 1.0), 0.0).mean(axis=1))

    def empty(self, m: int) -> Terms:
        """Of ``m`` lesions, to be filled by `add`."""
        k = 1 if self.task.kind == "classes" else self.task.actual.shape[1]
        made = [np.zeros((self.size, m, k)) for _ in range(3 if self.score == "r" else 1)]
        return Terms(*made)

    def add(self, total: Terms, fit: Any, told: np.ndarray, where: slice) -> None:
        """Adds the predictions ``told`` (m, rows, k) of lesions ``where`` by one fold."""
        found = self.terms(fit, told)
        at = self.segments[fit.test]
        first = int(at.min())
        gather = sparse.csr_array((np.ones(at.size), (at - first, np.arange(at.size))))
        for name in ("top", "left", "right"):
            one = getattr(found, name)
            if one is not None:
                summed = (gather @ one.reshape(len(one), -1)).reshape(-1, *one.shape[1:])
                getattr(total, name)[first : first + len(summed), where] += summed

    def each(self, terms: Terms, weights: np.ndarray | None = None) -> np.ndarray:
        """(draws, m, k) the score of each class (its recall), column or unit; weights (draws, S), one of 1 without."""
        w = np.ones((1, self.size)) if weights is None else weights
        if self.task.kind == "classes":
            own = self.task.codes == np.arange(len(self.task.names))[:, None]  # (C, n), rows are segments
            hits = terms.top[:, :, 0]
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.stack([(w * c) @ hits / (w @ c)[:, None] for c in own.astype(np.float64)], axis=2)
        if self.task.kind == "angles":
            count = np.bincount(self.segments, minlength=self.size)
            return _by(w, terms.top) / (w @ count)[:, None, None]
        assert terms.left is not None
        assert terms.right is not None
        top, left, right = (_by(w, part) for part in (terms.top, terms.left, terms.right))
        size = np.sqrt(left * right)
        return np.where(size > 1e-12 * np.abs(right), top / np.where(size > 0, size, 1.0), 0.0)

    def values(self, terms: Terms, weights: np.ndarray | None = None) -> np.ndarray:
        """(draws, m) the score: over all rows, the mean of columns or units."""
        if self.task.kind == "classes":
            w = np.ones((1, self.size)) if weights is None else weights
            small = class_weights(
                self.task.codes, len(self.task.names), balanced=self.score == "balanced_accuracy", draws=w
            )
            return np.asarray(small @ terms.top[:, :, 0])
        return np.asarray(self.each(terms, weights).mean(axis=2))


def _by(w: np.ndarray, part: np.ndarray) -> np.ndarray:
    return np.asarray((w @ part.reshape(len(part), -1)).reshape(len(w), *part.shape[1:]))
