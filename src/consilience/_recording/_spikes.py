"""Spike times of many units as one sorted array with splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, shorten
from consilience._recording._checks import check_times, frozen
from consilience._recording._intervals import Intervals

__all__ = ["SpikeTrains"]


class SpikeTrains:
    """Spike times (s) of units: ``times`` holds all spikes, those of unit i from ``splits[i]`` to ``splits[i + 1]``,
    increasing.

    Parameters
    ----------
    times : (n_spikes,) seconds, unit after unit, finite.   splits : (n_units + 1,) whole numbers from 0 to n_spikes.

    Raises
    ------
    InputError : NaN or infinite times, splits that do not fit.
    ConsilienceWarning ``unsorted-spikes`` : times of a unit were not increasing, and were sorted.

    Examples
    --------
    >>> import consilience as cs
    >>> spikes = cs.SpikeTrains.from_list([[0.1, 0.2, 0.9], [], [0.5]])
    >>> len(spikes), spikes.of(0).tolist(), spikes.counts.tolist()
    (3, [0.1, 0.2, 0.9], [3, 0, 1])
    """

    def __init__(self, times: Any, splits: Any) -> None:
        who = "cs.SpikeTrains"
        found = check_times(times, name="spike times", who=who)
        edges = np.asarray(splits)
        if (
            edges.ndim != 1
            or edges.size < 1
            or edges.dtype.kind not in "iu"
            or edges[0] != 0
            or edges[-1] != found.size
            or (np.diff(edges.astype(np.int64)) < 0).any()
        ):
            raise InputError(
                f"{who}: splits must be whole numbers that rise from 0 to the number of spikes ({found.size}).",
                code="bad-splits",
            )
        edges = edges.astype(np.int64)
        falling = np.flatnonzero(np.diff(found) < 0) + 1  # first of a unit may lie before the last of another
        inside = falling[~np.isin(falling, edges)]
        if inside.size:
            units = np.unique(np.searchsorted(edges, inside, side="right") - 1)
            found = found.copy()
            for i in units:
                found[edges[i] : edges[i + 1]].sort()
            warn(
                "unsorted-spikes",
                f"{who}: spike times of {units.size} of {edges.size - 1} units did not rise (unit {units[0]} first), "
                "and were sorted.",
                "Check that times and units belong together.",
                stacklevel=3,
            )
        self.times, self.splits = frozen(found), frozen(edges)

    @classmethod
    def from_list(cls, trains: Sequence[Any]) -> SpikeTrains:
        """From one array of spike times (s) per unit."""
        who = "cs.SpikeTrains.from_list"
        if (
            isinstance(trains, (str, bytes))
            or not isinstance(trains, Iterable)
            or getattr(trains, "ndim", 1) == 0
        ):
            raise InputError(
                f"{who}: trains must be a list with one array of spike times (s) per unit, got {shorten(trains, 60)}.",
                code="bad-time",
            )
        each = [check_times(t, name=f"spike times of unit {i}", who=who) for i, t in enumerate(trains)]
        splits = np.r_[0, np.cumsum([t.size for t in each], dtype=np.int64)].astype(np.int64)
        return cls(np.concatenate(each) if each else np.empty(0), splits)

    @classmethod
    def from_clusters(cls, times: Any, clusters: Any, units: Any) -> SpikeTrains:
        """From all spike times (n,), the cluster of each spike (n,), and the clusters to keep, in order (n_units,)."""
        who = "cs.SpikeTrains.from_clusters"
        found, owner, wanted = (
            check_times(times, name="spike times", who=who),
            np.asarray(clusters),
            np.asarray(units),
        )
        if owner.shape != found.shape:
            raise InputError(
                f"{who}: every spike needs a cluster; {found.size} times and {owner.shape} clusters came.",
                code="bad-splits",
            )
        known, index = np.unique(wanted, return_inverse=True)
        if known.size != wanted.size:
            raise InputError(f"{who}: units come more than once.", code="repeated-units")
        place = np.searchsorted(known, owner)
        place[place == known.size] = 0
        keep = known[place] == owner if known.size else np.zeros(owner.shape, dtype=bool)
        number = np.empty(known.size, dtype=np.int64)
        number[index] = np.arange(known.size)
        found, unit = found[keep], number[place[keep]]
        order = np.lexsort((found, unit))
        counts = np.bincount(unit, minlength=wanted.size)
        return cls(found[order], np.r_[0, np.cumsum(counts)])

    def __len__(self) -> int:
        return self.splits.size - 1

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.of(i) for i in range(len(self)))

    def __repr__(self) -> str:
        span = f", {self.times.min():g} to {self.times.max():g} s" if self.times.size else ""
        return f"<SpikeTrains> {len(self)} units, {self.times.size} spikes{span}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SpikeTrains):
            return NotImplemented
        return np.array_equal(self.times, other.times) and np.array_equal(self.splits, other.splits)

    __hash__ = None  # type: ignore[assignment]

    def of(self, unit: int) -> np.ndarray:
        """Spike times (s) of one unit by its number."""
        most = len(self) - 1
        row = check_count(unit, name="unit", who="cs.SpikeTrains.of", maximum=most)
        return self.times[self.splits[row] : self.splits[row + 1]]

    @property
    def counts(self) -> np.ndarray:
        """(n_units,) number of spikes."""
        return np.diff(self.splits)

    @property
    def owners(self) -> np.ndarray:
        """(n_spikes,) number of the unit of each spike."""
        return np.repeat(np.arange(len(self)), self.counts)

    def select(self, units: Any) -> SpikeTrains:
        """The units of a mask or of numbers, in that order."""
        try:
            index = np.atleast_1d(np.arange(len(self))[units]).ravel()
        except (IndexError, TypeError, ValueError):
            raise InputError(
                f"cs.SpikeTrains.select: units must be a mask, or numbers below {len(self)}, got "
                f"{shorten(units, 60)}; Recording.select takes names.",
                code="bad-label",
            ) from None
        return SpikeTrains.from_list([self.of(i) for i in index])

    def within(self, intervals: Intervals) -> SpikeTrains:
        """The spikes that lie in any of the intervals; every unit stays."""
        if not isinstance(intervals, Intervals):
            raise InputError(
                f"cs.SpikeTrains.within: intervals must be cs.Intervals(start, stop), got {shorten(intervals, 60)}.",
                code="bad-intervals",
            )
        keep = intervals.contains(self.times)
        counts = np.bincount(self.owners[keep], minlength=len(self))
        return SpikeTrains(self.times[keep], np.r_[0, np.cumsum(counts)])
