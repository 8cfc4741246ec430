"""How far activations lie from those that a network has when nothing is removed."""

from __future__ import annotations

import numpy as np
from scipy import stats

from consilience.linalg import ledoit_wolf

__all__ = ["OffDistribution"]

_MOST_UNITS = 1024  # evenly spaced ones are taken of more


class OffDistribution:
    """Mahalanobis distance of activations from intact ones, over that of intact ones that the fit has not seen.

    d2(x) = (x - m)' S^-1 (x - m), m and S mean and Ledoit-Wolf shrunk covariance of the intact activations of one half
    of the stimuli; each stimulus is scored with the half that it is not in. The score of a lesion is

        sum_i d2(lesioned x_i) / sum_i d2(intact x_i),

    1 as intact, and 1 + k^2 / mean d2 after a shift by k standard deviations. It is about distance only: a lesion that
    makes all activations alike, at their mean, has a score below 1.

    Parameters
    ----------
    intact : (n, units).   first : (n,) bool, the stimuli of the first half.

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import OffDistribution
    >>> x = np.random.default_rng(0).normal(size=(2000, 4))
    >>> off = OffDistribution(x, np.arange(2000) < 1000)
    >>> value, low, high = off.ratio(off.distances(x + [3.0, 0, 0, 0]))
    >>> bool(abs(value - 3.25) < 0.2)  # 1 + 3^2 / 4
    True
    """

    def __init__(self, intact: np.ndarray, first: np.ndarray) -> None:
        x = np.asarray(intact, dtype=np.float64).reshape(len(intact), -1)
        self.units = np.unique(
            np.linspace(0, x.shape[1] - 1, min(x.shape[1], _MOST_UNITS)).round().astype(int)
        )
        self.first = np.asarray(first, dtype=bool)
        x = x[:, self.units]
        self._halves = [_Half(x[self.first]), _Half(x[~self.first])]
        self.intact = self.distances(x, chosen=True)

    def distances(
        self, x: np.ndarray, rows: slice | np.ndarray = slice(None), *, chosen: bool = False
    ) -> np.ndarray:
        """d2 (b,) of activations (b, units) of the stimuli ``rows``."""
        x = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
        x = x if chosen else x[:, self.units]
        first = self.first[rows]
        out = np.empty(len(x))
        for half, mine in zip(self._halves, (~first, first)):
            if mine.any():
                out[mine] = half(x[mine])
        return out

    def ratio(
        self, distances: np.ndarray, rows: slice | np.ndarray = slice(None), *, level: float = 0.95
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Score (...) of lesions from d2 (..., n), with its t interval over stimuli (delta method): the standard error
        is that of the mean of (d2 - score * d2 intact) / mean d2 intact.
        """
        below = self.intact[rows]
        n, middle = below.size, below.mean()
        if not middle > 0:
            nothing = np.full(distances.shape[:-1], np.nan)
            return nothing, nothing, nothing
        value = distances.mean(axis=-1) / middle
        rest = (distances - value[..., None] * below) / middle
        away = stats.t.ppf((1 + level) / 2, n - 1) * rest.std(axis=-1, ddof=1) / np.sqrt(n)
        return value, np.maximum(value - away, 0.0), value + away


class _Half:
    def __init__(self, x: np.ndarray) -> None:
        self.mean = x.mean(axis=0)
        covariance, _ = ledoit_wolf(x - self.mean)
        size, axes = np.linalg.eigh(covariance)
        floor = 1e-9 * float(size.max(initial=0.0)) or 1.0  # units that never vary
        self.axes, self.scale = axes, 1.0 / np.maximum(size, floor)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.square((x - self.mean) @ self.axes) @ self.scale)
