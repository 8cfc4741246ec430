"""From a recording to responses: trials around events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError, UnknownNameError, nearest
from consilience._core._params import check_option, shorten
from consilience._recording._doubts import doubt_trials, unsaid_doubts
from consilience._recording._labelling import (
    labelled,
    made_up_ids,
    name_of,
    unit_of,
    with_cautions,
    with_unit_columns,
)
from consilience._recording._on import Onsets, find_onsets, stimulus_ids, trial_labels
from consilience._recording._signal import Signal
from consilience._recording._values import values_of
from consilience._recording._windows import bins_of, check_window, outside_text, windows_inside

if TYPE_CHECKING:
    from consilience._recording._recording import Recording

__all__ = ["epoch", "source_of"]


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
    source = source_of(recording, of, who)
    found = find_onsets(on, recording.intervals, recording.events, whole=window is None, who=who)
    if not found.time.size:
        raise InputError(f"{who}: {found.name} has no trials.", code="too-few")
    low, high = check_window(window, who)
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
    inside, said = windows_inside(recording, source, start, stop, known, who)
    cautions += said
    bad = ~inside
    if bad.any() and missing == "raise":
        raise InputError(outside_text(found, start, stop, bad, who), code="outside-recording")
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
    bins, width, times = bins_of(start, stop, bin, low, found.span is not None, who)
    values, kind, rule = values_of(recording, source, start, stop, bins, width, bin, reduce, who)
    valid = np.arange(values.shape[1]) < bins[:, None]
    valid[bad] = False
    if source is None:
        cautions += unsaid_doubts(recording)
        known_codes = {caution.code for caution in (*recording.cautions, *cautions)}
        doubts = doubt_trials(recording, on, found.name, values, high - low)
        cautions += [caution for caution in doubts if caution.code not in known_codes]
    if not valid.all():
        values[~valid] = np.nan
    if ids is None:
        cautions.append(made_up_ids(found.name))
        ids = np.array([f"trial{i:05d}" for i in range(start.size)])
    units = recording.unit_names if source is None else source.channels
    if bin is None:
        values, valid = values[:, 0], valid[:, 0]
    data = labelled(
        values, valid, times, ids, units, kind, name_of(recording, system, who), found.labels, missing, who
    )
    data = with_unit_columns(data, unit_columns)
    data.attrs |= {"reduce": rule, "recording": recording.name} | unit_of(source)
    if bin is not None:
        data.attrs |= {"bin": float(bin), "time_units": "s"}
    return with_cautions(data, cautions)


def source_of(recording: Recording, of: str | None, who: str) -> Signal | None:
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
