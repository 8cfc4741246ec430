"""Held-out decoding of numbers and angles: every fold and time fitted by the machinery of `encode`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from consilience.analyses._decode_classes import standardised
from consilience.analyses._decode_design import Design, Split
from consilience.analyses._encode_fit import HeldOut, Predicted, _Any, inner_count
from consilience.measures._contract import Predictions
from consilience.models._base import Mapping, Solution, Solver, inner_splits, safe_powers
from consilience.stats import angular_error

__all__ = ["HeldOutValues", "ValueScore", "Values"]

_NUMBERS = 20_000_000  # of relabelled targets at a time


@dataclass(frozen=True)
class ValueScore:
    name: str
    higher: bool = True
    chance: float = 0.0


SCORES = {
    "r": ValueScore("r"),
    "r2": ValueScore("r2"),
    "circular_error": ValueScore("circular_error", higher=False, chance=np.pi / 2),
}


class _Stepped(_Any):
    """A model of series, told which rows follow each other: rows come with their steps."""

    def __init__(self, model: Any, x: np.ndarray, clock: np.ndarray) -> None:
        super().__init__(model, x, None)
        self.clock = clock
        self.joint = not getattr(model, "separate_targets", False)

    def _solve(self, y: np.ndarray) -> Solution:
        with self._words("fit"):
            fitted = clone(self.model).fit(self.x, y if y.shape[1] > 1 else y[:, 0], steps=self.clock)
        mean = y.mean(axis=0, dtype=np.float64)
        inside = self._told(fitted, self.x, self.clock, mean.size) - mean
        size = safe_powers(inside)
        return Solution(mean, np.sqrt(((inside / size) ** 2).mean(axis=0)) * size, inner=fitted)

    def _told(self, fitted: Any, x: np.ndarray, clock: np.ndarray, t: int) -> np.ndarray:
        with self._words("predict"):
            return np.asarray(fitted.predict(x, steps=clock), np.float64).reshape(len(x), t)

    def _operator(self, x: Any) -> Any:
        return x

    def _predict(self, operator: Any, solution: Solution) -> np.ndarray:
        x, clock = operator
        return self._told(solution.inner, x, clock, solution.mean.size) - solution.mean


class HeldOutValues(HeldOut):
    """`HeldOut` of one time: units z-scored by the training rows of each fold, models of series told the steps."""

    who = "cs.decode"

    def __init__(self, model: Any, design: Design, splits: list[Split], t: int, *, standardise: bool) -> None:
        x = design.x[:, t]
        self.n, self.splits, self.model, self.units = len(x), splits, model, np.array(design.target.names)
        self.rows = np.sort(np.concatenate([test for _, test in splits]))
        self.solvers: list[Solver] = []
        self.operators = []
        for train, test in splits:
            inside, shift, scale = standardised(x[train], standardise)
            outside: Any = (x[test] - shift) / scale
            if design.clock is not None and getattr(model, "takes_steps", False):
                solver: Solver = _Stepped(model, inside, design.clock[train])
                outside = (outside, design.clock[test])
            elif isinstance(model, Mapping):
                count = inner_count(model)
                assert design.inner is not None
                splits_inside = (
                    design.inner(train, count)
                    if count is not None
                    else inner_splits(model.cv, inside, None, self.who)
                )
                solver = model.prepare(inside, splits_inside)
            else:
                solver = _Any(model, inside, None)
            if isinstance(solver, _Any):
                solver.who = self.who
            self.solvers.append(solver)
            self.operators.append(solver.operator(outside))
        self.joint = any(s.joint for s in self.solvers)


class Values:
    """Numbers or angles decoded at one time, scored.

    Angles go to models as their cosine and sine, and come back as the direction of the two; models that know angles
    (``circular=True``) take them as they are.
    """

    def __init__(self, model: Any, design: Design, t: int, score: ValueScore, *, standardise: bool) -> None:
        self.model, self.design, self.t, self.score = model, design, t, score
        self.standardise = standardise
        y = design.target.values
        assert y is not None
        self.angles = design.target.circular
        self.direct = self.angles and bool(getattr(model, "circular", False))
        if self.angles:
            y = y % (2 * np.pi) if self.direct else np.concatenate([np.cos(y), np.sin(y)], axis=1)
        self.y = y
        self.held = HeldOutValues(model, design, design.splits, t, standardise=standardise)
        self.found = self.held.predict(self.y)

    @property
    def rows(self) -> np.ndarray:
        return self.held.rows

    def predicted(self, found: Predicted | None = None) -> np.ndarray:
        """(rows, k) in units of the target."""
        found = self.found if found is None else found
        out = np.asarray((found.predicted + found.mean) * found.size)
        if not self.angles:
            return out
        return out % (2 * np.pi) if self.direct else _angle(out)

    def values(self, found: Predicted | None = None, weights: np.ndarray | None = None) -> np.ndarray:
        """(m, k) under weights (m, rows) of the rows; one row without them."""
        found = self.found if found is None else found
        if weights is None:
            weights = np.ones((1, self.rows.size))
        if self.score.name == "r":
            if len(self.held.splits) == 1:  # another condition, whose mean may be another
                scaled, actual = (v - v.mean(axis=0) for v in (found.scaled, found.actual))
                return Predictions(scaled * actual, scaled**2, actual**2).columns(weights)
            return found.correlation().columns(weights)
        if self.score.name == "r2":
            with np.errstate(invalid="ignore", divide="ignore"):
                error = weights @ (found.actual - found.predicted) ** 2
                return 1 - error / (weights @ found.actual**2)
        actual = self.design.target.values[self.rows]  # type: ignore[index]
        return weights @ angular_error(self.predicted(found), actual) / weights.sum(axis=1, keepdims=True)

    def on(self, splits: list[Split], weights: np.ndarray | None = None) -> np.ndarray:
        """(m, k) with other folds, under weights (m, rows); one row without them."""
        held = HeldOutValues(self.model, self.design, splits, self.t, standardise=self.standardise)
        other = Values.__new__(Values)
        other.__dict__.update(self.__dict__, held=held)
        return other.values(held.predict(self.y), weights)

    def null(self, orders: np.ndarray) -> np.ndarray:
        """(m, k) with the rows of the target in other orders, everything fitted anew."""
        n, k = self.y.shape
        step = 1 if self.held.joint else max(1, min(4096, _NUMBERS // n) // k)
        out = np.empty((len(orders), self.design.target.values.shape[1]))  # type: ignore[union-attr]
        for start in range(0, len(orders), step):
            part = orders[start : start + step]
            wide = np.swapaxes(self.y[part], 0, 1).reshape(n, -1)
            out[start : start + step] = self._scored(self.held.predict(wide), part, k)
        return out

    def null_of_test(self, orders: np.ndarray) -> np.ndarray:
        """(m, k) with the test rows of the target in other orders, fits as they are."""
        rows, found = self.rows, self.found
        out = np.empty((len(orders), self.design.target.values.shape[1]))  # type: ignore[union-attr]
        told = self.predicted() if self.score.name == "circular_error" else None
        for k, order in enumerate(orders[:, rows]):
            if told is not None:
                out[k] = angular_error(told, self.design.target.values[order]).mean(axis=0)  # type: ignore[index]
            else:
                out[k] = self.values(replace(found, actual=self.y[order] / found.size - found.mean))[0]
        return out

    def _scored(self, found: Predicted, orders: np.ndarray, k: int) -> np.ndarray:
        m = len(orders)
        if self.score.name != "circular_error":
            return self.values(found).reshape(m, k)
        wide = np.asarray((found.predicted + found.mean) * found.size).reshape(len(found.predicted), m, k)
        angle = wide % (2 * np.pi) if self.direct else _angle(wide)
        actual = self.design.target.values[orders][:, self.rows].swapaxes(0, 1)  # type: ignore[index]
        return angular_error(angle, actual).mean(axis=0)


def _angle(pairs: np.ndarray) -> np.ndarray:
    """Directions (..., k) in 0 ... 2 pi of cosines and sines (..., 2 k)."""
    k = pairs.shape[-1] // 2
    return np.arctan2(pairs[..., k:], pairs[..., :k]) % (2 * np.pi)
