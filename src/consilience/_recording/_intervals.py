"""Intervals of time (trials, sleep, blocks) with a table of columns, and point events."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._recording._checks import check_columns, check_times, frozen, same_entries

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Events", "Intervals"]


class Intervals:
    """Intervals [start, stop) in seconds, in the order given, with columns (a trial table is one).

    ``a | b``, ``a & b`` and ``a - b`` are union, intersection and difference as sets of time: sorted, disjoint, joined
    where they touch, without columns. Point in time t belongs to [start, stop): start <= t < stop.

    Parameters
    ----------
    start, stop : (n,) seconds, finite, stop >= start
    columns : {name: (n,) numbers or text}

    Raises
    ------
    InputError : other lengths, NaN, an interval that ends before it starts.

    Examples
    --------
    >>> import consilience as cs
    >>> wake, run = cs.Intervals([0, 20], [10, 40]), cs.Intervals([5], [25])
    >>> (wake & run).start.tolist(), (wake & run).stop.tolist()
    ([5.0, 20.0], [10.0, 25.0])
    >>> (wake | run).total, (wake - run).total
    (40.0, 20.0)
    """

    def __init__(self, start: Any, stop: Any, columns: Mapping[str, Any] | None = None) -> None:
        who = "cs.Intervals"
        first, last = check_times(start, name="start", who=who), check_times(stop, name="stop", who=who)
        if first.shape != last.shape:
            raise InputError(
                f"{who}: start and stop must have the same length, got {first.size} and {last.size}.",
                code="bad-time",
            )
        if (last < first).any():
            row = int(np.flatnonzero(last < first)[0])
            raise InputError(
                f"{who}: {int((last < first).sum())} intervals end before they start, first row {row} "
                f"({first[row]:g} to {last[row]:g} s); are start and stop exchanged?",
                code="bad-time",
            )
        self.start, self.stop = frozen(first), frozen(last)
        self.columns: Mapping[str, np.ndarray] = MappingProxyType(
            check_columns(columns, first.size, who=who, what="interval")
        )

    def __len__(self) -> int:
        return self.start.size

    def __repr__(self) -> str:
        span = f", {self.start.min():g} to {self.stop.max():g} s" if len(self) else ""
        named = f"; columns {', '.join(self.columns)}" if self.columns else ""
        return f"<Intervals> {len(self)} intervals{span}, {self.duration.sum():g} s{named}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Intervals):
            return NotImplemented
        return (
            np.array_equal(self.start, other.start)
            and np.array_equal(self.stop, other.stop)
            and set(self.columns) == set(other.columns)
            and all(same_entries(self.columns[name], other.columns[name]) for name in self.columns)
        )

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, rows: Any) -> Intervals:
        """The intervals of a mask, a slice or row numbers, with their columns."""
        index = np.arange(len(self))[rows]
        index = np.atleast_1d(index)
        return Intervals(
            self.start[index],
            self.stop[index],
            {name: entries[index] for name, entries in self.columns.items()},
        )

    def __or__(self, other: Intervals) -> Intervals:
        other = _intervals(other, "|")
        return _joined(np.r_[self.start, other.start], np.r_[self.stop, other.stop])

    def __and__(self, other: Intervals) -> Intervals:
        return _where(self, _intervals(other, "&"), lambda a, b: a & b)

    def __sub__(self, other: Intervals) -> Intervals:
        return _where(self, _intervals(other, "-"), lambda a, b: a & ~b)

    @property
    def duration(self) -> np.ndarray:
        """(n,) seconds."""
        return self.stop - self.start

    @property
    def total(self) -> float:
        """Seconds covered, those covered twice counted once."""
        return float((self | self).duration.sum())

    def merged(self) -> Intervals:
        """The same time as sorted, disjoint intervals, without columns."""
        return self | self

    def contains(self, times: Any) -> np.ndarray:
        """Bool (n,): which times (s) lie in any of the intervals."""
        times, parts = check_times(times, name="times", who="Intervals.contains"), self.merged()
        if not len(parts):
            return np.zeros(times.shape, dtype=bool)
        row = np.searchsorted(parts.start, times, side="right") - 1
        return (row >= 0) & (times < parts.stop[np.maximum(row, 0)])

    def column(self, name: str, *, who: str = "Intervals.column") -> np.ndarray:
        """A column, or ``start_time`` or ``stop_time``."""
        own = {"start_time": self.start, "start": self.start, "stop_time": self.stop, "stop": self.stop}
        name = str(name)
        if name in self.columns:
            return self.columns[name]
        if name in own:
            return own[name]
        known = ["start_time", "stop_time", *self.columns]
        raise UnknownNameError(f"{who}: there is no column {name!r} of intervals.{nearest(name, known)}")

    def to_frame(self) -> pd.DataFrame:
        """One row per interval: start_time, stop_time and the columns."""
        import pandas as pd

        return pd.DataFrame({"start_time": self.start, "stop_time": self.stop, **self.columns})


class Events:
    """Points in time (s), in the order given, with columns.

    Parameters
    ----------
    time : (n,) seconds, finite.   columns : {name: (n,) numbers or text}

    Examples
    --------
    >>> import consilience as cs
    >>> cs.Events([0.5, 1.5], {"side": ["left", "right"]})
    <Events> 2 events, 0.5 to 1.5 s; columns side
    """

    def __init__(self, time: Any, columns: Mapping[str, Any] | None = None) -> None:
        who = "cs.Events"
        times = check_times(time, name="time", who=who)
        self.time = frozen(times)
        self.columns: Mapping[str, np.ndarray] = MappingProxyType(
            check_columns(columns, times.size, who=who, what="event")
        )

    def __len__(self) -> int:
        return self.time.size

    def __repr__(self) -> str:
        span = f", {self.time.min():g} to {self.time.max():g} s" if len(self) else ""
        named = f"; columns {', '.join(self.columns)}" if self.columns else ""
        return f"<Events> {len(self)} events{span}{named}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Events):
            return NotImplemented
        return (
            np.array_equal(self.time, other.time)
            and set(self.columns) == set(other.columns)
            and all(same_entries(self.columns[name], other.columns[name]) for name in self.columns)
        )

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, rows: Any) -> Events:
        """The events of a mask, a slice or row numbers, with their columns."""
        index = np.atleast_1d(np.arange(len(self))[rows])
        return Events(self.time[index], {name: entries[index] for name, entries in self.columns.items()})

    def column(self, name: str, *, who: str = "Events.column") -> np.ndarray:
        """A column, or ``time``."""
        if name in self.columns:
            return self.columns[name]
        if name in ("time", "timestamps"):
            return self.time
        raise UnknownNameError(
            f"{who}: there is no column {name!r} of events.{nearest(name, ['time', *self.columns])}"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per event: time and the columns."""
        import pandas as pd

        return pd.DataFrame({"time": self.time, **self.columns})


