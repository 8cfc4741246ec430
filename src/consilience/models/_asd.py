"""`ASD`: smooth receptive fields, how smooth decided by the evidence."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number
from consilience.models._asd_evidence import Evidence, Posterior, maximise
from consilience.models._field_base import FieldBase
from consilience.models._ridge_rf import Interval

__all__ = ["ASD"]

_WIDEST = 12000


class ASD(Interval, FieldBase):
    """Automatic smoothness determination: receptive fields under a smooth Gaussian prior fitted by the evidence.

    y_t = b + sum_k w_k . x_{t-k} + e_t, e_t ~ N(0, s), and over lag and every axis of space

        w ~ N(0, C),   C[(k, i, j), (k', i', j')] = rho exp(-(k - k')^2 / 2 l_0^2 - (i - i')^2 / 2 l_1^2 - ...).

    s, rho and the lengths l are those for which the responses of a unit are most probable with w integrated out (no
    held-out frames are needed); ``coef_`` is then the posterior mean C (C + s (D'D)^-1)^-1 w_ols and ``std_`` the
    posterior standard deviation. D'D is computed once for all units and the design never made. C is a Kronecker
    product, and only its eigenvectors that carry variance are used (as in Aoi & Pillow 2017, with the exact
    eigenvectors of each axis in place of a Fourier basis), so that a step costs a factorisation of the size of the
    smooth part; gradients are analytic.

    When to use which: for fields that are smooth on the grid of the stimulus and few frames, the most accurate here,
    with honest intervals. `RidgeRF` where thousands of units or pixels make it too slow: a fit has its time of one
    factorisation per step, unit by unit, and memory of two (lags x pixels)^2 matrices (12000 at most). Spike counts are
    given to the Gaussian evidence as they are, which is the custom: the noise variance is then an average over frames.

    Parameters
    ----------
    lags : a number of frames, 15 = lags 0 to 14, or consecutive whole numbers, e.g. range(2, 12).
    max_iter : steps of L-BFGS at most.   tol : stop where a step gains less than this many nats of log evidence.

    Attributes
    ----------
    coef_ : (units, lags, *space) response per unit of stimulus, always with the axis of units.   std_ : the same shape;
    also as `coef_interval`, of each number alone; that the hyperparameters are estimated counts to first
    order. 95 % intervals held fields that were drawn from the prior in 0.92 to 0.95 of pixels (300 to 1000 frames), and
    those of a peak in a flat surround in 0.96, but the peak itself in only 0.3 to 0.5: the prior shrinks it.
    intercept_ : (units,).   lengths_ : (units, 1 + axes of space) l, in frames and pixels; NaN on axes of length 1.
    prior_ : (units,) rho.   noise_ : (units,) s.   evidence_ : (units,) log evidence in nats.   rank_ : (units,) prior
    directions in use.   n_iter_ : (units,) evaluations.   lags_ : (lags,).   n_frames_ : frames that count.

    Raises
    ------
    InputError : ``too-few`` (frames with a full past), ``rows-differ``, ``nan-values``, ``bad-parameter``,
        ``no-structure``, ``out-of-range`` (more than 12000 weights).

    References
    ----------
    Sahani & Linden (2003); Park & Pillow (2011); Aoi & Pillow (2017).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(600, 20))
    >>> w = np.exp(-((np.arange(20) - 9) ** 2) / 8)
    >>> y = x @ w + 2 * rng.normal(size=600)
    >>> model = cs.models.ASD(lags=2).fit(x, y)
    >>> model.coef_.shape, bool(np.corrcoef(model.coef_[0, 0], w)[0, 1] > 0.97)
    ((1, 2, 20), True)
    """

    def __init__(self, lags: Any = 1, *, max_iter: int = 100, tol: float = 1e-2) -> None:
        self.lags = lags
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, stimulus: Any, y: Any, *, times: Any = None, trials: Any = None) -> ASD:
        """Fits. stimulus : (n, *space), frames in order of time.   y : (n,) or (n, units), one value a frame.
        times : (n,) seconds; a jump of 1.5 steps or more is a break.   trials : (n,) labels; a change is a break. No
        lag reaches over a break.
        """
        max_iter = check_count(self.max_iter, name="max_iter", who="ASD", minimum=1)
        tol = check_number(self.tol, name="tol", who="ASD", low=0.0)
        data = self._check(stimulus, y, times, trials, fewest=4, exact=True)
        series, n = data.series, data.n
        if series.width > _WIDEST:
            raise InputError(
                f"ASD.fit: {series.n_lags} lags x {series.p} pixels are {series.width} weights, and their covariance "
                f"has {series.width**2 * 8e-9:.0f} GB; up to {_WIDEST} are taken: crop or downsample the stimulus, "
                "take fewer lags, or use RidgeRF.",
                code="out-of-range",
            )
        about, mean = series.totals(data.rows) / n, data.y.sum(axis=0) / n
        gram = series.gram() - n * np.outer(about, about)
        cross = series.sums(data.y, less=mean)
        square = np.maximum(np.einsum("ij,ij->j", data.y, data.y) - n * mean**2, 0.0)
        flat = square <= 1e-20 * np.maximum(n * mean**2, 1e-280)
        if flat.all() or not np.trace(gram) > 0:
            what = "no unit varies" if flat.all() else "the stimulus does not vary"
            raise InputError(f"ASD.fit: {what} over the {n} frames that count.", code="no-structure")
        evidence = Evidence(gram, (series.n_lags, *data.space), n - 1)
        found = [
            None if still else maximise(evidence, cross[:, u], float(square[u]), max_iter=max_iter, tol=tol)
            for u, still in enumerate(flat)
        ]
        if flat.any():
            warn(
                "constant-units",
                f"ASD.fit: {int(flat.sum())} of {flat.size} units have the same response in all frames that count; "
                "their fields are 0.",
                "Leave those units out.",
            )
        self._keep(data)
        self._describe(found, evidence, series.size)
        weights = np.stack([np.zeros(series.width) if f is None else f.mean for f in found], axis=1)
        weights /= series.size
        self._set_weights(weights, data, mean, about)
        self.coef_ = self._shaped(weights)
        return self

    def _describe(self, found: list[Posterior | None], evidence: Evidence, size: float) -> None:
        t, axes = len(found), evidence.axes
        self.lengths_ = np.full((t, len(evidence.shape)), np.nan)
        self.prior_, self.noise_, self.evidence_ = np.zeros(t), np.zeros(t), np.full(t, np.nan)
        self.rank_, self.n_iter_ = np.zeros(t, np.int64), np.zeros(t, np.int64)
        spread = np.zeros((evidence.gram.shape[0], t))
        for u, f in enumerate(found):
            if f is not None:
                self.noise_[u], self.prior_[u] = np.exp(f.theta[0]), np.exp(f.theta[1]) / size**2
                self.lengths_[u, axes] = np.exp(f.theta[2:])
                self.evidence_[u], self.rank_[u], self.n_iter_[u] = f.value, f.rank, f.n_iter
                spread[:, u] = np.sqrt(f.variance) / size
        self.std_ = self._shaped(spread)
