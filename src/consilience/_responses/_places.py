"""Where in a labelled array something is, in words."""

from __future__ import annotations

import numpy as np
import xarray as xr

from consilience._core._params import shorten


def places(bad: np.ndarray, data: xr.DataArray) -> tuple[int, str]:
    first = np.argwhere(bad)[0]
    return int(bad.sum()), "(" + ", ".join(
        f"{dim} {_name_at(data, str(dim), int(i))}" for dim, i in zip(data.dims, first)
    ) + ")"


def place_of(data: xr.DataArray, where: tuple[int, ...]) -> str:
    """One entry of ``data`` in words."""
    named = (f"{dim} {_name_at(data, str(dim), i)}" for dim, i in zip(data.dims, where))
    return "(" + ", ".join(named) + ")"


def _name_at(data: xr.DataArray, dim: str, index: int) -> str:
    key = "stimulus" if dim == "trial" and "stimulus" in data.coords else dim
    if key in data.coords and data[key].dims == (dim,):
        return (
            f"{index} = {shorten(data[key].values[index].item(), 40)}"
            if dim != "time"
            else f"{data[key].values[index]:g} s"
        )
    return str(index)
