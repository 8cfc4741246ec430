"""From a recording to responses: bins of the whole, on one grid for spikes and every signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError, UnknownNameError, nearest
from consilience._core._params import check_number, check_option, shorten
from consilience._recording._binning import count_in_bins, on_edge
from consilience._recording._doubts import doubt_outside, doubt_spikes, unsaid_doubts
from consilience._recording._epoch import source_of
from consilience._recording._intervals import Intervals
from consilience._recording._labelling import name_of, unit_of, with_cautions, with_unit_columns
from consilience._recording._signal import Signal
from consilience._recording._values import SPIKE_RULES, check_room_for, sampled, signal_rule
from consilience._recording._windows import FUZZ, check_bins, observed_parts
from consilience._responses import responses

if TYPE_CHECKING:
    from consilience._recording._recording import Recording

__all__ = ["bin_recording"]

_MANY = 1e7  # bins that are not made of spikes whose times are doubtful


def bin_recording(
    recording: Recording,
    width: float | None,
    *,
    within: Any,
    reduce: str | None,
    of: str | None,
    system: str | None,
) -> xr.DataArray:
    """See `Recording.bin`."""
    who = "Recording.bin"
    if width is None:
        raise InputError(f"{who}: say how wide the bins are, in seconds: rec.bin(0.1).", code="bad-parameter")
    width = check_number(width, name="width", who=who, low=0.0)
    named = name_of(recording, system, who)
    source = source_of(recording, of, who)
    cautions: list[Caution] = []
    if source is None:
        cautions += unsaid_doubts(recording)
        if recording.observed_by_unit is None:
            cautions += doubt_outside(recording, gaps=False)
    start, many, centres = _grid(recording, within, source, width, who)
    total, columns = int(many.sum()), len(recording.unit_names) if source is None else source.channels.size
    check_room_for(total * columns * 4, who)
    at = np.cumsum(many) - many
    out = np.zeros((total, columns), dtype=np.float32 if source is None else np.float64)
    if source is None:
        assert recording.spikes is not None
        rule = kind = str(
            check_option(
                "count" if reduce is None else reduce, SPIKE_RULES, name="reduce (of spikes)", who=who
            )
        )
        count_in_bins(recording.spikes, start, many, width, at, out)
        if rule == "rate":
            out /= np.float32(width)
    else:
        rule = signal_rule(source, reduce, who, width=width)
        for begin, first, m in zip(start, at, many):
            one = np.array([begin]), np.array([m]), np.array([width])
            out[first : first + m] = sampled(source, *one, rule, who)[0]
        kind = source.kind
    units = recording.unit_names if source is None else source.channels
    unknown = np.isnan(out)
    missing = unknown.any(axis=1)
    if missing.all():
        raise InputError(
            f"{who}: no bin of {width:g} s is known of every channel{_worst(unknown, units)}.",
            code="nan-values",
        )
    if missing.any():
        cautions.append(
            Caution(
                "bins-left-out",
                f"{int(missing.sum())} of {total} bins of {of} are not known and were left out"
                f"{_worst(unknown, units)}.",
                "Wider bins, within= the stretches that were tracked, or the other channels (Signal.select).",
            )
        )
    data = responses(
        out[~missing],
        kind=kind,  # type: ignore[arg-type]
        dims=("time", "unit"),
        time=centres[~missing],
        unit=units,
        system=named,
    )
    data = with_unit_columns(data, recording.units if source is None else source.columns)
    data.attrs |= {"reduce": rule, "bin": width, "time_units": "s", "recording": recording.name} | unit_of(
        source
    )
    return with_cautions(data, cautions)


def _worst(unknown: np.ndarray, units: np.ndarray) -> str:
    """The channels of which most bins are unknown, in words; nothing where all are alike."""
    many = unknown.sum(axis=0)
    if many.min() == many.max():
        return ""
    order = [int(i) for i in np.argsort(-many, kind="stable")[:3] if many[i] > many.min()]
    named = ", ".join(f"{units[i]} ({int(many[i])})" for i in order)
    return f" (most by channel {named}; of {int((many == 0).sum())} of {many.size} channels all are known)"


def _grid(
    recording: Recording, within: Any, source: Signal | None, width: float, who: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start and number of bins of each stretch (k,), and the centres of all: whole bins that were recorded.

    The grid starts with each interval of ``within``, or of what was observed, whatever of it is filled: so it is the
    same for spikes, signals and any choice of units. Without either, bins start at whole multiples of the width.
    """
    if isinstance(within, str):
        if within not in recording.intervals:
            raise UnknownNameError(
                f"{who}: within={within!r} is no table of intervals.{nearest(within, recording.intervals)}"
            )
        within = recording.intervals[within]
    if within is not None and not isinstance(within, Intervals):
        raise InputError(
            f"{who}: within must be Intervals or the name of a table of them, got {shorten(within)}.",
            code="bad-window",
        )
    span = recording.span(source) if recording.observed is None else observed_parts(recording.observed, who)
    if not len(span):
        raise InputError(
            f"{who}: there is no {'spike' if source is None else 'sample'}, and nothing says what was recorded: "
            "Recording(observed=Intervals(...)).",
            code="outside-recording",
        )
    base = span if within is None else within.merged()
    pieces = span if within is None else base & span
    if not len(pieces):
        raise InputError(f"{who}: nothing was recorded within these intervals.", code="outside-recording")
    if within is None and recording.observed is None:
        anchor = np.zeros(len(pieces))
    else:
        anchor = base.start[np.searchsorted(base.start, pieces.start, side="right") - 1]
    fuzz = FUZZ + on_edge(pieces.start, pieces.stop) / width
    if source is None and pieces.total / width > _MANY:
        doubt = next((entry for entry in doubt_spikes(recording) if entry.code == "not-seconds"), None)
        if doubt is not None:
            raise InputError(
                f"{who}: {pieces.total / width:.3g} bins of {width:g} s, and the times seem to be no seconds. "
                f"{doubt.message}",
                code="bad-window",
            )
    check_bins(float(np.abs([pieces.start - anchor, pieces.stop - anchor]).max()) / width, width, who)
    first = np.ceil((pieces.start - anchor) / width - fuzz).astype(np.int64)
    many = np.floor((pieces.stop - anchor) / width + fuzz).astype(np.int64) - first
    some = many > 0
    if not some.any():
        raise InputError(
            f"{who}: no interval is as long as one bin of {width:g} s, from edge to edge of the bins (the longest is "
            f"{pieces.duration.max():g} s).",
            code="bad-window",
        )
    anchor, first, many = anchor[some], first[some], many[some]
    check_room_for(int(many.sum()) * 8, who)
    centres = [a + width * (f + np.arange(m) + 0.5) for a, f, m in zip(anchor, first, many)]
    return anchor + width * first, many, np.concatenate(centres)
