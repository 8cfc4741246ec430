"""The Bayesian decoder of a place, a heading or any other variable from spike counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from consilience._core._angles import say_turns
from consilience._core._counts import say_rates
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience.models._classifier import softmax
from consilience.models._poisson_bayes import refuse_no_counts

__all__ = ["BayesianDecoder"]


def is_text(y: Any) -> bool:
    given = np.asarray(y, dtype=object if isinstance(y, (list, tuple)) else None).ravel()
    return given.dtype.kind in "US" or (given.dtype == object and any(isinstance(v, str) for v in given))


class BayesianDecoder(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """p(y | x) ~ p(y) prod_u f_u(y)^x_u exp(-f_u(y)): counts x of independent Poisson units with tuning curves f_u.

    f_u(y) is the mean count of unit u over training samples in the bin of y, counts and occupancy smoothed alike; the
    prior p(y) is the occupancy. Bins without a visit are never decoded. The bins of x have one width, that of training
    and test.

    Parameters
    ----------
    bins : number of bins of y, or one number for each column of y.
    circular : y is an angle in radians: bins cover 0 ... 2 pi, smoothing and means go round.
    smoothing : standard deviation of the smoothing of tuning curves, in bins; 0 = none.
    prior : "occupancy", or "uniform" over the bins visited.
    estimate : "mode" (the centre of the most probable bin) or "mean" of the posterior (its direction if circular).
    floor : least mean count per sample, as a share of a unit's mean, so that one stray spike does not rule a bin out.

    Attributes
    ----------
    centres_ : (bins, k) the centres of the bins.   tuning_ : (bins, p) mean counts.   prior_ : (bins,).

    Raises
    ------
    InputError : ``not-counts``: negative values.   ``not-numeric``: y that is text.
    ConsilienceWarning : ``rates-as-counts``: values that are not whole, or all multiples of one number.
        ``angle-units``: circular, and y of more than two turns.

    References
    ----------
    Zhang et al. (1998).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> heading = np.cumsum(0.2 * rng.normal(size=2000)) % (2 * np.pi)
    >>> preferred = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    >>> x = rng.poisson(3 * np.exp(2 * (np.cos(heading[:, None] - preferred) - 1)))
    >>> model = cs.models.BayesianDecoder(60, circular=True).fit(x[:1500], heading[:1500])
    >>> error = np.angle(np.exp(1j * (model.predict(x[1500:]) - heading[1500:])))
    >>> bool(np.abs(error).mean() < 0.3)
    True
    """

    counts = True

    def __init__(
        self,
        bins: Any = 50,
        *,
        circular: bool = False,
        smoothing: float = 1.0,
        prior: str = "occupancy",
        estimate: str = "mode",
        floor: float = 1e-3,
    ) -> None:
        self.bins = bins
        self.circular = circular
        self.smoothing = smoothing
        self.prior = prior
        self.estimate = estimate
        self.floor = floor

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def fit(self, X: Any, y: Any) -> Any:
        """Fits. X : (n, p) counts.   y : (n,) or (n, k), k at most 3."""
        who = "BayesianDecoder"
        if is_text(y):
            raise InputError(
                f"{who}: y must be numbers, such as places or headings, got text; labels are for PoissonNaiveBayes.",
                code="not-numeric",
            )
        x, y = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        refuse_no_counts(x, who)
        check_option(self.prior, ("occupancy", "uniform"), name="prior", who=who)
        check_option(self.estimate, ("mode", "mean"), name="estimate", who=who)
        smoothing = check_number(self.smoothing, name="smoothing", who=who, low=0.0, high=1e6, closed=True)
        floor = check_number(self.floor, name="floor", who=who, low=0.0, high=1.0, closed=True)
        self._flat = y.ndim == 1
        place = np.asarray(y, np.float64).reshape(len(y), -1)
        say_rates(x, who=who, then="its posterior holds for counts only")
        if self.circular:
            say_turns(place, 2 * np.pi, who=who, given="circular=True takes radians")
        sizes = self._sizes(place.shape[1])
        self._low, self._width = self._range(place, sizes)
        cell = np.ravel_multi_index(self._cells(place, sizes).T, sizes)
        total = int(np.prod(sizes))
        visits = np.bincount(cell, minlength=total).astype(np.float64)
        member = np.zeros((total, x.shape[1]))
        np.add.at(member, cell, x)
        smooth_visits = self._smooth(visits[:, None], sizes, smoothing)
        smooth_counts = self._smooth(member, sizes, smoothing)
        seen = visits > 0
        self.tuning_ = np.where(
            seen[:, None], smooth_counts / np.where(seen[:, None], smooth_visits, 1.0), 0.0
        )
        mean = x.mean(axis=0)
        self.tuning_ = np.where(seen[:, None], np.maximum(self.tuning_, floor * mean), 0.0)
        weight = smooth_visits[:, 0] * seen if self.prior == "occupancy" else seen.astype(np.float64)
        self.prior_ = weight / weight.sum()
        grid = np.stack(np.meshgrid(*[np.arange(s) for s in sizes], indexing="ij"), axis=-1).reshape(
            -1, len(sizes)
        )
        self.centres_ = self._low + (grid + 0.5) * self._width
        self._known = mean > 0
        with np.errstate(divide="ignore"):
            self._log_prior = np.log(self.prior_)
            self._log_tuning = np.where(
                seen[:, None] & self._known, np.log(np.maximum(self.tuning_, 1e-300)), 0.0
            )
        return self

    def _sizes(self, k: int) -> tuple[int, ...]:
        if k > 3:
            raise InputError(
                f"BayesianDecoder: y must have at most 3 columns, as bins fill their product; got {k}.",
                code="bad-parameter",
            )
        given = [self.bins] * k if isinstance(self.bins, (int, np.integer)) else list(np.ravel(self.bins))
        if len(given) != k:
            raise InputError(
                f"BayesianDecoder: bins must be one number, or one for each of {k} columns of y; got "
                f"{shorten(self.bins)}.",
                code="bad-parameter",
            )
        sizes = tuple(
            check_count(
                int(b) if isinstance(b, np.integer) else b, name="bins", who="BayesianDecoder", minimum=2
            )
            for b in given
        )
        if np.prod(sizes, dtype=float) > 1e6:
            raise InputError(
                f"BayesianDecoder: {np.prod(sizes, dtype=float):.3g} bins are too many; use at most a million.",
                code="too-large",
            )
        return sizes

    def _range(self, place: np.ndarray, sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        if self.circular:
            return np.zeros(len(sizes)), 2 * np.pi / np.array(sizes)
        low, high = place.min(axis=0), place.max(axis=0)
        return low, np.where(high > low, high - low, 1.0) / np.array(sizes)

    def _cells(self, place: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        if self.circular:
            place = place % (2 * np.pi)
        cells = np.floor((place - self._low) / self._width).astype(np.int64)
        return np.clip(cells, 0, np.array(sizes) - 1)

    def _smooth(self, table: np.ndarray, sizes: tuple[int, ...], width: float) -> np.ndarray:
        if width == 0:
            return table
        out = table.reshape(*sizes, -1)
        for axis in range(len(sizes)):
            out = gaussian_filter1d(out, width, axis=axis, mode="wrap" if self.circular else "constant")
        return out.reshape(len(table), -1)

    def posterior(self, X: Any) -> np.ndarray:
        """(m, bins) probability of each bin for counts X (m, p)."""
        check_is_fitted(self, "tuning_")
        x = validate_data(self, X, reset=False, dtype=np.float64)
        refuse_no_counts(x, "BayesianDecoder")
        log = np.where(self._known, x, 0.0) @ self._log_tuning.T
        return softmax(log - self.tuning_.sum(axis=1) + self._log_prior)

    def predict(self, X: Any) -> np.ndarray:
        """Decoded y (m, k), or (m,) after a fit to one column, for counts X (m, p)."""
        mass = self.posterior(X)
        if self.estimate == "mode":
            out = self.centres_[mass.argmax(axis=1)]
        elif self.circular:
            out = np.angle(mass @ np.exp(1j * self.centres_)) % (2 * np.pi)
        else:
            out = mass @ self.centres_
        return out[:, 0] if self._flat else out
