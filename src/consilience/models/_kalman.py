"""The Kalman filter as a decoder: a state that moves linearly, seen through the units."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience.linalg import ledoit_wolf
from consilience.models._wiener import clock_of

__all__ = ["KalmanFilter"]


class KalmanFilter(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Decodes a state y (velocity, position, ...) from units x that linearly depend on it.

    y(t) = A y(t - 1) + w, w ~ N(0, W); x(t + lag) = H y(t) + q, q ~ N(0, Q), both centred by their training means. A, W
    are least squares over neighbouring training samples, H, Q over all; Q is shrunk (Ledoit & Wolf) unless told
    otherwise. `predict` runs the causal filter from the training mean, anew after each break in ``steps``. The state is
    what is given as y: put position, velocity and acceleration side by side for the state of Wu et al. (2006).

    Parameters
    ----------
    lag : steps by which the units follow the state; negative: they lead it (motor cortex).
    noise : "shrunk" or "full", the covariance Q.
    ridge : added to the normal equations of H, as a share of the mean variance of y.

    Attributes
    ----------
    A_ : (k, k).   W_ : (k, k).   H_ : (p, k).   Q_ : (p, p).   mean_x_ : (p,), mean_y_ : (k,).

    References
    ----------
    Wu et al. (2006).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> y = np.zeros((600, 2))
    >>> for t in range(1, 600):
    ...     y[t] = 0.95 * y[t - 1] + 0.3 * rng.normal(size=2)
    >>> x = y @ rng.normal(size=(2, 10)) + 2 * rng.normal(size=(600, 10))
    >>> bool(cs.models.KalmanFilter().fit(x[:400], y[:400]).score(x[400:], y[400:]) > 0.7)
    True
    """

    takes_steps = True

    def __init__(self, *, lag: int = 0, noise: str = "shrunk", ridge: float = 0.0) -> None:
        self.lag = lag
        self.noise = noise
        self.ridge = ridge

    def reach(self) -> int:
        """Steps between a state and the sample that shows it."""
        return abs(check_count(self.lag, name="lag", who="KalmanFilter", minimum=-(10**6)))

    def fit(self, X: Any, y: Any, *, steps: Any = None) -> Any:
        """Fits. X : (n, p).   y : (n, k) or (n,).   steps : (n,) rising ints, the step of each row; None = no
        breaks.
        """
        x, y = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        self._flat = y.ndim == 1
        state = np.asarray(y, np.float64).reshape(len(y), -1)
        if self.noise not in ("shrunk", "full"):
            raise InputError(
                f"KalmanFilter: noise must be 'shrunk' or 'full', got {self.noise!r}.", code="unknown-option"
            )
        ridge = check_number(self.ridge, name="ridge", who="KalmanFilter", low=0.0, high=1e12, closed=True)
        self.reach()
        clock = clock_of(steps, len(x), "KalmanFilter")
        self.mean_x_, self.mean_y_ = x.mean(axis=0), state.mean(axis=0)
        z, s = x - self.mean_x_, state - self.mean_y_
        follows = np.flatnonzero(np.diff(clock) == 1)
        if not follows.size:
            raise InputError(
                f"KalmanFilter: no two of {len(x)} samples are neighbours in time, so the movement of y is not known; "
                "give steps, or a longer recording.",
                code="too-few",
            )
        before, after = s[follows], s[follows + 1]
        self.A_ = np.linalg.lstsq(before, after, rcond=None)[0].T
        rest = after - before @ self.A_.T
        self.W_ = rest.T @ rest / len(rest)
        at = np.searchsorted(clock, clock + self.lag)
        inside = np.minimum(at, len(x) - 1)
        seen = clock[inside] == clock + self.lag
        if not seen.any():
            raise InputError(
                f"KalmanFilter: lag={self.lag} leaves no sample of {len(x)}; use a shorter lag.",
                code="too-few",
            )
        states, shown = s[seen], z[inside[seen]]
        inner = states.T @ states
        inner += ridge * np.trace(inner) / len(inner) * np.eye(len(inner))
        self.H_ = (np.linalg.pinv(inner, hermitian=True) @ (states.T @ shown)).T
        noise = shown - states @ self.H_.T
        self.Q_ = noise.T @ noise / len(noise) if self.noise == "full" else ledoit_wolf(noise)[0]
        self._start = np.cov(s.T, bias=True).reshape(s.shape[1], -1)
        self._information()
        return self

    def _information(self) -> None:
        """H' Q^-1 (k, p) and H' Q^-1 H (k, k): what a sample says of the state, in the small dimension."""
        scale = np.trace(self.Q_) / len(self.Q_)
        if scale <= 0:  # units that follow y without noise
            scale = max(float(np.abs(self.H_).max()) ** 2, 1.0) * 1e-12
        quiet = self.Q_ + 1e-10 * scale * np.eye(len(self.Q_))
        self._gain = linalg.solve(quiet, self.H_, assume_a="pos").T
        self._precision = self._gain @ self.H_

    def predict(self, X: Any, *, steps: Any = None) -> np.ndarray:
        """States (m, k), or (m,) after a fit to one column, filtered from X (m, p) up to each sample."""
        check_is_fitted(self, "H_")
        x = validate_data(self, X, reset=False, dtype=np.float64)
        clock = clock_of(steps, len(x), "KalmanFilter")
        told = (x - self.mean_x_) @ self._gain.T  # (m, k)
        at = np.searchsorted(clock, clock + self.lag)
        inside = np.minimum(at, len(x) - 1)
        seen = clock[inside] == clock + self.lag
        k = len(self.mean_y_)
        out = np.empty((len(x), k))
        eye, mean, cov = np.eye(k), np.zeros(k), self._start
        for t in range(len(x)):
            if t and clock[t] != clock[t - 1] + 1:
                mean, cov = np.zeros(k), self._start
            elif t:
                mean, cov = self.A_ @ mean, self.A_ @ cov @ self.A_.T + self.W_
            if seen[t]:
                # (P^-1 + H'Q^-1H)^-1 without inverting P
                cov = np.linalg.solve(eye + cov @ self._precision, cov)
                cov = (cov + cov.T) / 2
                mean = mean + cov @ (told[inside[t]] - self._precision @ mean)
            out[t] = mean
        out += self.mean_y_
        return out[:, 0] if self._flat else out
