"""Sums and trends of a short series of which it is not known how slowly it changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

__all__ = ["SlowChanges", "slow_changes"]

TIMES = (0.02, 0.05, 0.12, 0.3)  # correlation times, of the length of the series
_SHARES = (0.2, 0.5, 0.8, 1.0)  # of the variance that is slow
_WHITE = 0.5  # prior that nothing is


@dataclass(frozen=True, kw_only=True, eq=False)
class SlowChanges:
    """What a series tells of its noise: weights over g pairs of correlation time and share.

    weight : (g, t), sum 1 over g.   variance : (g, t) of a sample, under each.   covariance : (g, t or 1, n, n) over
    ``variance``.   correlation : (g, n, n) of the slow part.   share : (g,).   df : degrees of freedom of ``variance``.
    """

    weight: np.ndarray
    variance: np.ndarray
    covariance: np.ndarray
    correlation: np.ndarray
    share: np.ndarray
    df: int

    @property
    def too_slow(self) -> np.ndarray:
        """bool (t,): most of the series is more likely than not correlated over 0.3 of its length or more, so that it
        does not tell what others like it would do.
        """
        last = np.arange(self.share.size) >= self.share.size - len(_SHARES)
        return np.asarray((self.weight[last & (self.share >= 0.5)]).sum(axis=0) > 0.5)

    def of(self, a: np.ndarray) -> np.ndarray:
        """(g, t) variance of the linear combination ``a`` (n,) of a series."""
        return self.variance * np.einsum("i,gtij,j->gt", a, self.covariance, a)

    def tail(self, away: np.ndarray, variance: np.ndarray, df: np.ndarray | int | None = None) -> np.ndarray:
        """Two-sided probability of an error of ``away`` (t, ...), for its variance (g, t, ...) under each pair."""
        weight = self.weight.reshape(self.weight.shape + (1,) * (variance.ndim - 2))
        size = np.sqrt(np.where(variance > 0, variance, 1.0))
        return np.asarray((weight * 2 * stdtr(self.df if df is None else df, -away / size)).sum(axis=0))

    def half_width(
        self, variance: np.ndarray, level: float, df: np.ndarray | int | None = None
    ) -> np.ndarray:
        """(t, ...) half of the interval of this level, for the variance (g, t, ...) of an error under each pair."""
        low, high = np.zeros(variance.shape[1:]), np.sqrt(variance.max(axis=0))
        while (out := self.tail(high, variance, df) > 1 - level).any():
            high = np.where(out & (high > 0), 2 * high, high)
            if not (high[out] > 0).all():
                break
        for _ in range(30):
            middle = (low + high) / 2
            inside = self.tail(middle, variance, df) > 1 - level
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        return (low + high) / 2


def slow_changes(y: np.ndarray, design: np.ndarray, *, size: np.ndarray | None = None) -> SlowChanges:
    """How slowly the noise of each series changes: white noise with a slow part, exp(-lag / time), whose time and share
    of the variance are not known.

    y = design b + e, cov e = v ((1 - s) I + s D R D), R_ij = exp(-|i - j| / (time n)), D = diag(``size``). The weight
    of a pair (time, s) is its restricted likelihood (b and the scale v integrated out, prior 1 / v) times the prior:
    0.5 for white noise, the rest evenly over times of 0.02, 0.05, 0.12 and 0.3 of the series and shares of 0.2 to 1.
    A sum over the series has a t distribution under each pair; the mixture of those is what is known of its error.
    Taking the likeliest time alone is too sure of itself where a series is short: it comes out short whenever the mean
    of the series happens to follow the slow part.

    y : (n, t).   design : (n, q), or (n, q, t) of each series.   size : (n, t) or None, all 1.

    References
    ----------
    Harville (1974), for the restricted likelihood.
    """
    n = len(y)
    lag = np.abs(np.arange(n)[:, None] - np.arange(n))
    pairs = [(0.0, 0.0)] + [(time, share) for time in TIMES for share in _SHARES]
    correlation = np.stack([np.exp(-lag / (time * n)) if time else np.eye(n) for time, _ in pairs])
    share = np.array([s for _, s in pairs])
    scale = np.ones((1, n)) if size is None else size.T
    slow = correlation[:, None] * (scale[:, :, None] * scale[:, None, :])
    some = share[:, None, None, None]
    covariance = (1 - some) * np.eye(n) + some * slow + 1e-9 * np.eye(n)
    x = np.moveaxis(design[..., None] if design.ndim == 2 else design, -1, 0)  # (t or 1, n, q)
    root = np.linalg.cholesky(covariance)
    white_y = np.linalg.solve(root, y.T[None, :, :, None] if size is not None else y[None, None])
    white_x = np.linalg.solve(root, np.broadcast_to(x, (len(pairs), *x.shape)))
    q, r = np.linalg.qr(white_x)
    rest = white_y - q @ (q.swapaxes(-1, -2) @ white_y)
    square = (rest**2).sum(axis=-2)
    square = square[..., 0] if size is not None else square[:, 0]
    df = n - design.shape[1]

    def log_size(factor: np.ndarray) -> np.ndarray:
        diagonal = np.abs(np.diagonal(factor, axis1=-2, axis2=-1))
        return np.asarray(np.log(np.maximum(diagonal, 1e-300)).sum(axis=-1))

    prior = np.r_[_WHITE, np.full(len(pairs) - 1, (1 - _WHITE) / (len(pairs) - 1))]
    known = square.max(axis=0) > 0
    log = np.log(prior)[:, None] - log_size(root) - log_size(r)
    log = log - df / 2 * np.log(np.where(known, np.maximum(square, 1e-300), 1.0))
    weight = np.exp(log - log.max(axis=0))
    return SlowChanges(
        weight=weight / weight.sum(axis=0),
        variance=square / df,
        covariance=covariance,
        correlation=correlation,
        share=share,
        df=df,
    )
