"""The Wiener filter: ridge regression from the present and the neighbouring samples of every unit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience.models._ridge import RidgeCV

__all__ = ["WienerFilter", "check_lags", "clock_of"]


def check_lags(lags: Any, who: str) -> list[int]:
    """Different whole numbers of steps, as a list."""
    try:
        listed = [check_count(d, name="lags", who=who, minimum=-(10**6)) for d in lags]
    except (TypeError, InputError):
        listed = []
    if not listed or len(set(listed)) < len(listed):
        raise InputError(
            f"{who}: lags must be different whole numbers of steps, e.g. range(-2, 3); got {shorten(lags)}.",
            code="bad-parameter",
        )
    return listed


def clock_of(steps: Any, n: int, who: str) -> np.ndarray:
    """(n,) int, rising; None = 0, 1, ..., no breaks."""
    if steps is None:
        return np.arange(n)
    clock = np.asarray(steps)
    if clock.shape != (n,) or clock.dtype.kind not in "iu" or (n > 1 and (np.diff(clock) <= 0).any()):
        raise InputError(
            f"{who}: steps must be {n} rising whole numbers, one per row, got {shorten(steps)}.",
            code="bad-time",
        )
    return clock.astype(np.int64)


def lagged(x: np.ndarray, clock: np.ndarray, lags: Sequence[int], fill: np.ndarray) -> np.ndarray:
    """(n, lags * p): for each lag d the row that was recorded d steps before, ``fill`` (p,) where none was."""
    out = np.empty((len(x), len(lags), x.shape[1]), x.dtype)
    for k, d in enumerate(lags):
        at = np.searchsorted(clock, clock - d)
        inside = np.minimum(at, len(x) - 1)
        there = clock[inside] == clock - d
        out[:, k] = np.where(there[:, None], x[inside], fill)
    return out.reshape(len(x), -1)


class WienerFilter(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """y(t) = b + sum_d W_d x(t - d) over the lags d, ridge-penalised, the penalty chosen on stretches held out.

    Positive lags are the past of x (it comes first), negative ones its future. Lags do not reach over a break in
    ``steps``: what was not recorded counts as the mean of x. Also called the optimal linear filter, or reverse
    reconstruction; with ``lags=[0]`` it is ridge regression.

    Parameters
    ----------
    lags : steps by which x is delayed, side by side.
    alphas : penalties, see `RidgeCV`; None = a grid relative to the data.
    cv : inner folds, contiguous; ``gap`` steps beside each test stretch train nothing. None = the span of the lags.

    Attributes
    ----------
    coef_ : (t, lags, p).   intercept_ : (t,).   alpha_ : (t,).   span_ : (past, future) steps that the lags reach.

    References
    ----------
    Carmena et al. (2003); Warland, Reinagel & Meister (1997).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(300, 3))
    >>> y = np.roll(x[:, 0], 2)  # two steps after x
    >>> model = cs.models.WienerFilter(range(4)).fit(x[:200], y[:200])
    >>> int(np.abs(model.coef_[0, :, 0]).argmax())
    2
    """

    takes_steps = True
    separate_targets = True  # a column of y is predicted as if it were alone: many cost little more than one

    def __init__(
        self,
        lags: Sequence[int] = (0, 1, 2, 3, 4),
        *,
        alphas: Any = None,
        cv: Any = 5,
        gap: int | None = None,
    ) -> None:
        self.lags = lags
        self.alphas = alphas
        self.cv = cv
        self.gap = gap

    def reach(self) -> int:
        """Steps from the first to the last sample that a prediction uses."""
        lags = check_lags(self.lags, "WienerFilter")
        return max(0, *lags) - min(0, *lags)

    def fit(self, X: Any, y: Any, *, steps: Any = None) -> Any:
        """Fits. X : (n, p).   y : (n, t) or (n,).   steps : (n,) rising ints, the step of each row; None = no
        breaks.
        """
        x, y = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        lags = check_lags(self.lags, "WienerFilter")
        clock = clock_of(steps, len(x), "WienerFilter")
        self._flat = y.ndim == 1
        self.mean_ = x.mean(axis=0)
        design = lagged(x, clock, lags, self.mean_)
        self._ridge = RidgeCV(self.alphas, cv=self._inner(clock, len(x))).fit(design, y.reshape(len(y), -1))
        self.alpha_ = self._ridge.alpha_
        self.intercept_ = self._ridge.intercept_
        self.coef_ = self._ridge.coef_.reshape(-1, len(lags), x.shape[1])
        self.span_ = (max(0, *lags), -min(0, *lags))
        return self

    def _inner(self, clock: np.ndarray, n: int) -> Any:
        """Contiguous inner folds with a gap, where the rows allow it."""
        if not isinstance(self.cv, (int, np.integer)) or isinstance(self.cv, bool):
            return self.cv
        gap = self.reach() if self.gap is None else check_count(self.gap, name="gap", who="WienerFilter")
        edges = np.arange(self.cv + 1) * n // max(self.cv, 1)
        out = []
        for low, high in itertools.pairwise(edges):
            if high <= low:
                return self.cv
            near = (clock >= clock[low] - gap) & (clock <= clock[high - 1] + gap)
            out.append((np.flatnonzero(~near), np.arange(low, high)))
        return out if out and all(train.size > 1 for train, _ in out) else self.cv

    def predict(self, X: Any, *, steps: Any = None) -> np.ndarray:
        """Predictions (m, t), or (m,) after a fit to one column, for X (m, p)."""
        check_is_fitted(self, "_ridge")
        x = validate_data(self, X, reset=False, dtype=np.float64)
        clock = clock_of(steps, len(x), "WienerFilter")
        out = self._ridge.predict(lagged(x, clock, check_lags(self.lags, "WienerFilter"), self.mean_))
        out = out.reshape(len(x), -1)
        return out[:, 0] if self._flat else out
