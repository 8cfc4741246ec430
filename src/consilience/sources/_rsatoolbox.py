"""Adapter: RDMs and data sets that rsatoolbox saved as HDF5 (its pickles are refused, like all pickles)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._responses import rdm_data, responses
from consilience.sources._files import check_file, check_room, show, signature
from consilience.sources._netcdf import look
from consilience.sources._raw import Raw

__all__ = ["is_rsatoolbox", "raw_rsatoolbox", "read_rsatoolbox"]

# what rsatoolbox calls its distances -> what we call the same numbers
_DISTANCES = {
    "squared euclidean": "euclidean",
    "euclidean": "euclidean",
    "correlation": "correlation",
    "squared mahalanobis": "mahalanobis",
    "mahalanobis": "mahalanobis",
    "crossnobis": "crossnobis",
    "poisson": "poisson",
    "poisson_cv": "poisson_crossvalidated",
}
_IDS = ("stimulus", "stimuli", "stim", "condition", "conditions", "conds", "image", "images", "event")
_RESERVED = ("stimulus", "stimulus_", "trial", "rdm", "unit", "time", "repeat", "valid")


def is_rsatoolbox(path: Path) -> bool:
    """Is the HDF5 file one that rsatoolbox wrote? False for one that cannot be opened."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "rsatoolbox_version" in file.attrs
    except (OSError, RuntimeError, KeyError):
        return False


def raw_rsatoolbox(path: Path, *, who: str, stimulus: str | None = None) -> Raw:
    """Numbers and descriptors, unchecked."""
    import h5py

    try:
        check_room(look(path, who), path, who=who)
        with h5py.File(path, "r") as file:
            if "dissimilarities" in file:
                return _rdms(file, path, who, stimulus)
            if "measurements" in file:
                return _dataset(file, path, who, stimulus)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  whatever a damaged file does in the reader, the user gets one sentence
        raise InputError(
            f"{who}: {show(path)} is damaged or incomplete ({type(error).__name__}: {shorten(str(error))}); copy or "
            "save it again.",
            code="damaged-file",
        ) from None
    raise InputError(
        f"{who}: {show(path)} is no HDF5 file of rsatoolbox: it has neither 'dissimilarities' nor 'measurements'; "
        "write it with .save(name, file_type='hdf5').",
        code="unknown-format",
    )


def _rdms(file: Any, path: Path, who: str, stimulus: str | None) -> Raw:
    values = _values(file["dissimilarities"], path, who)
    values = np.atleast_2d(values)
    n = (1 + int(np.sqrt(1 + 8 * values.shape[-1]))) // 2
    patterns, per_rdm = (
        _descriptors(file, name, path, who) for name in ("pattern_descriptors", "rdm_descriptors")
    )
    ids = _chosen(patterns, n, stimulus, path, who, unique=True)
    labels = {key: ("rdm", v) for key, v in per_rdm.items() if v.shape == (len(values),)}
    for ours, theirs in (("subject", ("subject", "subj", "sub")), ("session", ("session", "sess"))):
        found = next((name for name in theirs if name in labels), None)
        if found is not None:
            labels[ours] = labels.pop(found)
    labels |= {
        _free(key): ("stimulus", v)
        for key, v in patterns.items()
        if v.shape == (n,) and key not in ("index", ids[0])
    }
    measure = str(file.attrs.get("dissimilarity_measure", ""))
    return Raw(
        values=values,
        format="rsatoolbox",
        dims=("rdm", "stimulus", "stimulus_"),
        stimulus=ids[1],
        labels={key: entry for key, entry in labels.items() if key != "index"},
        attrs={"distance": _DISTANCES.get(measure.lower(), "unknown")},
    )


def _dataset(file: Any, path: Path, who: str, stimulus: str | None) -> Raw:
    values = _values(file["measurements"], path, who)
    trials, units, times = (
        _descriptors(file, name, path, who)
        for name in ("obs_descriptors", "channel_descriptors", "time_descriptors")
    )
    temporal = values.ndim == 3
    if temporal:
        values = np.swapaxes(values, 1, 2)  # theirs: (observation, channel, time)
    n, p = values.shape[0], values.shape[-1]
    name, ids = _chosen(trials, n, stimulus, path, who, unique=False)
    labels = {
        _free(key): ("trial", v)
        for key, v in trials.items()
        if v.shape == (n,) and key not in ("index", name)
    }
    unit = None
    for key, v in units.items():
        if v.shape == (p,) and key != "index":
            if unit is None and np.unique(v).size == p and v.dtype.kind in "iuU":
                unit = v
            else:
                labels[_free(key)] = ("unit", v)
    order = np.argsort(ids, kind="stable")
    _, counts = np.unique(ids, return_counts=True)
    if counts.max() > 1:
        repeat = np.empty(n, dtype=np.int64)
        repeat[order] = np.concatenate([np.arange(c) for c in counts])
        labels["repeat"] = ("trial", repeat)
    return Raw(
        values=values,
        format="rsatoolbox",
        dims=("trial", "time", "unit") if temporal else ("trial", "unit"),
        stimulus=ids,
        unit=unit,
        time=times.get("time") if temporal else None,
        labels=labels,
    )


