"""Signal to noise of a trace: variance beyond that of its frame-to-frame noise."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array
from consilience.units._scores import UnitScores
from consilience.units._traces import NORMAL, as_traces, scored_traces

__all__ = ["trace_snr"]


def trace_snr(values: Array, /, *, time: Array, level: float = 0.95) -> UnitScores:
    """Variance of a trace beyond its noise, over the variance of the noise.

    (var(x) - s^2) / s^2, s = median |x_(t+1) - x_t| / (0.6745 sqrt(2)): what changes more slowly than frame by frame,
    or rarely, is signal. 0 for white noise. Slow drift of the baseline is signal to it: take it off before, or look at
    it.

    Not to be confused with `tuning_snr`, which knows stimuli.

    Parameters
    ----------
    values : (n, units), at least 200 samples, in any units.   time : (n,) seconds; differences over jumps are left out.
    level : of the interval: 20 stretches left out in turn, log scale of the ratio + 1, t.

    Returns
    -------
    UnitScores : above -1; inf where neighbouring samples are mostly equal, NaN for a trace that does not vary.
        null_mean : 0, white normal noise.

    Raises
    ------
    InputError : fewer than 200 samples, times that do not rise, NaN.
    ConsilienceWarning : ``silent-units``, ``no-frame-noise`` (most samples equal the one before).

    References
    ----------
    von Neumann (1941), for the noise from differences.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> slow = np.sqrt(2) * np.sin(np.arange(20_000) / 200)
    >>> x = np.stack([rng.normal(size=20_000), slow + rng.normal(size=20_000)], axis=1)  # 0 and 1
    >>> found = cs.units.trace_snr(x, time=np.arange(20_000) / 30)
    >>> (found.ci_low < [0, 1]).tolist(), (found.ci_high > [0, 1]).tolist()
    ([True, True], [True, True])
    """
    who = "cs.units.trace_snr"

    def rule(x: np.ndarray, away: np.ndarray) -> np.ndarray:
        noise = np.median(np.abs(away), axis=0) / (NORMAL * np.sqrt(2))
        return np.asarray(x.var(axis=0, ddof=1) / noise**2 - 1)

    return scored_traces(
        as_traces(values, time, who), rule, who=who, level=level, scale=np.log1p, back=np.expm1, null=0.0
    )
