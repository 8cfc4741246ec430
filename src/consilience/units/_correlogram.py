"""Auto- and cross-correlograms of all pairs of spike trains, with what their rates and jittered spikes would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from consilience._core._params import check_number
from consilience.units._pair_counts import (
    as_bins,
    as_pairs,
    by_first,
    count_lags,
    overlap,
    spread,
    window_starts,
)
from consilience.units._trains import as_trains

__all__ = ["Correlogram", "autocorrelogram", "cross_correlogram"]

_ROUNDING = 1e-6  # of a bin: times written with few digits lie on its edges


@dataclass(frozen=True, kw_only=True, eq=False)
class Correlogram:
    """How often spikes of a second unit follow those of a first at each lag.

    pairs : (pairs, 2) units (first, second).   edges : (bins + 1,) lags in s, second minus first; a bin holds its lower
        edge.
    counts : (pairs, bins) pairs of spikes.
    expected : (pairs, bins) of unrelated trains with these mean rates, less where the recording ends or has gaps.
    jittered : (pairs, bins) mean over all ways to move each spike of the first unit within its window of ``window``
        seconds, exact; None without ``jitter=``. What counts have beyond it is timing finer than the window.
    rate : (pairs,) spikes/s of the second unit.
    """

    pairs: np.ndarray
    edges: np.ndarray
    counts: np.ndarray
    expected: np.ndarray
    rate: np.ndarray
    jittered: np.ndarray | None = None
    window: float | None = None

    def __repr__(self) -> str:
        low, high = self.edges[0], self.edges[-1]
        return (
            f"<Correlogram> {len(self.pairs)} pairs, {self.counts.shape[1]} bins from {low:g} to {high:g} s"
        )

    @property
    def lags(self) -> np.ndarray:
        """(bins,) s, middles of the bins."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def rates(self) -> np.ndarray:
        """(pairs, bins) spikes/s of the second unit at each lag from a spike of the first; edges taken off."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.expected > 0, self.counts / self.expected * self.rate[:, None], np.nan)

    def _null(self) -> np.ndarray:
        return self.expected if self.jittered is None else self.jittered

    def bands(self, level: float = 0.95, *, simultaneous: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """(low, high), each (pairs, bins): where counts lie with chance ``level`` under ``jittered`` (``expected``).

        Counts are taken as Poisson, which is a little wide: jittered spikes hit or miss, so that their variance is at
        most the mean. simultaneous : all bins of a pair together (Bonferroni).
        """
        level = check_number(level, name="level", who="Correlogram.bands", low=0.0, high=1.0)
        tail = (1 - level) / 2 / (self.counts.shape[1] if simultaneous else 1)
        return stats.poisson.ppf(tail, self._null()), stats.poisson.isf(tail, self._null())

    def p(self) -> np.ndarray:
        """(pairs,) two-sided, over all bins of a pair (Bonferroni): that no count is away from ``jittered``
        (``expected``).
        """
        null = self._null()
        above = special.gammainc(np.maximum(self.counts, 1), null)
        above = np.where(self.counts == 0, 1.0, above)
        below = special.gammaincc(self.counts + 1, null)
        return np.minimum(1.0, 2 * self.counts.shape[1] * np.minimum(above, below).min(axis=1))


def cross_correlogram(
    trains: Any,
    /,
    *,
    observed: Any,
    pairs: Any = None,
    width: float = 0.001,
    longest: float = 0.05,
    jitter: float | None = None,
) -> Correlogram:
    """Counts of spikes of a second unit at lags from the spikes of a first, for all pairs at once.

    Common changes of rate raise a whole correlogram. ``jitter`` D says what is finer: every spike of the first unit may
    lie anywhere in its window of D seconds (windows of a fixed grid); ``jittered`` is the exact mean count then, and
    `Correlogram.p` and `.bands` compare. Peaks or troughs narrower than D remain.

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s.
    pairs : list of (first, second); None = all pairs i < j.   width, longest : of the bins, largest lag, in s.
    jitter : D in s, brought to a whole number of bins; at the end of a piece the last window ends with it.

    Returns
    -------
    Correlogram

    Of 124 750 pairs of unrelated trains, 0.025 had p below 0.05: Poisson counts are few and their p go in steps.

    Raises
    ------
    InputError : ``observed-missing``, a single unit, pairs that name no unit, times that are no numbers, NaN.
    ConsilienceWarning : ``unsorted-spikes``, ``long-bins`` (a width of 1 s or more: milliseconds?).

    References
    ----------
    Perkel, Gerstein & Moore (1967); Amarasingham, Harrison, Hatsopoulos & Geman (2012) for jitter.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> a, b = (np.sort(rng.uniform(0, 600, 6000)) for _ in range(2))
    >>> driven = np.sort(np.r_[b, a[::10] + 0.0025])  # a tenth of the spikes of a are followed
    >>> found = cs.units.cross_correlogram([a, driven], observed=(0, 600), jitter=0.02)
    >>> round(float(found.lags[found.counts[0].argmax()]), 4), bool(found.p()[0] < 0.001)
    (0.0025, True)
    """
    who = "cs.units.cross_correlogram"
    width, half = as_bins(width, longest, who)
    found = as_trains(trains, observed, who=who, needed=True)
    chosen = as_pairs(pairs, found.counts.size, who)
    wide = 0
    if jitter is not None:
        jitter = check_number(jitter, name="jitter", who=who, low=width, closed=True)
        wide = max(1, round(jitter / width))
    counts = np.zeros((len(chosen), 2 * half), dtype=np.int64)
    jittered = np.zeros(counts.shape) if wide else None
    for first, rows, second in by_first(found, chosen):
        own = found.of(first)
        counts[rows] = count_lags(own, second, -half * width, width, 2 * half)[0]
        if jittered is not None:
            starts = window_starts(found, first, wide * width)
            hits, part = count_lags(starts, second, -half * width, width, 2 * half + wide, parts=True)
            jittered[rows] = spread(hits, part, wide, 2 * half)
    edges = (np.arange(2 * half + 1) - half) * width
    rate = found.counts / found.total
    share = overlap(found, (edges[1:] + edges[:-1]) / 2) * width
    return Correlogram(
        pairs=chosen,
        edges=edges,
        counts=counts,
        expected=(rate[chosen[:, 0]] * rate[chosen[:, 1]])[:, None] * share,
        rate=rate[chosen[:, 1]],
        jittered=jittered,
        window=wide * width if wide else None,
    )


def autocorrelogram(
    trains: Any, /, *, observed: Any, width: float = 0.001, longest: float = 0.05
) -> Correlogram:
    """Counts of spikes of a unit at lags from its own spikes, those with themselves left out.

    A gap around 0 is the refractory period, a peak beside it bursting, waves an oscillation.

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s.   width, longest : of the bins, largest lag, in s.

    Returns
    -------
    Correlogram : pairs (i, i); ``expected`` and ``bands()`` are of a Poisson process.

    Raises
    ------
    InputError : ``observed-missing``, times that are no numbers, NaN.
    ConsilienceWarning : ``unsorted-spikes``, ``long-bins`` (a width of 1 s or more: milliseconds?).

    References
    ----------
    Perkel, Gerstein & Moore (1967).

    Examples
    --------
    >>> import consilience as cs
    >>> found = cs.units.autocorrelogram([[1.0, 1.012, 1.5]], observed=(0, 2), width=0.005, longest=0.02)
    >>> found.counts.tolist()
    [[0, 1, 0, 0, 0, 0, 1, 0]]
    """
    who = "cs.units.autocorrelogram"
    width, half = as_bins(width, longest, who)
    found = as_trains(trains, observed, who=who, needed=True)
    units = found.counts.size
    counts = np.zeros((units, 2 * half), dtype=np.int64)
    for u in range(units):
        own, step = found.of(u), 1
        while step < own.size:
            at = np.floor((own[step:] - own[:-step]) / width + _ROUNDING)
            near = at < half
            if not near.any():
                break
            counts[u, half:] += np.bincount(at[near].astype(np.int64), minlength=half)
            step += 1
        counts[u, :half] = counts[u, half:][::-1]
    edges = (np.arange(2 * half + 1) - half) * width
    rate = found.counts / found.total
    share = overlap(found, (edges[1:] + edges[:-1]) / 2) * width
    return Correlogram(
        pairs=np.stack([np.arange(units)] * 2, axis=1),
        edges=edges,
        counts=counts,
        expected=(rate**2)[:, None] * share,
        rate=rate,
    )
