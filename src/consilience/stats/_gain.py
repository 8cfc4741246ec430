"""A value beyond that of several baselines, such as untrained copies, from the intervals of each."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from consilience._core._errors import InputError

__all__ = ["gain_over"]


def gain_over(
    value: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    others: np.ndarray,
    others_low: np.ndarray,
    others_high: np.ndarray,
    *,
    each: np.ndarray | None = None,
    others_each: np.ndarray | None = None,
    limits: tuple[float, float] = (-np.inf, np.inf),
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """value - mean of the others, with an interval from the intervals of both (MOVER).

        low = gain - sqrt(l^2 + h^2 - 2 r l h + t^2 var / S),

    l = value - low; h the distance from the mean of the S others to its upper end, h^2 = q times the mean of their
    squares; r the correlation of what single items (conditions, classes) contribute to the value and to the mean of the
    others; var the variance between the others, t with S - 1 degrees of freedom. High likewise. The items are the same
    for all, so their mean has not 1 / S of the variance of one, but q, that of ``others_each`` averaged over mean
    variance. Without ``each`` r = 0 and q = 1: too wide where sides rise and fall together, too narrow where they move
    against each other. One other has no spread: the gain is then over this very one, its interval too narrow for one
    over others like it. Ends lie within lowest - highest and highest - lowest of what the value can be.

    Parameters
    ----------
    value, low, high : (...).   others, others_low, others_high : (S, ...), S >= 1.   each : (..., C) contributions such
        as jackknife pseudo-values, NaN where there are none.   others_each : (S, ..., C).   limits : the lowest and
        highest that value and others can be.   level : that of the intervals.

    Returns
    -------
    gain, low, high : (...); the ends NaN where one of the intervals is missing, infinite where one is.

    Raises
    ------
    InputError : no others.

    References
    ----------
    Zou & Donner (2008).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import gain_over
    >>> gain, low, high = gain_over(0.8, 0.7, 0.9, np.array([0.3]), np.array([0.2]), np.array([0.4]))
    >>> round(float(gain), 3), round(float(low), 3), round(float(high), 3)
    (0.5, 0.359, 0.641)
    """
    value, low, high = (np.asarray(a, dtype=np.float64) for a in (value, low, high))
    others, others_low, others_high = (
        np.asarray(a, dtype=np.float64) for a in (others, others_low, others_high)
    )
    count = len(others) if others.ndim else 0
    if not count:
        raise InputError("gain_over: at least one baseline is needed, got none.", code="too-few")
    gain = value - others.mean(axis=0)
    between = np.zeros_like(gain)
    if count > 1:
        between = stats.t.ppf((1 + level) / 2, count - 1) ** 2 * others.var(axis=0, ddof=1) / count
    r, q = (0.0, 1.0) if each is None or others_each is None else _together(each, others_each)
    up, down = value - low, high - value
    above = np.sqrt(q * (np.maximum(others_high - others, 0.0) ** 2).mean(axis=0))
    below = np.sqrt(q * (np.maximum(others - others_low, 0.0) ** 2).mean(axis=0))
    widest = limits[1] - limits[0]
    left = np.sqrt(_squared(up, above, r) + between)
    right = np.sqrt(_squared(down, below, r) + between)
    return gain, np.maximum(gain - left, -widest), np.minimum(gain + right, widest)


def _squared(one: np.ndarray, other: np.ndarray, r: Any) -> np.ndarray:
    """one^2 + other^2 - 2 r one other, infinite where one of them is, NaN where one is missing."""
    endless = np.isinf(one) | np.isinf(other)
    a, b = (np.where(endless, 0.0, side) for side in (one, other))
    missing = np.isnan(one) | np.isnan(other)
    found = np.where(endless, np.inf, np.maximum(a**2 + b**2 - 2 * r * a * b, 0.0))
    return np.asarray(np.where(missing, np.nan, found))


def _together(each: np.ndarray, others_each: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(r, q) of `gain_over`; 0 and 1 where contributions are not known or do not vary."""
    one, others = np.asarray(each, dtype=np.float64), np.asarray(others_each, dtype=np.float64)
    mean = others.mean(axis=0)
    a, b = one - one.mean(axis=-1, keepdims=True), mean - mean.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (a * b).sum(axis=-1) / np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
        q = mean.var(axis=-1) / others.var(axis=-1).mean(axis=0)
    return np.where(np.isfinite(r), np.clip(r, -1.0, 1.0), 0.0), np.where(np.isfinite(q), q, 1.0)
