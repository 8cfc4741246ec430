"""What the estimators of receptive fields share: the stimulus and its lags, checks, predictions and scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._arrays import all_finite, as_array, to_numpy
from consilience._core._counts import count_step
from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience.linalg._lagged import LaggedSeries
from consilience.models._lags import stretches

__all__ = ["Data", "FieldBase", "are_counts", "checked_data", "held_out_frames", "lag_span", "r2_of"]


@dataclass(frozen=True)
class Data:
    """A stimulus and responses, checked. series : frames and lags.   y : (n, t) float64, 0 where a frame has no full
    past.   rows : (n,) bool, the frames that count.   space : shape of a frame.   flat : y was one column.
    """

    series: LaggedSeries
    y: np.ndarray
    space: tuple[int, ...]
    flat: bool

    @property
    def rows(self) -> np.ndarray:
        return self.series.rows

    @property
    def n(self) -> int:
        return int(self.rows.sum())


class FieldBase(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Base of receptive fields: ``coef_`` (units, lags, *space), predictions linear in the stimulus."""

    lags: Any
    _weights: np.ndarray  # (width, t) in units of response over stimulus
    _flat: bool

    def _check(self, stimulus: Any, y: Any, times: Any, trials: Any, **options: Any) -> Data:
        return checked_data(stimulus, y, self.lags, times, trials, who=type(self).__name__, **options)

    def _keep(self, data: Data) -> None:
        """Fitted attributes that all have."""
        first, last = data.series.first, data.series.last
        self.lags_ = np.arange(first, last + 1)
        self.space_ = data.space
        self.n_frames_ = data.n
        self.n_features_in_ = data.series.p
        self._flat = data.flat

    def _shaped(self, flat: np.ndarray) -> np.ndarray:
        """(width, t) -> (t, lags, *space)."""
        return np.ascontiguousarray(flat.T).reshape(-1, self.lags_.size, *self.space_)

    def _series(self, stimulus: Any, times: Any, trials: Any, what: str) -> LaggedSeries:
        check_is_fitted(self, "_weights")
        who = f"{type(self).__name__}.{what}"
        values, space = checked_stimulus(stimulus, who)
        if space != self.space_:
            raise InputError(
                f"{who}: frames of the fit had shape {self.space_}, these have {space}.", code="bad-columns"
            )
        pieces = stretches(len(values), times, trials, who=who)
        return LaggedSeries(values.reshape(len(values), -1), int(self.lags_[0]), int(self.lags_[-1]), pieces)

    def _linear(self, series: LaggedSeries) -> np.ndarray:
        """(n, t) what the weights predict, with the intercept; NaN without a full past."""
        constant = self._constant + np.tile(series.centre, series.n_lags) @ self._weights
        return series.project(self._weights * series.size) + constant

    def predict(self, stimulus: Any, *, times: Any = None, trials: Any = None) -> np.ndarray:
        """Expected responses (m, t), or (m,) after a fit to one column, to a stimulus (m, *space). Frames whose lags
        reach before a start or over a break are NaN.
        """
        out = self._linear(self._series(stimulus, times, trials, "predict"))
        return out[:, 0] if self._flat else out

    def score(
        self, stimulus: Any, y: Any, sample_weight: Any = None, *, times: Any = None, trials: Any = None
    ) -> float:
        """R2, 1 - squared error / squared distance to the mean, over frames with a full past, averaged over units that
        vary.
        """
        who = f"{type(self).__name__}.score"
        if sample_weight is not None:
            raise InputError(f"{who}: sample_weight is not taken.", code="bad-parameter")
        predicted = self.predict(stimulus, times=times, trials=trials)
        target, _ = checked_response(y, len(predicted), who)
        return r2_of(target, predicted.reshape(len(predicted), -1))

    def _set_weights(self, weights: np.ndarray, data: Data, mean: np.ndarray, about: np.ndarray) -> None:
        """weights (width, t) per unit of stimulus, through the means: y ``mean`` (t,), D ``about`` (width,), both over
        the rows, the latter as `LaggedSeries` has it.
        """
        self._weights = weights
        centre = np.tile(data.series.centre, data.series.n_lags) + about * data.series.size
        self._constant = mean - centre @ weights
        self.intercept_ = self._constant.copy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.three_d_array = True
        return tags


def lag_span(lags: Any, who: str) -> tuple[int, int]:
    """(first, last) of ``lags``: a number of lags from 0, or consecutive whole numbers."""
    try:
        if np.ndim(lags) == 0:
            return 0, check_count(lags, name="lags", who=who, minimum=1, maximum=10**6) - 1
        listed = [check_count(lag, name="lags", who=who, minimum=-(10**6)) for lag in lags]
    except (TypeError, InputError):
        listed = []
    if not listed or listed != list(range(listed[0], listed[0] + len(listed))):
        raise InputError(
            f"{who}: lags must be a number of frames, e.g. 15 for lags 0 to 14 (0 = the same frame, 1 = the frame "
            f"before), or consecutive whole numbers, e.g. range(2, 12); got {shorten(lags)}.",
            code="bad-parameter",
        )
    return listed[0], listed[-1]


