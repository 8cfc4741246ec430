"""Held-out decoding of classes: every fold and time fitted once, for the labels as they are and for relabellings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from consilience._core._errors import ConsilienceError, InputError
from consilience._core._params import shorten
from consilience.analyses._decode_design import Split
from consilience.analyses._decode_target import WHO
from consilience.models._classifier import Classifier
from consilience.stats import class_weights, pair_counts, placements

__all__ = ["Decoded", "Decoder", "ClassScore", "standardised"]

_CELLS = 1 << 22  # of scores held at once


@dataclass(frozen=True)
class ClassScore:
    """How predictions become a number: a mean, weighted by `class_weights`, of what each row adds.

    higher : higher is better.   gain : by what a change of weights changes the score.   bounded : in 0 ... 1.
    """

    name: str
    balanced: bool = True
    higher: bool = True
    gain: float = 1.0
    bounded: bool = True
    needs_scores: bool = False

    def chance(self, codes: np.ndarray, classes: int) -> float:
        if self.name == "accuracy":
            return float(np.bincount(codes).max() / codes.size)
        return {"balanced_accuracy": 1 / classes, "log_loss": float(np.log(classes)), "auc": 0.5}[self.name]


SCORES = {
    "balanced_accuracy": ClassScore("balanced_accuracy"),
    "accuracy": ClassScore("accuracy", balanced=False),
    "log_loss": ClassScore("log_loss", balanced=False, higher=False, bounded=False, needs_scores=True),
    "auc": ClassScore("auc", gain=2.0, needs_scores=True),
}


@dataclass(frozen=True)
class Decoded:
    """rows : (r,) the test rows.   credits : (r, times[, times]) what each adds to the score.   predicted : the same
    shape, codes.   value : (times[, times]).
    """

    rows: np.ndarray
    credits: np.ndarray
    predicted: np.ndarray
    value: np.ndarray


class Decoder:
    """A model, told how rows become a score.

    model : a `Classifier` or any scikit-learn classifier.   generalise : every training time tested at every time.
    """

    def __init__(
        self, model: Any, classes: np.ndarray, score: ClassScore, *, standardise: bool, generalise: bool
    ) -> None:
        self.model, self.classes, self.score = model, classes, score
        self.standardise, self.generalise = standardise, generalise

    def decode(self, x: np.ndarray, codes: np.ndarray, splits: list[Split]) -> Decoded:
        """x : (n, times, p).   codes : (n,)."""
        shape = self._shape(x)
        credit, predicted = np.zeros((len(x), *shape)), np.zeros((len(x), *shape), dtype=np.int64)
        for test, where, found, made in self._folds(x, codes[None], splits):
            place: Any = (test, *where)
            predicted[place], credit[place] = found[0], made[0]
        rows = np.concatenate([test for _, test in splits])
        weights = class_weights(codes[rows], self.classes.size, balanced=self.score.balanced)[0]
        rows_credit = credit[rows]
        return Decoded(rows, rows_credit, predicted[rows], np.tensordot(weights, rows_credit, 1))

    def values(
        self, x: np.ndarray, codes: np.ndarray, splits: list[Split], *, tested: np.ndarray | None = None
    ) -> np.ndarray:
        """Scores (m, times[, times]) under labellings ``codes`` (m, n); ``tested`` (m, n), where the test rows have
        others.
        """
        actual = codes if tested is None else tested
        rows = np.concatenate([test for _, test in splits])
        weights = np.zeros(codes.shape)
        weights[:, rows] = class_weights(actual[:, rows], self.classes.size, balanced=self.score.balanced)
        out = np.zeros((len(codes), *self._shape(x)))
        for test, where, _, made in self._folds(x, codes, splits, actual):
            place: Any = (slice(None), *where)
            out[place] += np.einsum("mk,mk->m", made, weights[:, test])
        return out

    def _shape(self, x: np.ndarray) -> tuple[int, ...]:
        return (x.shape[1],) * (2 if self.generalise else 1)

    def _folds(
        self, x: np.ndarray, codes: np.ndarray, splits: list[Split], actual: np.ndarray | None = None
    ) -> Iterator[tuple[np.ndarray, tuple[Any, ...], np.ndarray, np.ndarray]]:
        """(test rows, place among times, predicted codes (m, k), what the rows add (m, k)) of every fit."""
        size = self.classes.size
        actual = codes if actual is None else actual
        pairs = count = None
        if self.score.name == "auc":
            pairs = pair_counts(actual, [test for _, test in splits], size)
            rows = np.concatenate([test for _, test in splits])
            count = (actual[:, rows, None] == np.arange(size)).sum(axis=1)
        for fold, (train, test) in enumerate(splits):
            for t in range(x.shape[1]):
                inside, shift, scale = standardised(x[train, t], self.standardise)
                fit = _fitter(self.model, inside, self.classes, self.score.needs_scores, fold, len(splits))
                times = range(x.shape[1]) if self.generalise else (t,)
                tests = [(x[test, u] - shift) / scale for u in times]
                for u, predicted, scores in fit(codes[:, train], tests):
                    made = self._credit(predicted, scores, actual[:, test], pairs, count)
                    yield test, ((t, times[u]) if self.generalise else (t,)), predicted, made

    def _credit(
        self, predicted: np.ndarray, scores: Any, actual: np.ndarray, pairs: Any, count: Any
    ) -> np.ndarray:
        if not self.score.needs_scores:
            return (predicted == actual).astype(np.float64)
        if self.score.name == "auc":
            return placements(scores, actual, pairs, count)
        top = scores.max(axis=2, keepdims=True)
        total = np.log(np.exp(scores - top).sum(axis=2)) + top[:, :, 0]
        own = np.take_along_axis(scores, actual[:, :, None], axis=2)[:, :, 0]
        return np.minimum(total - own, 700.0)  # a class that was ruled out: finite, as in scikit-learn


def standardised(x: np.ndarray, wanted: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows (n, p), z-scored; and the shift and scale (p,) that do the same to others. A unit that does not
    vary among them is left at 0 in all.
    """
    x = np.asarray(x, dtype=np.float64)
    if not wanted:
        return x, np.zeros(x.shape[1]), np.ones(x.shape[1])
    shift, scale = x.mean(axis=0), x.std(axis=0)
    fixed = scale <= 1e-12 * np.abs(x).max(axis=0)
    scale = np.where(fixed, np.inf, scale)
    return (x - shift) / scale, shift, scale


