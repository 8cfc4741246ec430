"""LV and LvR: local variation of interspike intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.units._scores import UnitScores
from consilience.units._seconds import check_refractory
from consilience.units._variability import scored

__all__ = ["lv"]


def lv(trains: Any, /, *, refractory: float = 0.0, observed: Any = None, level: float = 0.95) -> UnitScores:
    """Mean over neighbouring interspike intervals of 3 ((I' - I) / (I' + I))^2; 1 for a Poisson process, 0 for a clock.

    With ``refractory`` R > 0 (s) it is LvR, each term times 1 + 4 R / (I' + I), which takes the regularity that a
    refractory period brings at high rates out again. Gamma intervals of shape k have LV = 3 / (2 k + 1).

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    refractory : R in s; Shinomoto et al. (2009) use 0.005.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s; spikes outside are left out and no interval spans a
        gap. None = one piece.
    level : of the interval: 20 stretches of the train left out in turn, log scale, t. None below 40 pairs.

    Returns
    -------
    UnitScores : at least 0 (LV at most 3), NaN below 10 pairs.   null_mean : 1, a Poisson process (without
        refractory period).   counted["n"] : pairs of intervals; two of no length make none.

    In simulations of gamma processes (60 to 2000 intervals) intervals at 95 % held the truth in 0.91 to 0.98.

    Raises
    ------
    InputError : refractory above 0.1 (milliseconds?), times that are no numbers, NaN.
    ConsilienceWarning : ``silent-units``, ``few-spikes``, ``unsorted-spikes``.

    References
    ----------
    Shinomoto, Shima & Tanji (2003); Shinomoto et al. (2009).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> clock, chance = np.arange(100) / 10, np.cumsum(np.random.default_rng(0).exponential(0.1, 5000))
    >>> cs.units.lv([clock, chance]).value.round(1)
    array([0., 1.])
    """
    who = "cs.units.lv"
    r = check_refractory(refractory, who=who, closed=True)

    def terms(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return 3 * ((b - a) / (a + b)) ** 2 * (1 + 4 * r / (a + b))

    return scored(trains, observed, terms, who=who, level=level)
