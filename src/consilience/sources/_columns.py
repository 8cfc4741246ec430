"""A text table as columns: numbers where every entry is one, else text; and tables of times from columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience.sources._csv import read_rows
from consilience.sources._files import check_file, show
from consilience.sources._parts import TableParts

__all__ = ["column_of_text", "read_columns", "table_of_times"]

_MISSING = ("", "n/a", "na", "nan", "none", "null")
_STARTS = ("start_time", "start", "onset", "begin", "time", "timestamp", "timestamps")
_STOPS = ("stop_time", "stop", "end_time", "end", "offset")
_LENGTHS = ("duration",)


def read_columns(path: Path, *, who: str) -> dict[str, np.ndarray]:
    """{header: (rows,)} of a .csv or .tsv table with a header; numbers, or text where an entry is none."""
    rows = read_rows(check_file(path, who=who), who=who, one_column=True)
    header = [name.strip() for name in rows[0][1]] if rows else []
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{who}: {show(path)} has two columns {shorten(twice, 40)}.", code="bad-csv")
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise InputError(
                f"{who}: {show(path)}, line {line}: {len(row)} columns where the header has {len(header)}.",
                code="bad-csv",
            )
    return {name: column_of_text([row[i].strip() for _, row in rows[1:]]) for i, name in enumerate(header)}


def column_of_text(entries: list[str]) -> np.ndarray:
    """Whole numbers, numbers (missing ones NaN), or text (missing ones empty)."""
    gone = [entry.lower() in _MISSING for entry in entries]
    filled = ["nan" if lost else entry for entry, lost in zip(entries, gone)]
    if not entries or all(gone):
        return np.array(["" for _ in entries], dtype=str)
    if not any(gone) and all(e.lstrip("-").isdecimal() and str(int(e)) == e for e in entries):
        try:
            return np.array([int(entry) for entry in entries], dtype=np.int64)
        except OverflowError:
            return np.array(entries)
    try:
        return np.array([float(entry) for entry in filled])
    except ValueError:
        return np.array(["" if lost else entry for entry, lost in zip(entries, gone)], dtype=str)


def table_of_times(columns: Mapping[str, Any], *, clock: float, what: str, who: str) -> TableParts:
    """Rows of intervals, or of events where there is neither a stop nor a duration.

    columns : {name: (n,)}. The start stands in start_time, start, onset, begin or time; the end in stop_time, stop, end
        or offset, or as a duration. ``clock`` : their ticks per second. The other columns are kept as they are.
    """
    known = {str(name).lower(): str(name) for name in columns}
    start = next((known[name] for name in _STARTS if name in known), None)
    stop = next((known[name] for name in _STOPS if name in known), None)
    length = next((known[name] for name in _LENGTHS if name in known), None)
    if start is None:
        raise InputError(
            f"{who}: {what} has no column of times; one must be called {', '.join(_STARTS[:5])}."
            f"{nearest('start', columns)}",
            code="bad-time",
        )
    first = _seconds(columns[start], start, clock, what, who)
    last: np.ndarray | None = None
    used = {start}
    if stop is not None:
        last, used = _seconds(columns[stop], stop, clock, what, who), {start, stop}
    elif length is not None:
        last, used = first + _seconds(columns[length], length, clock, what, who), {start, length}
    rest = {str(name): np.asarray(entries) for name, entries in columns.items() if name not in used}
    return TableParts(start=first, stop=last, columns=rest)


def _seconds(entries: Any, name: str, clock: float, what: str, who: str) -> np.ndarray:
    times = np.asarray(entries)
    if times.ndim != 1 or times.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: column {shorten(name, 40)} of {what} must be 1-D times as numbers, got shape {times.shape} of "
            f"dtype {times.dtype}.",
            code="bad-time",
        )
    return times.astype(np.float64) / clock
