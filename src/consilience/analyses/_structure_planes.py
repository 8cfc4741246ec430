"""The fastest planes of the data and of surrogates, to look at side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience.analyses._structure_data import Rows
from consilience.analyses._structure_statistics import STATISTICS
from consilience.models import JPCA

__all__ = ["planes_of"]

_MOST = 24  # rows that are kept


def planes_of(
    made: Rows, firsts: Sequence[np.ndarray], nulls: Sequence[str], options: Mapping[str, Any]
) -> xr.DataArray | None:
    """(source, row, time, axis): the course of rows in the first plane of the data, and of a surrogate in its own."""
    k = options["n_components"] or STATISTICS["rotation"].n_components
    keep = np.linspace(0, len(made.x) - 1, min(_MOST, len(made.x))).round().astype(int)
    out = []
    for x in (made.x, *firsts):
        varies = np.ptp(x.reshape(-1, x.shape[2]), axis=0) > 0
        model = JPCA(k, subtract_mean=options["subtract_mean"], soft_normalise=options["soft_normalise"])
        try:
            out.append(model.fit_transform(x[..., varies])[keep, :, :2])
        except InputError:  # a surrogate of the user's own of lower rank
            out.append(np.full((keep.size, x.shape[1], 2), np.nan))
    names = made.names if made.rows == "conditions" else np.arange(len(made.x))
    return xr.DataArray(
        np.stack(out),
        dims=("source", "row", "time", "axis"),
        coords={"source": ["data", *nulls], "row": names[keep], "time": made.time, "axis": [1, 2]},
    )
