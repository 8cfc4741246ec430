"""Skewness of a trace: transients upwards from a baseline make it positive."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array
from consilience.units._scores import UnitScores
from consilience.units._traces import Traces, scored_traces
from consilience.units._trials import say_silent

__all__ = ["skewness"]


def skewness(values: Array, /, *, time: Array, level: float = 0.95) -> UnitScores:
    """Third standardised moment of a trace, mean((x - mean)^3) / sd^3; 0 for a symmetric one.

    Rare transients upwards make it large; a cell that is always active, or one without activity, has little.

    Parameters
    ----------
    values : (n, units), at least 200 samples, in any units.   time : (n,) seconds.
    level : of the interval: 20 stretches left out in turn, t. Too narrow where a few transients are all of the
    skewness.

    Returns
    -------
    UnitScores : NaN for a trace that does not vary.   null_mean : 0, a symmetric trace.

    Raises
    ------
    InputError : fewer than 200 samples, times that do not rise, NaN.
    ConsilienceWarning : ``silent-units``.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).exponential(size=(50_000, 1))  # skewness 2
    >>> found = cs.units.skewness(x, time=np.arange(50_000) / 30)
    >>> bool(found.ci_low[0] < 2 < found.ci_high[0])
    True
    """
    who = "cs.units.skewness"

    def rule(x: np.ndarray, away: np.ndarray) -> np.ndarray:
        centred = x - x.mean(axis=0)
        return np.asarray((centred**3).mean(axis=0) / (centred**2).mean(axis=0) ** 1.5)

    traces = Traces(values, time, who)
    say_silent(traces.silent, who=who)
    return scored_traces(traces, rule, who=who, level=level, null=0.0)
