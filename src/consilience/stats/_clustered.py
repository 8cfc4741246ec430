"""Variance of a mean over pairs that share their members."""

from __future__ import annotations

import numpy as np

__all__ = ["crossed_mean_variance"]


def crossed_mean_variance(
    values: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, int]:
    """Variance of the mean of n values whose items are pairs (first_i, second_i), where pairs that share a member are
    dependent: V_first + V_second - V_pair, each V = sum over groups of (sum of the residuals in it)^2 / n^2, times
    n / (n - 1); never below V_pair. With members that come once each it is the ordinary variance / n.

    Parameters
    ----------
    values : (..., n).   first, second : (n,) labels of the members.

    Returns
    -------
    variance (...), and degrees of freedom: the smaller number of different members, less 1.

    References
    ----------
    Cameron, Gelbach & Miller (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import crossed_mean_variance
    >>> x = np.array([1.0, 1.0, 0.0, 0.0])
    >>> variance, df = crossed_mean_variance(x, np.arange(4), np.arange(4))
    >>> float(variance.round(4)), df, float((x.var(ddof=1) / 4).round(4))
    (0.0833, 3, 0.0833)
    >>> variance, df = crossed_mean_variance(x, np.array([0, 0, 1, 1]), np.arange(4))
    >>> float(variance.round(4)), df
    (0.1667, 1)
    """
    values = np.asarray(values, dtype=np.float64)
    n = values.shape[-1]
    away = values - values.mean(axis=-1, keepdims=True)

    def of(groups: np.ndarray) -> tuple[np.ndarray, int]:
        codes = np.unique(groups, return_inverse=True)[1].reshape(-1)
        count = int(codes.max()) + 1
        return ((away @ np.eye(count)[codes]) ** 2).sum(axis=-1) / n**2, count

    one, k = of(first)
    two, m = of(second)
    single = (away**2).sum(axis=-1) / n**2
    variance = np.maximum(one + two - single, single) * n / max(1, n - 1)
    return np.asarray(variance), max(1, min(k, m) - 1)
