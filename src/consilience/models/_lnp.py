"""`LNP`: a linear filter, a nonlinearity and Poisson spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import t as student
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, check_option
from consilience.models._asd import ASD
from consilience.models._field_base import checked_data, checked_response
from consilience.models._glm import GLM
from consilience.models._ridge_rf import RidgeRF
from consilience.models._spline_rf import SplineRF
from consilience.models._sta import SpikeTriggeredAverage
from consilience.stats import check_observed, likelihood_gain

__all__ = ["LNP"]

_FILTERS = ("ridge", "asd", "sta", "poisson")
_NONLINEARITIES = ("histogram", "exponential", "softplus", "quadratic")
_BLOCKS = 20


class LNP(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear-nonlinear-Poisson: y_t ~ Poisson(f(g_t)), g_t = sum_k w_k . x_{t-k}; f found on frames w did not see.

    The filter w is fitted to the first part of the frames and put to unit standard deviation of its output; the last
    part, ``held_out`` of them, gives f, one for each unit, since on the frames of its own fit a filter looks better
    than it is and f would be too steep. Lag 0 is the frame of the response, lag k is k frames earlier. Score it on a
    third set of frames.

    nonlinearity: "histogram", mean counts in bins of g with the same number of frames, joined by lines (shrunk towards
    the mean rate by one frame's worth); "exponential", exp(a + b g); "softplus", log(1 + exp(a + b g)); "quadratic",
    exp(a + b g + c g^2), which also fits units that answer to both signs. The latter three by maximum likelihood
    (`GLM`).

    When to use which: to predict spikes, and to see how the rate depends on the filter's output. For a filter with
    history and coupling use `GLM` on `lagged` designs. ``filter="poisson"`` takes the filter from a Poisson GLM on
    splines (`SplineRF`), which is right for an exponential f whatever the stimulus; the others minimise squared error,
    right up to scale for Gaussian stimuli (Bussgang's theorem) and close for natural ones.

    Parameters
    ----------
    lags : a number of frames, 15 = lags 0 to 14, or consecutive whole numbers, e.g. range(2, 12).
    filter : "ridge" (`RidgeRF`), "asd" (`ASD`), "sta" (`SpikeTriggeredAverage`), "poisson" (`SplineRF`), or an
        estimator with ``coef_`` and the same fit; its own lags then hold.
    nonlinearity : see above.   n_bins : of "histogram", at least 2.   held_out : share of frames, the last, for f.

    Attributes
    ----------
    coef_ : (units, lags, *space) w, such that g has standard deviation 1 over the frames of f.   filter_ : the fitted
    estimator.   edges_ : (units, n_bins) mean g of each bin and rates_ : (units, n_bins) counts a frame, of
    "histogram".   curve_ : (units, 3) a, b, c of the others.   mean_rate_ : (units,) counts a frame over all frames of
    the fit.   lags_ : (lags,).

    Raises
    ------
    InputError : ``too-few`` (frames with a full past), ``rows-differ``, ``nan-values``, ``bad-parameter``,
        ``wrong-observation`` (y below 0).

    References
    ----------
    Chichilnisky (2001); Simoncelli et al. (2004); Brenner et al. (2000).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(6000, 8))
    >>> y = rng.poisson(np.maximum(np.roll(x[:, 2], 1), 0))
    >>> model = cs.models.LNP(lags=3, n_bins=8).fit(x[:4000], y[:4000])
    >>> value, low, high = model.bits_per_spike(x[4000:], y[4000:])
    >>> bool(low[0] > 0), model.coef_.shape
    (True, (1, 3, 8))
    """

    def __init__(
        self,
        lags: Any = 1,
        *,
        filter: Any = "ridge",
        nonlinearity: str = "histogram",
        n_bins: int = 12,
        held_out: float = 0.25,
    ) -> None:
        self.lags = lags
        self.filter = filter
        self.nonlinearity = nonlinearity
        self.n_bins = n_bins
        self.held_out = held_out

    def _stage(self) -> Any:
        if not isinstance(self.filter, str):
            if not hasattr(self.filter, "fit"):
                check_option(self.filter, _FILTERS, name="filter", who="LNP")
            return clone(self.filter)
        kind = check_option(self.filter, _FILTERS, name="filter", who="LNP")
        if kind == "asd":
            return ASD(self.lags)
        if kind == "sta":
            return SpikeTriggeredAverage(self.lags)
        return RidgeRF(self.lags) if kind == "ridge" else SplineRF(self.lags, observation="poisson")

    def fit(self, stimulus: Any, y: Any, *, times: Any = None, trials: Any = None) -> LNP:
        """Fits. stimulus : (n, *space), frames in order of time.   y : (n,) or (n, units) counts of each frame.
        times : (n,) seconds; a jump of 1.5 steps or more is a break.   trials : (n,) labels; a change is a break. No
        lag reaches over a break, nor from the frames of f into those of w.
        """
        share = check_number(self.held_out, name="held_out", who="LNP", low=0.0, high=1.0)
        kind = check_option(self.nonlinearity, _NONLINEARITIES, name="nonlinearity", who="LNP")
        bins = check_count(self.n_bins, name="n_bins", who="LNP", minimum=2)
        stage = self._stage()
        data = checked_data(stimulus, y, stage.lags, times, trials, who="LNP", fewest=8)
        check_observed(data.y[data.rows], "poisson", who="LNP.fit")
        n = len(data.y)
        cut = n - max(round(share * n), 1)
        whole = data.series.x.reshape(n, *data.space)
        target = checked_response(y, n, "LNP.fit")[0]
        first, second = slice(0, cut), slice(cut, n)
        stage.fit(whole[first], target[first], times=_part(times, first), trials=_part(trials, first))
        self.filter_ = stage
        self.lags_, self.space_, self._flat = stage.lags_, stage.space_, data.flat
        self._weights = stage.coef_.reshape(len(stage.coef_), -1).T.astype(np.float64)
        if not np.isfinite(self._weights).all():
            self._weights = np.nan_to_num(self._weights)
        self._scale = np.ones(self._weights.shape[1])
        self._about = np.zeros(self._weights.shape[1])
        g = self._drive(whole[second], _part(times, second), _part(trials, second))
        there = np.isfinite(g).all(axis=1)
        if there.sum() < max(8, bins):
            raise InputError(
                f"LNP.fit: {int(there.sum())} frames with a full past are left for the nonlinearity; more frames, a "
                "larger held_out, or fewer lags.",
                code="too-few",
            )
        spread = g[there].std(axis=0)
        self._scale, self._about = np.where(spread > 0, spread, 1.0), g[there].mean(axis=0)
        self.coef_ = (self._weights / self._scale).T.reshape(stage.coef_.shape)
        self.mean_rate_ = data.y.sum(axis=0) / data.n
        if (self.mean_rate_ == 0).any():
            warn(
                "no-events",
                f"LNP.fit: {int((self.mean_rate_ == 0).sum())} of {self.mean_rate_.size} units have no spike in the "
                "frames that count; they get a constant prediction.",
                "Leave those units out.",
            )
        self._curve((g[there] - self._about) / self._scale, target[second][there], kind, bins)
        return self

    def _curve(self, g: np.ndarray, y: np.ndarray, kind: str, bins: int) -> None:
        t = g.shape[1]
        self.nonlinearity_ = kind
        if kind == "histogram":
            self.edges_, self.rates_ = np.empty((t, bins)), np.empty((t, bins))
            for u in range(t):
                parts = np.array_split(np.argsort(g[:, u], kind="stable"), bins)
                self.edges_[u] = [g[p, u].mean() for p in parts]
                self.rates_[u] = [(y[p, u].sum() + self.mean_rate_[u]) / (p.size + 1) for p in parts]
            return
        self.curve_ = np.zeros((t, 3))
        for u in range(t):
            if not y[:, u].any():
                self.curve_[u, 0] = np.log(max(self.mean_rate_[u], 0.5 / len(y)))
                continue
            columns = g[:, [u]] if kind != "quadratic" else np.stack([g[:, u], g[:, u] ** 2], axis=1)
            link = "softplus" if kind == "softplus" else "log"
            found = GLM("poisson", link=link, alpha=1e-4).fit(columns, y[:, u])
            self.curve_[u, 0] = found.intercept_
            self.curve_[u, 1 : 1 + columns.shape[1]] = found.coef_

    def _drive(self, stimulus: Any, times: Any, trials: Any) -> np.ndarray:
        """(n, t) output of the filters, not scaled; NaN without a full past."""
        n = len(stimulus)
        lags = range(int(self.lags_[0]), int(self.lags_[-1]) + 1)
        data = checked_data(stimulus, np.zeros(n), lags, times, trials, who="LNP", fewest=0, what="predict")
        if data.space != self.space_:
            raise InputError(
                f"LNP.predict: frames of the fit had shape {self.space_}, these have {data.space}.",
                code="bad-columns",
            )
        series = data.series
        constant = np.tile(series.centre, series.n_lags) @ self._weights
        return series.project(self._weights * series.size) + constant

    def predict(self, stimulus: Any, *, times: Any = None, trials: Any = None) -> np.ndarray:
        """Expected counts (m, t) of each frame, or (m,) after a fit to one column. Frames whose lags reach before a
        start or over a break are NaN.
        """
        check_is_fitted(self, "_scale")
        g = (self._drive(stimulus, times, trials) - self._about) / self._scale
        out = np.empty_like(g)
        for u in range(g.shape[1]):
            if self.nonlinearity_ == "histogram":
                out[:, u] = np.interp(g[:, u], self.edges_[u], self.rates_[u])
                continue
            a, b, c = self.curve_[u]
            with np.errstate(over="ignore"):
                eta = a + b * g[:, u] + c * g[:, u] ** 2
                if self.nonlinearity_ == "softplus":
                    out[:, u] = np.maximum(eta, 0.0) + np.log1p(np.exp(-np.abs(eta)))
                else:
                    out[:, u] = np.exp(eta)
        out[np.isnan(g)] = np.nan
        return out[:, 0] if self._flat else out

    def bits_per_spike(
        self, stimulus: Any, y: Any, *, times: Any = None, trials: Any = None, level: float = 0.95
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(value, low, high), (units,) each: log2-likelihood per spike above that of the constant rate of the fit.

        0 = as good as the mean rate, below 0 = worse. For frames the model has not seen; the interval is a jackknife
        over 20 consecutive blocks of frames. NaN without spikes.
        """
        level = check_number(level, name="level", who="LNP.bits_per_spike", low=0.0, high=1.0)
        mu = self.predict(stimulus, times=times, trials=trials)
        mu = mu.reshape(len(mu), -1)
        target, _ = checked_response(y, len(mu), "LNP.bits_per_spike")
        there = np.isfinite(mu).all(axis=1)
        mu, target = mu[there], target[there]
        if len(mu) < 2 * _BLOCKS:
            raise InputError(
                f"LNP.bits_per_spike: {len(mu)} frames with a full past; at least {2 * _BLOCKS} are needed.",
                code="too-few",
            )
        check_observed(target, "poisson", who="LNP.bits_per_spike")
        floor = np.maximum(mu, 1e-6 * np.maximum(self.mean_rate_, 1e-12))
        gain = likelihood_gain(target, floor, np.broadcast_to(self.mean_rate_, mu.shape), "poisson")[0]
        owner = np.arange(len(mu)) * _BLOCKS // len(mu)
        cut = np.flatnonzero(np.diff(owner, prepend=-1))
        gains, spikes = np.add.reduceat(gain, cut), np.add.reduceat(target, cut)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = gains.sum(axis=0) / spikes.sum(axis=0) / np.log(2)
            left = (gains.sum(axis=0) - gains) / (spikes.sum(axis=0) - spikes) / np.log(2)
        error = np.sqrt((_BLOCKS - 1) / _BLOCKS * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
        away = student.ppf((1 + level) / 2, _BLOCKS - 1) * error
        return value, value - away, value + away

    def score(
        self, stimulus: Any, y: Any, sample_weight: Any = None, *, times: Any = None, trials: Any = None
    ) -> float:
        """Bits per spike, averaged over units with spikes; not R2."""
        if sample_weight is not None:
            raise InputError("LNP.score: sample_weight is not taken.", code="bad-parameter")
        value = self.bits_per_spike(stimulus, y, times=times, trials=trials)[0]
        return float(np.nanmean(value)) if np.isfinite(value).any() else float("nan")


def _part(labels: Any, where: slice) -> Any:
    return None if labels is None else np.asarray(labels)[where]
