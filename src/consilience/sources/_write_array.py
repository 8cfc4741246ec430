"""Responses into one netCDF file, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from consilience._core._errors import InputError
from consilience._core._whole_file import whole_file

__all__ = ["write_array"]


def write_array(data: xr.DataArray, path: str | os.PathLike[str]) -> Path:
    """Writes responses as netCDF-4, with their labels; `cs.read` reads them again.

    Parameters
    ----------
    data : responses.   path : file name; an existing file is replaced, once the new one is complete.

    Raises
    ------
    InputError : no such folder, a path that is no plain file, no space, text that is not valid Unicode.

    Examples
    --------
    >>> import numpy as np, tempfile, consilience as cs
    >>> data = cs.responses(np.eye(4), kind="rate", stimulus=list("abcd"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     back = cs.read(cs.sources.write_array(data, f"{folder}/it.nc"))
    >>> bool((back == data).all()), back.attrs["kind"]
    (True, 'rate')
    """
    who = "write_array"
    if not isinstance(data, xr.DataArray):
        raise InputError(
            f"{who}: data must be responses (an xarray.DataArray), got {type(data).__name__}.",
            code="not-responses",
        )
    with whole_file(path, who=who, example="responses.nc") as temporary:
        data.rename("responses").to_netcdf(temporary, engine="h5netcdf")
    return Path(path)
