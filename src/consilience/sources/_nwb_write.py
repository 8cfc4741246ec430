"""A recording as an NWB file that pynwb's validator passes, and that reads back equal."""

from __future__ import annotations

import datetime
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._params import require, shorten
from consilience._core._whole_file import target_path, whole_file
from consilience._recording import Events, Intervals, Recording, Signal
from consilience.sources._nwb_own import OWN, column_json, written_name

__all__ = ["write_nwb"]

_WHO = "cs.write_nwb"
_MODULES = {"behaviour": "behavior", "voltage": "ecephys", "dff": "ophys"}
_SUBJECT = ("species", "sex", "age", "strain", "genotype", "weight")
_UNITS = {
    "spike_times",
    "obs_intervals",
    "electrodes",
    "electrode_group",
    "waveform_mean",
    "waveform_sd",
    "waveforms",
    "id",
}
_INTERVALS = {"id", "start_time", "stop_time", "timeseries"}
_EVENTS = {"id", "timestamp", "duration", "annotation"}
_LARGE = 64 << 20  # bytes of values above which a signal is written block by block
_EPOCH = "1970-01-01T00:00:00+00:00"


def write_nwb(
    recording: Recording,
    path: str | os.PathLike[str],
    *,
    session_start: datetime.datetime | str | None = None,
) -> Path:
    """Writes a recording to one NWB 2 file (complete or not at all); `cs.read` reads it back equal.

    Spike times, the unit table and observed intervals become ``units``; intervals become tables of ``intervals``;
    events become tables of ``events``; signals become time series of ``processing``, with checksums (Fletcher-32) on
    their values. What NWB has no place for (kinds, names and columns of channels, names that it forbids) stands as JSON
    in ``general/source_script``. A signal that lies on disk is written block by block.

    Parameters
    ----------
    recording : the recording.   path : of the file; a file that is there is replaced when the new one is complete.
    session_start : when second 0 was, a datetime or ISO text; one without time zone counts as UTC. Default:
        ``recording.attrs["session_start_time"]``, else 1970-01-01, said by the warning ``no-session-start``.

    Returns
    -------
    Path of the file.

    Raises
    ------
    MissingDependencyError : pynwb is not installed (extra ``nwb``).
    InputError : no recording, a place that cannot be written, a time that is none.

    References
    ----------
    Rübel et al. (2022), eLife 11:e78362.

    Examples
    --------
    >>> import consilience as cs
    >>> rec = cs.Recording(name="V1", spikes=[[0.1, 0.5], [0.2]], units={"area": ["V1", "V1"]})
    >>> cs.read(cs.write_nwb(rec, "v1.nwb", session_start="2024-05-01T10:00+02:00")) == rec  # doctest: +SKIP
    True
    """
    if not isinstance(recording, Recording):
        raise InputError(
            f"{_WHO}: a Recording is expected, got {type(recording).__name__}.", code="bad-recording"
        )
    target_path(path, who=_WHO, example="session.nwb")
    pynwb = require("pynwb", extra="nwb", purpose=_WHO)
    start = _start(recording, session_start)
    with whole_file(path, who=_WHO, example="session.nwb") as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pynwb, about what its best practices would like
        try:
            file = _file(pynwb, recording, start)
            with pynwb.NWBHDF5IO(str(temporary), mode="w") as stream:
                stream.write(file)
        except (InputError, OSError):
            raise
        except Exception as error:
            text = str(error.__cause__ or error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"{_WHO}: pynwb could not write the recording ({shorten(text, 160)}); nothing was written.",
                code="cannot-write",
            ) from error
    return Path(path)


def _start(recording: Recording, given: datetime.datetime | str | None) -> datetime.datetime:
    said = given if given is not None else recording.attrs.get("session_start_time")
    if said is None:
        warn(
            "no-session-start",
            f"{_WHO}: when the session started is not known, and NWB wants it; {_EPOCH} stands in the file.",
            "session_start=datetime of second 0.",
            stacklevel=3,
        )
        said = _EPOCH
    try:
        found = said if isinstance(said, datetime.datetime) else datetime.datetime.fromisoformat(str(said))
    except ValueError:
        raise InputError(
            f"{_WHO}: session_start must be a datetime or ISO text such as 2024-05-01T10:00+02:00, got "
            f"{shorten(said, 60)}.",
            code="bad-time",
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=datetime.UTC)


