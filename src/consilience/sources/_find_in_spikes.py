"""Doubts about spike times and the unit table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from consilience._core._errors import Caution
from consilience._recording import Recording
from consilience.sources._finding import Finding, counted, named, span_in_words
from consilience.sources._parts import Parts

__all__ = ["doubt_seconds", "find_in_spikes", "unit_names"]

_YEAR, _DAY = 31_557_600.0, 86_400.0
_FASTEST = 1000.0  # spikes/s: no neuron fires faster, because of its refractory period of about 1 ms
_REST = 0.5  # s; where no unit ever fires twice within that, times are hardly seconds
_FAR = 20.0  # times longer than anything else in the file


def unit_names(parts: Parts, n: int) -> np.ndarray:
    named_by = parts.units.get("unit", parts.units.get("id"))
    return np.arange(n) if named_by is None or named_by.shape != (n,) else named_by


def doubt_seconds(recording: Recording) -> tuple[Caution, ...]:
    """What speaks against times in seconds, as `find_in_spikes` has it, of spikes that are sorted and known."""
    spikes = recording.spikes
    if spikes is None or not spikes.times.size:
        return ()
    steps = np.diff(spikes.times)
    within = np.ones(steps.size, dtype=bool)
    edges = spikes.splits[1:-1]
    within[edges[(edges > 0) & (edges < spikes.times.size)] - 1] = False
    parts = Parts.of(recording, format="")
    found = _scale(parts, spikes.times, spikes.counts, steps[within], recording.unit_names)
    return tuple(
        Caution("not-seconds", f"{entry.text[0].upper()}{entry.text[1:]}.", "")
        for entry in found
        if entry.code == "not-seconds"
    )


def find_in_spikes(parts: Parts) -> Iterator[Finding]:
    """What speaks against the spikes as they stand there."""
    if parts.times is None or parts.splits is None:
        return
    times, splits = parts.times, parts.splits
    n, counts = splits.size - 1, np.diff(splits)
    names = unit_names(parts, n)
    if not n:
        yield Finding("warning", "no-units", "the table of units is empty")
        return
    again = [name for name, k in Counter(names.tolist()).items() if k > 1]
    if again:
        yield Finding(
            "critical",
            "repeated-units",
            f"names of units come more than once {named(np.array(again))}; rename them",
        )
    unknown = ~np.isfinite(times)
    if unknown.any():
        yield Finding(
            "critical",
            "nan-spikes",
            f"{counted(int(unknown.sum()), 'spike time')} NaN or infinite; cs.read refuses them: leave them out",
        )
        owners = np.repeat(np.arange(n), counts)[~unknown]
        times = times[~unknown]
        counts = np.bincount(owners, minlength=n)
        splits = np.r_[0, np.cumsum(counts)]
    silent = counts == 0
    if silent.any():
        yield Finding(
            "warning",
            "silent-units",
            f"{int(silent.sum())} of {counted(n, 'unit')} without a spike {named(names[silent])}; they are kept, as "
            "zeros",
        )
    if not times.size:
        return
    step = np.diff(times)
    within = np.ones(step.size, dtype=bool)
    edges = splits[1:-1]
    within[edges[(edges > 0) & (edges < times.size)] - 1] = (
        False  # from the last of a unit to the first of the next
    )
    falls = np.flatnonzero((step < 0) & within)
    if falls.size:
        owners = np.unique(np.searchsorted(splits, falls, side="right") - 1)
        yield Finding(
            "warning",
            "unsorted-spikes",
            f"spike times of {counted(owners.size, 'unit')} do not rise {named(names[owners])}; cs.read sorts them. Do "
            "times and units belong together?",
        )
        times = np.concatenate([np.sort(times[a:b]) for a, b in zip(splits[:-1], splits[1:])])  # noqa: RUF007
        step = np.diff(times)
    double = (step == 0) & within
    if double.any():
        owners = np.unique(np.searchsorted(splits, np.flatnonzero(double), side="right") - 1)
        yield Finding(
            "warning",
            "duplicate-spikes",
            f"{counted(int(double.sum()), 'spike')} of {counted(owners.size, 'unit')} at the time of another of the "
            f"same unit {named(names[owners])}: written twice, or joined from two sorted units",
        )
    yield from _twins(times, splits, names)
    yield from _scale(parts, times, counts, step[within], names)
    if float(times.min()) < 0:
        yield Finding(
            "hint",
            "negative-times",
            f"{counted(int((times < 0).sum()), 'spike')} before second 0 (first at {times.min():g} s)",
        )


def _twins(times: np.ndarray, splits: np.ndarray, names: np.ndarray) -> Iterator[Finding]:
    """Units with the same spikes."""
    groups: dict[bytes, list[int]] = {}
    for i, (a, b) in enumerate(zip(splits[:-1], splits[1:])):  # noqa: RUF007
        if b > a:
            groups.setdefault(times[a:b].tobytes(), []).append(i)
    twins = [group for group in groups.values() if len(group) > 1]
    if twins:
        first = ", ".join(str(name) for name in names[twins[0]].tolist()[:4])
        yield Finding(
            "warning",
            "duplicated-units",
            f"{counted(sum(map(len, twins)), 'unit')} in {counted(len(twins), 'group')} with exactly the same spikes "
            f"({first}); keep one of each",
        )


def _scale(
    parts: Parts, times: np.ndarray, counts: np.ndarray, step: np.ndarray, names: np.ndarray
) -> Iterator[Finding]:
    """Milliseconds or samples where seconds are meant, and the reverse."""
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
    fast = counts / length > _FASTEST if length > 0 else np.zeros(counts.size, dtype=bool)
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
    if step.size >= 200 and float(step.min()) >= _REST:
        signs.append(f"no unit ever fires twice within {_REST:g} s")
    others = [table.start for table in parts.tables.values() if np.isfinite(table.start).any()]
    others += [signal.time for signal in parts.signals.values() if signal.time.size]
    if others:
        until = max(float(np.nanmax(entry)) for entry in others)
        if until > 0 and high > _FAR * until:
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
