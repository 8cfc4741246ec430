"""One-to-one match: each target is predicted by the one source unit that correlates with it best."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.linalg import centre_columns
from consilience.models._base import Mapping, Solution, Solver, Split, safe_powers

__all__ = ["OneToOne"]

_TARGETS = 4096


class _Match(Solver):
    def __init__(self, x: np.ndarray, positive: bool) -> None:
        self.powers, self.positive = np.asarray(safe_powers(x), x.dtype), positive
        x = x / self.powers
        self.mean = x.mean(axis=0, dtype=np.float64)
        self.x = centre_columns(x)
        self.squares = np.einsum("ij,ij->j", self.x, self.x, dtype=np.float64)

    def _solve(self, y: np.ndarray) -> Solution:
        mean = y.mean(axis=0, dtype=np.float64)
        z = (y - mean).astype(self.x.dtype, copy=False)
        scale = np.where(self.squares > 0, 1 / np.sqrt(np.where(self.squares > 0, self.squares, 1.0)), 0.0)
        unit, slope = np.empty(z.shape[1], np.int64), np.empty(z.shape[1])
        for start in range(0, z.shape[1], _TARGETS):
            part = slice(start, start + _TARGETS)
            cross = (self.x.T @ z[:, part]) * scale[:, None]
            best = np.argmax(cross if self.positive else np.abs(cross), axis=0)
            unit[part] = best
            slope[part] = cross[best, np.arange(best.size)] * scale[best]
        if self.positive:
            slope = np.maximum(slope, 0.0)
        spread = np.abs(slope) * np.sqrt(self.squares[unit] / len(z))
        return Solution(mean, spread, inner=(unit, slope))

    def _operator(self, x: np.ndarray) -> np.ndarray:
        return (x / self.powers - self.mean).astype(self.x.dtype, copy=False)

    def _predict(self, operator: np.ndarray, solution: Solution) -> np.ndarray:
        unit, slope = solution.inner
        return operator[:, unit] * slope


class OneToOne(Mapping):
    """Each target from its single best source unit, chosen and scaled on the training rows.

    j(u) = argmax_j corr(x_j, y_u) over the rows of `fit`; prediction = mean(y_u) + s_u (x_j(u) - mean(x_j(u))), s_u
    the least-squares slope. A source unit may serve several targets (an assignment in which it may not is
    another thing). The strictest mapping: it does not mix units.

    Parameters
    ----------
    positive : only positive correlations count (a target that correlates with none is predicted by its mean);
        False = the largest absolute correlation.

    Attributes
    ----------
    unit_ : (t,) index of the source unit.   slope_ : (t,).

    References
    ----------
    Li, Yosinski, Clune, Lipson & Hopcroft (2015).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> X = np.random.default_rng(0).normal(size=(50, 6))
    >>> cs.models.OneToOne().fit(X, 2 * X[:, [4, 1]]).unit_
    array([4, 1])
    """

    cv = 2  # nothing is tuned

    def __init__(self, *, positive: bool = True) -> None:
        self.positive = positive

    def _prepare(self, x: np.ndarray, splits: list[Split], size: float) -> Solver:
        return _Match(x, self.positive)

    def _store(self, solver: Any, solution: Solution) -> None:
        unit, slope = solution.inner
        of_source = solver.size * np.broadcast_to(solver.powers, solver.mean.shape)[unit]
        with np.errstate(over="ignore", under="ignore"):  # predictions do not need it
            slope = slope / of_source * solution.size
        self.unit_, self.slope_ = self._own(unit), self._own(slope)
