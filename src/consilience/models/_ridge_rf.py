"""`RidgeRF`: receptive fields by ridge regression on the stimulus and its lags."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.utils.validation import check_is_fitted

from consilience._core._params import check_count, check_number
from consilience.linalg._lagged_ridge import lagged_ridge
from consilience.models._base import check_alphas, held_out_r2
from consilience.models._field_base import FieldBase, held_out_frames

__all__ = ["Interval", "RidgeRF"]


class Interval:
    """`coef_interval` of estimators with ``coef_`` and a posterior standard deviation ``std_``."""

    coef_: np.ndarray
    std_: np.ndarray

    def coef_interval(self, *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """(low, high) of the shape of ``coef_``: coef_ -+ z std_, of each number alone, the penalty taken as given."""
        check_is_fitted(self, "std_")
        who = f"{type(self).__name__}.coef_interval"
        away = norm.ppf((1 + check_number(level, name="level", who=who, low=0.0, high=1.0)) / 2) * self.std_
        return self.coef_ - away, self.coef_ + away


class RidgeRF(Interval, FieldBase):
    """Receptive fields by ridge regression, the penalty of each unit chosen on runs of frames held out.

    w_u = argmin sum_t (y_tu - b - sum_k w_k . x_{t-k})^2 + alpha_u ||w||^2 over frames t whose lags are all there.
    Lag 0 is the frame of the response, lag k is k frames earlier. The autocorrelation of the stimulus is undone as far
    as held-out prediction gains by it, so that the field is neither blurred (`SpikeTriggeredAverage`) nor drowned in
    noise (its whitened form).

    The design (frames, lags x pixels) is never made: its Gram matrix follows from one product for each lag, since the
    block of lags (a + 1, b + 1) is that of (a, b) but for the ends of stretches, and one eigendecomposition of it
    serves all penalties and units. With fewer frames than lags x pixels the Gram matrix of frames takes its place.
    Memory: (cv + 3) times 8 (lags x pixels)^2 bytes; 5000 lags x pixels are 200 MB each, and half a minute a fold.

    When to use which: the first choice for natural or coloured stimuli and for many units, fast and with few
    assumptions. `ASD` learns how smooth the field is, and needs fewer frames where it is smooth. `LowRankRF` where
    space and time separate. Of counts this is least squares, right in expectation for near-linear units; `LNP` adds the
    nonlinearity.

    Parameters
    ----------
    lags : a number of frames, 15 = lags 0 to 14, or consecutive whole numbers, e.g. range(2, 12).
    alphas : penalties, in squared units of the stimulus, summed over frames; None = 1e-5 ... 1e4 times the mean squared
        length of a centred row of lags and pixels. A single number: nothing is chosen.
    cv : number of consecutive runs of frames, each held out in turn.   gap : frames beside a held-out run that train
        nothing; None = the span of the lags.

    Attributes
    ----------
    coef_ : (units, lags, *space) response per unit of stimulus, always with the axis of units.   intercept_ : (units,).
    alpha_ : (units,).   alphas_ : the grid.   cv_scores_ : (alphas, units) held-out R2.   df_ : (units,) effective
    number of parameters.   noise_ : (units,) residual variance.   std_ : shape of coef_, posterior standard deviation
    sqrt(noise_ diag (D'D + alpha)^-1): that of independent Gaussian noise and a prior N(0, noise_ / alpha); also as
    `coef_interval`. In simulations 95 % intervals held 0.93 to 1.00 of pixels, but a peak in a flat surround in as
    few as 0.03 where noise is strong: the penalty shrinks it.   lags_ : (lags,).   n_frames_ : frames that count.

    Raises
    ------
    InputError : ``too-few`` (frames with a full past), ``rows-differ``, ``nan-values``, ``bad-parameter``.

    References
    ----------
    Hoerl & Kennard (1970); Machens, Wehr & Zador (2004).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = np.cumsum(rng.normal(size=(3000, 12)), axis=1)  # neighbours alike
    >>> y = np.roll(x[:, 4], 1) + rng.normal(size=3000)
    >>> model = cs.models.RidgeRF(lags=3).fit(x, y)
    >>> model.coef_.shape, np.unravel_index(model.coef_[0].argmax(), (3, 12))
    ((1, 3, 12), (np.int64(1), np.int64(4)))
    """

    def __init__(self, lags: Any = 1, *, alphas: Any = None, cv: int = 5, gap: int | None = None) -> None:
        self.lags = lags
        self.alphas = alphas
        self.cv = cv
        self.gap = gap

    def fit(self, stimulus: Any, y: Any, *, times: Any = None, trials: Any = None) -> RidgeRF:
        """Fits. stimulus : (n, *space), frames in order of time.   y : (n,) or (n, units), one value a frame.
        times : (n,) seconds; a jump of 1.5 steps or more is a break.   trials : (n,) labels; a change is a break. No
        lag reaches over a break.
        """
        data = self._check(stimulus, y, times, trials, fewest=4)
        size = data.series.size
        alphas = check_alphas(self.alphas, "RidgeRF", size, 2)
        span = (
            data.series.n_lags - 1 if self.gap is None else check_count(self.gap, name="gap", who="RidgeRF")
        )
        folds = (
            []
            if alphas is not None and alphas.size == 1
            else held_out_frames(data.rows, self.cv, span, "RidgeRF")
        )
        found = lagged_ridge(data.series, data.y, alphas, folds)
        self._keep(data)
        weights = found.weights / size
        self._set_weights(weights, data, found.mean, found.about)
        self.coef_ = self._shaped(weights)
        self.std_ = self._shaped(np.sqrt(found.noise * found.variance) / size)
        self.alpha_, self.alphas_ = found.alpha * size**2, found.alphas * size**2
        self.cv_scores_ = held_out_r2(found.errors, found.total)
        self.df_, self.noise_ = found.df, found.noise
        return self
