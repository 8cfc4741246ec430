"""Counts of units against a position in one or more dimensions: bins, time spent in each, stretches, shifts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from consilience._core._angles import say_turns
from consilience._core._arrays import as_array, to_numpy
from consilience._core._counts import say_rates
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, shorten
from consilience.stats import autocorrelation_time, circular_shifts
from consilience.units._seconds import say_long_bins

__all__ = ["STRETCHES", "Visits", "jackknifed", "shifts_of", "visits_of"]

STRETCHES = 20  # of time, left out one by one
_LONG = 5.0  # s
_BLOCK = 1 << 22
_TAIL, _PART = 0.01, 0.1  # of the samples at each end, beyond which all lie within that part of the range


@dataclass(frozen=True, eq=False)
class Visits:
    """counts : (n, units) float64, of the samples with a known position alone, joined.   place : (n,) number of the bin
    (last dimension fastest).   edges : of each dimension.   period : of each dimension, or None.   width : s.
    stretch : (n,) number of the stretch of time.   least : the smallest shift in steps.   known : which of all samples
    given these are.
    """

    counts: np.ndarray
    place: np.ndarray
    edges: tuple[np.ndarray, ...]
    period: tuple[float | None, ...]
    width: float
    stretch: np.ndarray
    least: int
    known: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(e) - 1 for e in self.edges)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def seconds(self) -> np.ndarray:
        """(bins,) spent in each, flat."""
        return np.asarray(self.width * np.bincount(self.place, minlength=self.size), dtype=np.float64)

    def sums(self) -> np.ndarray:
        """(units, bins) spikes."""
        return np.stack([np.bincount(self.place, weights=one, minlength=self.size) for one in self.counts.T])

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Spikes (units, stretches, bins), and seconds (stretches, bins)."""
        where, length = self.stretch * self.size + self.place, STRETCHES * self.size
        spikes = [np.bincount(where, weights=column, minlength=length) for column in self.counts.T]
        stays = self.width * np.bincount(where, minlength=length)
        return (
            np.stack(spikes).reshape(-1, STRETCHES, self.size),
            stays.reshape(STRETCHES, self.size).astype(np.float64),
        )

    def moved(self, unit: int, shifts: np.ndarray) -> Iterator[np.ndarray]:
        """(m, bins) spikes with the counts of a unit moved back by so many steps, on a circle, a few at a time."""
        column = self.counts[:, unit]
        at = np.flatnonzero(column)
        weight, n, bins = column[at], len(column), self.size
        step = max(1, _BLOCK // max(1, at.size, bins))
        for first in range(0, shifts.size, step):
            some = shifts[first : first + step]
            place = self.place[(at - some[:, None]) % n] + bins * np.arange(some.size)[:, None]
            weights = np.broadcast_to(weight, place.shape)
            yield np.bincount(place.ravel(), weights=weights.ravel(), minlength=bins * some.size).reshape(
                some.size, bins
            )


def visits_of(
    counts: Any,
    position: Any,
    *,
    width: float,
    bins: int | Sequence[int] | None,
    period: float | Sequence[float | None] | None,
    limits: Any = None,
    least: float | None,
    who: str,
    dims: int | None = None,
) -> Visits:
    """Checks and places. ``dims``: how many dimensions the position must have; None: any."""
    width = check_number(width, name="width", who=who, low=0.0)
    x, v = _checked(counts, position, who, dims)
    say_rates(
        x,
        who=who,
        then="rates come out in other units, and their intervals are those of counts",
        stacklevel=4,
    )
    say_long_bins(width, who=who, what="a position that is followed in time", longest=_LONG)
    d = v.shape[1]
    numbers = _each(20 if bins is None and d > 1 else 30 if bins is None else bins, d, "bins", who)
    turns = _each(period, d, "period", who)
    known = np.isfinite(v).all(axis=1)
    if known.sum() < 2 * STRETCHES:
        raise InputError(
            f"{who}: at least {2 * STRETCHES} bins of time with a known position are needed, got {int(known.sum())}.",
            code="too-few",
        )
    place = np.zeros(len(x), dtype=np.int64)
    edges: list[np.ndarray] = []
    ends = [None] * d if limits is None else list(np.asarray(limits, dtype=np.float64).reshape(-1, 2))
    if len(ends) != d:
        raise InputError(
            f"{who}: limits must be (low, high) of each of {d} dimensions.", code="bad-parameter"
        )
    far = False
    for k in range(d):
        count = check_count(numbers[k], name="bins", who=who, minimum=3)
        low, high = _ends(v[known, k], turns[k], ends[k], k, who)
        if turns[k] is None and ends[k] is None and not far:
            far = _say_far(v[known, k], low, high, k, who)
        edge = np.linspace(low, high, count + 1)
        along = np.mod(v[:, k], high) if turns[k] is not None else v[:, k]
        inside = known & (along >= low) & (along <= high)
        known = known & inside
        number = np.clip(np.searchsorted(edge, np.where(inside, along, low), side="right") - 1, 0, count - 1)
        place = place * count + number
        edges.append(edge)
    x, v, place = x[known], v[known], place[known]
    if not len(x):
        raise InputError(f"{who}: no position lies within the limits.", code="too-few")
    stretch = np.arange(len(x)) * STRETCHES // len(x)
    if least is None:
        steps = _least(v, turns)
    else:
        steps = check_number(least, name="least", who=who, low=0.0) / width
    return Visits(x, place, tuple(edges), tuple(turns), width, stretch, max(1, int(np.ceil(steps))), known)


def shifts_of(visits: Visits, n_shift: int, rng: np.random.Generator) -> np.ndarray:
    """(m,) shifts in steps; empty where there are none."""
    return circular_shifts(len(visits.place), visits.least, n_shift, rng)


def jackknifed(
    value: np.ndarray, left: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value less its bias, and the ends of its interval, from values (k, ...) without one stretch each."""
    k = len(left)
    mean = left.mean(axis=0)
    centre = value - (k - 1) * (mean - value)
    error = np.sqrt((k - 1) / k * ((left - mean) ** 2).sum(axis=0))
    half = student.ppf((1 + level) / 2, k - 1) * error
    return centre, centre - half, centre + half


def _checked(counts: Any, position: Any, who: str, dims: int | None) -> tuple[np.ndarray, np.ndarray]:
    x = np.asarray(to_numpy(as_array(counts, name="counts", who=who)))
    v = np.asarray(to_numpy(as_array(position, name="position", who=who)))
    v = v[:, None] if v.ndim == 1 else v
    if (
        x.dtype.kind not in "biuf"
        or v.dtype.kind not in "iuf"
        or x.ndim != 2
        or v.ndim != 2
        or len(v) != len(x)
        or not v.shape[1]
    ):
        raise InputError(
            f"{who}: counts (n, units) and a position (n,) or (n, dimensions) in the same n bins of time are expected, "
            f"got {x.shape} of {x.dtype} and {v.shape} of {v.dtype}.",
            code="rows-differ",
        )
    if not x.shape[1]:
        raise InputError(f"{who}: counts of at least one unit are needed, got none.", code="too-few")
    if dims is not None and v.shape[1] != dims:
        raise InputError(
            f"{who}: a position in {dims} dimensions is expected, got {v.shape[1]}.", code="bad-parameter"
        )
    x, v = x.astype(np.float64), v.astype(np.float64)
    if not np.isfinite(x).all():
        raise InputError(f"{who}: NaN or infinite counts; leave out those bins.", code="nan-values")
    if np.isinf(v).any():
        raise InputError(
            f"{who}: infinite positions; NaN says that a position is not known.", code="nan-values"
        )
    if (x < 0).any():
        raise InputError(f"{who}: negative counts.", code="negative-counts")
    return x, v


def _each(value: Any, d: int, name: str, who: str) -> list[Any]:
    many = [value] * d if value is None or np.isscalar(value) else list(value)
    if len(many) != d:
        raise InputError(
            f"{who}: {name} must be one for all, or one for each of {d} dimensions, got {shorten(value)}.",
            code="bad-parameter",
        )
    return many


def _ends(v: np.ndarray, period: Any, limits: Any, k: int, who: str) -> tuple[float, float]:
    if period is not None:
        high = check_number(period, name="period", who=who, low=0.0)
        say_turns(v, high, who=who, given=f"period={high:.4g}", stacklevel=5)
        return 0.0, high
    low, high = (float(v.min()), float(v.max())) if limits is None else (float(limits[0]), float(limits[1]))
    if not low < high:
        what = "never changes" if limits is None else f"has limits {low:.4g} to {high:.4g}"
        raise InputError(f"{who}: the position {what} in dimension {k}.", code="no-structure")
    return low, high


def _say_far(v: np.ndarray, low: float, high: float, k: int, who: str) -> bool:
    """Warns, and says so, where all but a hundredth of the samples at each end lie within a tenth of the range."""
    out = int(np.ceil(_TAIL * v.size))
    if v.size <= 2 * out:
        return False
    inner = np.partition(v, [out, v.size - 1 - out])
    least, most = float(inner[out]), float(inner[v.size - 1 - out])
    far = most - least < _PART * (high - low)
    if far:
        warn(
            "far-positions",
            f"{who}: 98 % of the positions in dimension {k} lie from {least:.4g} to {most:.4g}, and a few as far as "
            f"{low:.4g} and {high:.4g}, so that nearly all time falls into few of the bins.",
            "Set lost or wrong positions to NaN, or give limits=(low, high) of each dimension.",
            stacklevel=5,
        )
    return far


def _least(v: np.ndarray, turns: Sequence[Any]) -> float:
    """Steps: 5 autocorrelation times of the position, at most a quarter of all."""
    columns = []
    for k, turn in enumerate(turns):
        if turn is None:
            columns.append(v[:, k])
        else:
            angle = 2 * np.pi * v[:, k] / float(turn)
            columns += [np.cos(angle), np.sin(angle)]
    return min(5 * float(autocorrelation_time(np.stack(columns, axis=1)).max()), len(v) / 4)
