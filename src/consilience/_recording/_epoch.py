"""From a recording to responses: trials around events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from consilience._core._arrays import all_finite
from consilience._core._errors import Caution, InputError, UnknownNameError, cautions_to_json, nearest, warn
from consilience._core._memory import check_fits, gigabytes
from consilience._core._params import check_number, check_option, shorten
from consilience._recording._binning import (
    count_in_bins,
    count_in_windows,
    full_turn,
    on_edge,
    reduce_in_windows,
)
from consilience._recording._intervals import Intervals
from consilience._recording._on import Onsets, find_onsets, stimulus_ids, trial_labels
from consilience._recording._signal import Signal
from consilience._responses import recorded_cautions, responses
from consilience._responses._check import WARNINGS

if TYPE_CHECKING:
    from consilience._recording._recording import Recording

__all__ = ["epoch"]

_SPIKE_RULES = ("count", "rate")
_SIGNAL_RULES = ("mean", "circular_mean", "min", "max", "sum", "std", "interpolate")
_MOST_BINS = 1e12
_FUZZ = 1e-6  # share of a bin by which a window may miss a whole number of bins


def epoch(
    recording: Recording,
    *,
    on: Any,
    window: tuple[float, float] | None,
    bin: float | None,
    reduce: str | None,
    of: str | None,
    stimulus: Any,
    missing: str,
    system: str | None,
) -> xr.DataArray:
    """See `Recording.epoch`."""
    who = "Recording.epoch"
    check_option(missing, ("raise", "omit", "mask"), name="missing", who=who)
    source = _source(recording, of, who)
    found = find_onsets(on, recording.intervals, recording.events, whole=window is None, who=who)
    if not found.time.size:
        raise InputError(f"{who}: {found.name} has no trials.", code="too-few")
    low, high = _check_window(window, who)
    ids, unknown, labels = stimulus_ids(found, stimulus, who)
    unit_columns = recording.units if source is None else source.columns
    labels, cautions = trial_labels(labels, unit_columns, found.name)
    found = Onsets(found.time, found.span, labels, found.name)
    if unknown.any() and (missing != "omit" or unknown.all()):
        raise InputError(
            f"{who}: {int(unknown.sum())} of {unknown.size} trials of {found.name} have no stimulus id (first: trial "
            f"{int(np.flatnonzero(unknown)[0])}); missing='omit' leaves them out ('mask' cannot keep them).",
            code="bad-ids",
        )
    start, stop = found.time + low, found.time + high
    if found.span is not None:
        start, stop = np.array(found.span.start), np.array(found.span.stop)
    known = np.isfinite(start) & (stop > start) & ~unknown
    inside, said = _observed(recording, source, start, stop, known, who)
    cautions += said
    bad = ~inside
    if bad.any() and missing == "raise":
        raise InputError(_outside(found, start, stop, bad, who), code="outside-recording")
    if bad.all():
        raise InputError(
            f"{who}: none of the {bad.size} trials lies in what was recorded; are {found.name} in seconds, on the "
            "clock of the recording?",
            code="outside-recording",
        )
    if bad.any() and missing == "omit":
        cautions.append(
            Caution(
                "trials-left-out",
                f"{int(bad.sum())} of {bad.size} trials of {found.name} have no time, length or stimulus id, or "
                "lie outside the recording.",
                "They were left out; missing='mask' keeps them as not valid.",
            )
        )
        start, stop, ids, found = (
            start[inside],
            stop[inside],
            None if ids is None else ids[inside],
            found[inside],
        )
        bad = bad[inside]
    start, stop = np.where(bad, 0.0, start), np.where(bad, 0.0, stop)
    bins, width, times = _bins(start, stop, bin, low, found.span is not None, who)
    values, kind, rule = _values(recording, source, start, stop, bins, width, bin, reduce, who)
    valid = np.arange(values.shape[1]) < bins[:, None]
    valid[bad] = False
    if not valid.all():
        values[~valid] = np.nan
    if ids is None:
        cautions.append(_made_up(found.name))
        ids = np.array([f"trial{i:05d}" for i in range(start.size)])
    units = recording.unit_names if source is None else source.channels
    if bin is None:
        values, valid = values[:, 0], valid[:, 0]
    data = _labelled(
        values, valid, times, ids, units, kind, name_of(recording, system, who), found.labels, missing, who
    )
    data = _with_units(data, unit_columns)
    data.attrs |= {"reduce": rule, "recording": recording.name} | _unit_of(source)
    if bin is not None:
        data.attrs |= {"bin": float(bin), "time_units": "s"}
    return _said(data, cautions)


def _source(recording: Recording, of: str | None, who: str) -> Signal | None:
    """The signal, or None for spikes."""
    known = (["spikes"] if recording.spikes is not None else []) + list(recording.signals)
    if not known:
        raise InputError(f"{who}: the recording has neither spikes nor signals.", code="too-few")
    if of is None:
        if recording.spikes is None and len(known) > 1:
            raise InputError(
                f"{who}: there are no spikes; say of which signal: of={' or '.join(map(repr, known[:8]))}.",
                code="unknown-name",
            )
        of = known[0]
    if not isinstance(of, str) or of not in known:
        raise UnknownNameError(f"{who}: of={shorten(of, 60)} is not in this recording.{nearest(of, known)}")
    return None if of == "spikes" and recording.spikes is not None else recording.signals[of]


def name_of(recording: Recording, system: Any, who: str) -> str:
    if system is not None and not isinstance(system, str):
        raise InputError(
            f"{who}: system must be text, the name of the responses, got {shorten(system, 60)}.",
            code="bad-parameter",
        )
    return system or recording.name


def check_bins(many: float, width: float, who: str) -> None:
    """Refuses more bins than any memory holds, before they are counted."""
    if many > _MOST_BINS:
        raise InputError(
            f"{who}: bins of {width:g} s would be {many:.3g} in number; give their width in seconds.",
            code="bad-window",
        )


def _parts(observed: Intervals, who: str) -> Intervals:
    parts = observed.merged()
    if not len(parts):
        raise InputError(
            f"{who}: observed of the recording covers no time; nothing was recorded, as it says.",
            code="outside-recording",
        )
    return parts


def _unit_of(source: Signal | None) -> dict[str, str]:
    return {} if source is None or not source.unit else {"unit": source.unit}


def _check_window(window: Any, who: str) -> tuple[float, float]:
    if window is None:
        return 0.0, 0.0
    try:
        low, high = (float(v) for v in window)
    except (TypeError, ValueError):
        low = high = float("nan")
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(
            f"{who}: window must be (from, to) in seconds from the event, from < to, got {shorten(window)}.",
            code="bad-window",
        )
    if high - low > 1000:
        warn(
            "long-epoch",
            f"{who}: the window goes from {low:g} to {high:g} s.",
            "Times are in seconds: divide milliseconds by 1000.",
            stacklevel=4,
        )
    return low, high


def _observed(
    recording: Recording,
    source: Signal | None,
    start: np.ndarray,
    stop: np.ndarray,
    known: np.ndarray,
    who: str,
) -> tuple[np.ndarray, list[Caution]]:
    """Which windows lie in what was recorded; without a statement of that, those outside of all spikes are said."""
    slack = on_edge(start, stop)
    if recording.observed is not None:
        parts = _parts(recording.observed, who)
        row = np.searchsorted(parts.start, np.where(known, start, 0.0) + slack, side="right") - 1
        whole = (row >= 0) & (stop <= parts.stop[np.maximum(row, 0)] + slack)
        return known & whole, []
    if source is not None:
        if not len(source):
            raise InputError(f"{who}: the signal has no samples.", code="too-few")
        step = np.median(np.diff(source.time)) if len(source) > 1 else 0.0
        low, high = source.time[[0, -1]] + np.array([-step, step])
        return known & (start >= low - slack) & (stop <= high + slack), []
    times = recording.spikes.times if recording.spikes is not None else np.empty(0)
    if not times.size:
        raise InputError(
            f"{who}: there is no spike, and nothing says what was recorded: Recording(observed=Intervals(...)).",
            code="outside-recording",
        )
    first, last = times.min(), times.max()
    away, partly = (
        (known & ((start > last) | (stop < first))),
        known & ((start < first) | (stop > last + slack)),
    )
    if known.any() and (away == known).all():
        raise InputError(
            f"{who}: all {int(known.sum())} trials lie before the first or after the last of all spikes ({first:g} to "
            f"{last:g} s); are they in seconds, on the clock of the recording? If they were recorded, "
            "Recording(observed=Intervals(...)) says so.",
            code="outside-recording",
        )
    if not partly.any():
        return known, []
    return known, [
        Caution(
            "outside-recording",
            f"{int(away.sum())} of {away.size} trials lie wholly before the first or after the last of all spikes, "
            f"{int((partly & ~away).sum())} partly; counts of 0 there may be no silence.",
            "Say what was recorded: Recording(observed=Intervals(...)), and leave out the rest.",
        )
    ]


def _outside(found: Onsets, start: np.ndarray, stop: np.ndarray, bad: np.ndarray, who: str) -> str:
    first = int(np.flatnonzero(bad)[0])
    what = f"{start[first]:g} to {stop[first]:g} s" if np.isfinite(start[first]) else "without a time"
    return (
        f"{who}: {int(bad.sum())} of {bad.size} trials of {found.name} have no time or no length, or lie outside what "
        f"was recorded (first: trial {first}, {what}); missing='omit' leaves them out, 'mask' keeps them as not valid."
    )


def _bins(
    start: np.ndarray, stop: np.ndarray, bin: float | None, low: float, whole: bool, who: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Bins of each trial (k,), their width (k,), and the times of their centres from the event."""
    if bin is None:
        return np.ones(start.size, dtype=np.int64), stop - start, None
    width = check_number(bin, name="bin", who=who, low=0.0)
    many, fuzz = (stop - start) / width, _FUZZ + on_edge(start, stop) / width
    check_bins(float(many.max()), width, who)
    if whole:
        bins = np.floor(many + fuzz).astype(np.int64)
        if bins.max() < 1:
            raise InputError(f"{who}: no trial is as long as one bin of {width:g} s.", code="bad-window")
    else:
        bins = np.full(start.size, round(float(many.max())), dtype=np.int64)
        length = float((stop - start).max())
        if bins[0] < 1 or abs(float(many.max()) - bins[0]) > fuzz * max(1, bins[0]):
            raise InputError(
                f"{who}: bins of {width:g} s do not divide the window of {length:g} s; give a window of a whole "
                f"number of bins, such as {max(1, bins[0]) * width:g} s.",
                code="bad-window",
            )
        bins = np.where(stop > start, bins, 0)
    return bins, np.full(start.size, width), low + width * (np.arange(int(bins.max())) + 0.5)


