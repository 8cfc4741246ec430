"""Responses into one netCDF file, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.sources._files import check_path_text

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
    target = Path(check_path_text(os.fspath(path), who=who))
    if target.is_dir() or target.is_symlink() or (target.exists() and not target.is_file()):
        raise InputError(
            f"{who}: {shorten(str(target))} is a folder, a link or a device; give a file name.",
            code="bad-path",
        )
    try:
        handle, temporary = tempfile.mkstemp(prefix=".writing-", suffix=".nc", dir=target.parent)
    except OSError as error:
        raise InputError(
            f"{who}: cannot write into {target.parent}: {error.strerror}.", code="bad-path"
        ) from None
    os.close(handle)
    try:
        data.rename("responses").to_netcdf(temporary, engine="h5netcdf")
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except UnicodeEncodeError as error:
        raise InputError(
            f"{who}: {shorten(error.object)} is not valid Unicode text, which no file can hold; rename it.",
            code="bad-ids",
        ) from None
    except OSError as error:
        raise InputError(
            f"{who}: cannot write {target}: {error.strerror or error}.", code="bad-path"
        ) from None
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    return target
