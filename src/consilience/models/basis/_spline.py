"""B-splines on a line or a circle."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import BSpline as ScipySpline

from consilience._core._params import check_count
from consilience.models.basis._base import OneInput

__all__ = ["BSpline"]


class BSpline(OneInput):
    """B-splines of a degree on evenly spaced knots: piecewise polynomials whose sum is 1 everywhere.

    On a line the knots at the ends are repeated, so that the first function is 1 at low and the last is 1 at high. On a
    circle all functions are shifts of one, and value and derivatives meet at the seam.

    Parameters
    ----------
    n : number of functions, at least degree + 1 (cyclic: degree + 2).   low, high : the range.   degree : 3 = cubic.
    cyclic : a circle of length high - low.

    References
    ----------
    de Boor (1978).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> basis = cs.models.basis.BSpline(6, 0, 10)
    >>> basis(np.linspace(0, 10, 5)).sum(axis=1)
    array([1., 1., 1., 1., 1.])
    """

    def __init__(
        self, n: int, low: float = 0.0, high: float = 1.0, *, degree: int = 3, cyclic: bool = False
    ) -> None:
        self.degree = check_count(degree, name="degree", who="BSpline", maximum=10)
        super().__init__(n, low, high, cyclic=cyclic, least=self.degree + (2 if cyclic else 1))

    def _values(self, x: np.ndarray) -> np.ndarray:
        n, d, span = self.n_features, self.degree, self.high - self.low
        if self.cyclic:
            step = span / n
            knots = self.low + step * np.arange(-d, n + d + 1)
            wide = ScipySpline.design_matrix(np.clip(x, self.low, self.high), knots, d).toarray()
            out = wide[:, :n].copy()
            out[:, :d] += wide[:, n:]
            return out
        inner = np.linspace(self.low, self.high, n - d + 1)
        knots = np.concatenate([np.full(d, self.low), inner, np.full(d, self.high)])
        return ScipySpline.design_matrix(x, knots, d).toarray()
