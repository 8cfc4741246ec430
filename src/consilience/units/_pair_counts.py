"""Counting pairs of spikes by their lag, for many units at once, and what jitter makes of the counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_number, shorten
from consilience.units._seconds import say_long_bins
from consilience.units._trains import Trains

__all__ = [
    "as_bins",
    "as_pairs",
    "by_first",
    "close_spikes",
    "count_lags",
    "overlap",
    "spread",
    "window_starts",
]

_STEP = 1 << 18  # pairs of spikes looked at at once
_FIRSTS = 16
_ROUNDING = 1e-6  # of a bin: times written with few digits lie on its edges


def as_bins(width: float, longest: float, who: str) -> tuple[float, int]:
    """(width, bins on each side)."""
    width = check_number(width, name="width", who=who, low=0.0)
    longest = check_number(longest, name="longest", who=who, low=width, closed=True)
    say_long_bins(width, who=who, what="correlograms", stacklevel=4)
    return width, max(1, round(longest / width))


def as_pairs(pairs: Any, units: int, who: str) -> np.ndarray:
    """(pairs, 2); None = all i < j."""
    if pairs is None:
        if units < 2:
            raise InputError(f"{who}: needs at least 2 units, got {units}.", code="too-few")
        return np.stack(np.triu_indices(units, 1), axis=1)
    try:
        found = np.atleast_2d(np.asarray(pairs))
    except ValueError:
        found = np.empty((0, 0))
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu" or not len(found):
        raise InputError(
            f"{who}: pairs must be a list of (first, second) numbers of units, got {shorten(pairs)}.",
            code="bad-parameter",
        )
    if found.min() < 0 or found.max() >= units or (found[:, 0] == found[:, 1]).any():
        raise InputError(
            f"{who}: pairs must name two different units of 0 ... {units - 1}, got {shorten(found.tolist())}; "
            "cs.units.autocorrelogram is for a unit with itself.",
            code="bad-parameter",
        )
    if len(np.unique(found, axis=0)) != len(found):
        raise InputError(
            f"{who}: a pair comes more than once in {shorten(found.tolist())}.", code="bad-parameter"
        )
    return found.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Merged:
    """Spikes of second units. number : (units,) of each unit's pair; that of a unit of no pair is beyond them.
    owner, times : (spikes,), rising times.
    """

    number: np.ndarray
    owner: np.ndarray
    times: np.ndarray


def by_first(trains: Trains, pairs: np.ndarray) -> Iterator[tuple[int, np.ndarray, Merged]]:
    """(first unit, rows of its pairs, spikes of its second units), for each first unit."""
    order = np.argsort(trains.times, kind="stable")
    times, owner = trains.times[order], trains.owner[order].astype(np.int32)
    by_first = np.argsort(pairs[:, 0], kind="stable")
    firsts, starts = np.unique(pairs[by_first, 0], return_index=True)
    ends = np.append(starts[1:], len(pairs))
    number = np.empty(trains.counts.size, dtype=np.int64)
    for k, first in enumerate(firsts):
        if k % _FIRSTS == 0:  # spikes that no later pair asks for are left out
            wanted = np.zeros(number.size, dtype=bool)
            wanted[pairs[by_first[starts[k] : ends[min(k + _FIRSTS, firsts.size) - 1]], 1]] = True
            keep = wanted[owner]
            some, mine = times[keep], owner[keep]
        rows = by_first[starts[k] : ends[k]]
        number[:] = rows.size
        number[pairs[rows, 1]] = np.arange(rows.size)
        yield int(first), rows, Merged(number, mine, some)


def close_spikes(
    own: np.ndarray, target: np.ndarray, low: float, high: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows of ``own``, rows of ``target``) of all pairs with low <= target - own < high, some at a time."""
    left, right = np.searchsorted(target, own + low), np.searchsorted(target, own + high)
    counts = right - left
    ends = np.cumsum(counts)
    begin = 0
    while begin < own.size:
        done = ends[begin - 1] if begin else 0
        stop = max(begin + 1, int(np.searchsorted(ends, done + _STEP, side="right")))
        part = counts[begin:stop]
        total = int(part.sum())
        if total:
            offset = left[begin:stop] - (np.cumsum(part) - part)
            yield np.repeat(np.arange(begin, stop), part), np.repeat(offset, part) + np.arange(total)
        begin = stop


def count_lags(
    own: np.ndarray,
    second: Merged,
    low: float,
    width: float,
    bins: int,
    *,
    parts: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """(pairs, bins) pairs of spikes with lag in each bin from ``low``, and the sum of what they lie above its edge, in
    bins.
    """
    size = int(second.number.max())  # the row beyond takes what no pair asks for
    place = second.number * bins
    out, part = np.zeros((size + 1) * bins, dtype=np.int64), np.zeros((size + 1) * bins if parts else 0)
    slack, per = width * _ROUNDING, 1 / width
    for rows, columns in close_spikes(own, second.times, low - slack, low + bins * width - slack):
        at = second.times[columns]
        at -= own[rows]
        at -= low
        at *= per
        whole = np.minimum((at + _ROUNDING).astype(np.int64), bins - 1)
        flat = place[second.owner[columns]]
        flat += whole
        out += np.bincount(flat, minlength=out.size)
        if parts:
            at -= whole
            part += np.bincount(flat, weights=at, minlength=out.size)
    return out.reshape(-1, bins)[:size], part.reshape(-1, bins)[:size] if parts else out[:0]


def window_starts(trains: Trains, unit: int, window: float) -> np.ndarray:
    """(spikes,) start of the window of each spike of a unit; windows are a grid from the start of each piece, the last
    one ending with the piece.
    """
    own = slice(trains.splits[unit], trains.splits[unit + 1])
    begin, end = trains.start[trains.piece[own]], trains.stop[trains.piece[own]]
    starts = begin + np.floor((trains.times[own] - begin) / window) * window
    starts = np.maximum(np.minimum(starts, end - window), begin)
    return np.minimum(starts, trains.times[own])


def spread(hits: np.ndarray, part: np.ndarray, wide: int, bins: int) -> np.ndarray:
    """(pairs, bins) mean counts when the reference is uniform in ``wide`` bins, from distances to window starts.

    G(e) = sum over x of clip((x - e) / D, 0, 1) is the mean number of lags above e; R(e) = sum of (x - e) above e.
    """
    above = np.cumsum(hits[:, ::-1], axis=1)[:, ::-1]
    beyond = np.concatenate([above[:, 1:], np.zeros((len(hits), 1))], axis=1)
    # R at the lower edge of bin k, in bins: distance from that edge of every x above it
    inside = np.cumsum(part[:, ::-1], axis=1)[:, ::-1]
    steps = np.cumsum(beyond[:, ::-1], axis=1)[:, ::-1]
    reach = np.concatenate([inside + steps, np.zeros((len(hits), 1))], axis=1)
    mean = (reach[:, : bins + 1] - reach[:, wide : bins + 1 + wide]) / wide
    return mean[:, :-1] - mean[:, 1:]


def overlap(trains: Trains, lags: np.ndarray) -> np.ndarray:
    """(bins,) seconds of observed time t with t + lag observed too."""
    edges = np.stack([trains.start, trains.stop], axis=1).ravel()
    covered = np.cumsum(np.stack([np.zeros(trains.start.size), trains.stop - trains.start], axis=1).ravel())

    def before(t: np.ndarray) -> np.ndarray:
        return np.interp(t, edges, covered)

    return np.array([float((before(trains.stop + lag) - before(trains.start + lag)).sum()) for lag in lags])
