"""A ratio of two means of the same items, with an interval that knows when the denominator may be 0."""

from __future__ import annotations

import numpy as np
from scipy import stats

from consilience._core._errors import InputError

__all__ = ["ratio_interval"]


def ratio_interval(
    above: np.ndarray, below: np.ndarray, *, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mean(above) / mean(below) over n paired items, with Fieller's interval.

    The interval is all r with (A - r B)^2 <= t^2 (V_aa - 2 r V_ab + r^2 V_bb), A and B the means, V the covariances of
    the means (over n - 1), t the quantile with n - 1 degrees of freedom. Where B is not away from 0 (B^2 <= t^2 V_bb)
    no finite interval exists, and it is NaN. Not the mean of ratios, which one item with a denominator near 0 rules.

    Parameters
    ----------
    above : (..., n).   below : (n,), or of the shape of ``above``.   level : of the interval.

    Returns
    -------
    value, low, high : (...). NaN where the denominator is 0.

    References
    ----------
    Fieller (1954).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import ratio_interval
    >>> value, low, high = ratio_interval(np.array([1.0, 2.1, 2.9, 4.0]), np.array([2.0, 4.0, 6.0, 8.1]))
    >>> value.round(3), low.round(3), high.round(3)
    (np.float64(0.498), np.float64(0.473), np.float64(0.587))
    """
    above = np.asarray(above, dtype=np.float64)
    below = np.broadcast_to(np.asarray(below, dtype=np.float64), above.shape)
    n = above.shape[-1]
    if n < 2:
        raise InputError(f"ratio_interval: at least 2 items are needed, got {n}.", code="too-few")
    a, b = above.mean(axis=-1), below.mean(axis=-1)
    da, db = above - a[..., None], below - b[..., None]
    scale = 1.0 / (n * (n - 1))
    aa, bb, ab = ((x * y).sum(axis=-1) * scale for x, y in ((da, da), (db, db), (da, db)))
    t2 = stats.t.ppf((1 + level) / 2, n - 1) ** 2
    two, one, zero = b**2 - t2 * bb, a * b - t2 * ab, a**2 - t2 * aa
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(b != 0, a / b, np.nan)
        root = np.sqrt(np.maximum(one**2 - two * zero, 0.0))
        low = np.where(two > 0, (one - root) / two, np.nan)
        high = np.where(two > 0, (one + root) / two, np.nan)
    return value, np.fmin(low, value) + 0 * low, np.fmax(high, value) + 0 * high
