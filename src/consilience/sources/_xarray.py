"""Adapter: DataArray and Dataset of xarray that follow the schema, or name their axes presentation and neuroid."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import check_number, shorten
from consilience._responses import check_rdm_data, check_responses, is_rdm_data, responses

__all__ = ["from_data_array", "from_dataset"]

_AXES = {"presentation": "trial", "neuroid": "unit", "channel": "unit", "neuron": "unit"}
_SECONDS = 10.0  # times of bins up to which they are taken to be in seconds, where nothing says so
_IDS = ("stimulus", "stimulus_id", "image_id", "object_id")


def from_dataset(
    thing: Any,
    *,
    who: str,
    variable: str | None = None,
    stimulus: str | None = None,
    kind: str | None = None,
    clock: float | None = None,
) -> xr.DataArray:
    """The one variable of a Dataset, or the one that is named."""
    names = [str(name) for name in thing.data_vars]
    chosen = variable if variable is not None else names[0] if len(names) == 1 else None
    if chosen is None or chosen not in names:
        what = f"no variable {shorten(variable, 40)}" if variable is not None else f"{len(names)} variables"
        raise UnknownNameError(
            f"{who}: the Dataset has {what}; give variable=.{nearest(variable or '', names)}",
            code="which-member",
        )
    return from_data_array(thing[chosen], who=who, stimulus=stimulus, kind=kind, clock=clock)


def from_data_array(
    thing: Any,
    *,
    who: str,
    stimulus: str | None = None,
    kind: str | None = None,
    clock: float | None = None,
) -> xr.DataArray:
    """Responses (or RDM data) of a DataArray: axes renamed and put in order, a MultiIndex made plain labels."""
    if is_rdm_data(thing):
        return check_rdm_data(thing, who=who)
    stacked = [
        str(name)
        for name, index in thing.xindexes.items()
        if type(index).__name__ == "PandasMultiIndex" and name in thing.dims
    ]
    plain = thing.reset_index(stacked) if stacked else thing
    names = {old: new for old, new in _AXES.items() if old in plain.dims and new not in plain.dims}
    plain = plain.rename(names)
    if "time_bin" in plain.dims and plain.sizes["time_bin"] == 1:
        plain = plain.isel(time_bin=0, drop=True)
    if "time_bin" in plain.dims and "time" not in plain.dims:
        plain = _timed(plain, clock, who)
    order = next(
        (
            d
            for d in (("trial", "time", "unit"), ("trial", "unit"), ("time", "unit"))
            if set(d) == set(plain.dims)
        ),
        None,
    )
    if order is None:
        raise InputError(
            f"{who}: the DataArray has dims {tuple(map(str, thing.dims))}; rename them to trial, time and unit.",
            code="bad-dims",
        )
    plain = plain.transpose(*order)
    if order[0] == "time" or ("stimulus" in plain.coords and stimulus is None):
        return check_responses(
            plain if kind is None else plain.assign_attrs(kind=kind), who=who, name="the DataArray"
        )
    return _with_ids(plain, order, stimulus, kind, who)


def _timed(plain: xr.DataArray, clock: float | None, who: str) -> xr.DataArray:
    """``time_bin`` as ``time``: the centres of bins, in seconds by ``clock`` ticks per second."""
    here = {str(name): coord for name, coord in plain.coords.items() if coord.dims == ("time_bin",)}
    ends = [here[name] for name in ("time_bin_start", "time_bin_end") if name in here]
    of = ends if len(ends) == 2 else [here["time_bin"]] if "time_bin" in here else []
    if not of or any(coord.dtype.kind not in "iuf" for coord in of):
        raise InputError(
            f"{who}: the axis time_bin has no times (time_bin, or time_bin_start and time_bin_end, as numbers); give "
            "it a coordinate.",
            code="bad-time",
        )
    ticks = np.mean([coord.values.astype(np.float64) for coord in of], axis=0)
    said = {"ms": 1000.0, "milliseconds": 1000.0, "s": 1.0, "seconds": 1.0}
    if clock is None:
        clock = said.get(str(of[0].attrs.get("units", of[0].attrs.get("unit", ""))).lower())
    if clock is None:
        if not float(np.abs(ticks).max()) <= _SECONDS:
            raise InputError(
                f"{who}: time_bin goes from {ticks.min():g} to {ticks.max():g}; give clock=, its ticks per second: "
                "1000 for milliseconds, 1 for seconds.",
                code="rate-needed",
            )
        clock = 1.0
    clock = check_number(clock, name="clock", who=who, low=0.0)
    return plain.drop_vars(list(here)).rename(time_bin="time").assign_coords(time=ticks / clock)


def _with_ids(
    plain: xr.DataArray, order: tuple[str, ...], stimulus: str | None, kind: str | None, who: str
) -> xr.DataArray:
    known = [str(name) for name, coord in plain.coords.items() if coord.dims == ("trial",)]
    name = stimulus if stimulus is not None else next((entry for entry in _IDS if entry in known), None)
    if name is None or name not in known:
        what = (
            "has no ids of stimuli on its trials"
            if name is None
            else f"has no coordinate {shorten(name, 40)}"
        )
        raise UnknownNameError(
            f"{who}: the DataArray {what}; give stimulus=, a coordinate.{nearest(name or 'stimulus', known)}",
            code="unknown-label",
        )
    ids = plain[name].values
    ids = ids if ids.dtype.kind in "iu" else ids.astype(str)
    columns = {
        str(key): (coord.dims[0], coord.values.astype(str) if coord.dtype.kind in "OT" else coord.values)
        for key, coord in plain.coords.items()
        if len(coord.dims) == 1
        and str(key) not in ("stimulus", "unit", "time", "trial", "repeat", "valid")
        and coord.dtype.kind in "biufUOT"
    }
    unit = plain["unit"].values if "unit" in plain.coords else None
    made = responses(
        plain.values,
        kind=kind or plain.attrs.get("kind", "activation"),  # type: ignore[arg-type]
        dims=order,
        stimulus=ids.tolist(),
        unit=None if unit is None or np.unique(unit).size != unit.size else unit.tolist(),
        time=plain["time"].values if "time" in order else None,
        system=plain.attrs.get("system") or (str(plain.name) if plain.name is not None else None),
        repeat="count" if np.unique(ids).size != ids.size else None,
    )
    return made.assign_coords({key: entry for key, entry in columns.items() if key != name})