def _file(pynwb: Any, recording: Recording, start: datetime.datetime) -> Any:
    own: dict[str, Any] = {
        "name": recording.name,
        "subject": recording.subject,
        "session": recording.session,
        "signals": {},
        "tables": {},
        "units": None,
        "observed": None,
        "attrs": {
            key: entry
            for key, entry in recording.attrs.items()
            if key not in ("nwb_version", "not_read") and isinstance(entry, (str, int, float, bool))
        },
    }
    attrs = {key: str(entry) for key, entry in own["attrs"].items()}
    file = pynwb.NWBFile(
        session_description=_plain(attrs.get("session_description", "") or recording.name) or "not described",
        identifier=_plain(attrs.get("identifier", "") or recording.name) or "unnamed",
        session_start_time=start,
        session_id=_plain(recording.session) or None,
        experimenter=_plain(attrs["experimenter"]) if attrs.get("experimenter") else None,
        lab=_plain(attrs["lab"]) if attrs.get("lab") else None,
        institution=_plain(attrs["institution"]) if attrs.get("institution") else None,
    )
    about = {key: _plain(attrs[key]) for key in _SUBJECT if attrs.get(key)}
    if recording.subject or about:
        file.subject = pynwb.file.Subject(subject_id=_plain(recording.subject) or "unknown", **about)
    taken: set[str] = set()
    modules: dict[str, Any] = {}
    for name, signal in recording.signals.items():
        where = _MODULES.get(signal.kind, "signals")
        if where not in modules:
            modules[where] = file.create_processing_module(
                name=where, description=f"signals of kind {signal.kind}"
            )
        written = written_name(name, taken)
        modules[where].add(_series(pynwb, written, signal))
        own["signals"][f"/processing/{where}/{written}"] = {
            "name": name,
            "kind": signal.kind,
            "unit": signal.unit,
            "channels": column_json(signal.channels),
            "columns": {key: column_json(entries) for key, entries in signal.columns.items()},
        }
    taken = set()
    for name, intervals in recording.intervals.items():
        written = written_name(name, taken)
        own["tables"][f"/intervals/{written}"] = _intervals(pynwb, file, written, name, intervals)
    taken = set()
    for name, events in recording.events.items():
        written = written_name(name, taken)
        own["tables"][f"/events/{written}"] = _events(pynwb, file, written, name, events)
    if recording.observed is not None:
        own["observed"] = {
            "start": recording.observed.start.tolist(),
            "stop": recording.observed.stop.tolist(),
            "columns": {key: column_json(entries) for key, entries in recording.observed.columns.items()},
        }
    if recording.spikes is not None:
        own["units"] = _units(pynwb, file, recording)
    file.source_script = json.dumps(own)
    file.source_script_file_name = OWN
    return file


