"""Principal components of a stimulus over its lags and pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience.models._field_base import Data

__all__ = ["Principal", "principal"]


@dataclass(frozen=True)
class Principal:
    """values : (k,) variances, the largest first.   vectors : (width, k).   about : (width,) means of the rows of D.
    Of the series as it has it, over its size.
    """

    data: Data
    values: np.ndarray
    vectors: np.ndarray
    about: np.ndarray

    def whitened(self) -> tuple[np.ndarray, np.ndarray]:
        """(frames, k) float32 of mean 0 and covariance I, and the (width, k) filters of the stimulus that make it."""
        basis = self.vectors / np.sqrt(self.values)
        z = self.data.series.project(basis)[self.data.rows]
        z -= z.mean(axis=0)
        return z.astype(np.float32), basis / self.data.series.size


def principal(data: Data, n_components: int | None, cut: float, *, who: str) -> Principal:
    """Components of more than ``cut`` times the largest variance, ``n_components`` at most."""
    series, n = data.series, data.n
    cut = check_number(cut, name="cut", who=who, low=0.0, high=1.0, closed=True)
    most = series.width
    if n_components is not None:
        most = check_count(n_components, name="n_components", who=who, minimum=2)
    about = series.totals(data.rows) / n
    values, vectors = np.linalg.eigh(series.gram() / n - np.outer(about, about))
    values, vectors = values[::-1], vectors[:, ::-1]
    floor = max(cut, 1e-12 if series.x.dtype == np.float64 else 1e-6)
    k = min(int((values > floor * max(values[0], 0.0)).sum()), most, n // 2)
    if k < 2:
        raise InputError(
            f"{who}.fit: the stimulus has {k} component{'s' * (k != 1)} that vary; at least 2 are needed.",
            code="no-structure",
        )
    return Principal(data, values[:k], vectors[:, :k], about)