def _values(
    recording: Recording,
    source: Signal | None,
    start: np.ndarray,
    stop: np.ndarray,
    bins: np.ndarray,
    width: np.ndarray,
    bin: float | None,
    reduce: str | None,
    who: str,
) -> tuple[np.ndarray, str, str]:
    """(k, bins, units), the kind, and the rule."""
    most = int(bins.max())
    if source is None:
        assert recording.spikes is not None
        unequal = bin is None and np.ptp((stop - start)[stop > start]) > on_edge(start, stop)
        rule = check_option(
            ("rate" if unequal else "count") if reduce is None else reduce,
            _SPIKE_RULES,
            name="reduce (of spikes)",
            who=who,
        )
        _fits(start.size * most * len(recording.spikes) * 4, who)
        if bin is None:
            out = count_in_windows(recording.spikes, start, stop)[:, None]
        else:
            out = np.zeros((start.size, most, len(recording.spikes)), dtype=np.float32)
            rows = out.reshape(-1, len(recording.spikes))
            count_in_bins(recording.spikes, start, bins, float(bin), np.arange(start.size) * most, rows)
        if rule == "rate":
            out /= np.where(width > 0, width, 1.0)[:, None, None].astype(np.float32)
        return out, rule, rule
    rule = _signal_rule(source, reduce, who)
    return _sampled(source, start, bins, width, rule, who), source.kind, rule


