"""CV2: how unequal neighbouring interspike intervals are."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.units._scores import UnitScores
from consilience.units._variability import scored

__all__ = ["cv2"]


def _terms(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 2 * np.abs(b - a) / (a + b)


def cv2(trains: Any, /, *, observed: Any = None, level: float = 0.95) -> UnitScores:
    """Mean over neighbouring interspike intervals of 2 |I' - I| / (I' + I); 1 for a Poisson process, 0 for a clock.

    Slow changes of the rate do not raise it, unlike `cv`. Not to be confused with the squared CV.

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s; spikes outside are left out and no interval spans a
        gap. None = one piece.
    level : of the interval: 20 stretches of the train left out in turn, log scale, t. None below 40 pairs.

    Returns
    -------
    UnitScores : in [0, 2], NaN below 10 pairs.   null_mean : 1, a Poisson process.   counted["n"] : pairs of intervals;
        two intervals of no length make none.

    In simulations of gamma processes (60 to 2000 intervals) intervals at 95 % held the truth in 0.91 to 0.98.

    Raises
    ------
    InputError : times that are no numbers, NaN.
    ConsilienceWarning : ``silent-units``, ``few-spikes``, ``unsorted-spikes``.

    References
    ----------
    Holt, Softky, Koch & Douglas (1996).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> clock, chance = np.arange(100) / 10, np.cumsum(np.random.default_rng(0).exponential(0.1, 5000))
    >>> cs.units.cv2([clock, chance]).value.round(1)
    array([0., 1.])
    """
    return scored(trains, observed, _terms, who="cs.units.cv2", level=level)
