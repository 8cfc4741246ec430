"""Quality of continuous traces (fluorescence, voltage): what noise, signal and asymmetry share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_number, shorten
from consilience.linalg import constant_columns
from consilience.stats import jackknife_interval
from consilience.units._scores import UnitScores, nothing
from consilience.units._trials import say_silent

__all__ = ["NORMAL", "Traces", "as_traces", "scored_traces"]

NORMAL = 0.6744897501960817  # median of |z|, z normal
_BLOCKS, _FEWEST = 20, 200


class Traces:
    """x : (n, units).   steps : (n - 1,) which samples follow the one before.   interval : s between samples."""

    def __init__(self, values: Array, time: Array, who: str) -> None:
        self.x = np.asarray(
            to_numpy(as_matrix(values, name="values", who=who, min_rows=_FEWEST)), dtype=np.float64
        )
        given = np.asarray(to_numpy(time), dtype=np.float64)
        if given.shape != (len(self.x),) or not (np.diff(given) > 0).all():
            raise InputError(
                f"{who}: time must be {len(self.x)} increasing seconds, one for each sample, got "
                f"{shorten(given.tolist() if given.size < 10 else given.shape)}.",
                code="bad-time",
            )
        step = np.diff(given)
        self.interval = float(np.median(step))
        self.steps = step < 1.5 * self.interval
        self.silent = np.asarray(constant_columns(self.x), dtype=bool)


def as_traces(values: Array, time: Array, who: str) -> Traces:
    found = Traces(values, time, who)
    say_silent(found.silent, who=who)
    still = ~found.silent & (np.median(np.abs(np.diff(found.x, axis=0)[found.steps]), axis=0) == 0)
    if still.any():
        warn(
            "no-frame-noise",
            f"{who}: most samples of {int(still.sum())} of {still.size} units equal the one before.",
            "Deconvolved, thresholded or repeated frames? Their noise is 0, and signal to noise inf: use raw traces.",
            stacklevel=3,
        )
    return found


def scored_traces(
    traces: Traces,
    rule: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    who: str,
    level: float,
    scale: Callable[[np.ndarray], np.ndarray] | None = None,
    back: Callable[[np.ndarray], np.ndarray] | None = None,
    null: float = np.nan,
) -> UnitScores:
    """``rule(samples, differences)`` on all, and on all but each of 20 stretches; t interval, on the scale given."""
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    x = np.where(traces.silent, 0.0, traces.x)
    away = np.diff(x, axis=0)[traces.steps]
    n, place = len(x), np.flatnonzero(traces.steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = rule(x, away)
        left = []
        for k in range(_BLOCKS):
            low, high = k * n // _BLOCKS, (k + 1) * n // _BLOCKS
            keep = (place < low) | (place >= high)
            left.append(rule(np.concatenate([x[:low], x[high:]]), away[keep]))
        on = scale or (lambda v: v)
        middle, draws = on(value), on(np.stack(left))
    known = ~traces.silent & np.isfinite(middle) & np.isfinite(draws).all(axis=0)
    ends = jackknife_interval(
        np.where(known, middle, 0.0),
        np.where(known, draws, 0.0),
        n=_BLOCKS,
        left_out=1,
        level=level,
        exhaustive=True,
    )
    off = back or (lambda v: v)
    low_end, high_end = (np.where(known, off(end), np.nan) for end in ends)
    return UnitScores(
        value=np.where(traces.silent, np.nan, value),
        ci_low=low_end,
        ci_high=high_end,
        null_mean=np.where(traces.silent, np.nan, null),
        p=nothing(value.size),
        level=level,
    )
