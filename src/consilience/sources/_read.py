"""One door for files: `read_array` makes responses, `read_raw` hands over what stands in the file."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError, cautions_from_json, cautions_to_json, warn
from consilience._core._memory import computed, is_lazy
from consilience._core._params import shorten
from consilience._responses import KINDS, rdm_data, recorded_cautions, responses
from consilience._responses._check import WARNINGS
from consilience.sources._doubts import doubt_responses
from consilience.sources._files import check_file, show, signature
from consilience.sources._ids import read_ids
from consilience.sources._labels import TAKEN, LabelSource, own_columns, read_label
from consilience.sources._raw import Raw
from consilience.sources._zarr import is_zarr, read_zarr

__all__ = ["Raw", "read_array", "read_raw"]


def read_raw(path: str | os.PathLike[str], *, who: str = "read", apart: Sequence[str] = ()) -> Raw:
    """The numbers and labels of a .npy, .npz, .nc or .csv file, unchecked (`consilience inspect` looks at
    these). ``apart``: columns of a .csv file that are labels, not units."""
    source = check_file(path, who=who)
    kind = signature(source, who=who)
    if kind == "npy":
        from consilience.sources._npy import read_npy

        return read_npy(source, who=who)
    if kind == "npz":
        from consilience.sources._npy import read_npz

        return read_npz(source, who=who)
    if kind == "netcdf":
        from consilience.sources._netcdf import read_netcdf
        from consilience.sources._rsatoolbox import is_rsatoolbox, raw_rsatoolbox

        if is_rsatoolbox(source):
            return raw_rsatoolbox(source, who=who)
        return read_netcdf(source, who=who)
    from consilience.sources._csv import read_csv

    return read_csv(source, who=who, apart=apart)


def read_array(
    path: str | os.PathLike[str],
    *,
    ids: str | os.PathLike[str] | Sequence[Hashable] | None = None,
    kind: str | None = None,
    dims: Sequence[str] | None = None,
    system: str | None = None,
    subject: str | Sequence[str] | None = None,
    repeat: str | None = None,
    rdm: str | None = None,
    session: Sequence[str] | None = None,
    labels: Mapping[str, LabelSource] | None = None,
    missing: Literal["raise", "omit", "mask", "mask_values"] | None = None,
    member: str | None = None,
    time: LabelSource | None = None,
) -> xr.DataArray:
    """Reads responses (or RDM data) from one file.

    Parameters
    ----------
    path : a regular file, or a zarr store; what a file is, is decided by its first bytes.
        .npy: array (trial, unit). .npz: member ``responses``, ``data`` or the only one, with ``stimulus``,
        ``unit``, ``time`` members if any; with times it is (trial, time, unit), or without stimulus ids (time, unit).
        .nc: one DataArray that follows the schema, or a saved result of `cs.rdms`. .h5: what rsatoolbox wrote.
        .csv: first column ids, header unit names. A folder that is a zarr store: an array, or a group in which xarray
        wrote one DataArray; its values stay on disk (a dask array) until they are used.
    ids : list of stimulus ids, one per trial, or a file with them (.txt, .json, .yaml, .npy); replaces
        those in the file.
    kind : what a value is (rate, count, bold...); default: what the file says, else activation.
    dims : axis names, for an array whose file does not tell them: ("trial", "time", "unit"), ("time", "unit").
    system, subject : labels.   repeat : "count" if equal ids are repeats of one stimulus.
    labels : {name: list with one entry per trial (or unit), a file with them (as for ids), or (table, column): a
        column of a .csv or .tsv file}: run, category, session... Verbs take them by name (folds, groups, by).
    missing : "raise" (default), "omit", "mask" or "mask_values", see `cs.responses`; where it is not given, a file with
        a ``valid`` label is masked as that label is.
    rdm : the distance of the entries ("correlation"...), where the file holds RDMs: (n, n), (rdm, n, n) or
        condensed (rdm, n(n-1)/2). Then ``subject`` and ``session`` (or labels of these names) give one per RDM.
    member : which system, where the file is a result of `cs.rdms` of several
    time : times of the samples in seconds, a list or a file (as for labels), where the file has none.

    Returns
    -------
    xarray.DataArray : responses, or RDM data where a .nc file holds dims (rdm, stimulus, stimulus_) or a result of
        `cs.rdms`.

    Raises
    ------
    InputError : no such file, damaged, pickled, of another format, NaN, ids that do not fit; the text
        names the file.
    """
    zarr = is_zarr(path, who="read")
    who = f"reading {show(Path(path) if zarr else check_file(path, who='read'))}"
    if not zarr and signature(Path(path), who="read") == "netcdf":
        from consilience.sources._result import is_rdms_result, read_rdms_result

        if is_rdms_result(Path(path)):
            given_ids = None if ids is None else read_ids(ids, who=who)
            return read_rdms_result(
                Path(path),
                member=member,
                system=system,
                rdm=rdm,
                ids=given_ids,
                labelled=bool(labels) or time is not None,
                who=who,
            )
    if member is not None:
        raise InputError(
            f"{who}: a system is chosen from a result of cs.rdms, and this file is none; leave it out.",
            code="bad-system",
        )
    if zarr:
        raw = read_zarr(path, who="read")
    else:
        raw = read_raw(path, who="read", apart=own_columns(labels or {}, Path(path)))
    series = rdm is None and dims is None and raw.dims is None and (ids is None or raw.values.ndim == 3)
    if series and time is not None and raw.time is None:
        raw, time = replace(raw, time=read_label(time, "time", who=who)), None
    told = raw.series if series else None
    names = tuple(dims) if dims is not None else raw.dims or told
    if names is not None and any(name.startswith("phony_dim") for name in names):
        from consilience.sources._netcdf import holds

        raise InputError(
            f"{who}: its arrays have no named axes, so it is not a netCDF file of responses. {holds(Path(path), who)} "
            "If its one array is responses as it stands, give dims=('trial', 'unit').",
            code="which-member",
        )
    as_rdms = rdm is not None or (names is not None and "stimulus_" in names)
    doubts = raw.cautions if as_rdms else doubt_responses(raw, show(Path(Path(path).name)))
    for caution in doubts:
        warn(caution.code, caution.message, caution.remedy)
    stimulus: Any = read_ids(ids, who=who) if ids is not None else raw.stimulus
    if (
        ids is not None
        and raw.stimulus is not None
        and list(map(str, stimulus)) != list(map(str, raw.stimulus))
    ):
        raise InputError(
            f"{who}: the file has stimulus ids of its own, and the ids given are others (or in another order); leave "
            "the ids out, or remove them from the file.",
            code="ids-differ",
        )
    if as_rdms and labels:
        other = next((name for name in labels if name not in ("subject", "session")), None)
        if other is not None:
            raise InputError(
                f"{who}: the label {shorten(other, 40)} belongs to trials, and this is RDM data, which has subject and "
                "session only; leave it out.",
                code="bad-label",
            )
        twice = next((n for n in labels if (subject if n == "subject" else session) is not None), None)
        if twice is not None:
            raise InputError(f"{who}: {twice} is given twice; leave the label out.", code="bad-label")
        said = {
            name: read_label(source, name, who=who).astype(str).tolist() for name, source in labels.items()
        }
        subject, session, labels = said.get("subject", subject), said.get("session", session), None
    taken = next((name for name in labels or () if name in TAKEN), None)
    if taken is not None:
        raise InputError(
            f"{who}: the label {taken!r} has a meaning of its own; choose another name.", code="bad-label"
        )
    given = {name: read_label(source, name, who=who) for name, source in (labels or {}).items()}
    if time is not None and (as_rdms or raw.time is not None):
        raise InputError(
            f"{who}: time is given, and {'RDM data have none' if as_rdms else 'the file has times of its own'}; "
            "leave it out.",
            code="bad-time",
        )
    try:
        if as_rdms:
            raw = replace(raw, values=computed(raw.values, who=who)) if is_lazy(raw.values) else raw
            return _recorded(_rdms(raw, stimulus, system, rdm, subject, session), doubts)
        stored_repeat = raw.labels["repeat"][1] if "repeat" in raw.labels else None
        stated = kind or raw.attrs.get("kind") or "activation"
        data = responses(
            raw.values,
            kind=stated if stated in KINDS or kind else "activation",  # type: ignore[arg-type]
            dims=names,
            stimulus=stimulus,
            unit=raw.unit,
            time=raw.time if time is None else read_label(time, "time", who=who),
            system=system or raw.attrs.get("system") or os.path.basename(os.fspath(path)),
            repeat=repeat if repeat is not None else stored_repeat,
            missing=missing
            or ("mask_values" if raw.masked else "mask" if "valid" in raw.labels else "raise"),
            **given,
        )
        stored = _stored_labels(raw, data, [*(labels or {}), "repeat", "valid"])
        if subject is not None and "trial" in data.dims:
            stored["subject"] = ("trial", np.full(data.sizes["trial"], subject))
        data = data.assign_coords(stored)
        attributes, before = _stored_attributes(raw)
        data.attrs = attributes | data.attrs
        return _recorded(data, [*doubts, *before])
    except InputError as error:
        text = str(error)
        for prefix in ("cs.responses: ", "cs.rdm_data: "):
            text = text.removeprefix(prefix)
        raise InputError(f"{who}: {text}", code=error.code) from None


_ATTRIBUTES = ("bin", "reduce", "time_units", "recording", "unit", "smoothing", "baseline", "units_chosen")


def _stored_attributes(raw: Raw) -> tuple[dict[str, Any], tuple[Caution, ...]]:
    """What responses say of how they were made, and what was said then."""
    known = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in raw.attrs.items()
        if name in _ATTRIBUTES and isinstance(value, (str, int, float, np.number))
    }
    try:
        said = cautions_from_json(raw.attrs.get(WARNINGS, ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        said = ()  # of another program
    return known, said


def _stored_labels(raw: Raw, data: xr.DataArray, others: Sequence[str]) -> dict[str, tuple[str, np.ndarray]]:
    """Labels that stand in the file, of the trials that were kept."""
    kept: Any = slice(None)
    if "trial" in data.dims and len(raw.values) != data.sizes["trial"]:
        kept = np.asarray(~np.isnan(raw.values).reshape(len(raw.values), -1).any(axis=1))
    return {
        name: (dim, values[kept] if dim == "trial" else values)
        for name, (dim, values) in raw.labels.items()
        if dim in data.dims and name not in others
    }


def _recorded(data: xr.DataArray, cautions: Sequence[Caution]) -> xr.DataArray:
    """With what was said on reading, so that it stands in results too."""
    if cautions:
        data.attrs[WARNINGS] = cautions_to_json([*cautions, *recorded_cautions(data)])
    return data


def _rdms(
    raw: Raw, stimulus: Any, system: str | None, rdm: str | None, subject: Any, session: Any
) -> xr.DataArray:
    def label(name: str) -> Any:
        return raw.labels[name][1] if name in raw.labels else None

    distance = rdm or str(raw.attrs.get("distance", "unknown"))
    return rdm_data(
        raw.values,
        stimulus=stimulus,
        distance=distance,
        subject=[subject]
        if isinstance(subject, str)
        else subject
        if subject is not None
        else label("subject"),
        session=session if session is not None else label("session"),
        system=system or raw.attrs.get("system") or None,
    )
