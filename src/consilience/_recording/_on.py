"""What ``on=`` of an epoch means: times, labels and, for intervals, their ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._recording._checks import check_times
from consilience._recording._intervals import Events, Intervals

__all__ = ["Onsets", "find_onsets", "stimulus_ids", "trial_labels"]

_IDS = ("stimulus", "stimulus_id", "stimulus_name")
_TAKEN = {"trial", "time", "unit", "valid", "repeat", "stimulus"}
_NO_ID = {"", "nan", "<na>", "nat"}
_EXACT = 2.0**53  # whole numbers above are not all floats


@dataclass(frozen=True)
class Onsets:
    """time (k,) s, NaN where a trial has none.   span : the intervals themselves, where whole ones were asked for.
    labels : the other columns.   name : for messages.
    """

    time: np.ndarray
    span: Intervals | None = None
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    name: str = "times"

    def __getitem__(self, keep: np.ndarray) -> Onsets:
        return Onsets(
            self.time[keep],
            None if self.span is None else self.span[keep],
            {name: entries[keep] for name, entries in self.labels.items()},
            self.name,
        )


def find_onsets(
    on: Any, intervals: Mapping[str, Intervals], events: Mapping[str, Events], *, whole: bool, who: str
) -> Onsets:
    """``on`` : "table", "table.column", Intervals, Events, or times (s)."""
    if on is None:
        known = ", ".join(map(repr, [*intervals, *events][:8]))
        raise InputError(
            f"{who}: say around what: on= times in seconds" + (f", or one of {known}." if known else "."),
            code="bad-parameter",
        )
    if isinstance(on, str):
        return _named(on, intervals, events, whole, who)
    if isinstance(on, Intervals):
        return Onsets(on.start, on if whole else None, dict(on.columns), "intervals")
    if isinstance(on, Events):
        return _no_ends(Onsets(on.time, None, dict(on.columns), "events"), whole, who)
    return _no_ends(Onsets(check_times(on, name="on", who=who)), whole, who)


def _no_ends(found: Onsets, whole: bool, who: str) -> Onsets:
    if whole:
        raise InputError(
            f"{who}: {found.name} are points in time; give window=(from, to) in seconds around them.",
            code="bad-window",
        )
    return found


def _named(
    on: str, intervals: Mapping[str, Intervals], events: Mapping[str, Events], whole: bool, who: str
) -> Onsets:
    table, column = (on, None)
    if on not in intervals and on not in events and "." in on:
        table, column = on.rsplit(".", 1)
    known = [*intervals, *events]
    if table in intervals:
        rows = intervals[table]
        starts = column is None or column in ("start_time", "start")
        times = rows.start if starts else rows.column(str(column), who=who)
        span = rows if whole and starts else None
        found = Onsets(_numbers(times, on, who), span, dict(rows.columns), on)
        return found if starts else _no_ends(found, whole, who)
    if table in events:
        times = events[table].time if column is None else events[table].column(column, who=who)
        return _no_ends(Onsets(_numbers(times, on, who), None, dict(events[table].columns), on), whole, who)
    raise UnknownNameError(
        f"{who}: on={shorten(on, 60)} is no table of intervals or events of this recording."
        + (nearest(table, known) or " It has none; give times in seconds."),
        code="unknown-name",
    )


def _numbers(times: np.ndarray, on: str, who: str) -> np.ndarray:
    if times.dtype.kind not in "iuf":
        raise InputError(
            f"{who}: on={on!r} holds {'text' if times.dtype.kind == 'U' else 'True and False'}, not times in seconds; "
            "name a column of times.",
            code="bad-time",
        )
    return times.astype(np.float64)


def stimulus_ids(
    found: Onsets, stimulus: Any, who: str
) -> tuple[np.ndarray | None, np.ndarray, dict[str, np.ndarray]]:
    """Ids of the trials (or None), which trials have none (NaN, None, no text), and the columns beside the ids."""
    k, labels = found.time.size, dict(found.labels)
    ids: np.ndarray | None = None
    name = next((name for name in _IDS if name in labels), None)
    if isinstance(stimulus, str):
        if stimulus not in labels:
            raise UnknownNameError(
                f"{who}: stimulus={stimulus!r} is no column of {found.name}.{nearest(stimulus, labels)}"
            )
        name, ids = stimulus, labels[stimulus]
    elif stimulus is not None:
        name, ids = None, np.asarray(stimulus)
        if ids.shape != (k,):
            raise InputError(
                f"{who}: stimulus must name a column, or give one id for each of {k} trials, got {shorten(stimulus)}.",
                code="bad-ids",
            )
    elif name is not None:
        ids = labels[name]
    if name == "stimulus":
        del labels[name]
    if ids is None:
        return None, np.zeros(k, dtype=bool), labels
    if ids.dtype.kind == "f":
        unknown = np.isnan(ids)
        filled = np.where(unknown, 0, ids)
        whole = (filled == np.round(filled)).all() and (np.abs(filled) < _EXACT).all()
        ids = filled.astype(np.int64) if whole else np.array([str(v).removesuffix(".0") for v in ids])
        return ids, unknown, labels
    listed = ids.tolist()
    unknown = np.array([v is None or str(v).strip().lower() in _NO_ID for v in listed], dtype=bool)
    if ids.dtype.kind == "b":
        ids = np.array([str(v) for v in listed])
    return ids, unknown, labels


def trial_labels(
    labels: Mapping[str, np.ndarray], units: Iterable[str], name: str
) -> tuple[dict[str, np.ndarray], list[Caution]]:
    """The columns as labels of trials; those called as a column of units, or as a part of responses, get ``trial_``."""
    taken, out = _TAKEN | set(units), {}
    for label, entries in labels.items():
        new = label
        while new in taken or (new != label and new in labels):
            new = f"trial_{new}"
        out[new] = entries
    renamed = [label for label in labels if label in taken]
    if not renamed:
        return out, []
    return out, [
        Caution(
            "renamed-label",
            f"Columns of {name} are called as columns of the units, or as a part of responses: "
            f"{', '.join(f'{label} is now trial_{label}' for label in renamed[:6])}{', ...' * (len(renamed) > 6)}.",
            "Look for them by the new name.",
        )
    ]
