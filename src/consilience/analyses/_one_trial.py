"""One long trial is a series: what would be drawn from trials is drawn from its stretches of time."""

from __future__ import annotations

from typing import Any

import xarray as xr

from consilience._core._errors import warn

__all__ = ["one_trial_as_series"]

_FEWEST = 20  # samples of a series that is split in stretches


def one_trial_as_series(data: Any, *, who: str) -> Any:
    """Responses (1, time, unit) of 20 times or more as (time, unit), which is said; anything else as it is."""
    if (
        not isinstance(data, xr.DataArray)
        or data.dims != ("trial", "time", "unit")
        or data.sizes["trial"] != 1
        or data.sizes["time"] < _FEWEST
    ):
        return data
    if "valid" in data.coords and data["valid"].dims == ("trial", "time"):
        data = data.assign_coords(valid=data["valid"].broadcast_like(data))
    elif "valid" in data.coords and data["valid"].dims == ("trial",):
        return data
    warn(
        "one-trial",
        f"{who}: the data are one trial of {data.sizes['time']} times, which is taken as a series (time, unit): "
        "stretches of time stand for trials.",
        "Cut it into trials with rec.epoch(...) where it holds several; else say so, data.isel(trial=0, drop=True).",
    )
    labels = [name for name, coord in data.coords.items() if coord.dims == ("trial",)]
    return data.drop_vars(labels).isel(trial=0, drop=True)