def _fitter(model: Any, x: np.ndarray, classes: np.ndarray, want_scores: bool, fold: int, of: int) -> Any:
    if isinstance(model, Classifier):
        return _Planned(model, x, classes.size, want_scores)
    return _Fitted(model, x, classes, want_scores, fold, of)


class _Planned:
    """Our own classifiers: training rows are prepared once for all labellings."""

    def __init__(self, model: Classifier, x: np.ndarray, size: int, want_scores: bool) -> None:
        model._check(x)
        self.model, self.plan, self.size, self.want = model, model.plan(x), size, want_scores

    def __call__(self, codes: np.ndarray, tests: list[np.ndarray]) -> Iterator[tuple[int, np.ndarray, Any]]:
        m = len(codes)
        rows = max(codes.shape[1], *(len(z) for z in tests), tests[0].shape[1])
        step = max(1, _CELLS // (rows * self.size))
        learned = [self.plan.learn(codes[k : k + step], self.size) for k in range(0, m, step)]
        for u, z in enumerate(tests):
            self.model._check(z)
            parts = [self.plan.scores(one, z) for one in learned]
            predicted = np.concatenate([part.argmax(axis=2) for part in parts])
            yield u, predicted, np.concatenate(parts) if self.want else None


class _Fitted:
    """Any scikit-learn classifier: cloned and fitted for each labelling."""

    def __init__(
        self, model: Any, x: np.ndarray, classes: np.ndarray, want_scores: bool, fold: int, of: int
    ) -> None:
        self.model, self.x, self.classes, self.want = model, x, classes, want_scores
        self.place = f"in fold {fold + 1} of {of}"

    def __call__(self, codes: np.ndarray, tests: list[np.ndarray]) -> Iterator[tuple[int, np.ndarray, Any]]:
        m, size = len(codes), self.classes.size
        predicted = [np.zeros((m, len(z)), dtype=np.int64) for z in tests]
        scores = [np.full((m, len(z), size), -np.inf) for z in tests] if self.want else None
        for k, labels in enumerate(codes):
            fitted = self._run("fit", clone(self.model).fit, self.x, self.classes[labels])
            for u, z in enumerate(tests):
                found = np.asarray(self._run("predict", fitted.predict, z))
                predicted[u][k] = self._codes(found, len(z))
                if scores is not None:
                    own = np.searchsorted(self.classes, fitted.classes_)
                    scores[u][k][:, own] = self._scores(fitted, z)
        for u in range(len(tests)):
            yield u, predicted[u], None if scores is None else scores[u]

    def _codes(self, found: np.ndarray, n: int) -> np.ndarray:
        at = np.searchsorted(self.classes, found) if found.shape == (n,) and found.dtype.kind != "f" else None
        if at is None or not np.array_equal(self.classes[np.minimum(at, self.classes.size - 1)], found):
            raise InputError(
                f"{WHO}: {type(self.model).__name__} predicts {shorten(found.ravel()[:2].tolist())} {self.place}; a "
                "classifier must predict one of the labels of the target for each row.",
                code="model-failed",
            )
        return at

    def _scores(self, fitted: Any, z: np.ndarray) -> np.ndarray:
        """log probabilities where the model has them, else its decision function (for auc)."""
        if hasattr(fitted, "predict_proba"):
            with np.errstate(divide="ignore"):
                return np.log(np.asarray(self._run("predict_proba", fitted.predict_proba, z)))
        out = np.asarray(self._run("decision_function", fitted.decision_function, z))
        return np.stack([-out / 2, out / 2], axis=1) if out.ndim == 1 else out

    def _run(self, step: str, function: Any, *given: Any) -> Any:
        try:
            return function(*given)
        except ConsilienceError:
            raise
        except Exception as error:
            raise InputError(
                f"{WHO}: {type(self.model).__name__}.{step} failed {self.place} with {type(error).__name__}: {error}",
                code="model-failed",
            ) from error
