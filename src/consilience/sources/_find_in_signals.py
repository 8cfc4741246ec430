"""Doubts about continuous signals: their times, gaps, and channels that say nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from consilience._core._errors import InputError
from consilience._recording._finding import Finding, counted, named
from consilience.sources._parts import Parts, SignalParts

__all__ = ["find_in_signals"]

_BLOCK = 16 << 20  # bytes that are looked at together
_MOST = 2 << 30  # bytes of one signal that are looked at
_JUMP = 1.5  # of the usual step


def find_in_signals(parts: Parts) -> Iterator[Finding]:
    """What speaks against the signals."""
    for name, signal in parts.signals.items():
        yield from _one(name[:80], signal)


def _one(name: str, signal: SignalParts) -> Iterator[Finding]:
    shape = tuple(signal.values.shape)
    if not shape or len(shape) > 2:
        yield Finding(
            "critical", "bad-signal", f"{name}: {len(shape)} dimensions; (samples, channels) are wanted"
        )
        return
    n, width = shape[0], shape[1] if len(shape) == 2 else 1
    if n != signal.time.size:
        yield Finding(
            "critical",
            "bad-signal",
            f"{name}: {counted(n, 'row')} of values and {counted(signal.time.size, 'time')}; cs.read leaves it out",
        )
        return
    if not n or not width:
        yield Finding("hint", "empty-signal", f"{name} is empty")
        return
    if width > n and signal.kind != "bold":  # voxels are more than volumes nearly always
        yield Finding(
            "warning",
            "transposed",
            f"{name}: {counted(n, 'sample')} of {counted(width, 'channel')}; transposed? Rows are samples",
        )
    yield from _times(name, signal.time)
    yield from _values(name, signal, n, width)


def _times(name: str, time: np.ndarray) -> Iterator[Finding]:
    if not np.isfinite(time).all():
        many = int((~np.isfinite(time)).sum())
        yield Finding(
            "critical", "nan-times", f"{name}: {counted(many, 'time')} NaN or infinite; cs.read leaves it out"
        )
        return
    step = np.diff(time)
    if not step.size:
        return
    bad = np.flatnonzero(step <= 0)
    if bad.size:
        first = int(bad[0])
        yield Finding(
            "critical",
            "falling-times",
            f"{name}: times do not increase at {counted(bad.size, 'sample')} (sample {first + 1} is at "
            f"{time[first + 1]:g} s after {time[first]:g} s); cs.read leaves it out",
        )
        return
    usual = float(np.median(step))
    jumps = step > _JUMP * usual
    if jumps.mean() > 0.05:
        yield Finding(
            "hint",
            "uneven-times",
            f"{name}: samples are not evenly spaced (steps of {step.min():.3g} to {step.max():.3g} s)",
        )
    elif jumps.any():
        worst = int(np.argmax(step))
        yield Finding(
            "warning",
            "time-jumps",
            f"{name}: times jump at {counted(int(jumps.sum()), 'place')}, {(step[jumps] - usual).sum():.3g} s in all "
            f"(longest {step[worst]:.3g} s, from {time[worst]:g} s): lost samples, or pieces put together",
        )


def _values(name: str, signal: SignalParts, n: int, width: int) -> Iterator[Finding]:
    rows = max(1, _BLOCK // (8 * width))
    last = min(n, max(rows, _MOST // (8 * width)))
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    missing, infinite = np.zeros(n, dtype=bool), 0
    try:
        for first in range(0, last, rows):
            taken = signal.values[first : min(first + rows, last)]
            block = np.asarray(taken, dtype=np.float64).reshape(-1, width)
            unknown, endless = np.isnan(block), np.isinf(block)
            missing[first : first + len(block)] = unknown.any(axis=1)
            infinite += int(endless.sum())
            out = unknown | endless
            low = np.minimum(low, np.where(out, np.inf, block).min(axis=0))
            high = np.maximum(high, np.where(out, -np.inf, block).max(axis=0))
    except (InputError, TypeError, ValueError) as error:
        yield Finding("critical", "damaged-file", f"{name}: its values cannot be read: {error}")
        return
    if infinite:
        yield Finding("critical", "infinite", f"{name}: {counted(infinite, 'infinite value')}")
    if missing.any():
        edges = np.flatnonzero(np.diff(np.r_[False, missing, False].astype(np.int8)))
        begin, end = edges[::2], edges[1::2] - 1
        longest = float((signal.time[end] - signal.time[begin]).max()) if signal.time.size else 0.0
        usual = float(np.median(np.diff(signal.time))) if n > 1 else 0.0
        yield Finding(
            "warning",
            "nan-gaps",
            f"{name}: {counted(int(missing.sum()), 'sample')} of {last} with NaN ({missing.sum() / last:.1%}), in "
            f"{counted(begin.size, 'gap')}, the longest {longest + usual:.3g} s; bins without a known sample are left "
            "out or masked",
        )
    never = low > high
    if never.any():
        yield Finding(
            "warning",
            "all-nan",
            f"{name}: {counted(int(never.sum()), 'channel')} {named(_channels(signal, never))} never known",
        )
    constant = (high - low <= 1e-12 * np.maximum(np.abs(low), np.abs(high))) & ~never
    if constant.any() and n > 1:
        yield Finding(
            "warning",
            "constant-channels",
            f"{name}: {int(constant.sum())} of {counted(width, 'channel')} constant "
            f"{named(_channels(signal, constant))}",
        )
    if last < n:
        yield Finding("hint", "not-all", f"{name}: the first {last} of {n} samples were looked at")


def _channels(signal: SignalParts, mask: np.ndarray) -> np.ndarray:
    if signal.channels is None or len(signal.channels) != mask.size:
        return np.flatnonzero(mask)
    return np.asarray(signal.channels)[mask]
