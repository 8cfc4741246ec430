"""How well the shared variance of units is known: the jackknife over runs of trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

__all__ = ["SharedVariance", "jackknifed"]

_NEAR = 1e-3  # percent from 0 and 100 that the logit scale is cut at


@dataclass(frozen=True, kw_only=True)
class SharedVariance:
    """Percent of variance that is shared, with intervals.

    value : (p,) of the fit.   corrected : (p,) less the bias that the jackknife sees.   interval : (p, 2) about
    ``corrected``; NaN for units that do not vary, or in one run of trials only.   mean, mean_corrected : over units,
    mean_interval : (2,).
    level : of the intervals.   groups : runs of trials, each left out once.
    """

    value: np.ndarray
    corrected: np.ndarray
    interval: np.ndarray
    mean: float
    mean_corrected: float
    mean_interval: np.ndarray
    level: float
    groups: int


def _logit(percent: Any) -> Any:
    share = np.clip(percent, _NEAR, 100 - _NEAR) / 100
    return np.log(share / (1 - share))


def _percent(x: Any) -> Any:
    return 100 / (1 + np.exp(-x))


def _corrected(value: Any, subsets: Any, level: float) -> tuple[Any, Any]:
    """The jackknife's estimate and interval, on the logit scale."""
    groups = len(subsets)
    whole, parts = _logit(value), _logit(subsets)
    centre = groups * whole - (groups - 1) * parts.mean(axis=0)
    error = np.sqrt((groups - 1) / groups * ((parts - parts.mean(axis=0)) ** 2).sum(axis=0))
    width = stats.t.ppf((1 + level) / 2, groups - 1) * error
    return _percent(centre), np.stack([_percent(centre - width), _percent(centre + width)], axis=-1)


def jackknifed(value: np.ndarray, subsets: np.ndarray, varies: np.ndarray, level: float) -> SharedVariance:
    """value : (p,) percent of the units that vary.   subsets : (groups, p), each without one group."""
    estimate, interval = _corrected(value, subsets, level)
    mean, mean_interval = _corrected(value.mean(), subsets.mean(axis=1), level)

    def wide(part: np.ndarray) -> np.ndarray:
        out = np.full((varies.size, *part.shape[1:]), np.nan)
        out[varies] = part
        return out

    return SharedVariance(
        value=wide(value),
        corrected=wide(estimate),
        interval=wide(interval),
        mean=float(value.mean()),
        mean_corrected=float(mean),
        mean_interval=mean_interval,
        level=level,
        groups=len(subsets),
    )
