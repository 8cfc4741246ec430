"""Times that were kept as 32-bit floats, which hold about 7 digits."""

from __future__ import annotations

import numpy as np

__all__ = ["coarse_step"]

_FINE = 1e-4  # s
_FEWEST = 20  # times: fewer can be such numbers by chance


def coarse_step(times: np.ndarray) -> float | None:
    """The spacing (s) of 32-bit floats at the largest of ``times`` (n,), if that exceeds 0.1 ms and all of them are
    such floats; None otherwise, and for times on one grid (whole seconds, a clock of 1024 Hz), of which nothing was
    lost: such floats are finer where times are smaller.
    """
    if times.size < _FEWEST:
        return None
    step = float(np.spacing(np.float32(max(abs(float(times.max())), abs(float(times.min()))))))
    if not np.isfinite(step) or step <= _FINE:
        return None
    for part in (times[:: max(1, times.size // 100)], times):  # most are told by a few
        if (part != part.astype(np.float32)).any():
            return None
    finer = times[np.abs(times) < step * 2.0**23]  # below the last power of 2
    for part, grid in ((times, 4 * step), (finer, step)):
        if part.size >= _FEWEST and (part / grid == np.round(part / grid)).all():
            return None
    return step
