"""Adapter: Epochs, Evoked and Raw of MNE-Python, by their attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._recording import Intervals
from consilience._recording._labelling import with_cautions
from consilience._responses import responses
from consilience.sources._labels import TAKEN
from consilience.sources._parts import Parts, SignalParts, TableParts

__all__ = ["from_epochs", "from_evoked", "from_raw"]

_UNITS = dict.fromkeys(("eeg", "ecog", "seeg", "dbs", "eog", "ecg", "emg", "bio"), "V")
_UNITS |= {"mag": "T", "ref_meg": "T", "grad": "T/m", "csd": "V/m2", "hbo": "M", "hbr": "M"}
_DATA = {
    "mag",
    "grad",
    "eeg",
    "csd",
    "seeg",
    "ecog",
    "dbs",
    "hbo",
    "hbr",
    "",
}  # what MNE calls data; "": not said


@dataclass(frozen=True, kw_only=True)
class _Channels:
    """keep : (all channels,) bool.   names : of those kept, their ``columns``, ``kind`` and ``unit``."""

    keep: np.ndarray
    names: list[str]
    columns: dict[str, np.ndarray]
    kind: str
    unit: str
    cautions: list[Caution]


def _channels(thing: Any, picks: Any, who: str) -> _Channels:
    """Which channels are read: of data and not bad, or ``picks``."""
    names = [str(name) for name in thing.ch_names]
    types = (
        [str(kind) for kind in thing.get_channel_types()]
        if hasattr(thing, "get_channel_types")
        else [""] * len(names)
    )
    marked = set(thing.info["bads"]) if "bads" in thing.info else set()
    bad = np.array([name in marked for name in names], dtype=bool)
    kinds = np.array(types, dtype=str)
    keep = _picked(picks, np.array(names, dtype=str), kinds, bad, who)
    if not keep.any():
        raise InputError(
            f"{who}: no channel is left of {len(names)} ({int(bad.sum())} marked bad; types "
            f"{', '.join(sorted(set(types))) or 'none'}); picks= names channels or types.",
            code="too-few",
        )
    cautions = []
    lost = ~keep & (kinds != "stim")
    if picks is None and lost.any():
        parts = {f"marked bad ({_some(names, lost & bad)})": lost & bad}
        parts |= {f"no data ({_some(names, lost & ~bad, types)})": lost & ~bad}
        why = " and ".join(f"{int(rows.sum())} {text}" for text, rows in parts.items() if rows.any())
        cautions.append(
            Caution(
                "channels-left-out",
                f"{int(lost.sum())} of {len(names)} channels were left out: {why}.",
                "picks='all', or a list of names or types, reads others.",
            )
        )
    units = {_UNITS.get(kind, "") for kind in kinds[keep].tolist()}
    if len(units) > 1:
        used = sorted(set(kinds[keep].tolist()))
        cautions.append(
            Caution(
                "mixed-units",
                f"Channels of types {', '.join(used)} are in one array and have different units "
                f"({', '.join(sorted(unit or 'none' for unit in units))}): those of large numbers outweigh the others "
                "in distances and RDMs.",
                f"picks={used[0]!r} reads one type; or z-score the channels.",
            )
        )
    unit = units.pop() if len(units) == 1 else ""
    return _Channels(
        keep=keep,
        names=[name for name, kept in zip(names, keep) if kept],
        columns={"type": kinds[keep], "bad": bad[keep]},
        kind="voltage" if unit == "V" else "activation",
        unit=unit,
        cautions=cautions,
    )


def _picked(picks: Any, names: np.ndarray, kinds: np.ndarray, bad: np.ndarray, who: str) -> np.ndarray:
    """(channels,) bool. A channel that is named is read though it is bad; those of a type only where they are not."""
    data = np.array([kind in _DATA or kind.startswith("fnirs") for kind in kinds.tolist()], dtype=bool)
    if picks is None:
        return (data if data.any() else kinds != "stim") & ~bad
    if isinstance(picks, str) and picks == "all":
        return kinds != "stim"
    if not isinstance(picks, (str, list, tuple, np.ndarray)):
        raise InputError(
            f"{who}: picks must be 'data', 'all', or names, types or places of channels, got {shorten(picks, 60)}.",
            code="bad-parameter",
        )
    keep = np.zeros(names.size, dtype=bool)
    numbers = np.asarray([] if isinstance(picks, str) else picks)
    if numbers.size and numbers.dtype.kind in "iu":  # as mne.pick_types gives them
        if numbers.ndim != 1 or numbers.min() < 0 or numbers.max() >= names.size:
            raise InputError(
                f"{who}: picks of numbers are places of channels, 0 to {names.size - 1}, got {shorten(picks, 60)}.",
                code="bad-parameter",
            )
        keep[numbers] = True
        return keep
    groups = {
        "data": data,
        "meg": np.isin(kinds, ("mag", "grad")),
        "fnirs": np.array([kind.startswith("fnirs") for kind in kinds.tolist()], dtype=bool),
    }
    for pick in [picks] if isinstance(picks, str) else [str(entry) for entry in picks]:
        named, typed = names == pick, groups.get(pick, kinds == pick) & ~bad
        if not named.any() and not groups.get(pick, kinds == pick).any() and pick != "data":
            known = [*names.tolist(), *dict.fromkeys(kinds.tolist()), "data"]
            raise UnknownNameError(
                f"{who}: picks={shorten(pick, 40)} is no channel and no type of channels.{nearest(pick, known)}"
            )
        keep |= named if named.any() else typed
    return keep


def _some(names: list[str], rows: np.ndarray, types: list[str] | None = None) -> str:
    """The first of some channels, with their types."""
    index = np.flatnonzero(rows).tolist()
    first = [names[i] + (f": {types[i]}" if types is not None else "") for i in index[:4]]
    return ", ".join(first) + (", ..." if len(index) > 4 else "")


def from_epochs(thing: Any, *, who: str, stimulus: str | None = None, picks: Any = None) -> xr.DataArray:
    """Responses (trial, time, unit); the stimulus is the name of the event, or a column of the metadata."""
    chosen = _channels(thing, picks, who)
    values = np.asarray(thing.get_data())[:, chosen.keep]
    names = {int(code): str(name) for name, code in dict(thing.event_id).items()}
    codes = np.asarray(thing.events)[:, 2]
    events = np.array([names.get(int(code), str(code)) for code in codes])
    labels: dict[str, Any] = {}
    table: Any = getattr(thing, "metadata", None)
    for name in [] if table is None else list(table.columns):
        entries = np.asarray(table[name])
        labels[str(name)] = entries if entries.dtype.kind in "biuf" else entries.astype(str)
    ids = events
    if stimulus is not None:
        if stimulus not in labels:
            raise UnknownNameError(
                f"{who}: stimulus={shorten(stimulus, 40)} is no column of the metadata.{nearest(stimulus, labels)}",
                code="unknown-label",
            )
        ids = labels[stimulus]
        labels["event"] = events
    data = responses(
        values.swapaxes(1, 2),
        kind=chosen.kind,  # type: ignore[arg-type]
        dims=("trial", "time", "unit"),
        stimulus=ids.tolist(),
        unit=chosen.names,
        time=np.asarray(thing.times, dtype=np.float64),
        system="epochs",
        repeat="count",
        **{name: entries for name, entries in labels.items() if name not in TAKEN},
    )
    return _completed(data, chosen)


def from_evoked(thing: Any, *, who: str, picks: Any = None) -> xr.DataArray:
    """Responses (time, unit): a mean over trials, so there are none left."""
    chosen = _channels(thing, picks, who)
    data = responses(
        np.asarray(thing.data)[chosen.keep].T,
        kind=chosen.kind,  # type: ignore[arg-type]
        dims=("time", "unit"),
        unit=chosen.names,
        time=np.asarray(thing.times, dtype=np.float64),
        system=str(getattr(thing, "comment", "") or "evoked"),
    )
    return _completed(data, chosen).assign_attrs(n_averaged=int(thing.nave))


def _completed(data: xr.DataArray, chosen: _Channels) -> xr.DataArray:
    data = data.assign_coords({name: ("unit", entries) for name, entries in chosen.columns.items()})
    if chosen.unit:
        data.attrs["unit"] = chosen.unit
    return with_cautions(data, chosen.cautions)


def from_raw(thing: Any, *, who: str, picks: Any = None, reject_by_annotation: bool = True) -> Parts:
    """A signal ``raw`` from time 0 on, and annotations as intervals on that clock; those that are called bad count as
    not observed (as MNE rejects epochs by them)."""
    chosen = _channels(thing, picks, who)
    time, cautions = np.asarray(thing.times, dtype=np.float64), list(chosen.cautions)
    tables, observed = {}, None
    notes = thing.annotations
    if len(notes):
        # MNE counts from the first sample
        onset = np.asarray(notes.onset, dtype=np.float64) - float(thing.first_time)
        stop = onset + np.asarray(notes.duration, dtype=np.float64)
        words = np.array([str(text) for text in notes.description])
        tables["annotations"] = TableParts(start=onset, stop=stop, columns={"description": words})
        bad = np.char.startswith(np.char.lower(words), "bad")
        if bad.any() and reject_by_annotation:
            step = float(np.median(np.diff(time))) if time.size > 1 else 1.0
            whole = Intervals([time[0]], [time[-1] + step])
            left = whole - Intervals(onset[bad], np.maximum(stop, onset + step)[bad])
            observed = TableParts(start=left.start, stop=left.stop)
            cautions.append(
                Caution(
                    "bad-spans",
                    f"{int(bad.sum())} annotations called bad take {whole.total - left.total:.4g} of "
                    f"{whole.total:.4g} s out of what counts as observed.",
                    "epoch(missing='omit') leaves out trials that touch them; reject_by_annotation=False keeps them.",
                )
            )
    return Parts(
        format="mne",
        name="raw",
        signals={
            "raw": SignalParts(
                values=np.ascontiguousarray(np.asarray(thing.get_data())[chosen.keep].T),
                time=time,
                kind=chosen.kind,
                unit=chosen.unit,
                channels=chosen.names,
                columns=chosen.columns,
            )
        },
        tables=tables,
        observed=observed,
        attrs={"source": "MNE"},
        cautions=tuple(cautions),
    )
