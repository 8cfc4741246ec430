"""Adapter: objects of pynapple, by their attributes. Their times are in seconds already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError
from consilience._core._params import shorten
from consilience.sources._parts import Parts, SignalParts, TableParts

__all__ = ["from_many", "from_pynapple"]


def from_pynapple(thing: Any, *, who: str) -> Parts:
    """One object: a TsGroup (or Ts) as spikes, a Tsd or TsdFrame as a signal, an IntervalSet as intervals."""
    role = {"group": "spikes", "times": "spikes", "signal": "signal", "intervals": "intervals"}.get(
        _role(thing), ""
    )
    return from_many({role: thing}, who=who)


def _role(thing: Any) -> str:
    """group, signal, times, intervals, or nothing."""
    if hasattr(thing, "time_support") and hasattr(thing, "keys") and hasattr(thing, "rates"):
        return "group"
    if hasattr(thing, "time_support") and hasattr(thing, "t"):
        return "signal" if hasattr(thing, "d") or hasattr(thing, "values") else "times"
    if hasattr(thing, "start") and hasattr(thing, "end") and hasattr(thing, "intersect"):
        return "intervals"
    return ""


def from_many(things: Mapping[str, Any], *, who: str) -> Parts:
    """One recording of {name: object}: at most one group of units; a Ts beside a group is events."""
    roles = {str(name): _role(thing) for name, thing in things.items()}
    odd = next((name for name, role in roles.items() if not role), None)
    if odd is not None:
        raise InputError(
            f"{who}: {shorten(odd, 40)} is {type(things[odd]).__name__}, and objects of pynapple are expected in a "
            "mapping.",
            code="unknown-object",
        )
    groups = [name for name, role in roles.items() if role == "group"]
    if len(groups) > 1:
        raise InputError(
            f"{who}: there are {len(groups)} groups of units ({', '.join(map(repr, groups[:4]))}); give one.",
            code="which-member",
        )
    alone = [name for name, role in roles.items() if role == "times"]
    times = splits = observed = None
    units: dict[str, np.ndarray] = {}
    signals: dict[str, SignalParts] = {}
    tables: dict[str, TableParts] = {}
    cautions: list[Caution] = []
    if groups:
        times, splits, units = _group(things[groups[0]])
        observed = _support(things[groups[0]].time_support)
    elif len(things) == len(alone) == 1:
        times = np.asarray(things[alone[0]].t, dtype=np.float64)
        splits, observed = np.array([0, times.size]), _support(things[alone[0]].time_support)
        alone = []
    for name, thing in things.items():
        if name in alone:
            tables[str(name)] = TableParts(start=np.asarray(thing.t, dtype=np.float64))
        elif roles[str(name)] == "signal":
            signals[str(name)] = _signal(thing, str(name), cautions)
        elif roles[str(name)] == "intervals":
            tables[str(name)] = _intervals(thing)
    return Parts(
        format="pynapple",
        times=times,
        splits=splits,
        units=units,
        signals=signals,
        tables=tables,
        observed=observed,
        attrs={"source": "pynapple"},
        cautions=tuple(cautions),
    )


def _group(group: Any) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    keys = list(group.keys())
    trains = [np.asarray(group[key].t, dtype=np.float64) for key in keys]
    table: dict[str, np.ndarray] = {"unit": np.array(keys)}
    table |= {
        name: entries for name, entries in _metadata(group).items() if name not in ("rate", "unit", "id")
    }
    splits = np.r_[0, np.cumsum([train.size for train in trains])].astype(np.int64)
    return np.concatenate(trains) if trains else np.empty(0), splits, table


def _metadata(thing: Any) -> dict[str, np.ndarray]:
    """The columns of a group, frame or set of intervals: numbers and text."""
    names = list(getattr(thing, "metadata_columns", ()))
    out = {}
    for name in names:
        entries = np.asarray(thing.get_info(name))
        if entries.ndim == 1 and entries.dtype.kind in "biufUO":
            out[str(name)] = entries.astype(str) if entries.dtype.kind == "O" else entries
    return out


def _signal(thing: Any, name: str, cautions: list[Caution]) -> SignalParts:
    values = np.asarray(thing.d if hasattr(thing, "d") else thing.values)
    time = np.asarray(thing.t, dtype=np.float64)
    columns: dict[str, np.ndarray] = {}
    channels = None
    if values.ndim == 2 and hasattr(thing, "columns"):
        found = [
            entry.item() if isinstance(entry, np.generic) else entry for entry in np.asarray(thing.columns)
        ]
        channels = found if len({type(entry) for entry in found}) == 1 else list(map(str, found))
        columns = _metadata(thing)
    if values.ndim > 2:
        channels = [",".join(map(str, place)) for place in np.ndindex(values.shape[1:])]
        values = values.reshape(len(values), -1)
    first = np.r_[True, np.diff(time) > 0]
    if not first.all():
        cautions.append(
            Caution(
                "equal-times",
                f"{int((~first).sum())} samples of {shorten(name, 40)} have the time of the one before, and were left "
                "out.",
                "",
            )
        )
        values, time = values[first], time[first]
    return SignalParts(values=values, time=time, channels=channels, columns=columns)


def _intervals(thing: Any) -> TableParts:
    return TableParts(
        start=np.asarray(thing.start, dtype=np.float64),
        stop=np.asarray(thing.end, dtype=np.float64),
        columns=_metadata(thing),
    )


def _support(support: Any) -> TableParts | None:
    start, stop = np.asarray(support.start, dtype=np.float64), np.asarray(support.end, dtype=np.float64)
    return TableParts(start=start, stop=stop) if (stop > start).any() else None
