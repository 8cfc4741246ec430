"""Firing rate, and its drift over the recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience.stats import autocorrelation_time
from consilience.units._presence import binned_counts
from consilience.units._scores import UnitScores, nothing
from consilience.units._trains import Trains, as_trains
from consilience.units._trials import say_silent

__all__ = ["Drift", "drift", "firing_rate"]

_BINS = 50
_FEW = 8  # stretches that can be told apart: below, no interval

_HIDDEN = 4.0  # of time / n: what a mean or a line takes away of the autocorrelation


@dataclass(frozen=True, kw_only=True, eq=False)
class Drift(UnitScores):
    """`UnitScores` of the trend, with rates : (units, bins) spikes/s in stretches of equal length, and time : (bins,)
    s of observed time at their middles, pieces end to end.
    """

    rates: np.ndarray
    time: np.ndarray


def firing_rate(trains: Any, /, *, observed: Any, level: float = 0.95) -> UnitScores:
    """Spikes per second of observed time.

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s.
    level : of the interval for other times like these: from 50 stretches and their autocorrelation time, log scale, t.
        None where fewer than 8 stretches can be told apart: the rate changes as slowly as the recording is long (see
        `drift`).

    Returns
    -------
    UnitScores : in spikes/s; a silent unit has 0 and no interval.   counted["n"] : spikes; ["stretches"] : that can be
        told apart.

    In simulations intervals at 95 % held the truth in 0.94 to 0.96 where rates were correlated over up to 3 % of the
    recording; over 10 % there was none in two thirds of them, and the others held it in 0.74.

    Raises
    ------
    InputError : ``observed-missing``; times that are no numbers, NaN.
    ConsilienceWarning : ``silent-units``, ``unsorted-spikes``.

    Examples
    --------
    >>> import consilience as cs
    >>> cs.units.firing_rate([[0.1, 0.2, 0.9]], observed=(0, 2)).value
    array([1.5])
    """
    who = "cs.units.firing_rate"
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    found = as_trains(trains, observed, who=who, needed=True)
    say_silent(found.counts == 0, who=who, given="their rate is 0")
    value = found.counts / found.total
    counts = binned_counts(found, _BINS).T / np.where(found.counts > 0, found.counts / _BINS, 1.0)  # mean 1
    n = _BINS / _times(counts - 1)
    error = np.sqrt(counts.var(axis=0, ddof=1) / n)
    known = (found.counts > 0) & (n >= _FEW) & (error > 0)
    away = np.where(known, stats.t.ppf((1 + level) / 2, np.where(known, n - 1, 1.0)) * error, np.nan)
    low, high = value * np.exp(-away), value * np.exp(away)
    return UnitScores(
        value=value,
        ci_low=low,
        ci_high=high,
        null_mean=nothing(value.size),
        p=nothing(value.size),
        level=level,
        counted={"n": found.counts, "stretches": n},
    )


def drift(trains: Any, /, *, observed: Any, n_bins: int = 50, level: float = 0.95) -> Drift:
    """Change of the rate over the recording by a straight line, as a fraction of the mean rate.

    The rate in ``n_bins`` stretches is fitted by a line; value = (its end - its start) / mean rate: 0 for a steady
    unit, 1 for one whose rate rises from 0.5 to 1.5 of its mean, -2 for one that fades to nothing. Slow changes to and
    fro leave it near 0: look at ``rates``. Firing that is correlated over long times makes trends by chance; the
    interval and p count stretches by the autocorrelation time of what the line leaves over.

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s; pieces are laid end to end.
    n_bins : stretches, at least 10.   level : of the interval (t, with as many degrees of freedom as stretches that
        can be told apart, less 2).

    Returns
    -------
    Drift : null_mean 0.   p : two-sided, that the rate has no trend.   counted["n"] : stretches that can be told apart;
        below 8 no interval and no p.

    In simulations intervals at 95 % held the truth in 0.94 to 0.98 where rates were correlated over up to 3 % of the
    recording (p at most 0.05 in 0.03 to 0.06); over 10 % there was none in 0.4 of them, and the others held it in 0.83.

    Raises
    ------
    InputError : ``observed-missing``; times that are no numbers, NaN.
    ConsilienceWarning : ``silent-units``, ``unsorted-spikes``.

    References
    ----------
    Bayley & Hammersley (1946), for the number of independent samples.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> times = 1000 * np.sqrt(np.random.default_rng(0).uniform(size=5000))  # the rate rises from 0
    >>> found = cs.units.drift([np.sort(times)], observed=(0, 1000))
    >>> bool(found.ci_low[0] < 2 < found.ci_high[0]), bool(found.p[0] < 0.001)
    (True, True)
    """
    who = "cs.units.drift"
    n_bins = check_count(n_bins, name="n_bins", who=who, minimum=10)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    found = as_trains(trains, observed, who=who, needed=True)
    if found.counts.max(initial=0) == 0:
        raise InputError(f"{who}: no unit has a spike in the time observed.", code="too-few")
    silent = found.counts == 0
    say_silent(silent, who=who)
    counts = binned_counts(found, n_bins).T / np.where(silent, 1.0, found.counts / n_bins)  # mean 1
    x = (np.arange(n_bins) + 0.5) / n_bins - 0.5
    slope = x @ counts / (x @ x)
    rest = counts - counts.mean(axis=0) - x[:, None] * slope
    time = _times(rest)
    n = n_bins / time
    df = n - 2
    error = np.sqrt((rest**2).sum(axis=0) / (n_bins - 2) / (x @ x) * time)
    known = ~silent & (n >= _FEW) & (error > 0)
    df, error = np.where(known, df, 1.0), np.where(known, error, 1.0)
    away = stats.t.ppf((1 + level) / 2, df) * error
    return Drift(
        value=np.where(silent, np.nan, slope),
        ci_low=np.where(known, slope - away, np.nan),
        ci_high=np.where(known, slope + away, np.nan),
        null_mean=np.where(silent, np.nan, 0.0),
        p=np.where(known, 2 * stats.t.sf(np.abs(slope) / error, df), np.nan),
        level=level,
        counted={"n": n},
        rates=_rates(found, n_bins),
        time=(np.arange(n_bins) + 0.5) * found.total / n_bins,
    )


def _times(rest: np.ndarray) -> np.ndarray:
    """(units,) autocorrelation time in bins, at least 1; what taking a line off hides of it is given back."""
    n = len(rest)
    time = autocorrelation_time(rest)
    return time * (1 + _HIDDEN * time / n)


def _rates(trains: Trains, bins: int) -> np.ndarray:
    return binned_counts(trains, bins) / (trains.total / bins)
