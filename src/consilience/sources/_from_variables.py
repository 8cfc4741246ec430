"""Adapter: a recording from named variables of a .mat, .npz, HDF5, .csv file or zarr group."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError
from consilience._core._params import check_number, check_option, shorten
from consilience._responses import KINDS
from consilience.sources._columns import read_columns, table_of_times
from consilience.sources._parts import Parts, SignalParts, TableParts
from consilience.sources._spikes_of import seconds_of, spikes_of
from consilience.sources._variables import Unread, Variables, is_matlab, not_read, open_variables
from consilience.sources._zarr import is_zarr

__all__ = ["is_of_variables", "read_of_variables"]

_SINGLE = {"trials": "trials", "events": "events"}


def is_of_variables(path: Path, head: bytes, options: dict[str, Any]) -> bool:
    """A MATLAB file; or any file of variables of which the call names spikes, signals, trials or events."""
    if is_matlab(head):
        return True
    if path.is_dir() and not is_zarr(path, who="cs.read"):
        return False
    return any(name in options for name in ("spikes", "signals", "trials", "events"))


def read_of_variables(
    path: Path,
    *,
    who: str,
    spikes: str | None = None,
    clusters: str | None = None,
    unit_table: str | Mapping[str, str] | None = None,
    trials: Any = None,
    events: Any = None,
    signals: str | Sequence[str] | Mapping[str, str] | None = None,
    time: Any = None,
    rate: Any = None,
    clock: float = 1.0,
    kind: str | Mapping[str, str] = "behaviour",
    transpose: bool | str | Sequence[str] | None = None,
) -> Parts:
    """The variables that the call names, as a recording. A name may go into structs and groups: "session.unit.time".

    Parameters
    ----------
    spikes : spike times: a list (cell) with the times of each unit, nested or not; structs or groups with a field
        times, time, spike_times or ts (an empty cell among them is no unit); one array of all times with ``clusters``;
        or an array (n, 2) of times and clusters.
    clusters : the unit of each spike, where ``spikes`` is one array of all times.
    unit_table : a struct or group of columns with one entry per unit, or {column: variable}.
    trials, events : a struct or group of columns, {column: variable}, or a .csv or .tsv file. The start stands in
        start_time, start, onset, begin or time, the end in stop_time, stop, end, offset or duration; events have none.
        Or {name of a table: {column: variable} or such a file}, for several.
    signals : a variable, a list of them, or {name: variable}: (samples,), (samples, channels), or with more axes, which
        become channels named by their place ("3,7").
    time : the times of the samples: a variable, or {signal: variable}.   rate : or samples per second from 0: a number,
        a variable that holds it, or {signal: either}.
    clock : ticks per second of all times in the file: 1 (seconds), 1000 (milliseconds), or a sampling rate. Tables in
        text files of their own are in seconds.
    kind : what a value of a signal is (see `cs.Signal`), or {signal: kind}.
    transpose : signals that are stored as (channels, samples): True for all, or names. With ``time`` this is seen from
        the lengths where only one axis fits.

    Raises
    ------
    InputError : no variable of that name, with a list of what there is; shapes that do not fit.
    """
    found = open_variables(path, who=who)
    if spikes is None and signals is None and trials is None and events is None:
        raise InputError(
            f"{who}: say which variables are meant: spikes=, signals=, trials= or events=. It holds: {found.listing()}."
            " (For data of another shape, cs.sources.variables(path) hands them over.)",
            code="which-member",
        )
    ticks = check_number(clock, name="clock", who=who, low=0.0)
    times = splits = None
    units: dict[str, np.ndarray] = {}
    if spikes is not None:
        times, splits, units = spikes_of(found, spikes, clusters, ticks, who)
    elif clusters is not None or unit_table is not None:
        raise InputError(
            f"{who}: clusters= and unit_table= belong to spikes=, which is not given.", code="bad-parameter"
        )
    if unit_table is not None:
        units |= _columns(found, unit_table, who, "unit_table")
    tables: dict[str, TableParts] = {}
    for role, given in (("trials", trials), ("events", events)):
        if given is not None:
            for name, one in _by_name(given, role).items():
                columns = _columns(found, one, who, role)
                of_file = 1.0 if _is_text_table(one) else ticks
                table = table_of_times(columns, clock=of_file, what=shorten(name, 40), who=who)
                tables[name] = (
                    TableParts(start=table.start, columns=table.columns) if role == "events" else table
                )
    cautions: list[Caution] = []
    made = (
        _signals(found, signals, time, rate, ticks, kind, transpose, cautions, who)
        if signals is not None
        else {}
    )
    return Parts(
        format="variables",
        times=times,
        splits=splits,
        units=units,
        signals=made,
        tables=tables,
        cautions=tuple(cautions),
    )


def _by_name(given: Any, role: str) -> dict[str, Any]:
    """{name of a table: what it is made of}."""
    if (
        isinstance(given, Mapping)
        and given
        and all(isinstance(entry, Mapping) or _is_text_table(entry) for entry in given.values())
    ):
        return {str(name): entry for name, entry in given.items()}
    return {_SINGLE[role]: given}


def _is_text_table(entry: Any) -> bool:
    return isinstance(entry, os.PathLike) or (
        isinstance(entry, str) and entry.lower().endswith((".csv", ".tsv"))
    )


def _columns(found: Variables, given: Any, who: str, role: str) -> dict[str, np.ndarray]:
    """{column: (n,)} of a struct, {column: variable}, or a table in a text file."""
    if _is_text_table(given):
        return read_columns(Path(given), who=who)
    if isinstance(given, str):
        entry = found[given]
        if isinstance(entry, np.ndarray) and entry.dtype.names:
            return {name: entry[name].reshape(-1) for name in entry.dtype.names}
        if isinstance(entry, list) and entry and all(isinstance(one, Mapping) for one in entry):
            names = [name for name in entry[0] if all(name in one for one in entry)]
            return {str(name): _column([one[name] for one in entry], str(name), who) for name in names}
        if isinstance(entry, Mapping):
            known = {str(name): entry[name] for name in entry}
            columns = [values for values in known.values() if _is_column(values)]
            if all((len(v) if isinstance(v, list) else v.size) == 1 for v in columns):
                known = {
                    name: [v] if isinstance(v, str) else v for name, v in known.items()
                }  # a table of one row
            return {name: _column(values, name, who) for name, values in known.items() if _is_column(values)}
        if isinstance(entry, np.ndarray):
            return {"start": entry.reshape(-1) if entry.size == max(entry.shape, default=1) else entry}
        given = {"": given}
    if not isinstance(given, Mapping):
        raise InputError(
            f"{who}: {role} must name a struct of columns, a .csv file, or be {{column: variable}}, got "
            f"{shorten(given)}.",
            code="bad-parameter",
        )
    return {str(name): _column(found[variable], str(name), who) for name, variable in given.items()}


def _is_column(values: Any) -> bool:
    return isinstance(values, (np.ndarray, list)) and not (isinstance(values, np.ndarray) and values.ndim > 1)


def _column(values: Any, name: str, who: str) -> np.ndarray:
    if isinstance(values, list):
        other = next((entry for entry in values if isinstance(entry, Unread)), None)
        if other is not None:
            raise not_read(other, name, who)
        plain = [
            entry.item() if isinstance(entry, np.ndarray) and entry.ndim == 0 else entry for entry in values
        ]
        if all(isinstance(entry, (str, int, float)) for entry in plain):
            return np.array(plain)
        raise InputError(
            f"{who}: column {shorten(name, 40)} must have one number or text in each row.", code="bad-label"
        )
    array = np.asarray(values)
    if array.dtype.kind == "U":  # rows of a char array are filled up with blanks
        array = np.char.rstrip(array, " ")
    return array.reshape(-1) if array.ndim == 0 or array.size == max(array.shape) else array


def _signals(
    found: Variables,
    signals: Any,
    time: Any,
    rate: Any,
    ticks: float,
    kind: Any,
    transpose: Any,
    cautions: list[Caution],
    who: str,
) -> dict[str, SignalParts]:
    named = (
        {str(name): str(variable) for name, variable in signals.items()}
        if isinstance(signals, Mapping)
        else {str(name): str(name) for name in ([signals] if isinstance(signals, str) else signals)}
    )
    turned = (
        set(named)
        if transpose is True
        else {transpose}
        if isinstance(transpose, str)
        else set(transpose or ())
    )
    other = next((name for name in turned if name not in named), None)
    if other is not None:
        raise InputError(
            f"{who}: transpose= names {shorten(other, 40)}, which is no signal here.", code="bad-parameter"
        )
    out = {}
    for name, variable in named.items():
        values = np.asarray(found[variable])
        if values.ndim == 0 or values.dtype.kind not in "biuf":
            raise InputError(
                f"{who}: the signal {shorten(variable, 60)} must be numbers (samples[, channels]), got shape "
                f"{values.shape} of dtype {values.dtype}.",
                code="bad-signal",
            )
        values = values.T if name in turned and values.ndim > 1 else values
        at = time.get(name) if isinstance(time, Mapping) else time
        speed = rate.get(name) if isinstance(rate, Mapping) else rate
        if at is not None:
            seconds = seconds_of(found[at] if isinstance(at, str) else at, ticks, str(at), who)
            values = _oriented(values, seconds.size, name, name in turned, who)
        elif speed is not None:
            hertz = check_number(
                float(found[speed]) if isinstance(speed, str) else speed,
                name=f"rate of {name}",
                who=who,
                low=0.0,
            )
            seconds = np.arange(len(values)) / hertz
            if values.ndim == 2 and values.shape[0] < values.shape[1] and name not in turned:
                cautions.append(
                    Caution(
                        "few-samples",
                        f"The signal {shorten(name, 40)} is read as {values.shape[0]} samples of {values.shape[1]} "
                        "channels.",
                        f"If it is stored as (channels, samples): transpose={name!r}.",
                    )
                )
        else:
            raise InputError(
                f"{who}: the signal {shorten(name, 40)} needs time= (a variable) or rate= (samples per second).",
                code="rate-needed",
            )
        said = kind.get(name, "behaviour") if isinstance(kind, Mapping) else kind
        channels = None
        if values.ndim > 2:
            channels = [",".join(map(str, place)) for place in np.ndindex(values.shape[1:])]
            values = values.reshape(len(values), -1)
        out[name] = SignalParts(
            values=values,
            time=seconds,
            kind=check_option(said, KINDS, name=f"kind of {name}", who=who),
            channels=channels,
        )
    return out


def _oriented(values: np.ndarray, samples: int, name: str, turned: bool, who: str) -> np.ndarray:
    """The axis with as many entries as there are times in front."""
    if len(values) == samples:
        return values
    fits = [axis for axis, length in enumerate(values.shape) if length == samples]
    if turned or len(fits) != 1:
        raise InputError(
            f"{who}: the signal {shorten(name, 40)} has shape {values.shape}, and there are {samples} times.",
            code="bad-signal",
        )
    return np.moveaxis(values, fits[0], 0)
