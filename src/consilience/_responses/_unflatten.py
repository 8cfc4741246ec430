"""Maps restored from flattened responses."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import (
    InputError,
)
from consilience._responses._check import check_responses


def unflatten(data: xr.DataArray) -> xr.DataArray:
    """Restores maps from flattened responses: dims (trial, channel, y, x), from the unit coordinates
    channel, y and x.

    Parameters
    ----------
    data : responses (trial, unit) with integer coordinates ``channel``, ``y`` and ``x`` on unit, as
        `cs.record` writes them

    Returns
    -------
    DataArray (trial, channel, y, x); places that no unit has are NaN.

    Raises
    ------
    InputError : the coordinates are missing, or two units have the same place.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> place = {"channel": [0, 0, 0, 0], "y": [0, 0, 1, 1], "x": [0, 1, 0, 1]}
    >>> flat = cs.responses(np.arange(8.0).reshape(2, 4), stimulus=["a", "b"], **place)
    >>> cs.unflatten(flat).shape
    (2, 1, 2, 2)
    """
    who = "cs.unflatten"
    data = check_responses(data, who=who, name="data")
    axes = ("channel", "y", "x")
    lacking = [axis for axis in axes if axis not in data.coords or data[axis].dims != ("unit",)]
    if lacking or data.dims != ("trial", "unit"):
        raise InputError(
            f"{who}: responses (trial, unit) with coordinates channel, y and x on unit are needed; "
            f"{', '.join(lacking) or 'time'} does not fit.",
            code="no-map",
        )
    places = [np.unique(data[axis].values, return_inverse=True) for axis in axes]
    shape = tuple(values.size for values, _ in places)
    flat = np.ravel_multi_index(tuple(index for _, index in places), shape)
    if np.unique(flat).size != flat.size:
        raise InputError(
            f"{who}: two units have the same channel, y and x; is this more than one layer?", code="no-map"
        )
    out = np.full((data.sizes["trial"], int(np.prod(shape))), np.nan, dtype=data.dtype)
    out[:, flat] = data.values
    coords: dict[str, Any] = {axis: values for axis, (values, _) in zip(axes, places)}
    coords.update({str(n): c for n, c in data.coords.items() if c.dims == ("trial",)})
    return xr.DataArray(out.reshape(-1, *shape), dims=("trial", *axes), coords=coords, attrs=dict(data.attrs))