def _intervals(other: Any, sign: str) -> Intervals:
    if not isinstance(other, Intervals):
        raise InputError(
            f"cs.Intervals: {sign} needs cs.Intervals on both sides, got {type(other).__name__}; "
            "Intervals(start, stop), in seconds.",
            code="bad-intervals",
        )
    return other


def _joined(start: np.ndarray, stop: np.ndarray) -> Intervals:
    some = stop > start  # empty ones cover no time
    start, stop = start[some], stop[some]
    order = np.argsort(start, kind="stable")
    start, stop = start[order], np.maximum.accumulate(stop[order]) if start.size else stop
    new = np.r_[True, start[1:] > stop[:-1]] if start.size else np.zeros(0, dtype=bool)
    first = np.flatnonzero(new)
    last = np.r_[first[1:] - 1, start.size - 1] if start.size else first
    return Intervals(start[first], stop[last])


def _where(one: Intervals, two: Intervals, rule: Any) -> Intervals:
    """The time where a rule of (in one, in two) holds, piece by piece between all their edges."""
    one, two = one.merged(), two.merged()
    edges = np.unique(np.r_[one.start, one.stop, two.start, two.stop])
    if edges.size < 2:
        return Intervals([], [])
    left = edges[:-1]
    hold = rule(one.contains(left), two.contains(left))
    return _joined(left[hold], edges[1:][hold])
