"""Bins: every value in one of n equal intervals, or every lag with a number of its own."""

from __future__ import annotations

import numpy as np

from consilience.models.basis._base import OneInput

__all__ = ["OneHot"]


class OneHot(OneInput):
    """phi_j(x) = 1 where x is in the j-th of n equal bins of low ... high, else 0 (the last bin holds high).

    A GLM on it is a histogram of rates; ``OneHot(L).kernel(L)`` is the identity, a free number for every lag.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> cs.models.basis.OneHot(2)(np.array([0.1, 0.5, 1.0]))
    array([[1., 0.],
           [0., 1.],
           [0., 1.]])
    """

    def __init__(self, n: int, low: float = 0.0, high: float = 1.0, *, cyclic: bool = False) -> None:
        super().__init__(n, low, high, cyclic=cyclic, least=1)

    def _values(self, x: np.ndarray) -> np.ndarray:
        n = self.n_features
        at = np.minimum((n * (x - self.low) / (self.high - self.low)).astype(np.int64), n - 1)
        return np.eye(n)[at]
