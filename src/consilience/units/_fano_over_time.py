"""Fano factor over time, with the distribution of mean counts kept the same at all times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from consilience._core._arrays import Array, to_numpy
from consilience._core._counts import count_step, say_rates
from consilience._core._errors import InputError
from consilience._core._params import check_number, shorten
from consilience.units._trials import as_repeats

__all__ = ["FanoOverTime", "fano_over_time"]

_FEWEST = 8  # units


@dataclass(frozen=True, kw_only=True, eq=False)
class FanoOverTime:
    """All arrays are (times,), NaN where no mean count is common to all times.

    value, ci_low, ci_high : mean-matched Fano factor, interval for other units.   plain : without matching.
    change, change_low, change_high, p : value over that at the first time, its interval, and p of a change (two-sided).
    mean, plain_mean : spikes per window, of what was matched and of all.   kept : share of the points that matching
    keeps.
    """

    value: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    plain: np.ndarray
    change: np.ndarray
    change_low: np.ndarray
    change_high: np.ndarray
    p: np.ndarray
    mean: np.ndarray
    plain_mean: np.ndarray
    kept: np.ndarray
    level: float


def fano_over_time(
    counts: Array, stimulus: Array, /, *, width: float = 0.5, level: float = 0.95
) -> FanoOverTime:
    """Fano factor of a population at each time, for the same distribution of mean counts at all times.

    Points are (unit, stimulus) with mean m and variance v over repeats. At each time points are sorted into bins of m,
    ``width`` spikes wide; a bin holds as many at every time as at the time where it holds fewest. Instead of leaving
    out points at random, each counts by the share that would stay, which is the mean over all ways to leave them out:
    F_t = sum_b (c_b / n_bt) V_bt / sum_b (c_b / n_bt) M_bt, with n_bt points, sums V and M of v and m, and c_b the
    least n_bt over times. Rates that rise then do not change F through the mean. (The paper draws, and fits a slope
    through 0 with other weights.)

    Parameters
    ----------
    counts : (n_trials, times, units) spikes in windows of equal length, at least 8 units recorded at once or apart.
    stimulus : (n_trials,), at least 2 trials each.   width : of the bins of mean counts, in spikes.
    level : of the intervals: units left out in turn, bins and all made anew, log scale, t.

    Returns
    -------
    FanoOverTime : in simulations of 20 to 60 units whose rates doubled or not, intervals of the change at 95 % held the
        truth in 0.95 to 0.99, and p was at most 0.05 in 0.01 to 0.05 where the relation of m and v did not change; the
        plain factor rose from 2.4 to 3.7 where rates doubled, the matched one stayed at 2.5.

    Raises
    ------
    InputError : values that are no counts (``not-counts``), a stimulus with one trial (``no-repeats``), fewer than 8
    units.

    References
    ----------
    Churchland et al. (2010).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> stimulus = np.repeat(np.arange(8), 20)
    >>> rate = rng.gamma(2, 1, size=(8, 1, 40)) * np.array([1.0, 1.5])[:, None]  # higher later
    >>> shared = rng.gamma(4, 0.25, size=(160, 2, 40))  # v = m + m^2 / 4 at both times
    >>> found = cs.units.fano_over_time(rng.poisson(rate[stimulus] * shared), stimulus)
    >>> bool(found.plain[1] > 1.1 * found.plain[0]), bool(found.change_low[1] < 1 < found.change_high[1])
    (True, True)
    """
    who = "cs.units.fano_over_time"
    width = check_number(width, name="width", who=who, low=0.0)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    x = np.asarray(to_numpy(counts))
    if x.ndim != 3 or x.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: counts must be numbers (n_trials, times, units), got shape {shorten(x.shape)}, dtype {x.dtype}.",
            code="bad-dims",
        )
    times, units = x.shape[1:]
    if units < _FEWEST:
        raise InputError(
            f"{who}: needs at least {_FEWEST} units, whose mean counts are matched; got {units}.",
            code="too-few",
        )
    repeats = as_repeats(x.reshape(len(x), -1), stimulus, who=who, few=1)
    if (repeats.x < 0).any() or count_step(repeats.x) is None:
        raise InputError(
            f"{who}: counts must be whole numbers of spikes, at least 0, not rates.", code="not-counts"
        )
    say_rates(repeats.x, who=who, then="the variance of rates over their mean depends on the unit of time")
    k = repeats.counts[:, None]
    mean = (repeats.sums() / k).reshape(-1, times, units)
    variance = (repeats.sums(repeats.residuals() ** 2) / (k - 1)).reshape(mean.shape)
    per_unit = _binned(mean, variance, width)
    total = per_unit.sum(axis=1)
    value, average, kept = _matched(total)
    left = np.stack([_matched(total - per_unit[:, u])[0] for u in range(units)])
    low, high, _ = _interval(np.log(value), np.log(left), level)
    ratio, ratios = np.log(value / value[0]), np.log(left / left[:, :1])
    change_low, change_high, p = _interval(ratio, ratios, level)
    moved = np.arange(times) > 0  # the first is what others are compared with
    spikes = mean.sum(axis=(0, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = np.where(spikes > 0, variance.sum(axis=(0, 2)) / spikes, np.nan)
    return FanoOverTime(
        value=value,
        ci_low=np.exp(low),
        ci_high=np.exp(high),
        plain=plain,
        change=np.exp(ratio),
        change_low=np.where(moved, np.exp(change_low), np.nan),
        change_high=np.where(moved, np.exp(change_high), np.nan),
        p=np.where(moved, p, np.nan),
        mean=average,
        plain_mean=mean.mean(axis=(0, 2)),
        kept=kept,
        level=level,
    )


def _binned(mean: np.ndarray, variance: np.ndarray, width: float) -> np.ndarray:
    """(3, units, times, bins): number, sum of variances and sum of means of the points of a unit in each bin; points
    without a spike are none.
    """
    _, times, units = mean.shape
    at = np.floor(mean / width).astype(np.int64)
    bins = int(at.max()) + 1
    place = (np.arange(units)[None, None] * times + np.arange(times)[None, :, None]) * bins + at
    fired = (mean > 0).astype(np.float64)
    out = [
        np.bincount(place.ravel(), weights=(w * fired).ravel(), minlength=units * times * bins)
        for w in (np.ones_like(mean), variance, mean)
    ]
    return np.stack(out).reshape(3, units, times, bins)


def _matched(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F, mean count and share kept, each (times,), from (3, times, bins)."""
    number, variance, mean = np.maximum(sums, 0.0)
    number = np.round(number)
    common = number.min(axis=0)
    weight = np.where(number > 0, common / np.maximum(number, 1.0), 0.0)
    below, points = (weight * mean).sum(axis=1), common.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        f = np.where(below > 0, (weight * variance).sum(axis=1) / below, np.nan)
        return f, np.where(points > 0, below / points, np.nan), points / np.maximum(number.sum(axis=1), 1.0)


def _interval(
    middle: np.ndarray, left: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(low, high, p of 0) by jackknife over the rows of ``left``, t."""
    n = len(left)
    known = np.isfinite(middle) & np.isfinite(left).all(axis=0)
    draws = np.where(known, left, 0.0)
    error = np.sqrt((n - 1) / n * ((draws - draws.mean(axis=0)) ** 2).sum(axis=0))
    away = stats.t.ppf((1 + level) / 2, n - 1) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(np.abs(middle) / error, n - 1)
    return tuple(np.where(known, v, np.nan) for v in (middle - away, middle + away, p))  # type: ignore[return-value]