def _values(entry: Any, path: Path, who: str) -> np.ndarray:
    values = np.asarray(entry[()])
    if values.dtype.kind not in "biuf":
        raise InputError(f"{who}: {show(path)} holds no numbers, but {values.dtype}.", code="not-numeric")
    return values


def _descriptors(file: Any, name: str, path: Path, who: str) -> dict[str, np.ndarray]:
    """One group of descriptors; text as text, what is no plain array left out."""
    import h5py

    out: dict[str, np.ndarray] = {}
    if name not in file or not isinstance(file[name], h5py.Group):
        return out
    for key, entry in file[name].items():
        if isinstance(entry, h5py.Group) or entry.shape is None or entry.ndim != 1:
            continue
        if h5py.check_string_dtype(entry.dtype) is not None:
            out[str(key)] = np.array([_text(e, path, who) for e in entry[()]], dtype=str)
        elif entry.dtype.kind in "biuf":
            out[str(key)] = np.asarray(entry[()])
    for key, value in file[name].attrs.items():
        listed = np.asarray(value)
        if listed.ndim == 1 and listed.dtype.kind in "OSU" and str(key) not in out:
            out[str(key)] = np.array([_text(e, path, who) for e in listed], dtype=str)
    return out


def _text(entry: Any, path: Path, who: str) -> str:
    if not isinstance(entry, bytes):
        return str(entry)
    try:
        return entry.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            f"{who}: {show(path)} has a descriptor that is not UTF-8 text.", code="not-utf8"
        ) from None


def _free(name: str) -> str:
    return f"{name}_descriptor" if name in _RESERVED else name


def _chosen(
    known: dict[str, np.ndarray], n: int, wanted: str | None, path: Path, who: str, *, unique: bool
) -> tuple[str, np.ndarray]:
    """(name, entries) of the descriptor that holds stimulus ids: the one asked for, else the one that is likely."""
    able = {
        key: v
        for key, v in known.items()
        if v.shape == (n,) and v.dtype.kind in "iuU" and (not unique or np.unique(v).size == n)
    }
    if wanted is not None:
        if wanted not in able:
            raise UnknownNameError(
                f"{who}: {show(path)} has no descriptor {wanted!r} with one {'distinct ' * unique}id for each of {n}."
                f"{nearest(wanted, able)}",
                code="unknown-label",
            )
        return wanted, able[wanted]
    likely = [key for key in _IDS if key in able] or [key for key in able if key != "index"]
    if len(likely) == 1 or (likely and likely[0] in _IDS):
        return likely[0], able[likely[0]]
    if not likely and "index" in able:
        return "index", able["index"]
    raise InputError(
        f"{who}: {show(path)} has {len(likely)} descriptors that could hold stimulus ids ({shorten(sorted(likely))}); "
        "say which with consilience.sources.read_rsatoolbox(path, stimulus='...').",
        code="which-member",
    )


def read_rsatoolbox(
    path: str | os.PathLike[str],
    *,
    stimulus: str | None = None,
    kind: str = "activation",
    system: str | None = None,
) -> xr.DataArray:
    """Reads RDMs or a data set that rsatoolbox saved with ``file_type="hdf5"``.

    Parameters
    ----------
    path : the file
    stimulus : name of the pattern (or observation) descriptor that holds stimulus ids; default the one named
        "stimulus", "stim", "condition", "conds", "images", ..., or the only one.
    kind : what a value of a data set is (rate, count, bold...).   system : the name that results show.

    Returns
    -------
    xarray.DataArray : RDM data (rdm, stimulus, stimulus_), with their measure as ``attrs["distance"]`` and an rdm
        descriptor "subject" as subject; or responses (trial[, time], unit), equal ids as repeats. Other descriptors
        become labels; rsatoolbox's "euclidean" is squared and per channel, as ours is.

    Raises
    ------
    InputError : no such file, damaged, a pickle, links to other files, NaN, ids that cannot be told (code
        ``which-member``).
    """
    who = "read_rsatoolbox"
    source = check_file(path, who=who)
    found = signature(source, who=who)
    if found != "netcdf":
        raise InputError(
            f"{who}: {show(source)} is no HDF5 file; write it with .save(name, file_type='hdf5').",
            code="unknown-format",
        )
    raw = raw_rsatoolbox(source, who=who, stimulus=stimulus)
    name = system or source.name
    if raw.dims is not None and "stimulus_" in raw.dims:
        given: Any = {key: raw.labels[key][1] for key in ("subject", "session") if key in raw.labels}
        data = rdm_data(
            raw.values, stimulus=raw.stimulus, distance=raw.attrs["distance"], system=name, **given
        )
    else:
        data = responses(
            raw.values,
            kind=kind,  # type: ignore[arg-type]
            dims=raw.dims,
            stimulus=raw.stimulus,
            unit=raw.unit,
            time=raw.time,
            system=name,
            repeat=raw.labels["repeat"][1] if "repeat" in raw.labels else None,
        )
    taken = ("subject", "session", "repeat") if "rdm" in data.dims else ("repeat",)
    return data.assign_coords({key: entry for key, entry in raw.labels.items() if key not in taken})
