"""A recording as an NWB file that pynwb's validator passes, and that reads back equal."""

from __future__ import annotations

import datetime
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._params import require, shorten
from consilience._core._whole_file import target_path, whole_file
from consilience._recording import Recording
from consilience.sources._nwb_out import (
    checked,
    columns_out,
    events_out,
    intervals_out,
    plain,
    series_out,
    vector,
)
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
        session_description=plain(attrs.get("session_description", "") or recording.name) or "not described",
        identifier=plain(attrs.get("identifier", "") or recording.name) or "unnamed",
        session_start_time=start,
        session_id=plain(recording.session) or None,
        experimenter=plain(attrs["experimenter"]) if attrs.get("experimenter") else None,
        lab=plain(attrs["lab"]) if attrs.get("lab") else None,
        institution=plain(attrs["institution"]) if attrs.get("institution") else None,
    )
    about = {key: plain(attrs[key]) for key in _SUBJECT if attrs.get(key)}
    if recording.subject or about:
        file.subject = pynwb.file.Subject(subject_id=plain(recording.subject) or "unknown", **about)
    taken: set[str] = set()
    modules: dict[str, Any] = {}
    for name, signal in recording.signals.items():
        where = _MODULES.get(signal.kind, "signals")
        if where not in modules:
            modules[where] = file.create_processing_module(
                name=where, description=f"signals of kind {signal.kind}"
            )
        written = written_name(name, taken)
        modules[where].add(series_out(pynwb, written, signal))
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
        own["tables"][f"/intervals/{written}"] = intervals_out(pynwb, file, written, name, intervals)
    taken = set()
    for name, events in recording.events.items():
        written = written_name(name, taken)
        own["tables"][f"/events/{written}"] = events_out(pynwb, file, written, name, events)
    if recording.observed is not None:
        own["observed"] = {
            "start": recording.observed.start.tolist(),
            "stop": recording.observed.stop.tolist(),
            "columns": {key: column_json(entries) for key, entries in recording.observed.columns.items()},
        }
    own["observed_differs"] = recording.observed_by_unit is not None
    if recording.spikes is not None:
        own["units"] = _units(pynwb, file, recording)
    file.source_script = json.dumps(own)
    file.source_script_file_name = OWN
    return file


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
    for written, entries in columns_out(table, _UNITS, about):
        columns.append(vector(common, written, entries))
        names.append(written)
    times = common.VectorData(
        name="spike_times",
        description="the spike times for each unit in seconds",
        data=checked(spikes.times),
    )
    columns += [
        times,
        common.VectorIndex(name="spike_times_index", data=spikes.splits[1:].astype(np.uint64), target=times),
    ]
    names.append("spike_times")
    if recording.observed is not None and n:
        each = recording.observed_by_unit or [recording.observed] * n
        spans = np.concatenate([np.stack([one.start, one.stop], axis=1) for one in each])
        every = common.VectorData(
            name="obs_intervals", description="the observation intervals for each unit", data=spans
        )
        ends = np.cumsum([len(one) for one in each], dtype=np.uint64)
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
