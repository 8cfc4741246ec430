"""Raised cosine bumps, evenly spaced on a line, on a circle, or on a logarithmic axis."""

from __future__ import annotations

import numpy as np

from consilience._core._params import check_number
from consilience.models.basis._base import OneInput

__all__ = ["RaisedCosine", "RaisedCosineLog"]


def _bumps(x: np.ndarray, centres: np.ndarray, width: float, circle: float | None = None) -> np.ndarray:
    away = x[:, None] - centres
    if circle is not None:
        away = away - circle * np.round(away / circle)
    return 0.5 * (1 + np.cos(np.clip(away * np.pi / width, -np.pi, np.pi)))


class RaisedCosine(OneInput):
    """Bumps phi_j(x) = (1 + cos(pi (x - c_j) / w)) / 2 for |x - c_j| < w, else 0.

    Centres are evenly spaced, d apart, from low to high, and w = 2 d: away from the ends their sum is 2. On a circle w
    = 1.5 d and the sum is 1.5 (with 2 d every second bump would sum to 1, and one of them be redundant).

    Parameters
    ----------
    n : number of bumps, at least 2 (cyclic: 4).   low, high : the range, in units of x.   cyclic : a circle, such as
        heading from 0 to 2 pi.

    References
    ----------
    Pillow et al. (2008).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> cs.models.basis.RaisedCosine(3)(np.array([0.0, 0.25, 1.0])).round(3)
    array([[1.   , 0.5  , 0.   ],
           [0.854, 0.854, 0.146],
           [0.   , 0.5  , 1.   ]])
    """

    def __init__(self, n: int, low: float = 0.0, high: float = 1.0, *, cyclic: bool = False) -> None:
        super().__init__(n, low, high, cyclic=cyclic, least=4 if cyclic else 2)

    def _values(self, x: np.ndarray) -> np.ndarray:
        span, n = self.high - self.low, self.n_features
        if self.cyclic:
            return _bumps(x, self.low + np.arange(n) * span / n, 1.5 * span / n, span)
        return _bumps(x, np.linspace(self.low, self.high, n), 2 * span / (n - 1))


class RaisedCosineLog(OneInput):
    """Raised cosine bumps of log(x - low + offset): narrow near low, wide far from it, as filters of the past are.

    Parameters
    ----------
    n : number of bumps, at least 2.   low, high : the range.   offset : above 0, in units of x; the larger, the more
        evenly spaced. None = a twentieth of the range.

    References
    ----------
    Pillow et al. (2008).

    Examples
    --------
    >>> import consilience as cs
    >>> cs.models.basis.RaisedCosineLog(5).kernel(40).argmax(axis=0)
    array([ 0,  2,  7, 17, 39])
    """

    def __init__(self, n: int, low: float = 0.0, high: float = 1.0, *, offset: float | None = None) -> None:
        super().__init__(n, low, high, cyclic=False, least=2)
        given = (self.high - self.low) / 20 if offset is None else offset
        self.offset = check_number(given, name="offset", who="RaisedCosineLog", low=0.0)

    def _values(self, x: np.ndarray) -> np.ndarray:
        first, last = np.log(self.offset), np.log(self.high - self.low + self.offset)
        n = self.n_features
        width = 2 * (last - first) / (n - 1)
        return _bumps(np.log(x - self.low + self.offset), np.linspace(first, last, n), width)