def _plain(text: str) -> str:
    """Text that HDF5 holds: no NUL, no lone surrogates. The exact text stands in our JSON."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")


def _checked(values: np.ndarray) -> Any:
    """Numbers with a checksum."""
    from hdmf.backends.hdf5.h5_utils import H5DataIO

    return (
        H5DataIO(np.ascontiguousarray(values), fletcher32=True, compression="gzip") if values.size else values
    )


def _columns(
    table: Mapping[str, np.ndarray], reserved: set[str], about: dict[str, Any]
) -> Iterator[tuple[str, np.ndarray]]:
    """(written name, entries) of the columns; those that NWB cannot hold are put into ``about["kept"]``."""
    taken = set(reserved)
    for name, entries in table.items():
        text = entries.dtype.kind == "U"
        if text and (not entries.size or any(_plain(entry) != entry for entry in entries.tolist())):
            about["kept"][name] = column_json(entries)
            continue
        written = written_name(name, taken)
        about["columns"][written] = name
        yield written, entries


def _vector(common: Any, name: str, entries: np.ndarray, kind: Any = None, **more: Any) -> Any:
    data = entries.tolist() if entries.dtype.kind == "U" else np.ascontiguousarray(entries)
    return (kind or common.VectorData)(name=name, description=f"column {name}", data=data, **more)


def _units(pynwb: Any, file: Any, recording: Recording) -> dict[str, Any]:
    from hdmf import common

    spikes = recording.spikes
    assert spikes is not None
    n = len(spikes)
    about: dict[str, Any] = {"columns": {}, "kept": {}}
    columns, names = [], []
    ids = np.arange(n)
    table = dict(recording.units)
    if "id" in table and table["id"].dtype.kind in "iu":
        ids = table.pop("id")
        about["columns"]["id"] = "id"
    for written, entries in _columns(table, _UNITS, about):
        columns.append(_vector(common, written, entries))
        names.append(written)
    times = common.VectorData(
        name="spike_times",
        description="the spike times for each unit in seconds",
        data=_checked(spikes.times),
    )
    columns += [
        times,
        common.VectorIndex(name="spike_times_index", data=spikes.splits[1:].astype(np.uint64), target=times),
    ]
    names.append("spike_times")
    if recording.observed is not None and n:
        observed = recording.observed
        spans = np.tile(np.stack([observed.start, observed.stop], axis=1), (n, 1))
        every = common.VectorData(
            name="obs_intervals", description="the observation intervals for each unit", data=spans
        )
        ends = len(observed) * np.arange(1, n + 1, dtype=np.uint64)
        columns += [every, common.VectorIndex(name="obs_intervals_index", data=ends, target=every)]
        names.append("obs_intervals")
    file.units = pynwb.misc.Units(
        name="units",
        description="units and their spike times",
        id=common.ElementIdentifiers(name="id", data=np.ascontiguousarray(ids)),
        columns=columns,
        colnames=names,
    )
    return about


def _intervals(pynwb: Any, file: Any, written: str, name: str, intervals: Intervals) -> dict[str, Any]:
    from hdmf import common

    about: dict[str, Any] = {"name": name, "columns": {}, "kept": {}}
    columns = [
        _vector(common, "start_time", intervals.start),
        _vector(common, "stop_time", intervals.stop),
    ]
    names = ["start_time", "stop_time"]
    for column, entries in _columns(intervals.columns, _INTERVALS, about):
        if column == "tags":  # several tags a row in NWB
            tags = common.VectorData(
                name="tags", description="user-defined tags", data=entries.astype(str).tolist()
            )
            ends = np.arange(1, len(entries) + 1, dtype=np.uint64)
            columns += [tags, common.VectorIndex(name="tags_index", data=ends, target=tags)]
        else:
            columns.append(_vector(common, column, entries))
        names.append(column)
    table = pynwb.epoch.TimeIntervals(
        name=written,
        description=_plain(name) or written,
        id=common.ElementIdentifiers(name="id", data=np.arange(len(intervals))),
        columns=columns,
        colnames=names,
    )
    if written in ("trials", "epochs", "invalid_times"):
        setattr(file, written, table)
    else:
        file.add_time_intervals(table)
    return about


def _events(pynwb: Any, file: Any, written: str, name: str, events: Events) -> dict[str, Any]:
    from hdmf import common

    if not hasattr(pynwb, "event"):
        raise InputError(
            f"{_WHO}: this pynwb ({pynwb.__version__}) cannot write events; install a newer one: "
            "pip install 'consilience[nwb]'.",
            code="missing-dependency",
        )
    about: dict[str, Any] = {"name": name, "columns": {}, "kept": {}}
    columns = [_vector(common, "timestamp", events.time, pynwb.event.TimestampVectorData)]
    names = ["timestamp"]
    for column, entries in _columns(events.columns, _EVENTS, about):
        columns.append(_vector(common, column, entries))
        names.append(column)
    file.add_events_table(
        pynwb.event.EventsTable(
            name=written,
            description=_plain(name) or written,
            id=common.ElementIdentifiers(name="id", data=np.arange(len(events))),
            columns=columns,
            colnames=names,
        )
    )
    return about


def _series(pynwb: Any, written: str, signal: Signal) -> Any:
    times: dict[str, Any] = {"timestamps": np.ascontiguousarray(signal.time)}
    rate = _even(signal.time)
    if rate is not None:
        times = {"starting_time": float(signal.time[0]), "rate": rate}
    large = 8 * signal.shape[0] * signal.shape[1] > _LARGE
    return pynwb.TimeSeries(
        name=written,
        description=_plain(f"{signal.kind} of {shorten(signal.channels.tolist(), 200)}"),
        data=_blocks(signal) if large else _checked(signal.values),
        unit=_plain(signal.unit) or "n.a.",
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
