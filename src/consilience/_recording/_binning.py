"""Spikes into bins and samples into bins, for many windows at once: plain arrays."""

from __future__ import annotations

import numpy as np

from consilience._recording._angles import full_turn, on_range, range_of
from consilience._recording._signal import Signal
from consilience._recording._spikes import SpikeTrains

__all__ = ["count_in_bins", "count_in_windows", "on_edge", "reduce_in_windows"]

_ON_EDGE = 1e-9  # s below an edge count as on it: event + offset is rounded, and times lie on a clock's grid
_JUMP = 3.0  # median steps between samples: no line is drawn over more
_COVERED = 0.5  # share of the samples expected in a bin below which the bin is unknown
_WHOLE = 0.9  # that share for a sum, which grows with the samples


def on_edge(*times: np.ndarray) -> float:
    """Seconds below an edge that count as on it: a nanosecond, or what the clock's numbers can tell (Unix time)."""
    most = max((float(np.abs(t[np.isfinite(t)]).max()) for t in times if np.isfinite(t).any()), default=0.0)
    return max(_ON_EDGE, 4 * float(np.spacing(most)))


def count_in_windows(spikes: SpikeTrains, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Spikes in each window [start, stop), (k windows, units) float32. Windows may overlap and come in any order."""
    out = np.zeros((start.size, len(spikes)), dtype=np.float32)
    edges = np.concatenate([start, stop]) - on_edge(start, stop)
    for u, times in enumerate(spikes):
        if times.size:
            found = np.searchsorted(times, edges)
            out[:, u] = np.maximum(found[start.size :] - found[: start.size], 0)
    return out


def count_in_bins(
    spikes: SpikeTrains,
    start: np.ndarray,
    bins: np.ndarray,
    width: float,
    first_row: np.ndarray,
    out: np.ndarray,
) -> np.ndarray:
    """Spikes in the bins [start + b width, start + (b + 1) width) of each of k windows, b below its number of ``bins``.

    Adds them to ``out`` (rows, units) float32 of zeros, in the row ``first_row + b``. For each unit one search over its
    spikes finds those of every window, and one scatter counts them: the work is by spikes, not by bins.
    """
    k, units = start.size, out.shape[1]
    flat = out.reshape(-1)
    slack = on_edge(start)
    edges = np.concatenate([start, start + bins * width]) - slack
    for u, times in enumerate(spikes):
        if not times.size:
            continue
        found = np.searchsorted(times, edges)
        first, many = found[:k], np.maximum(found[k:] - found[:k], 0)
        total = int(many.sum())
        if not total:
            continue
        window = np.repeat(np.arange(k), many)
        # numbers 0, 1, ... within each window, after its first spike
        index = np.arange(total) + np.repeat(first - (np.cumsum(many) - many), many)
        inside = ((times[index] - start[window] + slack) / width).astype(np.int64)
        inside = np.clip(inside, 0, bins[window] - 1)  # rounding at the last edge
        np.add.at(flat, (first_row[window] + inside) * units + u, np.float32(1))
    return out


def reduce_in_windows(
    signal: Signal, start: np.ndarray, bins: np.ndarray, width: np.ndarray, rule: str, out: np.ndarray
) -> np.ndarray:
    """Samples of a signal in bins, by ``rule``: mean, circular_mean, min, max, sum, std or interpolate (at centres).

    ``width`` (k,) s of a bin of each window. ``out`` (k, most bins, channels) is filled. Unknown (NaN) stays a bin of
    which less than half of the samples that the signal's rate lets expect are known; for a sum, one with a NaN or with
    less than 0.9 of them; interpolated, a centre beside an unknown sample, or in a gap of more than 3 median steps.
    """
    slack, rate = on_edge(start, signal.time[[0, -1]] if len(signal) else start), signal.rate
    turn = full_turn(signal.unit) or 2 * np.pi
    base = range_of(signal, turn) if rule == "circular_mean" else np.empty(0)
    for i in range(start.size):
        count = int(bins[i])
        edges = start[i] + width[i] * np.arange(count + 1) - slack
        first, last = np.searchsorted(signal.time, edges[[0, -1]])
        if rule == "interpolate":
            first, last = max(0, first - 1), min(signal.time.size, last + 1)
        if last <= first:
            continue
        values, times = signal.rows(int(first), int(last)).astype(np.float64), signal.time[first:last]
        if rule == "interpolate":
            centres = (edges[:-1] + edges[1:]) / 2 + slack
            for c in range(values.shape[1]):
                known = np.isfinite(values[:, c])
                inside = (centres >= times[0]) & (centres <= times[-1])
                if known.any():
                    out[i, np.flatnonzero(inside), c] = np.interp(
                        centres[inside], times[known], values[known, c]
                    )
            gaps = np.searchsorted(times, centres)  # between two samples of which one is unknown: unknown
            left, right = np.clip(gaps - 1, 0, None), np.clip(gaps, None, times.size - 1)
            left = np.where(
                np.abs(times[right] - centres) <= slack, right, left
            )  # on a sample: that alone counts
            right = np.where(np.abs(times[left] - centres) <= slack, left, right)
            near = (
                times[right] - times[left] <= _JUMP / rate + slack if times.size > 1 else np.isfinite(centres)
            )
            known = np.isfinite(values[left]) & np.isfinite(values[right]) & near[:, None]
            out[i, :count][~known] = np.nan
            continue
        bin_of = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, count - 1)
        out[i, :count] = _reduced(values, bin_of, count, rule, width[i] * rate, turn, base)
    return out


def _reduced(
    values: np.ndarray,
    bin_of: np.ndarray,
    count: int,
    rule: str,
    expected: float,
    turn: float,
    base: np.ndarray,
) -> np.ndarray:
    """(count, channels) of samples (n, channels) in bins (n,) of so many ``expected``; NaN samples are left out. Of
    angles ``base`` (channels,) is the low end of their range."""
    known = np.isfinite(values)
    many = _sums(known.astype(np.float64), bin_of, count)
    some = many > 0
    per = np.where(some, many, 1.0)
    if rule in ("min", "max"):
        sign = 1.0 if rule == "max" else -1.0
        best = np.full((count, values.shape[1]), -np.inf)
        np.maximum.at(best, bin_of, np.where(known, sign * values, -np.inf))
        found = sign * best
    elif rule == "circular_mean":
        angle = np.where(known, values, 0.0) * (2 * np.pi / turn)
        parts = (_sums(np.where(known, f(angle), 0.0), bin_of, count) for f in (np.sin, np.cos))
        plain = _sums(np.where(known, values, 0.0), bin_of, count) / per
        found = on_range(np.arctan2(*parts) * (turn / (2 * np.pi)), plain, base, turn)
    else:
        total = _sums(np.where(known, values, 0.0), bin_of, count)
        found = total if rule == "sum" else total / per
        if rule == "std":
            away = np.where(known, values - found[bin_of], 0.0)
            found = np.sqrt(_sums(away * away, bin_of, count) / per)
    if np.isfinite(expected):  # not for a single sample, which has no rate
        some &= many >= (np.floor(_WHOLE * expected) if rule == "sum" else _COVERED * np.floor(expected))
    if rule == "sum":
        some &= many == np.bincount(bin_of, minlength=count)[:, None]
    return np.where(some, found, np.nan)


def _sums(values: np.ndarray, bin_of: np.ndarray, count: int) -> np.ndarray:
    columns = [np.bincount(bin_of, weights=column, minlength=count) for column in values.T]
    return np.stack(columns, axis=1)
