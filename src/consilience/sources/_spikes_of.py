"""Spike times of units from a variable of a file: lists, nested cells, structs, times with clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.sources._variables import Unread, Variables, not_read

__all__ = ["seconds_of", "spikes_of"]

_TIMES = (
    "times",
    "time",
    "spike_times",
    "spikes",
    "timestamps",
    "ts",
    "t",
)  # fields that may hold spike times


def spikes_of(
    found: Variables, name: str, clusters: str | None, ticks: float, who: str
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """All times (s), splits, and the names of units."""
    entry = found[name]
    if isinstance(entry, np.ndarray) and entry.ndim == 2 and entry.shape[1] == 2 and clusters is None:
        return _by_cluster(entry[:, 0], entry[:, 1], ticks, name, who)
    if clusters is not None:
        return _by_cluster(entry, found[clusters], ticks, name, who)
    if isinstance(entry, np.ndarray) and entry.ndim == 1 and entry.dtype.kind in "biuf":
        return seconds_of(entry, ticks, name, who), np.array([0, entry.size]), {}
    if isinstance(entry, np.ndarray):
        raise InputError(
            f"{who}: {shorten(name, 60)} is an array of shape {entry.shape}, and spike times are a list with the times "
            "of each unit, or all times with clusters=. Counts in bins are a signal: signals=, kind='count'.",
            code="bad-time",
        )
    leaves = list(_trains(entry, "", name, who))
    within = any(struct for _, _, struct in leaves)
    trains = [(place, times) for place, times, struct in leaves if struct or times.size or not within]
    each = [seconds_of(times, ticks, f"{name} {place}".rstrip(), who) for place, times in trains]
    if not each:
        raise InputError(f"{who}: {shorten(name, 60)} holds no spike times of any unit.", code="too-few")
    splits = np.r_[0, np.cumsum([train.size for train in each])]
    places = [place or str(i) for i, (place, _) in enumerate(trains)]
    table = {
        "unit": np.array([int(p) for p in places]) if all(p.isdecimal() for p in places) else np.array(places)
    }
    return np.concatenate(each), splits, table


def _trains(
    entry: Any, place: str, name: str, who: str, *, struct: bool = False
) -> Iterator[tuple[str, np.ndarray, bool]]:
    """(place, times, whether of a struct) of every unit in nested cells and structs; places count from 1, as in MATLAB
    ("4.2"). A single element on the way adds nothing to the place."""
    if isinstance(entry, Mapping):
        field = next((key for key in _TIMES if key in entry), None)
        if field is not None:
            yield from _trains(entry[field], place, name, who, struct=True)
        else:
            for key in entry:
                yield from _trains(entry[key], f"{place}.{key}".lstrip("."), name, who)
    elif isinstance(entry, list):
        for i, one in enumerate(entry):
            inner = place if len(entry) == 1 else f"{place}.{i + 1}".lstrip(".")
            yield from _trains(one, inner, name, who)
    elif isinstance(entry, np.ndarray):
        yield place, entry, struct
    elif isinstance(entry, Unread):
        raise not_read(entry, name, who)
    else:
        raise InputError(
            f"{who}: {shorten(f'{name} {place}'.rstrip(), 60)} holds {type(entry).__name__}, and spike times are "
            "numbers.",
            code="bad-time",
        )


def _by_cluster(
    times: Any, owner: Any, ticks: float, name: str, who: str
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    if isinstance(owner, (list, Mapping)):
        raise InputError(f"{who}: clusters must be one array with the unit of each spike.", code="bad-splits")
    seconds, owners = seconds_of(times, ticks, name, who), np.asarray(owner).reshape(-1)
    if owners.size != seconds.size or owners.dtype.kind not in "biufU":
        raise InputError(
            f"{who}: every spike needs a cluster; {seconds.size} times and {owners.size} clusters ({owners.dtype}) "
            "came.",
            code="bad-splits",
        )
    if owners.dtype.kind == "f":
        if not (np.isfinite(owners).all() and (owners == np.round(owners)).all()):
            raise InputError(
                f"{who}: clusters must be whole numbers or text; are the times and clusters of {shorten(name, 60)} "
                "exchanged?",
                code="bad-splits",
            )
        owners = owners.astype(np.int64)
    units, place = np.unique(owners, return_inverse=True)
    order = np.argsort(place, kind="stable")
    splits = np.r_[0, np.cumsum(np.bincount(place, minlength=units.size))]
    return seconds[order], splits, {"unit": units}


def seconds_of(times: Any, ticks: float, name: str, who: str) -> np.ndarray:
    array = np.empty((0, 0), dtype=object) if isinstance(times, (list, Mapping)) else np.asarray(times)
    if array.dtype.kind not in "biuf" or (array.ndim > 1 and array.size != max(array.shape)):
        raise InputError(
            f"{who}: {shorten(name, 60)} must be 1-D times as numbers, got shape {array.shape} of dtype {array.dtype}.",
            code="bad-time",
        )
    return array.reshape(-1).astype(np.float64) / ticks
