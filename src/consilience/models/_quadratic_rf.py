"""`QuadraticRF`: a second-order receptive field by ridge regression, for stimuli of any distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.linalg._lagged import LaggedSeries
from consilience.linalg._lagged_ridge import lagged_ridge
from consilience.models._base import check_alphas, held_out_r2
from consilience.models._field_base import checked_data, checked_response, held_out_frames, r2_of
from consilience.models._principal import principal
from consilience.models._stc_null import nested_test

__all__ = ["QuadraticRF"]

_WIDEST = 80


class QuadraticRF(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """y_t = b + w . s_t + s_t' Q s_t + noise, s the principal components of the stimulus over lags and pixels.

    Least squares with a ridge penalty alpha (||w||^2 + ||Q||^2), chosen for each unit on runs of frames held out; lag 0
    is the frame of the response, lag k is k frames earlier. Eigenvectors of Q are axes that drive the unit with either
    sign (excitatory, eigenvalue above 0) or stop it (suppressive). A complex cell, the energy of a quadrature pair, is
    such a model exactly: two excitatory axes. Which axes are real is decided by the nested test of
    `SpikeTriggeredCovariance` against responses shifted around in time; shifts of all units are only further targets of
    the same regression. In simulations (smooth stimulus of changing contrast) some axis was found for 0.01 of unrelated
    and 0.06 of linear units at level 0.05.

    When to use which: `SpikeTriggeredCovariance` needs a Gaussian stimulus, and then many pixels do no harm. Where
    contrast changes from frame to frame its axes are of the stimulus too; this regression does not mind, but has k (k +
    3) / 2 weights for k components, so that the stimulus must lie in few of them. What the unit sees outside of these
    components leaks into further axes that are significant too: a complex cell shown photographs (45 of 300 components,
    16000 spikes) had 3.8 excitatory and 1 suppressive ones where 2 and 0 are right, and the outputs of its first two
    agreed with the truth by 0.79 (covariance: 4 axes, 0.75). Neither counts the axes of a unit for such a stimulus.

    Parameters
    ----------
    lags : a number of frames, 15 = lags 0 to 14, or consecutive whole numbers, e.g. range(2, 12).
    n_components : principal components of the stimulus, at most 80.
    n_axes : at most so many excitatory and so many suppressive axes are kept.
    alphas : penalties, in units of the scores over their largest standard deviation; None = 1e-5 ... 1e4 times the mean
        squared length of a centred row.   cv, gap : see `RidgeRF`.
    n_null : shifts for each unit; 0 = no test.   level : of the family of tests of one unit.   rng : their seed.

    Attributes
    ----------
    coef_ : (units, lags, *space) the linear part, always with the axis of units.   excitatory_, suppressive_ : (units,
    n_axes, lags, *space) filters of length 1, of either sign, the strongest first; only the first ``n_excitatory_``,
    ``n_suppressive_`` (units,) are significant.   eigenvalues_ : (units, k) from the largest, response per squared unit
    of the stimulus.   p_excitatory_, p_suppressive_ : (units, n_axes) nested p-values, NaN where the axis before it was
    not significant.   alpha_ : (units,).   cv_scores_ : (alphas, units) held-out R2.   explained_ : share of the
    variance of the stimulus in the components.   n_components_, lags_, n_frames_, seed_.

    Raises
    ------
    InputError : ``too-few`` (frames with a full past), ``rows-differ``, ``nan-values``, ``bad-parameter``,
        ``no-structure``.

    References
    ----------
    Rajan, Marre & Tkacik (2013).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(3000, 8)) * rng.lognormal(size=(3000, 1))  # of changing contrast
    >>> y = rng.poisson(np.minimum(0.2 * x[:, 3] ** 2, 20))
    >>> model = cs.models.QuadraticRF(n_null=60, rng=0).fit(x, y)
    >>> model.n_components_, int(np.abs(model.excitatory_[0, 0]).argmax())
    (8, 3)
    """

    def __init__(
        self,
        lags: Any = 1,
        *,
        n_components: int = 40,
        n_axes: int = 4,
        alphas: Any = None,
        cv: int = 5,
        gap: int | None = None,
        n_null: int = 100,
        level: float = 0.05,
        rng: Any = None,
    ) -> None:
        self.lags = lags
        self.n_components = n_components
        self.n_axes = n_axes
        self.alphas = alphas
        self.cv = cv
        self.gap = gap
        self.n_null = n_null
        self.level = level
        self.rng = rng

    def fit(self, stimulus: Any, y: Any, *, times: Any = None, trials: Any = None) -> QuadraticRF:
        """Fits. stimulus : (n, *space), frames in order of time.   y : (n,) or (n, units), one value a frame.
        times : (n,) seconds; a jump of 1.5 steps or more is a break.   trials : (n,) labels; a change is a break. No
        lag reaches over a break; shifts go around over all frames that count.
        """
        who = "QuadraticRF"
        most = check_count(self.n_components, name="n_components", who=who, minimum=2, maximum=_WIDEST)
        axes = check_count(self.n_axes, name="n_axes", who=who, minimum=1)
        shifts = check_count(self.n_null, name="n_null", who=who)
        level = check_number(self.level, name="level", who=who, low=0.0, high=1.0)
        if shifts and level / 2 * (shifts + 1) < 1:
            raise InputError(
                f"{who}: n_null={shifts} shifts cannot reach p = {level / 2:g} of one end; at least "
                f"{int(np.ceil(2 / level)) - 1} are needed.",
                code="bad-parameter",
            )
        data = checked_data(stimulus, y, self.lags, times, trials, who=who, fewest=8)
        series = data.series
        found = principal(data, most, 0.0, who=who)
        self._basis = found.vectors / (np.sqrt(found.values[0]) * series.size)
        self._middle = np.tile(series.centre, series.n_lags) + found.about * series.size
        self.n_components_ = found.values.size
        total = float(np.trace(series.gram())) / data.n - float(found.about @ found.about)
        self.explained_ = float(found.values.sum()) / total
        self.lags_ = np.arange(series.first, series.last + 1)
        self.space_, self.n_frames_, self.n_features_in_ = data.space, data.n, series.p
        self._flat = data.flat
        design = LaggedSeries(self._features(series), 0, 0, [(0, series.n)])
        design.rows = data.rows
        alphas = check_alphas(self.alphas, who, design.size, 2)
        gap = series.n_lags - 1 if self.gap is None else check_count(self.gap, name="gap", who=who)
        single = alphas is not None and alphas.size == 1
        folds = [] if single else held_out_frames(data.rows, self.cv, gap, who)
        fit = lagged_ridge(design, data.y, alphas, folds)
        self.alpha_, self.cv_scores_ = fit.alpha * design.size**2, held_out_r2(fit.errors, fit.total)
        self._weights = fit.weights / design.size
        self.intercept_ = fit.mean - (design.centre + fit.about * design.size) @ self._weights
        k, t = self.n_components_, data.y.shape[1]
        self.coef_ = (self._basis @ self._weights[:k]).T.reshape(t, self.lags_.size, *data.space)
        seed = resolve_seed(self.rng, who=who)
        self.seed_ = str(seed)
        self._axes(design, data.y, axes, shifts, level, seed.stream("shifts"))
        return self

    def _features(self, series: LaggedSeries) -> np.ndarray:
        """(n, k + k (k + 1) / 2): scores and their products, those of two different ones times root 2, so that the
        penalty is that of the matrix; 0 where a frame is no row.
        """
        shift = (np.tile(series.centre, series.n_lags) - self._middle) @ self._basis
        scores = np.nan_to_num(series.project(self._basis * series.size) + shift)
        scores[~series.rows] = 0.0
        k = scores.shape[1]
        i, j = np.triu_indices(k)
        out = np.empty((len(scores), k + i.size), np.float32)
        out[:, :k] = scores
        for a in range(0, len(scores), 4096):
            part = scores[a : a + 4096]
            out[a : a + 4096, k:] = part[:, i] * part[:, j] * np.where(i == j, 1.0, np.sqrt(2.0))
        return out

    def _matrices(self, weights: np.ndarray) -> np.ndarray:
        """(t, k, k) Q of weights (features, t)."""
        k = self.n_components_
        i, j = np.triu_indices(k)
        out = np.zeros((weights.shape[1], k, k))
        out[:, i, j] = out[:, j, i] = weights[k:].T * np.where(i == j, 1.0, np.sqrt(0.5))
        return out

    def _axes(
        self,
        design: LaggedSeries,
        y: np.ndarray,
        axes: int,
        shifts: int,
        level: float,
        generator: np.random.Generator,
    ) -> None:
        t, k = y.shape[1], self.n_components_
        length = np.linalg.norm(self._basis[:, 0])
        unit = self._basis / length  # orthonormal
        shape = (t, axes, self.lags_.size, *self.space_)
        self.excitatory_, self.suppressive_ = np.full(shape, np.nan), np.full(shape, np.nan)
        self.p_excitatory_, self.p_suppressive_ = np.full((t, axes), np.nan), np.full((t, axes), np.nan)
        self.n_excitatory_, self.n_suppressive_ = np.zeros(t, np.int64), np.zeros(t, np.int64)
        self.eigenvalues_ = np.empty((t, k))
        if shifts:
            n, rows = int(design.rows.sum()), np.flatnonzero(design.rows)
            least = min(max(self.lags_.size, 1), n // 4)
            about = design.totals(design.rows) / n
            values, vectors = np.linalg.eigh(design.gram() - n * np.outer(about, about))
            values = np.maximum(values, 0.0)
        kept = min(axes, k)
        for u, q in enumerate(self._matrices(self._weights)):
            found, turn = np.linalg.eigh(q)
            self.eigenvalues_[u] = found[::-1] * length**2
            self.excitatory_[u, :kept] = (unit @ turn[:, ::-1][:, :kept]).T.reshape(kept, *shape[2:])
            self.suppressive_[u, :kept] = (unit @ turn[:, :kept]).T.reshape(kept, *shape[2:])
            if not shifts or np.ptp(y[rows, u]) == 0:
                continue
            steps = generator.integers(least, n - least + 1, size=shifts)
            moved = np.zeros((design.n, shifts))
            moved[rows] = np.stack([np.roll(y[rows, u], int(s)) for s in steps], axis=1)
            cross = vectors.T @ design.sums(moved, less=np.full(shifts, y[rows, u].mean()))
            alpha = self.alpha_[u] / design.size**2
            null = self._matrices(vectors @ (cross / (values + alpha)[:, None]) / design.size)
            tested = nested_test(found, turn, null, axes, level / 2)
            self.p_excitatory_[u], self.p_suppressive_[u] = tested.p_high, tested.p_low
            self.n_excitatory_[u], self.n_suppressive_[u] = tested.n_high, tested.n_low

    def predict(self, stimulus: Any, *, times: Any = None, trials: Any = None) -> np.ndarray:
        """Expected responses (m, t), or (m,) after a fit to one column. Frames whose lags reach before a start or over
        a break are NaN.
        """
        check_is_fitted(self, "_weights")
        lags = range(int(self.lags_[0]), int(self.lags_[-1]) + 1)
        nothing = np.zeros(len(stimulus))
        data = checked_data(
            stimulus, nothing, lags, times, trials, who="QuadraticRF", fewest=0, what="predict"
        )
        if data.space != self.space_:
            raise InputError(
                f"QuadraticRF.predict: frames of the fit had shape {self.space_}, these have {data.space}.",
                code="bad-columns",
            )
        out = self._features(data.series).astype(np.float64) @ self._weights + self.intercept_
        out[~data.rows] = np.nan
        return out[:, 0] if self._flat else out

    def score(
        self, stimulus: Any, y: Any, sample_weight: Any = None, *, times: Any = None, trials: Any = None
    ) -> float:
        """R2 over frames with a full past, averaged over units that vary."""
        if sample_weight is not None:
            raise InputError("QuadraticRF.score: sample_weight is not taken.", code="bad-parameter")
        predicted = self.predict(stimulus, times=times, trials=trials)
        target, _ = checked_response(y, len(predicted), "QuadraticRF.score")
        return r2_of(target, predicted.reshape(len(predicted), -1))
