"""Adapter: NWB 2 files, read with h5py alone (Rübel et al. 2022)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError
from consilience._core._params import shorten
from consilience.sources._hdf5 import refuse_links, text_of
from consilience.sources._nwb_own import restored
from consilience.sources._nwb_series import epochs_of, is_series, series_of, short_names
from consilience.sources._nwb_table import columns_of, events_of, intervals_of, kind_of, ragged
from consilience.sources._parts import Parts, SignalParts, TableParts

__all__ = ["is_nwb", "read_nwb"]

_GENERAL = ("session_description", "session_start_time", "identifier")
_SUBJECT = ("species", "sex", "age", "strain", "genotype", "weight")
_SEARCHED = ("acquisition", "processing", "stimulus/presentation", "analysis", "intervals", "events")


def is_nwb(path: Path, head: bytes, options: dict[str, Any]) -> bool:
    """An HDF5 file whose root says ``nwb_version`` (an attribute in NWB 2, a data set in NWB 1)?"""
    if not head.startswith(b"\x89HDF\r\n\x1a\n"):
        return False
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "nwb_version" in file.attrs or "nwb_version" in file
    except Exception:  # noqa: BLE001  a damaged file raises anything
        return False


def read_nwb(path: Path, *, who: str) -> Parts:
    """Units, tables of intervals and events, and time series; values of series stay on disk."""
    import h5py

    with h5py.File(path, "r") as file:
        version = text_of(file.attrs.get("nwb_version", file.get("nwb_version", "")))
        if not version.startswith("2"):
            raise InputError(
                f"{who}: an NWB file of version {shorten(version, 20)}; version 2 is read (version 1 had no fixed "
                "layout). Convert it with pynwb or the MatNWB tools of its authors.",
                code="unknown-format",
            )
        refuse_links(file, path, who=who)
        try:
            parts = _parts(file, path, version)
            ours = restored(parts, file)
            return _named(parts) if ours is None else ours
        except InputError as error:
            text = str(error)
            raise InputError(text if text.startswith(who) else f"{who}: {text}", code=error.code) from None


def _parts(file: Any, path: Path, version: str) -> Parts:
    cautions: list[Caution] = []
    left: list[str] = []
    spikes = _units(file, cautions, left)
    tables, signals = _found(file, path, cautions, left)
    general = file.get("general", {})
    subject = general.get("subject", {})
    attrs: dict[str, Any] = {name: text_of(file[name]) for name in _GENERAL if name in file}
    attrs |= {name: text_of(subject[name]) for name in _SUBJECT if name in subject}
    for name in ("experimenter", "lab", "institution"):
        if name in general:
            attrs[name] = ", ".join(text_of(entry) for entry in np.ravel(general[name][()]))
    attrs["nwb_version"] = version
    if left:
        attrs["not_read"] = tuple(left)
    return Parts(
        format="nwb",
        **spikes,
        signals=signals,
        tables=tables,
        subject=text_of(subject["subject_id"]) if "subject_id" in subject else "",
        session=text_of(general["session_id"]) if "session_id" in general else "",
        attrs={name: entry for name, entry in attrs.items() if entry},
        cautions=tuple(cautions),
    )


def _walk(file: Any) -> Iterator[Any]:
    """Every group where series and tables may lie, each once."""
    import h5py

    pending = [
        file[name] for name in reversed(_SEARCHED) if name in file and isinstance(file[name], h5py.Group)
    ]
    seen = set()
    while pending:
        group = pending.pop()
        place = h5py.h5o.get_info(group.id).addr
        if place in seen:
            continue
        seen.add(place)
        yield group
        inner = [group[name] for name in group if isinstance(group.get(name, getlink=True), h5py.HardLink)]
        pending += [entry for entry in reversed(inner) if isinstance(entry, h5py.Group)]


def _found(
    file: Any, path: Path, cautions: list[Caution], left: list[str]
) -> tuple[dict[str, TableParts], dict[str, SignalParts]]:
    tables: dict[str, TableParts] = {}
    signals: dict[str, SignalParts] = {}
    for group in _walk(file):
        place = str(group.name)
        try:
            if "start_time" in group and "stop_time" in group:
                tables[place], others = intervals_of(group)
            elif (events := events_of(group)) is not None:
                tables[place], others = events
            elif (
                kind_of(group) == "IntervalSeries"
                and is_series(group)
                and (epochs := epochs_of(group)) is not None
            ):
                tables[place], others = epochs, []
            elif is_series(group):
                signal, why, doubts = series_of(group, path)
                cautions += doubts
                others = []
                if signal is not None:
                    signals[place] = signal
                else:
                    left.append(f"{place.strip('/')} ({why})")
            else:
                continue
            left += [f"{place.strip('/')}/{name}" for name in others]
        except (
            InputError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            OverflowError,
        ) as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            cautions.append(
                Caution(
                    "part-left-out",
                    f"{shorten(place.strip('/'), 80)} cannot be read: {shorten(text, 160)}.",
                    "",
                )
            )
    return tables, signals


def _named(parts: Parts) -> Parts:
    """With short names in place of paths; the channel of a signal that has only one is called as the signal is."""
    tables, signals = short_names([*parts.tables]), short_names([*parts.signals])
    each = {}
    for place, part in parts.signals.items():
        single = part.values.ndim == 1 or part.values.shape[1] == 1
        each[signals[place]] = (
            replace(part, channels=[signals[place]]) if single and part.channels is None else part
        )
    return replace(
        parts, tables={tables[place]: table for place, table in parts.tables.items()}, signals=each
    )


def _units(file: Any, cautions: list[Caution], left: list[str]) -> dict[str, Any]:
    """Spike times and the unit table: what `Parts` calls times, splits, units, observed."""
    import h5py

    group = file.get("units")
    if not isinstance(group, h5py.Group):
        others = [entry for entry in _walk(file) if kind_of(entry) == "Units"]
        left += [f"{str(entry.name).strip('/')} (a second table of units)" for entry in others[1:]]
        group = others[0] if others else None
    if group is None:
        return {}
    n, columns, others = columns_of(group, leave=("spike_times", "obs_intervals", "electrodes", "waveforms"))
    left += [f"units/{name}" for name in others]
    if "spike_times" not in group:
        if n:
            left.append("units (a table without spike times)")
        return {}
    times, splits = ragged(group, "spike_times", n)
    if times.dtype.kind not in "iuf" or times.ndim != 1:
        raise ValueError("units/spike_times are no numbers")
    for name, entries in _areas(file, group, n, columns).items():
        columns.setdefault(name, entries)
    return {
        "times": times.astype(np.float64, copy=False),
        "splits": splits.astype(np.int64, copy=False),
        "units": columns,
        **_observed(group, n, cautions),
    }


def _areas(file: Any, group: Any, n: int, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``area`` of each unit: where its (first) electrode lies, else its electrode group; ``electrode``, where each unit
    has one."""
    table = file.get("general/extracellular_ephys/electrodes")
    found: dict[str, np.ndarray] = {}
    if "electrodes" in group and table is not None:
        rows, starts = ragged(group, "electrodes", n)
        many, (count, known, _) = np.diff(starts), columns_of(table)
        if (
            rows.size
            and rows.dtype.kind in "iu"
            and rows.min() >= 0
            and rows.max() < count
            and (many > 0).all()
        ):
            first = rows[starts[:-1]].astype(np.int64)
            if "location" in known:
                found["area"] = known["location"][first]
            if "group_name" in known:
                found["electrode_group"] = known["group_name"][first]
            if (many == 1).all() and "id" in known:
                found["electrode"] = known["id"][first]
    elif "electrode_group" in columns:
        places = file.get("general/extracellular_ephys", {})
        found["area"] = np.array(
            [
                text_of(places[name].attrs.get("location", "")) if name in places else ""
                for name in columns["electrode_group"]
            ],
            dtype=str,
        )
    if "area" in found and not (found["area"] != "").any():
        del found["area"]
    return found


