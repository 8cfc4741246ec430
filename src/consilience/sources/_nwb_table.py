"""Tables of an NWB file: the columns of a DynamicTable, intervals and events."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.sources._hdf5 import text_of, values_of, whole
from consilience.sources._parts import TableParts

__all__ = ["columns_of", "events_of", "intervals_of", "kind_of", "ragged", "starts_of"]

_TIMES = ("start_time", "stop_time", "timestamp", "timeseries", "id")


def kind_of(group: Any) -> str:
    """The neurodata type, or ''."""
    return text_of(group.attrs.get("neurodata_type", ""))


def starts_of(group: Any, name: str, length: int, n: int) -> np.ndarray | None:
    """(n + 1,) where each row of a ragged column starts, from ``name_index``; None without one."""
    if f"{name}_index" not in group:
        return None
    ends = whole(group[f"{name}_index"])
    if ends.ndim != 1 or ends.dtype.kind not in "iu":
        raise ValueError(f"{name}_index holds no whole numbers")
    edges = np.r_[0, ends.astype(np.int64)]
    if edges.size != n + 1 or (np.diff(edges) < 0).any() or edges[-1] != length:
        raise InputError(
            f"{group.name.strip('/')}: {name}_index does not fit {name} ({edges.size - 1} rows of {n}, up to "
            f"{int(edges.max())} of {length} entries); the file is damaged or was written wrongly.",
            code="damaged-file",
        )
    return edges


def ragged(group: Any, name: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """All entries of a column and where each row starts (n + 1,); one entry a row where there is no index."""
    values = whole(group[name])
    starts = starts_of(group, name, len(values), n)
    return values, np.arange(n + 1) if starts is None else starts


def columns_of(group: Any, *, leave: tuple[str, ...] = ()) -> tuple[int, dict[str, np.ndarray], list[str]]:
    """The number of rows; the columns with one number or text a row (several texts joined by ", "); names of others."""
    import h5py

    named = group.attrs.get("colnames")
    names = [text_of(entry) for entry in np.ravel(named)] if named is not None else []
    names += [  # columns that an extension, or an older writer, does not list
        str(name)
        for name in group
        if name not in names and isinstance(group[name], h5py.Dataset) and not str(name).endswith("_index")
    ]
    there = [name for name in names if name in group and isinstance(group[name], h5py.Dataset)]
    n = _rows(group, there)
    columns: dict[str, np.ndarray] = {}
    others = []
    for name in there:
        if name in leave:
            continue
        dataset = group[name]
        found = values_of(dataset) if dataset.ndim == 1 else None
        starts = None if found is None else starts_of(group, name, len(found), n)
        if found is not None and starts is not None:
            single = bool((np.diff(starts) == 1).all())
            if found.dtype.kind == "U" and not single and f"{name}_index_index" not in group:
                found = np.array([", ".join(found[a:b]) for a, b in itertools.pairwise(starts)], dtype=str)
            elif not single:
                found = None
        if found is None or found.shape != (n,):
            others.append(name)
        else:
            columns[name] = found
    return n, columns, others


def _rows(group: Any, names: list[str]) -> int:
    if "id" in names:
        return len(group["id"])
    for name in names:
        if f"{name}_index" in group:
            return len(group[f"{name}_index"])
    return len(group[names[0]]) if names else 0


def intervals_of(group: Any) -> tuple[TableParts, list[str]]:
    """A table with start_time and stop_time."""
    _, columns, others = columns_of(group, leave=_TIMES)
    return (
        TableParts(start=_seconds(group["start_time"]), stop=_seconds(group["stop_time"]), columns=columns),
        others + ["timeseries"] * ("timeseries" in group),
    )


def events_of(group: Any) -> tuple[TableParts, list[str]] | None:
    """Events of any of the ways in which NWB and its extension ndx-events write them; None if the group is none."""
    kind = kind_of(group)
    if kind == "AnnotatedEventsTable" and "event_times" in group:
        n, columns, others = columns_of(group, leave=("event_times", "id"))
        times, starts = ragged(group, "event_times", n)
        many = np.diff(starts)
        return (
            TableParts(
                start=times.astype(np.float64),
                columns={name: np.repeat(entries, many) for name, entries in columns.items()},
            ),
            others,
        )
    if "timestamp" in group and "id" in group:
        _, columns, others = columns_of(group, leave=_TIMES)
        return TableParts(start=_seconds(group["timestamp"]), columns=columns), others
    if kind == "AnnotationSeries" and "timestamps" in group and "data" in group:
        texts = values_of(group["data"])
        assert texts is not None
        return TableParts(start=_seconds(group["timestamps"]), columns={"annotation": texts}), []
    if kind in ("Events", "LabeledEvents", "TTLs") and "timestamps" in group:
        columns = {}
        if "data" in group:
            numbers = whole(group["data"])
            columns["label"] = numbers
            labels = group["data"].attrs.get("labels")
            if labels is not None:
                texts = np.array([text_of(entry) for entry in np.ravel(labels)], dtype=str)
                if numbers.size and int(numbers.max()) >= texts.size:
                    raise ValueError("an event has a label that is not listed")
                columns["label"] = texts[numbers.astype(np.int64)]
        return TableParts(start=_seconds(group["timestamps"]), columns=columns), []
    return None


def _seconds(dataset: Any) -> np.ndarray:
    found = whole(dataset)
    if found.ndim != 1 or found.dtype.kind not in "iuf":
        raise ValueError(f"{dataset.name.strip('/')} holds no times")
    return found.astype(np.float64)
