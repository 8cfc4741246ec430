"""Windows of trials: whether they lie in what was recorded, and their bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import Caution, InputError, warn
from consilience._core._params import check_number, check_span
from consilience._recording._binning import on_edge
from consilience._recording._intervals import Intervals
from consilience._recording._on import Onsets
from consilience._recording._signal import Signal

if TYPE_CHECKING:
    from consilience._recording._recording import Recording

__all__ = [
    "FUZZ",
    "bins_of",
    "check_bins",
    "check_window",
    "observed_parts",
    "outside_text",
    "windows_inside",
]

_MOST_BINS = 1e12
FUZZ = 1e-6  # share of a bin by which a window may miss a whole number of bins


def check_window(window: Any, who: str) -> tuple[float, float]:
    if window is None:
        return 0.0, 0.0
    low, high = check_span(window, "seconds from the event", who=who)
    if high - low > 1000:
        warn(
            "long-epoch",
            f"{who}: the window goes from {low:g} to {high:g} s.",
            "Times are in seconds: divide milliseconds by 1000.",
            stacklevel=4,
        )
    return low, high


def observed_parts(observed: Intervals, who: str) -> Intervals:
    parts = observed.merged()
    if not len(parts):
        raise InputError(
            f"{who}: observed of the recording covers no time; nothing was recorded, as it says.",
            code="outside-recording",
        )
    return parts


def windows_inside(
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
        parts = observed_parts(recording.observed, who)
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


def outside_text(found: Onsets, start: np.ndarray, stop: np.ndarray, bad: np.ndarray, who: str) -> str:
    first = int(np.flatnonzero(bad)[0])
    what = f"{start[first]:g} to {stop[first]:g} s" if np.isfinite(start[first]) else "without a time"
    return (
        f"{who}: {int(bad.sum())} of {bad.size} trials of {found.name} have no time or no length, or lie outside what "
        f"was recorded (first: trial {first}, {what}); missing='omit' leaves them out, 'mask' keeps them as not valid."
    )


def check_bins(many: float, width: float, who: str) -> None:
    """Refuses more bins than any memory holds, before they are counted."""
    if many > _MOST_BINS:
        raise InputError(
            f"{who}: bins of {width:g} s would be {many:.3g} in number; give their width in seconds.",
            code="bad-window",
        )


def bins_of(
    start: np.ndarray, stop: np.ndarray, bin: float | None, low: float, whole: bool, who: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Bins of each trial (k,), their width (k,), and the times of their centres from the event."""
    if bin is None:
        return np.ones(start.size, dtype=np.int64), stop - start, None
    width = check_number(bin, name="bin", who=who, low=0.0)
    many, fuzz = (stop - start) / width, FUZZ + on_edge(start, stop) / width
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
