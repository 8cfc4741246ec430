"""Angles of a signal: which unit is one, whether they jump from one end of the circle to the other, their range."""

from __future__ import annotations

import numpy as np

from consilience._recording._signal import Signal

__all__ = ["full_turn", "looks_like_a_turn", "on_range", "range_of", "wraps"]

_TURNS = {"rad": 2 * np.pi, "radian": 2 * np.pi, "radians": 2 * np.pi}
_TURNS |= dict.fromkeys(("deg", "degree", "degrees", "°"), 360.0)
_SLACK = 0.05  # turns by which the values of one turn may go beyond it: noise of a tracker


def full_turn(unit: str) -> float | None:
    """The full circle in a unit of angles, None for any other unit."""
    return _TURNS.get(unit.strip().lower())


def wraps(signal: Signal) -> bool:
    """Whether it is in a unit of angles and jumps by more than half a turn from one sample to the next: not the place
    of an eye in degrees, nor a rotation that is counted on over turns."""
    turn = full_turn(signal.unit)
    return turn is not None and bool((signal.reach[2] > turn / 2).any())


def looks_like_a_turn(signal: Signal) -> float | None:
    """The turn (2 pi or 360) that a signal without a unit seems to be in: a channel fills it from one end to the
    other, from 0 or from minus a half, and jumps between its ends. None for others."""
    if signal.unit:
        return None
    low, high, jump = signal.reach
    for turn in (2 * np.pi, 360.0):
        begins = np.minimum(np.abs(low), np.abs(low + turn / 2)) <= _SLACK * turn
        fills = np.abs(high - low - turn) <= _SLACK * turn
        if (begins & fills & (jump > 0.8 * turn)).any():
            return turn
    return None


def range_of(signal: Signal, turn: float) -> np.ndarray:
    """(channels,) low end of the turn in which the values of a channel lie (0, -half or other); NaN: more than one."""
    low, high, _ = signal.reach
    slack = _SLACK * turn
    out = np.where(high - low <= turn + slack, (low + high - turn) / 2, np.nan)
    out = np.where((low >= -slack) & (high <= turn + slack), 0.0, out)
    return np.where((low >= -turn / 2 - slack) & (high <= turn / 2 + slack), -turn / 2, out)


def on_range(angle: np.ndarray, mean: np.ndarray, base: np.ndarray, turn: float) -> np.ndarray:
    """Angles (n, channels) between -turn / 2 and turn / 2, by whole turns in [base, base + turn); where that is not
    known, as near to the plain ``mean`` as can be."""
    up = np.ceil((base - angle) / turn - 1e-12)
    inside = np.where(base == -turn / 2, angle, np.maximum(angle + turn * up, base))
    return np.where(np.isfinite(base), inside, angle + turn * np.round((mean - angle) / turn))