def _sampled(
    source: Signal, start: np.ndarray, bins: np.ndarray, width: np.ndarray, rule: str, who: str
) -> np.ndarray:
    most = int(bins.max())
    _fits(start.size * most * source.channels.size * 8, who)
    out = np.full((start.size, most, source.channels.size), np.nan)
    reduce_in_windows(source, start, bins, width, rule, out)
    return out


def _signal_rule(source: Signal, reduce: str | None, who: str) -> str:
    angles = full_turn(source.unit) is not None
    rule = str(
        check_option(
            ("circular_mean" if angles else "mean") if reduce is None else reduce,
            _SIGNAL_RULES,
            name="reduce (of a signal)",
            who=who,
        )
    )
    if angles and rule in ("mean", "interpolate", "std"):
        warn(
            "mean-of-angles",
            f"{who}: {rule} of a signal in {source.unit} joins the two ends of the circle wrongly.",
            "reduce='circular_mean' does not.",
            stacklevel=5,
        )
    if rule == "circular_mean" and not angles:
        what = f"is in {shorten(source.unit, 40)}" if source.unit else "has no unit"
        raise InputError(
            f"{who}: circular_mean is for angles, and the signal {what}; say of angles what they are: "
            "Signal(..., unit='radians') or 'degrees'.",
            code="not-angles",
        )
    return rule


