"""What CV, CV2 and LV share: sums over interspike intervals in blocks, each block left out once."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import warn
from consilience._core._params import check_number
from consilience.stats import jackknife_interval
from consilience.units._scores import UnitScores, nothing
from consilience.units._trains import Trains, as_trains
from consilience.units._trials import say_silent

__all__ = ["FEWEST", "block_sums", "neighbours", "of_blocks", "scored"]

BLOCKS = 20
FEWEST = 10  # terms: no value below


def neighbours(trains: Trains) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(a, b, owner) of interspike intervals that follow each other, those of no length both times left out."""
    length, owner, number = trains.intervals()
    if length.size < 2:
        return np.empty(0), np.empty(0), np.empty(0, np.int64)
    after = (number[1:] == number[:-1] + 1) & (owner[1:] == owner[:-1])
    a, b = length[:-1][after], length[1:][after]
    some = a + b > 0
    return a[some], b[some], owner[:-1][after][some]


def block_sums(owner: np.ndarray, units: int, *terms: np.ndarray) -> tuple[np.ndarray, ...]:
    """(blocks, units) numbers of terms, and their sums, in 20 stretches of as many terms each."""
    counts = np.bincount(owner, minlength=units)
    rank = np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
    block = np.minimum(rank * BLOCKS // np.maximum(counts[owner], 1), BLOCKS - 1)
    flat = block * units + owner
    return tuple(
        np.bincount(flat, weights=w, minlength=BLOCKS * units).reshape(BLOCKS, units)
        for w in (np.ones(owner.size), *terms)
    )


def of_blocks(value: np.ndarray, left: np.ndarray, used: np.ndarray, level: float) -> UnitScores:
    """NaN below `FEWEST` terms; interval from blocks left out, on the log scale, t; 1 of a Poisson process."""
    known = (used >= FEWEST) & np.isfinite(value)
    some = known & (used >= 2 * BLOCKS) & (value > 0) & np.isfinite(left).all(axis=0)
    some &= (np.nan_to_num(left) > 0).all(axis=0)
    ends = jackknife_interval(
        np.log(np.where(some, value, 1.0)),
        np.log(np.where(some, left, 1.0)),
        n=BLOCKS,
        left_out=1,
        level=level,
        exhaustive=True,
    )
    low, high = (np.where(some, np.exp(end), np.nan) for end in ends)
    return UnitScores(
        value=np.where(known, value, np.nan),
        ci_low=low,
        ci_high=high,
        null_mean=np.where(known, 1.0, np.nan),
        p=nothing(value.size),
        level=level,
        counted={"n": used.astype(np.int64)},
    )


def scored(
    trains: Any, observed: Any, terms: Any, *, who: str, level: float, pairs: bool = True
) -> UnitScores:
    """The mean of ``terms(a, b)`` over neighbouring intervals, per unit, 1 for a Poisson process."""
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    found = as_trains(trains, observed, who=who)
    units = found.counts.size
    say_silent(found.counts == 0, who=who)
    a, b, owner = neighbours(found)
    count, total = block_sums(owner, units, terms(a, b))
    used = count.sum(axis=0)
    say_few(used, found.counts, who)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = total.sum(axis=0) / used
        left = (total.sum(axis=0) - total) / (used - count)
    return of_blocks(value, left, used, level)


def say_few(used: np.ndarray, counts: np.ndarray, who: str) -> None:
    few = (used < FEWEST) & (counts > 0)
    if few.any():
        warn(
            "few-spikes",
            f"{who}: {int(few.sum())} of {few.size} units have fewer than {FEWEST} intervals to use.",
            f"Their values are NaN (unit {int(np.flatnonzero(few)[0])} first); a longer recording, or leave them out.",
            stacklevel=3,
        )
