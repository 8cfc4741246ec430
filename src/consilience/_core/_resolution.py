"""Times that were kept as 32-bit floats, which hold about 7 digits."""

from __future__ import annotations

import numpy as np

__all__ = ["coarse_step"]

_FINE = 1e-4  # s
_FEWEST = 20  # times: fewer can be such numbers by chance


def coarse_step(times: np.ndarray) -> float | None:
    """The spacing (s) of 32-bit floats at the largest of ``times`` (n,), if that exceeds 0.1 ms and all of them are
    such floats; None otherwise, and for times on a coarser grid (whole seconds), of which nothing was lost.
    """
    if times.size < _FEWEST:
        return None
    step = float(np.spacing(np.float32(max(abs(float(times.max())), abs(float(times.min()))))))
    if not np.isfinite(step) or step <= _FINE:
        return None
    for part in (times[:: max(1, times.size // 100)], times):  # most are told by a few
        if (part != part.astype(np.float32)).any():
            return None
    on_grid = times / (4 * step)
    return None if (on_grid == np.round(on_grid)).all() else step
