"""Responses of a recording: their name, labels, columns of units, and what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from consilience._core._arrays import all_finite
from consilience._core._errors import Caution, InputError, cautions_to_json, warn
from consilience._core._params import shorten
from consilience._recording._signal import Signal
from consilience._responses import recorded_cautions, responses
from consilience._responses._check import WARNINGS

if TYPE_CHECKING:
    from consilience._recording._recording import Recording

__all__ = ["labelled", "made_up_ids", "name_of", "unit_of", "with_cautions", "with_unit_columns"]


def name_of(recording: Recording, system: Any, who: str) -> str:
    if system is not None and not isinstance(system, str):
        raise InputError(
            f"{who}: system must be text, the name of the responses, got {shorten(system, 60)}.",
            code="bad-parameter",
        )
    return system or recording.name


def unit_of(source: Signal | None) -> dict[str, str]:
    return {} if source is None or not source.unit else {"unit": source.unit}


def made_up_ids(name: str) -> Caution:
    return Caution(
        "made-up-ids",
        f"No stimulus ids were given for the trials of {name}; trial00000... stand for them in their order.",
        "Pass stimulus='column' so that repeats are known and systems are aligned by id.",
    )


def labelled(
    values: np.ndarray,
    valid: np.ndarray,
    times: np.ndarray | None,
    ids: np.ndarray,
    units: np.ndarray,
    kind: str,
    system: str,
    labels: dict[str, np.ndarray],
    missing: str,
    who: str,
) -> xr.DataArray:
    """Responses; where parts of trials are unknown, a coordinate ``valid`` over trial (and time)."""
    gaps = np.zeros_like(valid) if all_finite(values) else np.isnan(values).any(axis=-1) & valid
    if gaps.any() and missing == "raise":
        raise InputError(
            f"{who}: {int(gaps.reshape(len(gaps), -1).any(axis=1).sum())} trials have an unknown bin (less than half "
            "of its samples are known, or a gap); wider bins, or missing='omit' or 'mask'.",
            code="nan-values",
        )
    valid = valid & ~gaps
    rows = valid.reshape(len(valid), -1).any(axis=1)
    if gaps.any() and missing == "omit":
        rows &= ~gaps.reshape(len(gaps), -1).any(axis=1)
    if not rows.any():
        raise InputError(f"{who}: no trial has a known sample.", code="nan-values")
    keep = rows if missing == "omit" else np.ones_like(rows)
    if not keep.all():
        values, valid, ids = values[keep], valid[keep], ids[keep]
    filled = np.where(valid[..., None], values, 0.0).astype(values.dtype) if not valid.all() else values
    data = responses(
        filled,
        kind=kind,  # type: ignore[arg-type]
        dims=("trial", "unit") if times is None else ("trial", "time", "unit"),
        stimulus=ids,
        unit=units,
        time=times,
        system=system,
        repeat=None if np.unique(ids).size == ids.size else "count",
    )
    data = data.assign_coords({name: ("trial", entries[keep]) for name, entries in labels.items()})
    if not valid.all():
        same = valid.ndim == 2 and (valid == valid[:, :1]).all()
        data = data.assign_coords(valid=(("trial",), valid[:, 0]) if same else (data.dims[:-1], valid))
        data.values[~valid] = np.nan
    return data


def with_unit_columns(data: xr.DataArray, columns: Any) -> xr.DataArray:
    own = {"unit", "trial", "time", "stimulus", "valid", "repeat"}
    return data.assign_coords(
        {
            name: ("unit", entries)
            for name, entries in columns.items()
            if name not in own and name not in data.coords
        }
    )


def with_cautions(data: xr.DataArray, cautions: list[Caution]) -> xr.DataArray:
    for caution in cautions:
        warn(caution.code, caution.message, caution.remedy, stacklevel=4)
    every = [*recorded_cautions(data), *cautions]
    if every:
        data.attrs[WARNINGS] = cautions_to_json(every)
    return data
