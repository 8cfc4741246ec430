"""Coefficient of variation of interspike intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._params import check_number
from consilience.units._scores import UnitScores
from consilience.units._trains import as_trains
from consilience.units._trials import say_silent
from consilience.units._variability import block_sums, of_blocks, say_few

__all__ = ["cv"]


def cv(trains: Any, /, *, observed: Any = None, level: float = 0.95) -> UnitScores:
    """Standard deviation of the interspike intervals over their mean; 1 for a Poisson process, 0 for a clock.

    CV = sqrt(sum (I - mean)^2 / (n - 1)) / mean. Changes of the rate raise it whatever the spiking is like between
    them; `cv2` and `lv` compare neighbouring intervals only and hardly mind. Few intervals lower it (Poisson, n = 10:
    0.92).

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s; spikes outside are left out and no interval spans a
        gap. None = one piece.
    level : of the interval: 20 stretches of the train left out in turn, log scale, t. None below 40 intervals.

    Returns
    -------
    UnitScores : NaN below 10 intervals.   null_mean : 1, a Poisson process.   counted["n"] : intervals.

    In simulations of gamma processes (60 to 2000 intervals) intervals at 95 % held the truth in 0.91 to 0.98.

    Raises
    ------
    InputError : times that are no numbers, NaN.
    ConsilienceWarning : ``silent-units``, ``few-spikes``, ``unsorted-spikes``.

    References
    ----------
    Softky & Koch (1993).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> clock, chance = np.arange(100) / 10, np.cumsum(np.random.default_rng(0).exponential(0.1, 5000))
    >>> cs.units.cv([clock, chance]).value.round(1)
    array([0., 1.])
    """
    who = "cs.units.cv"
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    found = as_trains(trains, observed, who=who)
    units = found.counts.size
    say_silent(found.counts == 0, who=who)
    length, owner, _ = found.intervals()
    sizes = np.bincount(owner, minlength=units)
    mean = np.bincount(owner, weights=length, minlength=units) / np.maximum(sizes, 1)
    away = length - mean[owner]
    count, first, second = block_sums(owner, units, away, away * away)
    say_few(sizes, found.counts, who)

    def ratio(n: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sqrt(np.maximum(second - first**2 / n, 0.0) / (n - 1)) / (mean + first / n)

    whole = tuple(part.sum(axis=0) for part in (count, first, second))
    left = ratio(*(w - part for w, part in zip(whole, (count, first, second))))
    return of_blocks(ratio(*whole), left, sizes, level)
