"""Curves that fall as something grows: made monotone, the level at which half is lost, the area."""

from __future__ import annotations

import numpy as np

from consilience._core._errors import InputError

__all__ = ["area_under", "falling", "half_height"]


def falling(curves: np.ndarray) -> np.ndarray:
    """The nearest curves (least squares) that never rise, f_k = min_(i <= k) max_(j >= k) mean(x_i ... x_j).

    curves : (..., levels).

    References
    ----------
    Robertson, Wright & Dykstra (1988).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import falling
    >>> falling(np.array([3.0, 1.0, 2.0, 0.0]))
    array([3. , 1.5, 1.5, 0. ])
    """
    curves = np.asarray(curves, dtype=np.float64)
    count = curves.shape[-1]
    sums = np.concatenate([np.zeros((*curves.shape[:-1], 1)), np.cumsum(curves, axis=-1)], axis=-1)
    out = np.full(curves.shape, np.inf)
    for i in range(count):
        means = (sums[..., i + 1 :] - sums[..., i : i + 1]) / np.arange(
            1, count - i + 1
        )  # i to j = i, i + 1 ...
        most = np.maximum.accumulate(means[..., ::-1], axis=-1)[..., ::-1]
        out[..., i:] = np.minimum(out[..., i:], most)
    return out


def half_height(levels: np.ndarray, curves: np.ndarray, floor: float) -> np.ndarray:
    """The level at which a falling curve has lost half of what stands above ``floor`` at the first level.

    The curve is made monotone (`falling`) and interpolated linearly between levels. Infinite where half is never lost
    within the levels, NaN where the curve does not start above the floor.

    levels : (k,) rising.   curves : (..., k).   Returns (...).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import half_height
    >>> half_height(np.array([0.0, 1.0, 2.0]), np.array([[1.0, 0.8, 0.4], [1.0, 0.9, 0.9]]), 0.2)
    array([1.5, inf])
    """
    levels, curves = np.asarray(levels, dtype=np.float64), falling(curves)
    if levels.ndim != 1 or curves.shape[-1] != levels.size or (np.diff(levels) <= 0).any():
        raise InputError(
            f"half_height: levels must rise, one for each of the {curves.shape[-1]} points of a curve, got shape "
            f"{levels.shape}.",
            code="bad-parameter",
        )
    goal = (curves[..., :1] + floor) / 2
    below = curves <= goal
    at = np.argmax(below, axis=-1)
    before = np.maximum(at - 1, 0)

    def take(x: np.ndarray, k: np.ndarray) -> np.ndarray:
        return np.take_along_axis(x, k[..., None], axis=-1)[..., 0]

    high, low = take(curves, before), take(curves, at)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(high > low, (high - goal[..., 0]) / (high - low), 0.0)
    found = levels[before] + share * (levels[at] - levels[before])
    found = np.where(below.any(axis=-1), found, np.inf)
    return np.where(curves[..., 0] > floor, found, np.nan)


def area_under(levels: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """The mean height of curves (..., k) over the range of ``levels`` (k,), by trapezoids.

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import area_under
    >>> area_under(np.array([0.0, 1.0, 3.0]), np.array([1.0, 0.5, 0.5]))
    np.float64(0.5833333333333334)
    """
    levels = np.asarray(levels, dtype=np.float64)
    return np.asarray(np.trapezoid(np.asarray(curves, dtype=np.float64), levels) / (levels[-1] - levels[0]))[
        ()
    ]
