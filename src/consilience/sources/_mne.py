"""Adapter: Epochs, Evoked and Raw of MNE-Python, by their attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._responses import responses
from consilience.sources._labels import TAKEN
from consilience.sources._parts import Parts, SignalParts, TableParts

__all__ = ["from_epochs", "from_evoked", "from_raw"]

_VOLTS = ("eeg", "ecog", "seeg", "dbs", "eog", "ecg", "emg", "bio")


def _channels(thing: Any) -> tuple[np.ndarray, dict[str, np.ndarray], str]:
    """Which channels are data (triggers are not), their columns, and the kind of their values."""
    names = [str(name) for name in thing.ch_names]
    types = (
        [str(kind) for kind in thing.get_channel_types()]
        if hasattr(thing, "get_channel_types")
        else [""] * len(names)
    )
    bad = set(thing.info["bads"]) if "bads" in thing.info else set()
    keep = np.array([kind != "stim" for kind in types], dtype=bool)
    columns = {"type": np.array(types), "bad": np.array([name in bad for name in names], dtype=bool)}
    used = {kind for kind, kept in zip(types, keep) if kept}
    return keep, columns, "voltage" if used and used <= set(_VOLTS) else "activation"


def from_epochs(thing: Any, *, who: str, stimulus: str | None = None) -> xr.DataArray:
    """Responses (trial, time, unit); the stimulus is the name of the event, or a column of the metadata."""
    keep, columns, kind = _channels(thing)
    values = np.asarray(thing.get_data())[:, keep]
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
    return responses(
        values.swapaxes(1, 2),
        kind=kind,  # type: ignore[arg-type]
        dims=("trial", "time", "unit"),
        stimulus=ids.tolist(),
        unit=[name for name, kept in zip(map(str, thing.ch_names), keep) if kept],
        time=np.asarray(thing.times, dtype=np.float64),
        system="epochs",
        repeat="count",
        **{name: entries for name, entries in labels.items() if name not in TAKEN},
    ).assign_coords({name: ("unit", entries[keep]) for name, entries in columns.items()})


def from_evoked(thing: Any, *, who: str) -> xr.DataArray:
    """Responses (time, unit): a mean over trials, so there are none left."""
    keep, columns, kind = _channels(thing)
    data = responses(
        np.asarray(thing.data)[keep].T,
        kind=kind,  # type: ignore[arg-type]
        dims=("time", "unit"),
        unit=[name for name, kept in zip(map(str, thing.ch_names), keep) if kept],
        time=np.asarray(thing.times, dtype=np.float64),
        system=str(getattr(thing, "comment", "") or "evoked"),
    )
    return data.assign_coords(
        {name: ("unit", entries[keep]) for name, entries in columns.items()}
    ).assign_attrs(n_averaged=int(thing.nave))


def from_raw(thing: Any, *, who: str) -> Parts:
    """A signal ``raw`` from time 0 on, and annotations as intervals on that clock."""
    keep, columns, kind = _channels(thing)
    if not keep.any():
        raise InputError(f"{who}: the Raw has no channel of data.", code="too-few")
    tables = {}
    notes = thing.annotations
    if len(notes):
        onset = np.asarray(notes.onset, dtype=np.float64) - float(
            thing.first_time
        )  # MNE counts from the first sample
        tables["annotations"] = TableParts(
            start=onset,
            stop=onset + np.asarray(notes.duration, dtype=np.float64),
            columns={"description": np.array([str(text) for text in notes.description])},
        )
    return Parts(
        format="mne",
        name="raw",
        signals={
            "raw": SignalParts(
                values=np.ascontiguousarray(np.asarray(thing.get_data())[keep].T),
                time=np.asarray(thing.times, dtype=np.float64),
                kind=kind,
                unit="V" if kind == "voltage" else "",
                channels=[name for name, kept in zip(map(str, thing.ch_names), keep) if kept],
                columns={name: entries[keep] for name, entries in columns.items()},
            )
        },
        tables=tables,
        attrs={"source": "MNE"},
    )
