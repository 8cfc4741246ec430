"""Fields of units that answer to either sign: axes of the spike-triggered covariance, with a prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from consilience.models import SpikeTriggeredCovariance, lagged
from consilience.models._field_base import lag_span

__all__ = ["AxesField"]


class AxesField(BaseEstimator):
    """`SpikeTriggeredCovariance`, whose ``coef_`` is the leading axis of each unit, and whose prediction is a quadratic
    form: least squares of y on the outputs of the average and of ``n_axes`` axes of either end, and on their squares.

    The leading axis is the first excitatory one, unless only a suppressive one is significant. ``rng``: of the shifts.
    """

    def __init__(
        self,
        lags: Any = 1,
        *,
        n_axes: int = 2,
        n_null: int = 200,
        project: Any = "auto",
        response: str = "auto",
        rng: Any = 0,
    ) -> None:
        self.lags = lags
        self.n_axes = n_axes
        self.n_null = n_null
        self.project = project
        self.response = response
        self.rng = rng

    def fit(self, stimulus: Any, y: Any, *, times: Any = None, trials: Any = None) -> AxesField:
        first, last = lag_span(self.lags, "AxesField")
        found = SpikeTriggeredCovariance(
            range(first, last + 1),
            n_axes=self.n_axes,
            n_null=self.n_null,
            project=self.project,
            response=self.response,
            rng=self.rng,
        ).fit(stimulus, y, times=times, trials=trials)
        self.stc_ = found
        self.lags_ = found.lags_
        only_low = (found.n_excitatory_ == 0) & (found.n_suppressive_ > 0)
        self.coef_ = np.where(
            only_low.reshape(-1, *[1] * (found.sta_.ndim - 1)),
            found.suppressive_[:, 0],
            found.excitatory_[:, 0],
        )
        outputs = self._outputs(stimulus, times, trials)
        target = np.asarray(y, dtype=np.float64).reshape(len(outputs), -1)
        rows = np.isfinite(outputs).all(axis=(1, 2))
        self._mean = outputs[rows].mean(axis=0)
        terms = self._terms(outputs[rows])
        self._weights = np.stack(
            [np.linalg.lstsq(terms[:, u], target[rows, u], rcond=None)[0] for u in range(target.shape[1])]
        )
        return self

    def predict(self, stimulus: Any, *, times: Any = None, trials: Any = None) -> np.ndarray:
        """(n, units) expected responses; NaN without a full past."""
        terms = self._terms(self._outputs(stimulus, times, trials))
        return np.einsum("nuk,uk->nu", terms, self._weights)

    def _outputs(self, stimulus: Any, times: Any, trials: Any) -> np.ndarray:
        """(n, units, 1 + 2 n_axes) of the average and the axes; 0 for axes that there are not."""
        found = self.stc_
        axes = np.concatenate([found.sta_[:, None], found.excitatory_, found.suppressive_], axis=1)
        units, count = axes.shape[:2]
        filters = np.nan_to_num(axes).reshape(units * count, self.lags_.size, -1)
        frames = np.asarray(stimulus, dtype=np.float64).reshape(len(stimulus), -1)
        out = np.zeros((len(frames), units * count))
        for k, lag in enumerate(self.lags_.tolist()):
            out += lagged(frames @ filters[:, k].T, [lag], times=times, trials=trials)
        return out.reshape(len(frames), units, count)

    def _terms(self, outputs: np.ndarray) -> np.ndarray:
        """(n, units, terms): 1, outputs about their mean, and the squares of those."""
        away = outputs - self._mean
        return np.concatenate([np.ones((*away.shape[:2], 1)), away, away * away], axis=2)

    def axes_like(self, other: AxesField) -> np.ndarray:
        """This fit's counterpart of the other's leading axes: their part within the span of this fit's axes, so that
        axes of equal size, which turn freely within their plane, can be compared.
        """
        found = self.stc_
        axes = np.concatenate([found.excitatory_, found.suppressive_], axis=1)
        low = other.stc_.n_excitatory_ == 0
        out = np.full(other.coef_.shape, np.nan)
        for u, lead in enumerate(other.coef_.reshape(len(out), -1)):
            half = (
                slice(self.n_axes, None) if low[u] and other.stc_.n_suppressive_[u] else slice(0, self.n_axes)
            )
            span = axes[u, half].reshape(self.n_axes, -1)
            span = span[np.isfinite(span).all(axis=1)]
            if len(span) and np.isfinite(lead).all():
                part = span.T @ np.linalg.lstsq(span.T, lead, rcond=None)[0]
                size = np.linalg.norm(part)
                out[u] = (part * (np.linalg.norm(lead) / size if size > 0 else 0)).reshape(out.shape[1:])
        return out
