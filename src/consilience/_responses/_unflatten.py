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
    """Restores maps (trial, channel, y, x) from flattened responses, from the unit coordinates channel, y and x; and
    courses (trial, time, unit) from those with token and feature, such as the steps of a recurrent layer.

    Parameters
    ----------
    data : responses (trial, unit) with integer coordinates ``channel``, ``y`` and ``x`` on unit, or ``token`` and
        ``feature``, as `cs.record` writes them

    Returns
    -------
    DataArray (trial, channel, y, x); places that no unit has are NaN. Or responses (trial, time, unit): time is the
    number of the token (``attrs["time_units"]`` = "step"), unit the feature. Tokens of a picture have no order in time.

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
    >>> steps = {"token": [0, 0, 1, 1], "feature": [0, 1, 0, 1]}
    >>> cs.unflatten(cs.responses(np.arange(8.0).reshape(2, 4), stimulus=["a", "b"], **steps)).dims
    ('trial', 'time', 'unit')
    """
    who = "cs.unflatten"
    data = check_responses(data, who=who, name="data")
    axes: tuple[str, ...] = ("channel", "y", "x")
    steps = all(axis in data.coords and data[axis].dims == ("unit",) for axis in ("token", "feature"))
    if steps:
        axes = ("token", "feature")
    lacking = [axis for axis in axes if axis not in data.coords or data[axis].dims != ("unit",)]
    if lacking or data.dims != ("trial", "unit"):
        raise InputError(
            f"{who}: responses (trial, unit) with coordinates channel, y and x (or token and feature) on unit are "
            "needed; "
            f"{', '.join(lacking) or 'time'} does not fit.",
            code="no-map",
        )
    places = [np.unique(data[axis].values, return_inverse=True) for axis in axes]
    shape = tuple(values.size for values, _ in places)
    flat = np.ravel_multi_index(tuple(index for _, index in places), shape)
    if np.unique(flat).size != flat.size:
        raise InputError(
            f"{who}: two units have the same {', '.join(axes[:-1])} and {axes[-1]}; is this more than one layer?",
            code="no-map",
        )
    if steps:
        return _courses(data, flat, [values for values, _ in places])
    out = np.full((data.sizes["trial"], int(np.prod(shape))), np.nan, dtype=data.dtype)
    out[:, flat] = data.values
    coords: dict[str, Any] = {axis: values for axis, (values, _) in zip(axes, places)}
    coords.update({str(n): c for n, c in data.coords.items() if c.dims == ("trial",)})
    return xr.DataArray(out.reshape(-1, *shape), dims=("trial", *axes), coords=coords, attrs=dict(data.attrs))


def _courses(data: xr.DataArray, flat: np.ndarray, places: list[np.ndarray]) -> xr.DataArray:
    token, feature = places
    shape = (token.size, feature.size)
    if flat.size != token.size * feature.size:
        raise InputError(
            f"cs.unflatten: {flat.size} units are not every one of {feature.size} features at every one of "
            f"{token.size} tokens; leave whole tokens or whole features out.",
            code="no-map",
        )
    order = np.argsort(flat)
    coords: dict[str, Any] = {
        "time": token.astype(np.float64),
        "unit": feature,
        **{str(n): c for n, c in data.coords.items() if c.dims == ("trial",)},
    }
    for name, own in data.coords.items():
        if own.dims == ("unit",) and name not in ("unit", "token"):  # what is the same at every step stays
            values = own.values[order].reshape(shape)
            if (values == values[:1]).all():
                coords[str(name)] = ("unit", values[0])
    return xr.DataArray(
        data.values[:, order].reshape(-1, *shape),
        dims=("trial", "time", "unit"),
        coords=coords,
        name=data.name,
        attrs={**data.attrs, "time_units": "step"},
    )
