"""Doubts about spike times: seconds or not, spikes written twice, units that are copies, spikes that nobody saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import Caution
from consilience._core._resolution import coarse_step
from consilience._recording._finding import Finding, counted, named, span_in_words
from consilience._recording._intervals import Intervals
from consilience._recording._observed import in_common
from consilience._recording._rarely import LONG, SLOW, other_clocks, rarely_twice
from consilience._recording._spikes import SpikeTrains

if TYPE_CHECKING:
    from consilience._recording._recording import Recording

__all__ = [
    "doubt_outside",
    "doubt_scale",
    "doubt_spikes",
    "doubt_trials",
    "doubt_twins",
    "unsaid_doubts",
    "within_units",
]

_YEAR, _DAY = 31_557_600.0, 86_400.0
_FASTEST = 1000.0  # spikes/s: no neuron fires faster, because of its refractory period of about 1 ms
_FAR = 20.0  # times longer than anything else in the file
_DOUBLE = 0.001  # share of a unit's spikes at the time of another; less is said by `consilience inspect` only
_FEW = 10  # spikes by which two units are copies
_OUTSIDE = 0.01  # share of spikes outside of what was observed
_TIMES = 100.0  # times the window, that trials in seconds hardly last
_MEMO = "_doubts_of_spikes"


def doubt_spikes(recording: Recording) -> tuple[Caution, ...]:
    """What speaks against the spikes of a recording (``not-seconds``, ``coarse-times``,
    ``duplicate-spikes``, ``duplicated-units``). Looked for once for each recording."""
    known: tuple[Caution, ...] | None = recording.__dict__.get(_MEMO)
    if known is None:
        known = tuple(_doubts(recording))
        object.__setattr__(recording, _MEMO, known)  # frozen, and no field: not compared, not copied
    return known


def unsaid_doubts(recording: Recording) -> tuple[Caution, ...]:
    """The doubts that are not among the cautions of the recording."""
    codes = {caution.code for caution in recording.cautions}
    return tuple(caution for caution in doubt_spikes(recording) if caution.code not in codes)


def doubt_trials(
    recording: Recording, on: Any, name: str, values: np.ndarray, length: float
) -> Iterator[Caution]:
    """Trials of spikes (k, bins, units) that are all empty, or far shorter (``length`` s) than the intervals on which
    they are cut while units hardly fire."""
    spikes = recording.spikes
    if spikes is None or not spikes.times.size:
        return
    if not values[:100].any() and not values.any():  # bins that are not valid hold 0 yet
        yield Caution(
            "no-spikes-in-trials",
            f"None of {len(values)} trials of {name} holds a spike of any of {counted(len(spikes), 'unit')}.",
            "Are spikes, trials and window in seconds (milliseconds divided by 1000), and on one clock?",
        )
    table = on
    if isinstance(on, str):
        table = recording.intervals.get(on, recording.intervals.get(on.rpartition(".")[0]))
    lasted = table.duration[np.isfinite(table.duration)] if isinstance(table, Intervals) else np.empty(0)
    if not lasted.size or not length > 0:
        return
    usual = float(np.median(lasted))
    rate = float(np.median(spikes.counts)) / max(float(np.ptp(spikes.times)), length)
    if usual >= LONG and usual > _TIMES * length and rate < SLOW:
        yield Caution(
            "not-seconds",
            f"Trials of {name} last {usual:g} s, the window only {length:g} s, and units fire {rate:.2g} times a "
            "second: milliseconds or samples?",
            "All times are in seconds: divide milliseconds by 1000, samples by the sampling rate.",
        )


def _doubts(recording: Recording) -> Iterator[Caution]:
    spikes = recording.spikes
    if spikes is None or not spikes.times.size:
        return
    names, times = recording.unit_names, spikes.times
    step = np.diff(times)
    within = within_units(spikes.splits, times.size)
    tables = [(table.start, table.stop) for table in recording.intervals.values()]
    tables += [(table.time, table.time) for table in recording.events.values()]
    signals = [signal.time for signal in recording.signals.values()]
    for entry in doubt_scale(times, spikes.counts, step[within], names, tables, signals):
        if entry.code == "not-seconds":
            yield Caution("not-seconds", f"{entry.text[0].upper()}{entry.text[1:]}.")
    if (coarse := coarse_step(times)) is not None:
        yield Caution(
            "coarse-times",
            f"All spike times are as if from 32-bit floats or a slow clock, {1000 * coarse:.2g} ms apart at "
            f"{np.abs(times).max():.6g} s: finer timing is lost.",
            "Keep times as 64-bit floats, or as samples, from where they are made; or leave out what needs fine timing "
            "(refractory periods, correlograms).",
        )
    yield from _doubles(spikes, (step == 0) & within, names)
    for entry in doubt_twins(times, spikes.splits, names, least=_FEW):
        yield Caution("duplicated-units", f"{entry.text[0].upper()}{entry.text[1:]}.")


def _doubles(spikes: SpikeTrains, double: np.ndarray, names: np.ndarray) -> Iterator[Caution]:
    owners = np.searchsorted(spikes.splits, np.flatnonzero(double), side="right") - 1
    many = np.bincount(owners, minlength=len(spikes))
    often = many > _DOUBLE * spikes.counts
    if often.any():
        yield Caution(
            "duplicate-spikes",
            f"{counted(int(many[often].sum()), 'spike')} of {counted(int(often.sum()), 'unit')} at the time of another "
            f"of the same unit {named(names[often])}: written twice, or joined from two sorted units; each counts.",
            "Leave them out: np.unique(times) of each unit.",
        )


def doubt_outside(recording: Recording, *, gaps: bool) -> Iterator[Caution]:
    """Spikes at times that do not count as observed; without ``gaps`` only those before the first and after the last,
    since spikes in pauses are usual."""
    spikes, observed = recording.spikes, recording.observed
    if spikes is None or observed is None or not len(observed) or not spikes.times.size:
        return
    low, high = float(observed.start.min()), float(observed.stop.max())
    inside = observed.contains(spikes.times) if gaps else (spikes.times >= low) & (spikes.times <= high)
    each = recording.observed_by_unit
    if gaps and each is not None and observed == in_common(each):
        own = np.concatenate([one.contains(spikes.of(i)) for i, one in enumerate(each)])
        lost = int((own & ~inside).sum())
        if lost > _OUTSIDE * spikes.times.size:
            yield Caution(
                "observed-differs",
                f"Units were observed at different times, and what all {len(each)} have in common ({observed.total:g} "
                f"s) is used: {lost} of {spikes.times.size} spikes, seen at other times, are not counted.",
                "For each unit over its own time (rec.observed_by_unit), take those that were recorded together, or "
                "one at a time: rec.select([name]).",
            )
        inside = own
        low = min(float(one.start.min()) for one in each if len(one))
        high = max(float(one.stop.max()) for one in each if len(one))
    outside = int((~inside).sum())
    if outside > _OUTSIDE * spikes.times.size:
        yield Caution(
            "spikes-outside",
            f"{outside} of {spikes.times.size} spikes lie outside the time observed ({low:g} to {high:g} s), and are "
            "not counted.",
            "Look whether both are in seconds and of one clock; cs.Recording(observed=...) says when spikes could be "
            "seen, and rec.restrict(...) leaves the others out on purpose.",
        )


def within_units(splits: np.ndarray, n: int) -> np.ndarray:
    """(n - 1,) bool: which steps between spikes are not from the last of a unit to the first of the next."""
    within = np.ones(max(n - 1, 0), dtype=bool)
    edges = splits[1:-1]
    within[edges[(edges > 0) & (edges < n)] - 1] = False
    return within


def doubt_twins(
    times: np.ndarray, splits: np.ndarray, names: np.ndarray, *, least: int = 1
) -> Iterator[Finding]:
    """Units with the same spikes, ``least`` or more."""
    same: dict[tuple[int, float, float], list[int]] = {}  # only those of as many spikes, with the same ends
    for i, (a, b) in enumerate(zip(splits[:-1].tolist(), splits[1:].tolist())):
        if b - a >= least:
            same.setdefault((b - a, float(times[a]), float(times[b - 1])), []).append(i)
    groups: dict[bytes, list[int]] = {}
    for i in (i for group in same.values() if len(group) > 1 for i in group):
        groups.setdefault(times[splits[i] : splits[i + 1]].tobytes(), []).append(i)
    twins = [group for group in groups.values() if len(group) > 1]
    if twins:
        first = ", ".join(str(name) for name in names[twins[0]].tolist()[:4])
        yield Finding(
            "warning",
            "duplicated-units",
            f"{counted(sum(map(len, twins)), 'unit')} in {counted(len(twins), 'group')} with exactly the same spikes "
            f"({first}); keep one of each",
        )


def doubt_scale(
    times: np.ndarray,
    counts: np.ndarray,
    step: np.ndarray,
    names: np.ndarray,
    tables: Sequence[tuple[np.ndarray, np.ndarray]],
    signals: Sequence[np.ndarray],
) -> Iterator[Finding]:
    """Milliseconds or samples where seconds are meant, and the reverse. ``step`` : intervals within units.
    ``tables`` : (start, stop) of intervals, (time, time) of events.   ``signals`` : their times."""
    low, high = float(times.min()), float(times.max())
    length = high - low
    if length > _YEAR:
        yield Finding(
            "critical",
            "not-seconds",
            f"spikes span {span_in_words(length)}: these are no seconds. Divide samples by the sampling rate, or "
            "milliseconds by 1000",
        )
        return
    fast = (counts - 1) / length > _FASTEST * (1 + 1e-6) if length > 0 else np.zeros(counts.size, dtype=bool)
    fast &= counts >= 10
    if fast.any():
        yield Finding(
            "critical",
            "not-seconds",
            f"{counted(int(fast.sum()), 'unit')} above {_FASTEST:g} spikes/s {named(names[fast])}, which no neuron "
            "reaches: times are no seconds, or all spikes were put into one unit",
        )
        return
    signs = []
    if times.size >= 20 and bool((times == np.round(times)).all()):
        signs.append("all spike times are whole numbers")
    known = [entry[np.isfinite(entry)] for entry in (*(start for start, _ in tables), *signals)]
    until = max((float(entry.max()) for entry in known if entry.size), default=0.0)
    far = until > 0 and high > _FAR * until
    clocks = other_clocks(low, high, tables, signals)
    if sign := rarely_twice(step, counts, length, clocks, far or bool(signs)):
        signs.append(sign)
    if far:
        signs.append(f"spikes go on to {high:g} s, and everything else ends at {until:g} s")
    if signs:
        yield Finding(
            "critical" if len(signs) > 1 else "warning",
            "not-seconds",
            f"{'; '.join(signs)}: milliseconds or samples? ({span_in_words(length)} as they stand). Divide "
            "milliseconds by 1000, samples by the sampling rate",
        )
    elif length > 7 * _DAY:
        yield Finding(
            "hint", "long", f"spikes span {span_in_words(length)}; right if the recording was that long"
        )
