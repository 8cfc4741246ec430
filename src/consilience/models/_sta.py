"""`SpikeTriggeredAverage`: what the stimulus was, on average, before a spike."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._params import check_number, check_option
from consilience.models._field_base import Data, FieldBase, are_counts

__all__ = ["SpikeTriggeredAverage"]


class SpikeTriggeredAverage(FieldBase):
    """The mean stimulus before a spike, less its mean over all frames; many units in one product for each lag.

    For counts y_t and the stimulus x, over frames t whose lags are all there,

        STA_k = sum_t y_t (x_{t-k} - m_k) / sum_t y_t,    m_k = mean_t x_{t-k},

    in units of the stimulus. Lag 0 is the frame of the response, lag k is k frames earlier. A frame with two spikes
    counts twice. For responses that are no counts (rates, dF/F, activations) a mean weighted by them means little, and
    the centred cross-covariance over the variance of the stimulus (mean over pixels) takes its place,

        c_k = sum_t (y_t - mean y)(x_{t-k} - m_k) / (n var x),

    in response per stimulus: for a stimulus that is white, the filter of least squares. Both have the same shape.

    When to use which: for white noise the average is unbiased (for any nonlinearity, where the stimulus is Gaussian or
    spherically symmetric, up to scale; Chichilnisky 2001). Of a stimulus with autocorrelation it is the filter blurred
    by that: ``whiten=True`` undoes it, C^-1 STA, unbiased for a correlated Gaussian stimulus and very noisy for natural
    ones, where `RidgeRF` and `ASD` choose how much to undo. A unit that answers alike to x and -x (a complex cell) has
    an average of 0: see `SpikeTriggeredCovariance`.

    Parameters
    ----------
    lags : a number of frames, 15 = lags 0 to 14, or consecutive whole numbers, e.g. range(2, 12).
    whiten : multiply by the inverse of C, the covariance of the stimulus over lags and pixels.
    cut : of whiten: directions of C with less than ``cut`` times its largest variance are left out (their part is 0),
        in [0, 1]. The larger, the smoother and the more biased.
    response : "counts", "values" (the cross-covariance), or "auto": counts where all values of all units are whole
        numbers of at least 0.

    Attributes
    ----------
    coef_ : (units, lags, *space), always with the axis of units.   se_ : the same shape, standard errors for
    independent frames: exact in large samples where the stimulus or the response is white in time and their relation
    weak, too small where both are correlated in time (compare shifts of the response then).
    intercept_ : (units,) of predictions.   mean_ : (lags, *space) m.   n_spikes_ : (units,) sum of responses over the
    frames that count.   response_ : "counts" or "values".   lags_ : (lags,).   n_frames_ : frames that count.
    Predictions take the stimulus for white (but for whiten=True): with autocorrelation their size is wrong, their
    correlation with the response is not.

    Raises
    ------
    InputError : ``too-few`` (frames with a full past), ``rows-differ``, ``nan-values``, ``bad-parameter``,
        ``negative-counts``.

    References
    ----------
    de Boer & Kuyper (1968); Chichilnisky (2001); Theunissen et al. (2001).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(5000, 6, 6))
    >>> y = rng.poisson(np.exp(np.roll(x[:, 2, 3], 2) - 1))  # what was there two frames ago
    >>> sta = cs.models.SpikeTriggeredAverage(lags=4).fit(x, y)
    >>> sta.coef_.shape, np.unravel_index(sta.coef_[0].argmax(), (4, 6, 6))
    ((1, 4, 6, 6), (np.int64(2), np.int64(2), np.int64(3)))
    """

    def __init__(
        self, lags: Any = 1, *, whiten: bool = False, cut: float = 0.01, response: str = "auto"
    ) -> None:
        self.lags = lags
        self.whiten = whiten
        self.cut = cut
        self.response = response

    def fit(self, stimulus: Any, y: Any, *, times: Any = None, trials: Any = None) -> SpikeTriggeredAverage:
        """Fits. stimulus : (n, *space), frames in order of time.   y : (n,) or (n, units), one value a frame.
        times : (n,) seconds; a jump of 1.5 steps or more is a break.   trials : (n,) labels; a change is a break. No
        lag reaches over a break.
        """
        who = "SpikeTriggeredAverage"
        cut = check_number(self.cut, name="cut", who=who, low=0.0, high=1.0, closed=True)
        kind = check_option(self.response, ("auto", "counts", "values"), name="response", who=who)
        data = self._check(stimulus, y, times, trials)
        counts = bool(are_counts(data.y[data.rows]).all()) if kind == "auto" else kind == "counts"
        if counts and (data.y < 0).any():
            raise InputError(
                f"{who}.fit: responses below 0 are no counts; give response='values' for their cross-covariance.",
                code="negative-counts",
            )
        self._keep(data)
        self.response_ = "counts" if counts else "values"
        self._solve(data, counts, cut)
        return self

    def _solve(self, data: Data, counts: bool, cut: float) -> None:
        series, n = data.series, data.n
        spikes = data.y.sum(axis=0)
        mean = spikes / n
        about = series.totals(data.rows) / n
        cross = series.sums(data.y, less=mean) / n  # deviations sum to 0: the mean of the stimulus drops out
        power = series.squares() / series.n
        variance = float(power.mean())
        squares = np.einsum("ij,ij->j", data.y, data.y)
        spread = np.sqrt(np.maximum(squares - n * mean**2, 0.0)) / n  # of a cross-covariance, for var x = 1
        if self.whiten:
            gram = series.gram() / n - np.outer(about, about)
            values, vectors = np.linalg.eigh(gram)
            kept = values > max(cut, 1e-12 if series.x.dtype == np.float64 else 1e-6) * max(values[-1], 0.0)
            values, vectors = values[kept], vectors[:, kept]
            weights = vectors @ ((vectors.T @ cross) / values[:, None])
            error = np.sqrt((vectors * vectors) @ (1.0 / values))[:, None] * spread
            self.n_directions_ = int(kept.sum())
        else:
            weights = cross / variance if variance > 0 else np.zeros_like(cross)
            error = np.tile(np.sqrt(power), series.n_lags)[:, None] * spread
            error = error / variance if variance > 0 else error
        weights, error = weights / series.size, error / series.size
        self._set_weights(weights, data, mean, about)
        shown: Any = 1.0
        if counts:  # C^-1 STA and STA, per spike instead of per frame
            silent = spikes <= 0
            if silent.any():
                warn(
                    "no-events",
                    f"SpikeTriggeredAverage: {int(silent.sum())} of {silent.size} units have no spike in the frames "
                    "that count; their average is NaN.",
                    "Leave those units out.",
                    stacklevel=4,
                )
            with np.errstate(invalid="ignore", divide="ignore"):
                shown = np.where(silent, np.nan, 1.0 / mean)
            if not self.whiten:
                shown = shown * variance * series.size**2
        self.coef_ = self._shaped(weights * shown)
        self.se_ = self._shaped(error * shown)
        self.mean_ = (np.tile(series.centre, series.n_lags) + about * series.size).reshape(
            series.n_lags, *data.space
        )
        self.n_spikes_ = spikes
