"""What an adapter hands over before the schema is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from consilience._core._errors import Caution

__all__ = ["Raw"]


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Numbers and labels of one file, unchecked.

    values : array of any dimension.   format : npy, npz, netcdf or csv.   dims : names of its axes, where
        the file tells.
    labels : further coordinates (name -> (dim, entries)).   attrs : kind, system, distance... where the
        file tells.
    cautions : doubts about how the file was read.   masked : bins or single values are marked as missing, and NaN.
    """

    values: np.ndarray
    format: str
    dims: tuple[str, ...] | None = None
    stimulus: np.ndarray | None = None
    unit: np.ndarray | None = None
    time: np.ndarray | None = None
    labels: Mapping[str, tuple[str, np.ndarray]] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    cautions: tuple[Caution, ...] = ()
    masked: bool = False

    @property
    def series(self) -> tuple[str, ...] | None:
        """Dims that times in the file tell where it names none: (trial, time, unit), or of numbers without stimulus
        ids (time, unit)."""
        if self.dims is not None or self.time is None or np.ndim(self.time) != 1:
            return None
        shape, count = self.values.shape, len(self.time)
        if len(shape) == 3 and shape[1] == count:
            return ("trial", "time", "unit")
        return ("time", "unit") if len(shape) == 2 and shape[0] == count and self.stimulus is None else None
