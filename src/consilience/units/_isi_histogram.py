"""Histogram of interspike intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._params import check_number
from consilience.units._seconds import say_long_bins
from consilience.units._trains import as_trains

__all__ = ["IntervalHistogram", "isi_histogram"]

_ROUNDING = 1e-6  # of a bin: times written with few digits lie on its edges


@dataclass(frozen=True, kw_only=True, eq=False)
class IntervalHistogram:
    """counts : (units, bins) interspike intervals in [edge, next edge).   edges : (bins + 1,) s.
    longer : (units,) intervals beyond the last edge.
    """

    counts: np.ndarray
    edges: np.ndarray
    longer: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """(units, bins) in 1/s: integrates to the fraction of intervals within the edges."""
        total = self.counts.sum(axis=1) + self.longer
        return self.counts / np.maximum(total, 1)[:, None] / np.diff(self.edges)


def isi_histogram(
    trains: Any, /, *, width: float = 0.001, longest: float = 0.1, observed: Any = None
) -> IntervalHistogram:
    """How many interspike intervals of each unit have which length.

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    width, longest : of the bins and of the last edge, in s; longest is brought to a whole number of bins.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s; no interval spans a gap. None = one piece.

    Returns
    -------
    IntervalHistogram : counts without an interval: they are the data. Silent units are rows of zeros.

    Raises
    ------
    InputError : widths not above 0, times that are no numbers, NaN.

    Examples
    --------
    >>> import consilience as cs
    >>> found = cs.units.isi_histogram([[0.0, 0.0015, 0.0045, 0.5]], width=0.001, longest=0.004)
    >>> found.counts.tolist(), found.longer.tolist()
    ([[0, 1, 0, 1]], [1])
    """
    who = "cs.units.isi_histogram"
    width = check_number(width, name="width", who=who, low=0.0)
    longest = check_number(longest, name="longest", who=who, low=width, closed=True)
    say_long_bins(width, who=who, what="interspike intervals")
    found = as_trains(trains, observed, who=who)
    length, owner, _ = found.intervals()
    bins, units = max(1, round(longest / width)), found.counts.size
    at = np.floor(length / width + _ROUNDING)
    inside = at < bins
    flat = owner[inside] * bins + at[inside].astype(np.int64)
    return IntervalHistogram(
        counts=np.bincount(flat, minlength=units * bins).reshape(units, bins),
        edges=np.arange(bins + 1) * width,
        longer=np.bincount(owner[~inside], minlength=units),
    )
