"""Doubts about spike times and the unit table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from consilience._recording._doubts import doubt_scale, doubt_twins, within_units
from consilience._recording._finding import Finding, counted, named
from consilience.sources._parts import Parts

__all__ = ["find_in_spikes", "unit_names"]


def unit_names(parts: Parts, n: int) -> np.ndarray:
    named_by = parts.units.get("unit", parts.units.get("id"))
    return np.arange(n) if named_by is None or named_by.shape != (n,) else named_by


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
    within = within_units(splits, times.size)
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
    yield from doubt_twins(times, splits, names)
    tables = [(one.start, one.start if one.stop is None else one.stop) for one in parts.tables.values()]
    signals = [signal.time for signal in parts.signals.values()]
    yield from doubt_scale(times, counts, step[within], names, tables, signals)
    if float(times.min()) < 0:
        yield Finding(
            "hint",
            "negative-times",
            f"{counted(int((times < 0).sum()), 'spike')} before second 0 (first at {times.min():g} s)",
        )