def _fits(size: int, who: str) -> None:
    free = check_fits(size)
    if free is not None:
        raise InputError(
            f"{who}: the responses would take {gigabytes(size)}, and {free} is free; fewer bins, trials or units.",
            code="too-large",
        )


def _made_up(name: str) -> Caution:
    return Caution(
        "made-up-ids",
        f"No stimulus ids were given for the trials of {name}; trial00000... stand for them in their order.",
        "Pass stimulus='column' so that repeats are known and systems are aligned by id.",
    )


def _labelled(
    values: np.ndarray,
    valid: np.ndarray,
    times: np.ndarray | None,
    ids: np.ndarray,
    units: np.ndarray,
    kind: str,
    system: str,
    labels: dict[str, np.ndarray],
    missing: str,
    who: str,
) -> xr.DataArray:
    """Responses; where parts of trials are unknown, a coordinate ``valid`` over trial (and time)."""
    gaps = np.zeros_like(valid) if all_finite(values) else np.isnan(values).any(axis=-1) & valid
    if gaps.any() and missing == "raise":
        raise InputError(
            f"{who}: {int(gaps.reshape(len(gaps), -1).any(axis=1).sum())} trials have an unknown bin (less than half "
            "of its samples are known, or a gap); wider bins, or missing='omit' or 'mask'.",
            code="nan-values",
        )
    valid = valid & ~gaps
    rows = valid.reshape(len(valid), -1).any(axis=1)
    if gaps.any() and missing == "omit":
        rows &= ~gaps.reshape(len(gaps), -1).any(axis=1)
    if not rows.any():
        raise InputError(f"{who}: no trial has a known sample.", code="nan-values")
    keep = rows if missing == "omit" else np.ones_like(rows)
    if not keep.all():
        values, valid, ids = values[keep], valid[keep], ids[keep]
    filled = np.where(valid[..., None], values, 0.0).astype(values.dtype) if not valid.all() else values
    data = responses(
        filled,
        kind=kind,  # type: ignore[arg-type]
        dims=("trial", "unit") if times is None else ("trial", "time", "unit"),
        stimulus=ids,
        unit=units,
        time=times,
        system=system,
        repeat=None if np.unique(ids).size == ids.size else "count",
    )
    data = data.assign_coords({name: ("trial", entries[keep]) for name, entries in labels.items()})
    if not valid.all():
        same = valid.ndim == 2 and (valid == valid[:, :1]).all()
        data = data.assign_coords(valid=(("trial",), valid[:, 0]) if same else (data.dims[:-1], valid))
        data.values[~valid] = np.nan
    return data


def _with_units(data: xr.DataArray, columns: Any) -> xr.DataArray:
    own = {"unit", "trial", "time", "stimulus", "valid", "repeat"}
    return data.assign_coords(
        {
            name: ("unit", entries)
            for name, entries in columns.items()
            if name not in own and name not in data.coords
        }
    )


def _said(data: xr.DataArray, cautions: list[Caution]) -> xr.DataArray:
    for caution in cautions:
        warn(caution.code, caution.message, caution.remedy, stacklevel=4)
    every = [*recorded_cautions(data), *cautions]
    if every:
        data.attrs[WARNINGS] = cautions_to_json(every)
    return data
