"""Doubts about tables of intervals and events."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from consilience._recording._finding import Finding, counted
from consilience.sources._parts import Parts, TableParts

__all__ = ["find_in_tables", "recorded_span"]


def recorded_span(parts: Parts) -> tuple[float, float] | None:
    """From the first to the last thing that was recorded: as the file says, else of spikes and signals."""
    if parts.observed is not None and parts.observed.stop is not None and parts.observed.start.size:
        return float(np.nanmin(parts.observed.start)), float(np.nanmax(parts.observed.stop))
    ends = []
    for times in [parts.times, *(signal.time for signal in parts.signals.values())]:
        known = np.empty(0) if times is None else times[np.isfinite(times)]
        if known.size:
            ends += [float(known.min()), float(known.max())]
    return (min(ends), max(ends)) if ends else None


def find_in_tables(parts: Parts) -> Iterator[Finding]:
    """What speaks against the tables, and against the span that the file says was observed."""
    span = recorded_span(parts)
    for name, table in parts.tables.items():
        yield from _one(name[:80], table, span)
    observed = parts.observed
    if observed is not None and observed.stop is not None and parts.times is not None and parts.times.size:
        if (observed.stop < observed.start).any():
            yield Finding(
                "critical", "exchanged", "observed intervals end before they start; exchange start and stop"
            )
            return
        order = np.argsort(observed.start, kind="stable")
        start, stop = observed.start[order], np.maximum.accumulate(observed.stop[order])
        row = np.searchsorted(start, parts.times, side="right") - 1
        away = (
            (row < 0) | (parts.times > stop[np.maximum(row, 0)])
            if start.size
            else np.ones(parts.times.size, bool)
        )
        if away.any():
            yield Finding(
                "warning",
                "spikes-not-observed",
                f"{counted(int(away.sum()), 'spike')} outside of the intervals that the file says were observed",
            )


def _one(name: str, table: TableParts, span: tuple[float, float] | None) -> Iterator[Finding]:
    word = "event" if table.stop is None else "interval"
    n = table.start.size
    if not n:
        yield Finding("hint", "empty-table", f"{name} is empty")
        return
    stop = table.start if table.stop is None else table.stop
    if stop.shape != table.start.shape:
        yield Finding("critical", "ragged-table", f"{name}: {n} starts and {stop.size} stops")
        return
    known = np.isfinite(table.start) & np.isfinite(stop)
    if not known.all():
        yield Finding(
            "warning",
            "rows-without-time",
            f"{name}: {int((~known).sum())} of {counted(n, 'row')} without a "
            f"{'time' if word == 'event' else 'start or stop'}; cs.read leaves them out",
        )
    start, stop = table.start[known], stop[known]
    if not start.size:
        return
    back = stop < start
    if back.any():
        row = int(np.flatnonzero(known)[np.flatnonzero(back)[0]])
        yield Finding(
            "critical",
            "exchanged",
            f"{name}: {int(back.sum())} of {counted(n, 'interval')} end before they start (row {row}: "
            f"{start[back][0]:g} to {stop[back][0]:g} s): start and stop exchanged? cs.read leaves the table out",
        )
        start, stop = np.minimum(start, stop), np.maximum(start, stop)
    if span is not None:
        away = (stop < span[0]) | (start > span[1])
        if away.any():
            every = bool(away.all())
            yield Finding(
                "critical" if every else "warning",
                "outside-recording",
                f"{name}: {'all' if every else int(away.sum())} of {counted(n, word)} outside of what was recorded "
                f"({span[0]:g} to {span[1]:g} s; the first at {start[away][0]:g} s)"
                + (": another clock, or milliseconds?" if every else ""),
            )
    if word == "interval" and bool((stop == start).all()):
        yield Finding("hint", "no-length", f"{name}: all intervals have length 0; they are points in time")
