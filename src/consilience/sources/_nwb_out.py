"""The pieces of an NWB file, made of those of a recording: columns, tables and time series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._recording import Events, Intervals, Signal
from consilience.sources._nwb_own import column_json, written_name

__all__ = ["checked", "columns_out", "events_out", "intervals_out", "plain", "series_out", "vector"]

_INTERVALS = {"id", "start_time", "stop_time", "timeseries"}
_EVENTS = {"id", "timestamp", "duration", "annotation"}
_LARGE = 64 << 20  # bytes of values above which a signal is written block by block


def plain(text: str) -> str:
    """Text that HDF5 holds: no NUL, no lone surrogates. The exact text stands in our JSON."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")


def checked(values: np.ndarray) -> Any:
    """Numbers with a checksum."""
    from hdmf.backends.hdf5.h5_utils import H5DataIO

    return (
        H5DataIO(np.ascontiguousarray(values), fletcher32=True, compression="gzip") if values.size else values
    )


def columns_out(
    table: Mapping[str, np.ndarray], reserved: set[str], about: dict[str, Any]
) -> Iterator[tuple[str, np.ndarray]]:
    """(written name, entries) of the columns; those that NWB cannot hold are put into ``about["kept"]``."""
    taken = set(reserved)
    for name, entries in table.items():
        text = entries.dtype.kind == "U"
        if text and (not entries.size or any(plain(entry) != entry for entry in entries.tolist())):
            about["kept"][name] = column_json(entries)
            continue
        written = written_name(name, taken)
        about["columns"][written] = name
        yield written, entries


def vector(common: Any, name: str, entries: np.ndarray, kind: Any = None, **more: Any) -> Any:
    data = entries.tolist() if entries.dtype.kind == "U" else np.ascontiguousarray(entries)
    return (kind or common.VectorData)(name=name, description=f"column {name}", data=data, **more)


def intervals_out(pynwb: Any, file: Any, written: str, name: str, intervals: Intervals) -> dict[str, Any]:
    from hdmf import common

    about: dict[str, Any] = {"name": name, "columns": {}, "kept": {}}
    columns = [
        vector(common, "start_time", intervals.start),
        vector(common, "stop_time", intervals.stop),
    ]
    names = ["start_time", "stop_time"]
    for column, entries in columns_out(intervals.columns, _INTERVALS, about):
        if column == "tags":  # several tags a row in NWB
            tags = common.VectorData(
                name="tags", description="user-defined tags", data=entries.astype(str).tolist()
            )
            ends = np.arange(1, len(entries) + 1, dtype=np.uint64)
            columns += [tags, common.VectorIndex(name="tags_index", data=ends, target=tags)]
        else:
            columns.append(vector(common, column, entries))
        names.append(column)
    table = pynwb.epoch.TimeIntervals(
        name=written,
        description=plain(name) or written,
        id=common.ElementIdentifiers(name="id", data=np.arange(len(intervals))),
        columns=columns,
        colnames=names,
    )
    if written in ("trials", "epochs", "invalid_times"):
        setattr(file, written, table)
    else:
        file.add_time_intervals(table)
    return about


def events_out(pynwb: Any, file: Any, written: str, name: str, events: Events) -> dict[str, Any]:
    from hdmf import common

    if not hasattr(pynwb, "event"):
        raise InputError(
            f"cs.write_nwb: this pynwb ({pynwb.__version__}) cannot write events; install a newer one: "
            "pip install 'consilience[nwb]'.",
            code="missing-dependency",
        )
    about: dict[str, Any] = {"name": name, "columns": {}, "kept": {}}
    columns = [vector(common, "timestamp", events.time, pynwb.event.TimestampVectorData)]
    names = ["timestamp"]
    for column, entries in columns_out(events.columns, _EVENTS, about):
        columns.append(vector(common, column, entries))
        names.append(column)
    file.add_events_table(
        pynwb.event.EventsTable(
            name=written,
            description=plain(name) or written,
            id=common.ElementIdentifiers(name="id", data=np.arange(len(events))),
            columns=columns,
            colnames=names,
        )
    )
    return about


def series_out(pynwb: Any, written: str, signal: Signal) -> Any:
    times: dict[str, Any] = {"timestamps": np.ascontiguousarray(signal.time)}
    rate = _even(signal.time)
    if rate is not None:
        times = {"starting_time": float(signal.time[0]), "rate": rate}
    large = 8 * signal.shape[0] * signal.shape[1] > _LARGE
    return pynwb.TimeSeries(
        name=written,
        description=plain(f"{signal.kind} of {shorten(signal.channels.tolist(), 200)}"),
        data=_blocks(signal) if large else checked(signal.values),
        unit=plain(signal.unit) or "n.a.",
        **times,
    )


def _even(time: np.ndarray) -> float | None:
    """The rate from which the times follow to the last bit, or None."""
    if time.size < 2 or time[-1] <= time[0]:
        return None
    near = (time.size - 1) / (time[-1] - time[0])
    for rate in (float(round(near)), float(round(near, 6)), float(near)):
        if rate > 0 and np.array_equal(time[0] + np.arange(time.size) / rate, time):
            return rate
    return None


def _blocks(signal: Signal) -> Any:
    from hdmf.backends.hdf5.h5_utils import H5DataIO
    from hdmf.data_utils import AbstractDataChunkIterator, DataChunk

    rows = max(1, _LARGE // (8 * signal.shape[1]))
    sample = signal.rows(0, 1)

    class Blocks(AbstractDataChunkIterator):
        """Rows of the signal, block by block."""

        def __init__(self) -> None:
            self.at = 0

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            if self.at >= signal.shape[0]:
                raise StopIteration
            first, self.at = self.at, min(self.at + rows, signal.shape[0])
            block = signal.rows(first, self.at)
            return DataChunk(data=block, selection=np.s_[first : self.at, :])

        def recommended_chunk_shape(self) -> tuple[int, ...] | None:
            return None

        def recommended_data_shape(self) -> tuple[int, ...]:
            return signal.shape

        @property
        def dtype(self) -> np.dtype:
            return sample.dtype

        @property
        def maxshape(self) -> tuple[int, ...]:
            return signal.shape

    return H5DataIO(Blocks(), fletcher32=True, compression="gzip")