def checked_data(
    stimulus: Any,
    y: Any,
    lags: Any,
    times: Any,
    trials: Any,
    *,
    who: str,
    fewest: int = 2,
    what: str = "fit",
    exact: bool = False,
) -> Data:
    """Stimulus and responses of a fit; ``exact``: products are float64 whatever the type of the stimulus."""
    first, last = lag_span(lags, who)
    who = f"{who}.{what}"
    values, space = checked_stimulus(stimulus, who)
    n = len(values)
    target, flat = checked_response(y, n, who)
    pieces = stretches(n, times, trials, who=who)
    series = LaggedSeries(values.reshape(n, -1), first, last, pieces, dtype=np.float64 if exact else None)
    if series.rows.sum() < fewest:
        raise InputError(
            f"{who}: {int(series.rows.sum())} of {n} frames have all lags {first} to {last} inside their stretch; at "
            f"least {fewest} are needed: fewer lags, or longer stretches.",
            code="too-few",
        )
    target[~series.rows] = 0.0  # a copy, of `checked_response`
    return Data(series, target, space, flat)


def checked_stimulus(stimulus: Any, who: str) -> tuple[np.ndarray, tuple[int, ...]]:
    """(n, *space) float32 or float64, and the shape of a frame."""
    values = to_numpy(as_array(stimulus, name="stimulus", who=who))
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind not in "biuf":
        raise InputError(
            f"{who}: stimulus must hold real numbers, got dtype {values.dtype}.", code="not-numeric"
        )
    if values.ndim < 1 or not values.size:
        raise InputError(
            f"{who}: stimulus must be (frames, *space), got shape {values.shape}.", code="bad-dims"
        )
    small = size <= 4 if kind == "f" else size <= 2
    values = values.astype(np.float32 if small else np.float64, copy=False)
    if not values.flags.c_contiguous:
        values = np.ascontiguousarray(values)
    if kind == "f" and not all_finite(values):
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        raise InputError(
            f"{who}: stimulus has NaN or infinite values in {int(bad.sum())} of {len(values)} frames, first in frame "
            f"{int(np.argmax(bad))}; cut those frames out, and give times= or trials= so that no lag reaches over the "
            "gap.",
            code="nan-values",
        )
    return values, values.shape[1:]


def checked_response(y: Any, n: int, who: str) -> tuple[np.ndarray, bool]:
    """(n, t) float64, and whether it was one column."""
    values = to_numpy(as_array(y, name="y", who=who))
    if values.dtype.kind not in "biuf":
        raise InputError(f"{who}: y must hold real numbers, got dtype {values.dtype}.", code="not-numeric")
    if values.ndim not in (1, 2) or (values.ndim == 2 and not values.shape[1]):
        raise InputError(
            f"{who}: y must be (frames, units) or (frames,), got shape {values.shape}.", code="not-2d"
        )
    if len(values) != n:
        raise InputError(
            f"{who}: y must have a row for each of the {n} frames, got {len(values)}; bin the responses by the frames.",
            code="rows-differ",
        )
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(
            f"{who}: y has {int((~np.isfinite(values)).sum())} NaN or infinite values; cut those frames out of y and "
            "stimulus, and give times= or trials= so that no lag reaches over the gap.",
            code="nan-values",
        )
    return values.reshape(n, -1), values.ndim == 1


def are_counts(y: np.ndarray) -> np.ndarray:
    """(t,) whether each column of y (n, t) is whole numbers of at least 0, not all multiples of a larger step."""
    whole, ones = np.ones(y.shape[1], bool), np.zeros(y.shape[1], bool)
    for start in range(0, len(y), 4096):
        block = y[start : start + 4096]
        whole &= ((block >= 0) & (block == np.floor(block))).all(axis=0)
        ones |= (block == 1).any(axis=0)
    for u in np.flatnonzero(whole & ~ones):
        whole[u] = count_step(np.ascontiguousarray(y[:, u])) == 1.0
    return whole


def held_out_frames(rows: np.ndarray, folds: int, gap: int, who: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """(test, near) masks (n,) of consecutive folds of the rows; ``near``: rows of others, closer than ``gap`` frames to
    a tested one, that train nothing.
    """
    at = np.flatnonzero(rows)
    count = check_count(folds, name="cv", who=who, minimum=2)
    if at.size < 2 * count:
        raise InputError(
            f"{who}: cv={count} folds need at least {2 * count} frames with a full past, got {at.size}.",
            code="too-few",
        )
    out = []
    for k in range(count):
        inside = at[k * at.size // count : (k + 1) * at.size // count]
        test, near = np.zeros(rows.size, bool), np.zeros(rows.size, bool)
        test[inside] = True
        near[max(inside[0] - gap, 0) : inside[-1] + gap + 1] = True
        near &= rows & ~test
        if (rows & ~test & ~near).sum() < 2:
            raise InputError(
                f"{who}: with cv={count} folds and {gap} frames between training and test nothing is left to train "
                "on; more frames, or fewer lags.",
                code="too-few",
            )
        out.append((test, near))
    return out


def r2_of(y: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over columns that vary of 1 - squared error / squared distance to the mean, of rows without NaN."""
    there = np.isfinite(predicted).all(axis=1)
    if there.sum() < 2:
        return float("nan")
    y, predicted = y[there], predicted[there]
    away = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    varies = away > 1e-24 * np.maximum((y * y).sum(axis=0), 1e-300)
    error = ((y - predicted) ** 2).sum(axis=0)
    return float(np.mean(1 - error[varies] / away[varies])) if varies.any() else float("nan")