def _observed(group: Any, n: int, cautions: list[Caution]) -> dict[str, Any]:
    """``obs_intervals``: of all units where they are alike, else what all have in common, said, and those of each."""
    if "obs_intervals" not in group or not n:
        return {}
    spans, starts = ragged(group, "obs_intervals", n)
    if spans.ndim != 2 or spans.shape[1] != 2 or spans.dtype.kind not in "iuf":
        return {}
    each = [spans[a:b].astype(np.float64) for a, b in itertools.pairwise(starts)]
    if all(np.array_equal(one, each[0]) for one in each[1:]):
        return {"observed": TableParts(start=each[0][:, 0], stop=each[0][:, 1])}
    from consilience._recording import Intervals

    common = Intervals(each[0][:, 0], each[0][:, 1]).merged()
    for one in each[1:]:
        common = common & Intervals(one[:, 0], one[:, 1])
    cautions.append(
        Caution(
            "observed-differs",
            f"Units were observed at different times; what all {n} have in common ({common.total:g} s) counts as "
            "observed.",
            "Where that is too short, rec.select(...) units that were recorded together: what those have in common "
            "is then observed. rec.observed_by_unit has the times of each.",
        )
    )
    return {
        "observed": TableParts(start=common.start, stop=common.stop),
        "observed_by_unit": tuple(TableParts(start=one[:, 0], stop=one[:, 1]) for one in each),
    }
