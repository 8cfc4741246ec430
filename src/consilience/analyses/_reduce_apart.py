"""`reduce` of units that were recorded apart: trials of sessions as one table, and back to a pseudo-population."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._responses._pseudo import PseudoPopulation

__all__ = ["again_apart", "means_table", "names_of_labels", "table_of"]


def names_of_labels(data: PseudoPopulation, labels: Any, who: str) -> list[str]:
    """The labels asked for, or all that the pseudo-population was made by."""
    known = list(data.labels)
    names = known if labels is None else [labels] if isinstance(labels, str) else list(labels)
    for name in names:
        if name not in known:
            raise UnknownNameError(
                f"{who}: labels must be some of those that the pseudo-population was made by ({', '.join(known)}), got "
                f"{shorten(name, 40)}.{nearest(name, known)}",
                code="bad-label",
            )
    if not names:
        raise InputError(
            f"{who}: labels is empty; leave it out to take {', '.join(known)}.", code="bad-label"
        )
    return names


def table_of(data: PseudoPopulation) -> tuple[xr.DataArray, np.ndarray]:
    """All trials, (trial, time, unit) or (trial, unit), NaN where a unit belongs to another session; and the number of
    the session of each trial.
    """
    session = np.repeat(np.arange(len(data.values)), [len(v) for v in data.values])
    times = data.values[0].shape[1]
    x = np.full((session.size, times, data.units.size), np.nan)
    start = 0
    for number, values in enumerate(data.values):
        stop = start + values.shape[2]
        x[session == number, :, start:stop] = values
        start = stop
    condition = np.concatenate(data.condition)
    coords: dict[str, Any] = {
        "stimulus": ("trial", np.arange(session.size)),
        "session": ("trial", np.array(data.sessions)[session]),
        "unit": data.units,
        **{name: ("trial", np.asarray(values)[condition]) for name, values in data.labels.items()},
    }
    attrs = {"kind": data.kind, "system": data.system}
    if data.times is None:
        return xr.DataArray(x[:, 0], dims=("trial", "unit"), coords=coords, attrs=attrs), session
    coords["time"] = data.times
    return xr.DataArray(x, dims=("trial", "time", "unit"), coords=coords, attrs=attrs), session


def again_apart(
    x: np.ndarray, session: np.ndarray, condition: np.ndarray, levels: dict[str, np.ndarray]
) -> PseudoPopulation:
    """The pseudo-population of trials of `table_of`, x (trial, time, unit) or (trial, unit), of their conditions."""
    x = x if x.ndim == 3 else x[:, None]
    names = np.unique(session)
    values, conditions = [], []
    for name in names:
        own = session == name
        units = np.flatnonzero(~np.isnan(x[own]).all(axis=(0, 1)))
        values.append(x[own][:, :, units])
        conditions.append(condition[own])
    return PseudoPopulation(
        sessions=tuple(str(name) for name in names),
        values=tuple(values),
        condition=tuple(conditions),
        labels=levels,
        times=np.arange(x.shape[1]) if x.shape[1] > 1 else None,
        units=np.arange(x.shape[2]),
        system="",
        kind="rate",
    )


def means_table(data: xr.DataArray, means: np.ndarray, levels: Mapping[str, Any]) -> xr.DataArray:
    """Means of conditions (condition, ..., unit) as responses, a trial for each."""
    columns = [np.asarray(values) for values in levels.values()]
    ids = [", ".join(map(str, row)) for row in zip(*[column.tolist() for column in columns])]
    coords: dict[str, Any] = {"stimulus": ("trial", np.array(ids)), "unit": data["unit"].values}
    coords |= {name: ("trial", column) for name, column in zip(levels, columns)}
    if "time" in data.coords:
        coords["time"] = data["time"].values
    return xr.DataArray(means, dims=data.dims, coords=coords, attrs=dict(data.attrs))
