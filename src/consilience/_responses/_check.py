"""Does an array follow the schema? The first thing that does not is named."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from consilience._core._arrays import all_finite
from consilience._core._errors import Caution, InputError, cautions_from_json
from consilience._core._memory import check_fits, computed, gigabytes, on_disk
from consilience._core._params import check_option, shorten
from consilience._responses._ids import check_ids, repeated
from consilience._responses._masked import missing_values, refuse_masked_values
from consilience._responses._places import places
from consilience._responses._schema import DIMS, DISTANCES, KINDS

READ_IN_BLOCKS = (
    "read it in blocks with cs.compare by rsa, cka, distance_correlation or mutual_knn, or with cs.rdms by "
    "correlation, euclidean, sqeuclidean or cosine"
)
WARNINGS = "consilience_warnings"  # attribute that carries what was said when the array was made


def is_rdm_data(data: object) -> bool:
    return isinstance(data, xr.DataArray) and "stimulus_" in data.dims


def refuse_result(data: object, *, who: str, name: str, expected: str = "responses or RDM data") -> None:
    """Refuses a result of a verb, or one in a mapping, where data are meant, and says what to hand on.

    ``expected`` : what is meant here; where RDMs would do, it says so.
    """
    for key, entry in data.items() if isinstance(data, Mapping) else ():
        refuse_result(entry, who=who, name=f"{name}[{key!r}]", expected=expected)
    if hasattr(data, "to_rdm_data") and "RDM" in expected:
        raise InputError(
            f"{who}: {name} is a result of cs.rdms; hand its RDMs on with .to_rdm_data(), a mapping "
            "{system: RDM data}, or .to_rdm_data()[system] for one.",
            code="not-responses",
        )
    if hasattr(data, "citations") and hasattr(data, "to_frame"):
        raise InputError(
            f"{who}: {name} is a result ({type(data).__name__}), and not data; give {expected}, such as those "
            "that it was made of.",
            code="not-responses",
        )


def recorded_cautions(data: xr.DataArray) -> tuple[Caution, ...]:
    """What was said when the array was made."""
    return cautions_from_json(data.attrs[WARNINGS]) if WARNINGS in data.attrs else ()


def check_responses(data: object, *, who: str, name: str = "responses", lazy: bool = False) -> xr.DataArray:
    """``data`` with its ids as text or 64-bit numbers, if it follows the schema; else an `InputError` that
    names the first thing that does not.

    Arithmetic in xarray drops ``attrs``, so a missing kind counts as activation; an unknown one is refused.
    ``lazy``: values of a dask array (and of a file of which some trials are not valid) stay where they are, and the
    caller looks for NaN when it reads them; else a dask array is loaded.
    """
    refuse_result(data, who=who, name=name)
    if not isinstance(data, xr.DataArray):
        raise InputError(
            f"{who}: {name} must be responses (an xarray.DataArray), got {type(data).__name__}; make them "
            "with cs.responses(array, kind=..., stimulus=ids), or cs.rdm_data(...) for RDMs.",
            code="not-responses",
        )
    dims = tuple(str(dim) for dim in data.dims)
    if dims not in DIMS:
        raise InputError(
            f"{who}: {name} must have dims {' or '.join(str(entry) for entry in DIMS)} in that order, got "
            f"{dims}; rename or transpose them, e.g. data.rename(...).transpose('trial', 'unit').",
            code="bad-dims",
        )
    check_option(data.attrs.get("kind", "activation"), KINDS, name=f"attrs['kind'] of {name}", who=who)
    data = refuse_masked_values(data, who=who, name=name)
    if "trial" in dims:
        data = _checked_trials(data, who, name)
    _check_units_and_time(data, who, name)
    if data.dtype.kind not in "biuf":
        raise InputError(f"{who}: {name} must hold real numbers, got dtype {data.dtype}.", code="not-numeric")
    if 0 in data.shape:
        raise InputError(f"{who}: {name} is empty (shape {data.shape}).", code="too-few")
    if data.chunks is not None:
        if lazy:
            return data
        data = loaded(data, who, name)
    values = data.values
    keep = data["valid"].values if "valid" in data.coords else slice(None)
    if lazy and on_disk(values) and not isinstance(keep, slice):
        return data
    used = values if isinstance(keep, slice) or keep.all() else values[keep]
    if not all_finite(used):
        finite = np.isfinite(used)
        count, place = places(~finite, data[{"trial": keep}] if "trial" in dims else data)
        remedy = (
            "make it with cs.responses(..., missing='omit')"
            if "trial" in dims
            else "leave those times out, data[np.isfinite(data).all('unit')],"
        )
        raise InputError(
            f"{who}: {name} has {count} NaN or infinite value{'s' if count > 1 else ''}, first at {place}; "
            f"{remedy} or fill them on purpose.",
            code="nan-values",
        )
    return data


def check_with_missing(
    data: object, *, who: str, name: str = "responses"
) -> tuple[xr.DataArray, np.ndarray | None]:
    """The checked responses without ``valid``, 0 where a value is missing, and which are (bool like the values); None
    where ``valid`` is over trials only, or not there.

    Unlike `check_responses` this takes trials of unequal lengths and single values that are missing.
    """
    hole = missing_values(data)
    if hole is None:
        return check_responses(data, who=who, name=name), None
    assert isinstance(data, xr.DataArray)
    bare = data.drop_vars("valid")
    filled = np.where(hole, 0, bare.values).astype(bare.dtype, copy=False)
    return check_responses(bare.copy(data=filled), who=who, name=name), hole if hole.any() else None


def loaded(data: xr.DataArray, who: str, name: str) -> xr.DataArray:
    """The values of a dask array in memory, if they fit."""
    free = check_fits(data.nbytes)
    if free is not None:
        raise InputError(
            f"{who}: {name} takes {gigabytes(data.nbytes)} in memory, and {free} is free; {READ_IN_BLOCKS}, "
            "or choose fewer units.",
            code="too-large",
        )
    return data.copy(data=computed(data.data, who=f"{who}: {name}"))


def _checked_trials(data: xr.DataArray, who: str, name: str) -> xr.DataArray:
    if "stimulus" not in data.coords or data["stimulus"].dims != ("trial",):
        raise InputError(
            f"{who}: {name} has no coordinate 'stimulus' on trial; make it with cs.responses(..., "
            "stimulus=ids).",
            code="bad-ids",
        )
    data = _with_ids(data, "stimulus", "trial", who, name)
    ids = data["stimulus"].values
    if "repeat" not in data.coords:
        if np.unique(ids).size != ids.size:
            raise InputError(
                f"{who}: {name} has stimulus ids that come more than once ({repeated(ids)}) and no "
                "'repeat' coordinate; make it with cs.responses(..., repeat='count') if they are repeats.",
                code="repeated-ids",
            )
    elif data["repeat"].dims != ("trial",):
        raise InputError(
            f"{who}: the coordinate 'repeat' of {name} must be on trial, got dims {data['repeat'].dims}; "
            "cs.responses(..., repeat='count') makes one.",
            code="bad-ids",
        )
    elif len(set(zip(ids.tolist(), data["repeat"].values.tolist()))) != ids.size:
        raise InputError(
            f"{who}: {name} has pairs (stimulus, repeat) that come more than once; make it with "
            "cs.responses(..., repeat='count').",
            code="repeated-ids",
        )
    if "valid" in data.coords and data["valid"].dims == ("trial", "time"):
        raise InputError(
            f"{who}: trials of {name} have unequal lengths (the coordinate 'valid' over trial and time); give "
            "trials of one length, such as Recording.epoch(on=..., window=(from, to)), or cut them: "
            "data.sel(time=slice(a, b)) and drop 'valid'.",
            code="unequal-trials",
        )
    if "valid" in data.coords and (data["valid"].dims != ("trial",) or data["valid"].dtype.kind != "b"):
        raise InputError(
            f"{who}: the coordinate 'valid' of {name} must be True or False for each trial, got dims "
            f"{data['valid'].dims} and dtype {data['valid'].dtype}; cs.responses(..., missing='mask') makes "
            "one.",
            code="bad-label",
        )
    return data


def _check_units_and_time(data: xr.DataArray, who: str, name: str) -> None:
    if "unit" in data.coords:
        units = data["unit"].values
        if units.dtype.kind not in "iuU":
            check_ids(units, units.size, who=who, what=f"unit names of {name}: unit")
        if np.unique(units).size != units.size:
            raise InputError(
                f"{who}: unit names of {name} must differ; {repeated(units)} come more than once; name them "
                "anew, e.g. data.assign_coords(unit=range(data.sizes['unit'])).",
                code="repeated-units",
            )
    if "time" in data.dims and "time" in data.coords:
        times = data["time"].values
        if times.dtype.kind not in "iuf" or not np.isfinite(times).all() or not (np.diff(times) > 0).all():
            raise InputError(
                f"{who}: time of {name} must be increasing finite numbers (s), got {shorten(times.tolist())}.",
                code="bad-time",
            )


def _with_ids(data: xr.DataArray, label: str, dim: str, who: str, name: str) -> xr.DataArray:
    """``data`` with the ids ``label`` on ``dim`` as text or 64-bit numbers; files give them as objects."""
    given = data[label].values
    ids = check_ids(given, given.size, who=who, what=f"{name}: {label}")
    if ids.dtype.kind == given.dtype.kind:
        return data
    return data.assign_coords({label: ids if label == dim else (dim, ids)})


def check_rdm_data(data: object, *, who: str, name: str = "RDM data") -> xr.DataArray:
    """``data`` with its ids as text or 64-bit numbers, if it follows the schema of RDM data."""
    if not is_rdm_data(data) or tuple(data.dims) != ("rdm", "stimulus", "stimulus_"):  # type: ignore[attr-defined]
        raise InputError(
            f"{who}: {name} must have dims ('rdm', 'stimulus', 'stimulus_'); make it with cs.rdm_data(...).",
            code="bad-dims",
        )
    assert isinstance(data, xr.DataArray)
    again = "make it with cs.rdm_data(...)"
    if "distance" in data.attrs:
        check_option(data.attrs["distance"], DISTANCES, name=f"attrs['distance'] of {name}", who=who)
    for label in ("stimulus", "stimulus_"):
        if label not in data.coords:
            raise InputError(f"{who}: {name} has no ids on {label}; {again}.", code="bad-ids")
        data = _with_ids(data, label, label, who, name)
    ids = data["stimulus"].values
    if not np.array_equal(ids, data["stimulus_"].values):
        raise InputError(
            f"{who}: rows and columns of {name} must have the same ids in the same order; {again}.",
            code="bad-ids",
        )
    if np.unique(ids).size != ids.size:
        raise InputError(
            f"{who}: stimulus ids of {name} must differ; {repeated(ids)} come more than once.",
            code="repeated-ids",
        )
    for label in ("subject", "session"):
        if label in data.coords and data[label].dims != ("rdm",):
            raise InputError(
                f"{who}: the coordinate {label!r} of {name} must be on rdm, got dims {data[label].dims}.",
                code="bad-label",
            )
    count = data.sizes["rdm"]
    if count == 0 or ids.size < 3:
        raise InputError(
            f"{who}: {name} needs at least 1 RDM of 3 stimuli, got {count} of {ids.size}.", code="too-few"
        )
    if count > 1 and "subject" not in data.coords:
        raise InputError(
            f"{who}: {name} has {count} RDMs and no coordinate 'subject' on rdm, so it is not known whose they "
            "are; make it with cs.rdm_data(..., subject=[...]).",
            code="bad-label",
        )
    _check_dissimilarities(data.values, who, name)
    return data


def _check_dissimilarities(values: np.ndarray, who: str, name: str) -> None:
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: {name} must hold real numbers, got dtype {values.dtype}.", code="not-numeric"
        )
    if not np.isfinite(values).all():
        raise InputError(
            f"{who}: {name} has NaN or infinite entries; make it with cs.rdm_data(...), which says where.",
            code="nan-values",
        )
    for square in values.astype(np.float64, copy=False):
        scale = 1e-6 * np.abs(square).max()
        if np.abs(square - square.T).max() > scale:
            raise InputError(
                f"{who}: {name} has an RDM that is not symmetric; make it with cs.rdm_data(...).",
                code="not-symmetric",
            )
        if np.abs(np.diagonal(square)).max() > scale:
            raise InputError(
                f"{who}: {name} has an RDM whose diagonal is not 0; is it a similarity?", code="bad-diagonal"
            )
