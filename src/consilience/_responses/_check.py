"""Does an array follow the schema? The first thing that does not is named."""

from __future__ import annotations

import numpy as np
import xarray as xr

from consilience._core._arrays import all_finite
from consilience._core._errors import (
    Caution,
    InputError,
    cautions_from_json,
)
from consilience._responses._ids import repeated
from consilience._responses._places import places
from consilience._responses._schema import DIMS

WARNINGS = "consilience_warnings"  # attribute that carries what was said when the array was made


def is_rdm_data(data: object) -> bool:
    return isinstance(data, xr.DataArray) and "stimulus_" in data.dims


def recorded_cautions(data: xr.DataArray) -> tuple[Caution, ...]:
    """What was said when the array was made."""
    return cautions_from_json(data.attrs[WARNINGS]) if WARNINGS in data.attrs else ()


def check_responses(data: object, *, who: str, name: str = "responses") -> xr.DataArray:
    """Returns ``data`` if it follows the schema; else an `InputError` that names the first thing that does
    not.
    """
    if not isinstance(data, xr.DataArray):
        raise InputError(
            f"{who}: {name} must be responses (an xarray.DataArray), got {type(data).__name__}; make them "
            "with "
            "cs.responses(array, kind=..., stimulus=ids), or cs.rdm_data(...) for RDMs.",
            code="not-responses",
        )
    dims = tuple(str(dim) for dim in data.dims)
    if dims not in DIMS:
        raise InputError(
            f"{who}: {name} must have dims {' or '.join(str(entry) for entry in DIMS)} in that order, got "
            f"{dims}; "
            "rename or transpose them, e.g. data.rename(...).transpose('trial', 'unit').",
            code="bad-dims",
        )
    if "trial" in dims:
        if "stimulus" not in data.coords or data["stimulus"].dims != ("trial",):
            raise InputError(
                f"{who}: {name} has no coordinate 'stimulus' on trial; make it with cs.responses(..., "
                "stimulus=ids).",
                code="bad-ids",
            )
        ids = data["stimulus"].values
        if "repeat" not in data.coords and np.unique(ids).size != ids.size:
            raise InputError(
                f"{who}: {name} has stimulus ids that come more than once ({repeated(ids)}) and no "
                "'repeat' coordinate; make it with "
                "cs.responses(..., repeat='count') if they are repeats.",
                code="repeated-ids",
            )
    values = data.values
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: {name} must hold real numbers, got dtype {values.dtype}.", code="not-numeric"
        )
    if 0 in values.shape:
        raise InputError(f"{who}: {name} is empty (shape {values.shape}).", code="too-few")
    keep = (
        data["valid"].values if "valid" in data.coords and data["valid"].dims == ("trial",) else slice(None)
    )
    if not all_finite(values[keep]):
        finite = np.isfinite(values[keep])
        count, place = places(~finite, data[{"trial": keep}] if "trial" in dims else data)
        raise InputError(
            f"{who}: {name} has {count} NaN or infinite value{'s' if count > 1 else ''}, first at {place}; "
            "make it with "
            "cs.responses(..., missing='omit') or fill them on purpose.",
            code="nan-values",
        )
    return data


def check_rdm_data(data: object, *, who: str, name: str = "RDM data") -> xr.DataArray:
    if not is_rdm_data(data) or tuple(data.dims) != ("rdm", "stimulus", "stimulus_"):  # type: ignore[attr-defined]
        raise InputError(
            f"{who}: {name} must have dims ('rdm', 'stimulus', 'stimulus_'); make it with cs.rdm_data(...).",
            code="bad-dims",
        )
    assert isinstance(data, xr.DataArray)
    if not np.isfinite(data.values).all():
        raise InputError(
            f"{who}: {name} has NaN or infinite entries; make it with cs.rdm_data(...), which says where.",
            code="nan-values",
        )
    return data
