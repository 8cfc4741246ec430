"""Noise of a trace, comparable between frame rates."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array
from consilience.units._scores import UnitScores
from consilience.units._traces import as_traces, scored_traces

__all__ = ["noise_level"]


def noise_level(values: Array, /, *, time: Array, level: float = 0.95) -> UnitScores:
    """Median absolute difference of samples that follow each other, over the root of the frame rate.

    nu = median_t |x_(t+1) - x_t| / sqrt(frame rate). For white normal noise of standard deviation s it is 0.954 s /
    sqrt(rate), the same whatever the rate at which the same light is cut into frames. It does not see activity that is
    slow, or rare (the median), and is too low where traces were smoothed.

    Parameters
    ----------
    values : (n, units), at least 200 samples; dF/F in % gives the unit of the paper, % / sqrt(Hz).
    time : (n,) seconds; differences over jumps of 1.5 steps or more are left out.
    level : of the interval: 20 stretches left out in turn, log scale, t.

    Returns
    -------
    UnitScores : in units of values / sqrt(Hz); NaN for a trace that does not vary.

    Raises
    ------
    InputError : fewer than 200 samples, times that do not rise, NaN.
    ConsilienceWarning : ``silent-units``, ``no-frame-noise`` (most samples equal the one before).

    References
    ----------
    Rupprecht et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(20_000, 1))
    >>> found = cs.units.noise_level(x, time=np.arange(20_000) / 30)
    >>> bool(found.ci_low[0] < 0.954 / np.sqrt(30) < found.ci_high[0])
    True
    """
    who = "cs.units.noise_level"
    traces = as_traces(values, time, who)
    per = np.sqrt(traces.interval)

    def rule(x: np.ndarray, away: np.ndarray) -> np.ndarray:
        return np.asarray(np.median(np.abs(away), axis=0) * per)

    return scored_traces(traces, rule, who=who, level=level, scale=np.log, back=np.exp)
