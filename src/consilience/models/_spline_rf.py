"""`SplineRF`: receptive fields on a product of spline bases, by ridge regression or a Poisson GLM."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.stats import norm

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_option, shorten
from consilience.linalg._lagged import LaggedSeries
from consilience.linalg._lagged_ridge import lagged_ridge
from consilience.models._base import check_alphas, held_out_r2
from consilience.models._field_base import Data, FieldBase, held_out_frames
from consilience.models._glm_cv import GLMCV
from consilience.models._ridge_rf import Interval
from consilience.models.basis import BSpline
from consilience.stats import check_observed

__all__ = ["SplineRF"]

_WIDEST = 4000
_SHARES = (1 / 3, 1 / 2, 2 / 3, 1.0)
_EVERY = 200  # entries of a field, up to which it may go without splines


class SplineRF(Interval, FieldBase):
    """Receptive fields w = sum_j c_j b_j, b_j products of B-splines over lags and each axis of space.

    With ``observation="gaussian"``: y_t = b + w . d_t + noise, least squares with a ridge penalty alpha ||w||^2; with
    "poisson": y_t ~ Poisson(exp(b + w . d_t)), penalised likelihood (`GLM`). d_t is the stimulus over lags and pixels;
    lag 0 is the frame of the response, lag k is k frames earlier. The penalty of each unit is chosen on runs of frames
    held out. The stimulus is turned into the basis first, over space and then over lags: the design in use is (frames,
    number of products), n times that many numbers of memory.

    When to use which: fields that are smooth at a scale that is known, with many frames or units, or where a Poisson
    likelihood is wanted: fewer parameters make it fast. What is finer than a spline is lost without a sign; `ASD`
    learns the scale, `RidgeRF` assumes none.

    Parameters
    ----------
    lags : a number of frames, 15 = lags 0 to 14, or consecutive whole numbers, e.g. range(2, 12).
    n_splines : number of splines on every axis, or one number for each axis, lags first; None = a third, a half or two
        thirds of the length of every axis, at least 4, or of fields of up to 200 entries all of it (no splines, for
        filters that change from step to step): the share that predicts held-out runs best, over all units (a half with
        a single alpha). An axis no longer than its number keeps its own steps.
    degree : of the splines, 3 = cubic.   observation : "gaussian" or "poisson" (y at least 0).
    alphas : penalties of `RidgeRF` or, for poisson, of `GLMCV`; None = a grid relative to the data.
    cv : number of consecutive runs of frames, each held out in turn.   gap : frames beside a held-out run that train
        nothing; None = the span of the lags.

    Attributes
    ----------
    coef_ : (units, lags, *space), always with the axis of units: response (poisson: log rate) per unit of stimulus.
    std_ : the same shape, standard error within the space of the splines, the penalty taken as given; also as
    `coef_interval`: 95 % intervals held 0.95 of pixels of fields that splines can make, 0.85 to 0.9 of others, but the
    peak itself of a field in a flat surround in only 0.00 to 0.27: splines and penalty round it off.
    intercept_ : (units,).   alpha_ : (units,).   alphas_ : the grid.   cv_scores_ : (alphas, units) held-out R2, or
    share of deviance.   n_splines_ : of each axis.   lags_ : (lags,).   n_frames_ : frames that count.

    Raises
    ------
    InputError : ``too-few`` (frames with a full past), ``rows-differ``, ``nan-values``, ``bad-parameter``,
        ``out-of-range`` (more than 4000 products), ``wrong-observation``.

    References
    ----------
    de Boor (1978); Huang et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 24))
    >>> w = np.exp(-((np.arange(24) - 9) ** 2) / 18) / 4
    >>> y = rng.poisson(np.exp(x @ w - 1))
    >>> model = cs.models.SplineRF(lags=1, n_splines=8, observation="poisson").fit(x, y)
    >>> model.coef_.shape, bool(np.corrcoef(model.coef_[0, 0], w)[0, 1] > 0.95)
    ((1, 1, 24), True)
    """

    def __init__(
        self,
        lags: Any = 1,
        *,
        n_splines: Any = None,
        degree: int = 3,
        observation: str = "gaussian",
        alphas: Any = None,
        cv: int = 5,
        gap: int | None = None,
    ) -> None:
        self.lags = lags
        self.n_splines = n_splines
        self.degree = degree
        self.observation = observation
        self.alphas = alphas
        self.cv = cv
        self.gap = gap

    def fit(self, stimulus: Any, y: Any, *, times: Any = None, trials: Any = None) -> SplineRF:
        """Fits. stimulus : (n, *space), frames in order of time.   y : (n,) or (n, units), one value a frame.
        times : (n,) seconds; a jump of 1.5 steps or more is a break.   trials : (n,) labels; a change is a break. No
        lag reaches over a break.
        """
        who = "SplineRF"
        kind = check_option(self.observation, ("gaussian", "poisson"), name="observation", who=who)
        data = self._check(stimulus, y, times, trials, fewest=4)
        if kind == "poisson":
            check_observed(data.y[data.rows], "poisson", who=f"{who}.fit")
        gap = data.series.n_lags - 1 if self.gap is None else check_count(self.gap, name="gap", who=who)
        self._keep(data)
        shape = (data.series.n_lags, *data.space)
        if self.n_splines is not None or max(shape) <= 4:
            self._with(self._bases(shape), data, gap)
            return self
        found: list[tuple[float, float]] = []
        for share in _SHARES:
            if share == 1.0 and np.prod(shape) > _EVERY:
                break
            bases = self._bases(shape, share)
            if found and np.prod([b.shape[1] for b in bases]) > _WIDEST // 2:
                break
            self._with(bases, data, gap)
            scores = np.where(np.isfinite(self.cv_scores_), self.cv_scores_, -np.inf).max(axis=0)
            varies = np.isfinite(scores)
            found.append((float(scores[varies].mean()) if varies.any() else -np.inf, share))
        value, best = max(found)
        self._with(self._bases(shape, best if np.isfinite(value) else 0.5), data, gap)
        return self

    def _with(self, bases: list[np.ndarray], data: Data, gap: int) -> None:
        """The fit on products of ``bases``."""
        over_space = np.ones((1, 1))
        for basis in bases[1:]:
            over_space = np.kron(over_space, basis)
        design = _in_basis(data.series, bases[0], over_space)
        whole = np.kron(bases[0], over_space)  # (width, products)
        self.n_splines_ = tuple(b.shape[1] for b in bases)
        (self._gaussian if self.observation == "gaussian" else self._poisson)(data, design, whole, gap)

    def _bases(self, shape: tuple[int, ...], share: float = 0.5) -> list[np.ndarray]:
        """Orthonormal functions (steps, k) of each axis: a ridge on their weights is one on the field."""
        degree = check_count(self.degree, name="degree", who="SplineRF", maximum=5)
        listed = [self.n_splines] * len(shape) if np.ndim(self.n_splines) == 0 else list(self.n_splines)
        if len(listed) != len(shape):
            raise InputError(
                f"SplineRF: n_splines must be one number, or one for each of the {len(shape)} axes (lags first); got "
                f"{shorten(self.n_splines)}.",
                code="bad-parameter",
            )
        out = []
        for size, given in zip(shape, listed):
            count = (
                max(4, math.ceil(share * size))
                if given is None
                else check_count(given, name="n_splines", who="SplineRF", minimum=1)
            )
            if count >= size:
                out.append(np.eye(size))
            elif count == 1:
                out.append(np.full((size, 1), size**-0.5))
            else:
                out.append(np.linalg.qr(BSpline(count, degree=min(degree, count - 1)).kernel(size))[0])
        width = int(np.prod([b.shape[1] for b in out]))
        if width > _WIDEST:
            raise InputError(
                f"SplineRF: {' x '.join(str(b.shape[1]) for b in out)} are {width} products of splines; at most "
                f"{_WIDEST} are taken: a smaller n_splines, fewer lags, or RidgeRF.",
                code="out-of-range",
            )
        return out

    def _gaussian(self, data: Data, design: np.ndarray, whole: np.ndarray, gap: int) -> None:
        series = LaggedSeries(design, 0, 0, [(0, len(design))])
        series.rows = data.rows
        size = data.series.size * series.size
        alphas = check_alphas(self.alphas, "SplineRF", size, 2)
        folds = (
            []
            if alphas is not None and alphas.size == 1
            else held_out_frames(data.rows, self.cv, gap, "SplineRF")
        )
        found = lagged_ridge(series, data.y, alphas, folds, output=whole)
        weights = whole @ found.weights / size
        # means of D follow from those of the design only within the basis, which is where weights are
        about = whole @ (series.centre + found.about * series.size)
        self._set_weights(weights, data, found.mean, about)
        self.coef_ = self._shaped(weights)
        self.std_ = self._shaped(np.sqrt(found.noise * found.variance) / size)
        self.alpha_, self.alphas_ = found.alpha * size**2, found.alphas * size**2
        self.cv_scores_ = held_out_r2(found.errors, found.total)

    def _poisson(self, data: Data, design: np.ndarray, whole: np.ndarray, gap: int) -> None:
        rows = np.flatnonzero(data.rows)
        place = np.full(data.rows.size, -1)
        place[rows] = np.arange(rows.size)
        splits = [
            (place[data.rows & ~test & ~near], place[test])
            for test, near in held_out_frames(data.rows, self.cv, gap, "SplineRF")
        ]
        x, y = design[rows], data.y[rows]
        model = GLMCV("poisson", alphas=self.alphas, cv=splits).fit(x, y)
        weights = whole @ model.coef_.T / data.series.size
        self._weights = weights
        self._constant = model.intercept_ - np.tile(data.series.centre, data.series.n_lags) @ weights
        self.intercept_ = self._constant.copy()
        self.coef_ = self._shaped(weights)
        low, high = model.coef_interval(x, y, of=whole)
        self.std_ = self._shaped((high - low).T / (2 * norm.ppf(0.975) * data.series.size))
        self.alpha_, self.alphas_, self.cv_scores_ = model.alpha_, model.alphas_, model.cv_scores_

    def _linear(self, series: LaggedSeries) -> np.ndarray:
        out = super()._linear(series)
        with np.errstate(over="ignore"):
            return np.exp(out) if self.observation == "poisson" else out


def _in_basis(series: LaggedSeries, over_lags: np.ndarray, over_space: np.ndarray) -> np.ndarray:
    """(n, products) the rows of D in the basis; 0 where a frame is no row."""
    dtype = series.dtype
    turned = np.empty((series.n, over_space.shape[1]), dtype)
    step, space = 8192, over_space.astype(dtype)
    for a in range(0, series.n, step):
        block = (series.x[a : a + step] - series.centre.astype(dtype)) / dtype.type(series.size)
        turned[a : a + step] = block @ space
    out = np.zeros((series.n, over_lags.shape[1], turned.shape[1]), dtype)
    at = np.flatnonzero(series.rows)
    for a in range(0, at.size, step):
        rows = at[a : a + step]
        past = np.stack([turned[rows - lag] for lag in range(series.first, series.last + 1)], axis=1)
        out[rows] = np.matmul(over_lags.T.astype(dtype), past)
    return out.reshape(series.n, -1)
