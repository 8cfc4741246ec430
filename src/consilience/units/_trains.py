"""The door of spike trains: sorted times, unit after unit, within the time that was observed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import shorten
from consilience._core._resolution import coarse_step

__all__ = ["Trains", "as_observed", "as_trains"]


@dataclass(frozen=True, eq=False)
class Trains:
    """times : (spikes,) seconds, rising within a unit, unit after unit.   splits : (units + 1,).
    start, stop : (pieces,) of the time observed, disjoint, rising.   piece : (spikes,) in which each spike lies.
    """

    times: np.ndarray
    splits: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    piece: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        return np.diff(self.splits)

    @property
    def owner(self) -> np.ndarray:
        """(spikes,) unit of each spike."""
        return np.repeat(np.arange(self.splits.size - 1), self.counts)

    @property
    def total(self) -> float:
        """Seconds observed."""
        return float((self.stop - self.start).sum())

    def of(self, unit: int) -> np.ndarray:
        return self.times[self.splits[unit] : self.splits[unit + 1]]

    def clock(self, times: np.ndarray, piece: np.ndarray) -> np.ndarray:
        """Seconds of observed time before each of ``times``: pieces end to end."""
        before = np.concatenate([[0.0], np.cumsum(self.stop - self.start)[:-1]])
        return before[piece] + (times - self.start[piece])

    def intervals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(length, owner, number): interspike intervals (s) within one piece; ``number`` is that of the first spike, so
        that neighbouring intervals of a train have neighbouring numbers.
        """
        if self.times.size < 2:
            return np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)
        owner = self.owner
        keep = np.flatnonzero((owner[1:] == owner[:-1]) & (self.piece[1:] == self.piece[:-1]))
        return self.times[keep + 1] - self.times[keep], owner[keep], keep


def as_observed(observed: Any, *, who: str) -> tuple[np.ndarray, np.ndarray]:
    """(start, stop) of disjoint, rising pieces, from (start, stop), an array (m, 2), or anything with both names."""
    if hasattr(observed, "start") and hasattr(observed, "stop"):
        pair = [
            np.atleast_1d(np.asarray(to_numpy(v), dtype=np.float64)) for v in (observed.start, observed.stop)
        ]
    else:
        try:
            given = np.asarray(to_numpy(observed), dtype=np.float64)
        except (TypeError, ValueError):
            given = np.empty(0)
        given = given[None] if given.shape == (2,) else given
        if given.ndim != 2 or given.shape[1] != 2:
            raise InputError(
                f"{who}: observed must be (start, stop) in seconds, an array (pieces, 2), or cs.Intervals; got "
                f"{shorten(observed)}.",
                code="bad-time",
            )
        pair = [given[:, 0], given[:, 1]]
    start, stop = pair
    if (
        not (np.isfinite(start).all() and np.isfinite(stop).all())
        or (stop < start).any()
        or not (stop > start).any()
    ):
        raise InputError(
            f"{who}: observed must be finite times with stop after start, got "
            f"{shorten(np.stack([start, stop], 1).tolist())}.",
            code="bad-time",
        )
    order = np.argsort(start, kind="stable")
    start, stop = start[order], np.maximum.accumulate(stop[order])
    new = np.concatenate([[True], start[1:] > stop[:-1]])
    first = np.flatnonzero(new)
    last = np.concatenate([first[1:] - 1, [start.size - 1]])
    return start[first], stop[last]


def _listed(trains: Any, who: str) -> list[np.ndarray]:
    if hasattr(trains, "times") and hasattr(trains, "splits"):
        times, splits = np.asarray(trains.times), np.asarray(trains.splits)
        return [times[a:b] for a, b in itertools.pairwise(splits)]
    if isinstance(trains, (str, bytes, dict)) or not isinstance(trains, Iterable):
        raise InputError(
            f"{who}: trains must be a list with one array of spike times (s) per unit, got {type(trains).__name__}.",
            code="not-an-array",
        )
    out: list[Any] = list(trains)
    if out and all(np.ndim(entry) == 0 for entry in out):
        raise InputError(
            f"{who}: trains must be a list with one array of spike times (s) per unit, got one array; put it in "
            "a list, [times].",
            code="not-an-array",
        )
    return out


def as_trains(trains: Any, observed: Any = None, *, who: str, needed: bool = False) -> Trains:
    """Checks spike times of units. Spikes outside ``observed`` are left out; None takes the first to the last spike of
    all units, or is refused where ``needed``.
    """
    each = []
    unsorted = []
    for i, entry in enumerate(_listed(trains, who)):
        try:
            times = np.asarray(to_numpy(entry))
        except (TypeError, ValueError):
            times = np.empty((0, 0))
        if times.size == 0 and times.ndim == 1:
            times = times.astype(np.float64)
        if times.ndim != 1 or times.dtype.kind not in "iuf":
            raise InputError(
                f"{who}: spike times of unit {i} must be a list of seconds, got {shorten(entry)}.",
                code="not-an-array",
            )
        times = times.astype(np.float64)
        if not np.isfinite(times).all():
            raise InputError(
                f"{who}: unit {i} has {int((~np.isfinite(times)).sum())} NaN or infinite spike times; leave them out.",
                code="nan-values",
            )
        if (np.diff(times) < 0).any():
            unsorted.append(i)
            times = np.sort(times)
        each.append(times)
    if not each:
        raise InputError(
            f"{who}: there are no units; give one array of spike times for each.", code="too-few"
        )
    if unsorted:
        warn(
            "unsorted-spikes",
            f"{who}: spike times of {len(unsorted)} of {len(each)} units did not increase (unit {unsorted[0]} first), "
            "and were sorted.",
            "Check that times and units belong together.",
            stacklevel=3,
        )
    every = np.concatenate(each)
    if not hasattr(trains, "splits") and (coarse := coarse_step(every)) is not None:
        warn(
            "coarse-times",
            f"{who}: all spike times are as if from 32-bit floats or a slow clock, {1000 * coarse:.2g} ms apart at "
            f"{np.abs(every).max():.6g} s: finer timing is lost.",
            "Keep times as 64-bit floats, or as samples, from where they are made.",
            stacklevel=3,
        )
    if observed is None and needed:
        raise InputError(
            f"{who}: observed= is needed, the time (start, stop) in seconds in which spikes could be seen; the "
            "first and last spikes do not tell it.",
            code="observed-missing",
        )
    if observed is not None:
        start, stop = as_observed(observed, who=who)
    elif every.size:
        start, stop = np.array([every.min()]), np.array([np.nextafter(every.max(), np.inf)])
    else:
        start, stop = np.zeros(1), np.ones(1)
    kept, pieces = [], []
    for times in each:
        row = np.searchsorted(start, times, side="right") - 1
        inside = (row >= 0) & (times < stop[np.maximum(row, 0)])
        kept.append(times[inside])
        pieces.append(row[inside])
    splits = np.concatenate([[0], np.cumsum([t.size for t in kept])]).astype(np.int64)
    return Trains(np.concatenate(kept), splits, start, stop, np.concatenate(pieces).astype(np.int64))
