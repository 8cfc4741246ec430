"""What stands in a file of a recording before it is checked: the reader hands it over, the door makes a `Recording`
of it, and `consilience inspect` looks at it as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError
from consilience._core._params import shorten
from consilience._recording import Events, Intervals, Recording, Signal, SpikeTrains

__all__ = ["Parts", "SignalParts", "TableParts"]


@dataclass(frozen=True, kw_only=True)
class TableParts:
    """Rows of intervals (``stop`` given) or of events: times (n,) s as they stand there, NaN too, and columns."""

    start: np.ndarray
    stop: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SignalParts:
    """values : (n, channels) or (n,), maybe still on disk.   time : (n,) s as they stand there.   The rest as in
    `Signal`."""

    values: Any
    time: np.ndarray
    kind: str = "behaviour"
    unit: str = ""
    channels: Any = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A recording, unchecked. ``times`` (n_spikes,) s, unit after unit, and ``splits`` (n_units + 1,), or None."""

    format: str
    name: str | None = None  # None: the file does not say
    times: np.ndarray | None = None
    splits: np.ndarray | None = None
    units: Mapping[str, np.ndarray] = field(default_factory=dict)
    signals: Mapping[str, SignalParts] = field(default_factory=dict)
    tables: Mapping[str, TableParts] = field(default_factory=dict)
    observed: TableParts | None = None
    observed_by_unit: tuple[TableParts, ...] | None = None  # where it differs
    subject: str = ""
    session: str = ""
    attrs: Mapping[str, Any] = field(default_factory=dict)
    cautions: tuple[Caution, ...] = ()

    @classmethod
    def of(cls, recording: Recording, *, format: str) -> Parts:
        """Those of a recording that is made already."""
        spikes, observed = recording.spikes, recording.observed
        return cls(
            format=format,
            name=recording.name,
            times=None if spikes is None else spikes.times,
            splits=None if spikes is None else spikes.splits,
            units=recording.units,
            signals={
                name: SignalParts(
                    values=entry,
                    time=entry.time,
                    kind=entry.kind,
                    unit=entry.unit,
                    channels=entry.channels,
                    columns=entry.columns,
                )
                for name, entry in recording.signals.items()
            },
            tables={
                **{
                    name: TableParts(start=entry.start, stop=entry.stop, columns=entry.columns)
                    for name, entry in recording.intervals.items()
                },
                **{
                    name: TableParts(start=entry.time, columns=entry.columns)
                    for name, entry in recording.events.items()
                },
            },
            observed=None
            if observed is None
            else TableParts(start=observed.start, stop=observed.stop, columns=observed.columns),
            observed_by_unit=None
            if recording.observed_by_unit is None
            else tuple(TableParts(start=one.start, stop=one.stop) for one in recording.observed_by_unit),
            subject=recording.subject,
            session=recording.session,
            attrs=recording.attrs,
            cautions=recording.cautions,
        )

    def recording(self, *, who: str) -> Recording:
        """The recording. Spikes that cannot be right are refused. A signal or table that cannot be used (times that
        fall, intervals that end before they start) is left out and said, and so are rows of a table without a time.
        """
        cautions = list(self.cautions)
        try:
            spikes = None if self.times is None else SpikeTrains(self.times, self.splits)
        except InputError as error:
            text = str(error).removeprefix("cs.SpikeTrains: ")
            raise InputError(f"{who}: {text}", code=error.code) from None
        signals: dict[str, Signal] = {}
        intervals: dict[str, Intervals] = {}
        events: dict[str, Events] = {}
        for name, part in self.signals.items():
            try:
                signals[name] = Signal(
                    part.values,
                    part.time,
                    kind=part.kind,
                    unit=part.unit,
                    channels=part.channels,
                    columns=part.columns,
                )
            except InputError as error:
                cautions.append(_left_out(f"signal {shorten(name, 60)}", error))
        for name, table in self.tables.items():
            try:
                whole, lost = _rows_with_times(table)
                if whole.stop is None:
                    events[name] = Events(whole.start, whole.columns)
                else:
                    intervals[name] = Intervals(whole.start, whole.stop, whole.columns)
            except InputError as error:
                cautions.append(_left_out(f"table {shorten(name, 60)}", error))
                continue
            if lost:
                cautions.append(
                    Caution(
                        "rows-left-out",
                        f"{lost} of {table.start.size} rows of {shorten(name, 60)} have no start or stop and were left "
                        "out.",
                        "Fill them in the file if they matter.",
                    )
                )
        observed = None
        if self.observed is not None and self.observed.stop is not None:
            observed = Intervals(self.observed.start, self.observed.stop, self.observed.columns)
        each = None
        if self.observed_by_unit is not None:
            each = [Intervals(one.start, one.stop) for one in self.observed_by_unit]
        try:
            return Recording(
                name=self.name or "",
                spikes=spikes,
                units=self.units,
                signals=signals,
                intervals=intervals,
                events=events,
                observed=observed,
                observed_by_unit=each,
                subject=self.subject,
                session=self.session,
                attrs=self.attrs,
                cautions=tuple(cautions),
            )
        except InputError as error:
            text = str(error).removeprefix("cs.Recording: ")
            raise InputError(
                f"{who}: {text}" + "".join(f" {caution.message}" for caution in cautions), code=error.code
            ) from None


def _rows_with_times(table: TableParts) -> tuple[TableParts, int]:
    known = np.isfinite(table.start)
    if table.stop is not None and table.stop.shape == known.shape:
        known &= np.isfinite(table.stop)
    if known.all():
        return table, 0
    return (
        TableParts(
            start=table.start[known],
            stop=None if table.stop is None else table.stop[known],
            columns={name: entries[known] for name, entries in table.columns.items()},
        ),
        int((~known).sum()),
    )


def _left_out(what: str, error: InputError) -> Caution:
    text = str(error)
    for prefix in ("cs.Signal: ", "cs.Intervals: ", "cs.Events: "):
        text = text.removeprefix(prefix)
    return Caution("part-left-out", f"The {what} cannot be used and was left out: {text}", "")
