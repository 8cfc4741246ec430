"""Are two spike trains related on a scale finer than some window? Spikes of the first are moved within windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.units._pair_counts import as_bins, as_pairs, close_spikes, window_starts
from consilience.units._trains import as_trains

__all__ = ["JitterTest", "jitter_test"]


@dataclass(frozen=True, kw_only=True, eq=False)
class JitterTest:
    """pairs : (pairs, 2).   edges : (bins + 1,) lags in s.   All others (pairs, bins):

    counts : observed.   null_mean : mean over jittered trains.   low, high : where jittered counts lie in ``level`` of
    draws, bin by bin.   simultaneous_low, simultaneous_high : all bins of a pair together.   p, p_simultaneous :
    two-sided, of one bin, and over all bins of the pair.
    """

    pairs: np.ndarray
    edges: np.ndarray
    counts: np.ndarray
    null_mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    simultaneous_low: np.ndarray
    simultaneous_high: np.ndarray
    p: np.ndarray
    p_simultaneous: np.ndarray
    level: float

    @property
    def lags(self) -> np.ndarray:
        """(bins,) s, middles of the bins."""
        return (self.edges[1:] + self.edges[:-1]) / 2


def jitter_test(
    trains: Any,
    pairs: Any,
    /,
    *,
    observed: Any,
    window: float = 0.02,
    width: float = 0.001,
    longest: float = 0.05,
    n_jitter: int = 1000,
    level: float = 0.95,
    rng: int = 0,
) -> JitterTest:
    """Cross-correlograms of some pairs against interval jitter, by drawing: exact p for the null that spikes of the
    first unit could as well lie elsewhere in their windows.

    Every spike of the first unit is drawn anew, uniform within its window of ``window`` s; the second stays.
    Pointwise: rank among the draws. Simultaneous: the largest |count - mean| / standard deviation over bins, of each
    draw (Amarasingham et al. 2012). Jitter spreads a
    sharp peak over its window, so that counts beside a peak lie below the mean: not a trough of their own. For all
    pairs of many units `cross_correlogram(jitter=)` has the same mean without draws, and Poisson bands.

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    pairs : list of (first, second); None = all.   observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s.
    window, width, longest : of the jitter, of the bins, largest lag, in s.   n_jitter : draws.   level, rng.

    Returns
    -------
    JitterTest

    Raises
    ------
    InputError : ``observed-missing``, pairs that name no unit, times that are no numbers, NaN.
    ConsilienceWarning : ``unsorted-spikes``, ``long-bins`` (a width of 1 s or more: milliseconds?).

    References
    ----------
    Amarasingham, Harrison, Hatsopoulos & Geman (2012).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> a, b = (np.sort(rng.uniform(0, 600, 6000)) for _ in range(2))
    >>> driven = np.sort(np.r_[b, a[::10] + 0.0025])
    >>> found = cs.units.jitter_test([a, driven], [(0, 1)], observed=(0, 600), n_jitter=200)
    >>> k = found.counts[0].argmax()
    >>> round(float(found.lags[k]), 4), bool(found.p_simultaneous[0, k] < 0.01)
    (0.0025, True)
    """
    who = "cs.units.jitter_test"
    width, half = as_bins(width, longest, who)
    window = check_number(window, name="window", who=who, low=0.0)
    n_jitter = check_count(n_jitter, name="n_jitter", who=who, minimum=20)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    draw = resolve_seed(rng, who=who).stream("jitter")
    found = as_trains(trains, observed, who=who, needed=True)
    chosen = as_pairs(pairs, found.counts.size, who)
    bins, low_end = 2 * half, -half * width
    fields: dict[str, list[np.ndarray]] = {}

    def counted(distance: np.ndarray) -> np.ndarray:
        at = np.floor((distance - low_end) / width + 1e-6)
        inside = (at >= 0) & (at < bins)
        return np.bincount(at[inside].astype(np.int64), minlength=bins)

    for first, second in chosen:
        own, target = found.of(first), found.of(second)
        starts = window_starts(found, int(first), window)
        reach = (low_end - width, half * width + window + width)
        events = list(close_spikes(starts, target, *reach))
        rows = np.concatenate([r for r, _ in events]) if events else np.empty(0, np.int64)
        away = target[np.concatenate([c for _, c in events])] - starts[rows] if events else np.empty(0)
        counts = counted(away - (own - starts)[rows])
        drawn = np.stack([counted(away - window * draw.random(own.size)[rows]) for _ in range(n_jitter)])
        for key, value in _compared(counts, drawn, level).items():
            fields.setdefault(key, []).append(value)
    edges = (np.arange(bins + 1) - half) * width
    return JitterTest(pairs=chosen, edges=edges, level=level, **{k: np.stack(v) for k, v in fields.items()})


def _compared(counts: np.ndarray, drawn: np.ndarray, level: float) -> dict[str, np.ndarray]:
    m = len(drawn)
    above = ((drawn >= counts).sum(axis=0) + 1) / (m + 1)
    below = ((drawn <= counts).sum(axis=0) + 1) / (m + 1)
    every = np.concatenate([counts[None], drawn])  # the observed counts too: all are alike under the null
    mean, spread = every.mean(axis=0), every.std(axis=0)
    size = np.where(spread > 0, spread, 1.0)
    largest = (np.abs(every - mean) / size).max(axis=1)
    own = np.abs(counts - mean) / size
    tail = (1 - level) / 2
    limit = np.quantile(largest, level)
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return {
        "counts": counts,
        "null_mean": drawn.mean(axis=0),
        "low": low,
        "high": high,
        "simultaneous_low": mean - limit * spread,
        "simultaneous_high": mean + limit * spread,
        "p": np.minimum(1.0, 2 * np.minimum(above, below)),
        "p_simultaneous": (largest[1:, None] >= own - 1e-12).sum(axis=0) / (m + 1) + 1 / (m + 1),
    }
