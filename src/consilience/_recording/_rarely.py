"""Units that hardly ever fire twice within half a second: a sign of milliseconds or samples, or only few spikes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["LONG", "SLOW", "other_clocks", "rarely_twice"]

LONG = 30.0  # s of trials, that seconds hardly are
SLOW = 0.05  # spikes/s
_REST = 0.5  # s; where no unit ever fires twice within that, times are hardly seconds
_HARDLY = 0.01  # share of intervals below _REST, of units that fire so rarely as SLOW
_ENOUGH = (
    10.0  # intervals below _REST that Poisson trains of these rates have; with fewer nothing can be said
)
_REFRACTORY, _SOME = 1.0, 4.0  # as of 1 ms: the same, where trials are long too
_SHARE = 0.05  # of the spikes' span, that trials or signals on the same clock cover
_TRIALS = 5
_RATE = 5.0  # Hz of a signal; one of 1000 Hz in milliseconds has 1


def other_clocks(
    low: float,
    high: float,
    tables: Sequence[tuple[np.ndarray, np.ndarray]],
    signals: Sequence[np.ndarray],
) -> bool | None:
    """True: (start, stop) of trials or times of signals that go with the spikes (``low`` to ``high``) are likely
    seconds; False: all intervals are far too long for trials; None: neither."""
    least, long = _SHARE * (high - low), []
    for start, stop in tables:
        known = stop > start  # no NaN
        if not known.any():
            continue
        start, lasted = start[known], float(np.median(stop[known] - start[known]))
        long.append(lasted >= LONG)
        inside = start[(start >= low) & (start <= high)]
        if lasted < LONG and inside.size >= max(_TRIALS, start.size / 2) and np.ptp(inside) >= least:
            return True
    for time in signals:
        inside = time[(time >= low) & (time <= high)]
        if inside.size > 1 and np.ptp(inside) >= least and (inside.size - 1) / np.ptp(inside) >= _RATE:
            return True
    return False if long and all(long) else None


def rarely_twice(
    step: np.ndarray, counts: np.ndarray, length: float, clocks: bool | None, doubted: bool
) -> str | None:
    """The sign in words. ``step`` (s): intervals within units, ``length`` of the recording, ``clocks``: see
    `other_clocks`, ``doubted``: there are other signs."""
    if step.size < 200 or clocks or not length > 0:
        return None
    many = counts[counts > 1].astype(np.float64)

    def expected(within: float) -> float:
        return float(((many - 1) * -np.expm1(-within * many / length)).sum())

    close, usual = int((step < _REST).sum()), expected(_REST)
    fewer = usual >= _ENOUGH and close < min(usual / 2, usual - 3 * usual**0.5)
    if close == 0:
        resting = clocks is False and step.min() >= _REFRACTORY and expected(_REFRACTORY) >= _SOME
        return f"no unit ever fires twice within {_REST:g} s" if fewer or resting or doubted else None
    share = close / step.size
    if not doubted and fewer and share < _HARDLY and float(np.median(counts[counts > 0])) < SLOW * length:
        return f"units hardly ever fire twice within {_REST:g} s ({100 * share:.2g} % of intervals)"
    return None
