"""Adapter: a zarr store in a folder, an array or a group as xarray writes it; only metadata and labels are read."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError, nearest
from consilience._core._params import require, shorten
from consilience._responses._masked import has_masked_values, without_masked
from consilience.sources._files import check_path_text, show
from consilience.sources._raw import Raw

__all__ = ["is_zarr", "read_zarr"]

_MARKS = ("zarr.json", ".zarray", ".zgroup")
_VALUES = ("responses", "data", "values")
_METADATA = (*_MARKS, ".zmetadata", ".zattrs")


def is_zarr(path: str | os.PathLike[str], *, who: str) -> bool:
    """Is it a folder with the metadata of a zarr store?"""
    folder = Path(check_path_text(os.fspath(path), who=who))
    return folder.is_dir() and any((folder / mark).is_file() for mark in _MARKS)


def read_zarr(path: str | os.PathLike[str], *, who: str) -> Raw:
    """Values as a dask array, one chunk of it per chunk (or shard) of the store; labels in memory."""
    zarr = require("zarr", extra="zarr", purpose=f"{who}: {show(Path(path))}")
    folder = Path(path)
    _refuse_codecs(folder, who)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of zarr about its own format
            opened = zarr.open(store=os.fspath(folder), mode="r")
            return (
                _array(opened, folder, who) if isinstance(opened, zarr.Array) else _group(opened, folder, who)
            )
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  whatever a damaged store does in the reader, the user gets one sentence
        said = str(error).splitlines()[0] if str(error) else "no reason given"
        raise InputError(
            f"{who}: {show(folder)} is damaged or incomplete ({type(error).__name__}: {shorten(said, 120)}); copy or "
            "write it again.",
            code="damaged-file",
        ) from None


def _array(array: Any, folder: Path, who: str) -> Raw:
    import dask.array

    cautions = _absent(array, folder, who)
    chunks = getattr(array, "shards", None) or array.chunks
    attrs = dict(array.attrs)
    dims = attrs.pop("_ARRAY_DIMENSIONS", None) or getattr(array.metadata, "dimension_names", None)
    for key in ("scale_factor", "add_offset", "_FillValue", "missing_value"):
        if key in attrs:
            raise InputError(
                f"{who}: {show(folder)} is one array of a store that xarray wrote, with {key!r} to be applied; give "
                "the folder of the group instead.",
                code="which-member",
            )
    return Raw(
        values=dask.array.from_array(array, chunks=chunks, name=False),
        format="zarr",
        dims=_known(dims),
        attrs=attrs,
        cautions=cautions,
    )


def _group(group: Any, folder: Path, who: str) -> Raw:
    import xarray as xr

    data = xr.open_zarr(os.fspath(folder), consolidated=False, decode_times=False)
    names = [str(name) for name in data.data_vars]
    chosen = next((name for name in _VALUES if name in names), names[0] if len(names) == 1 else "")
    if not chosen:
        what = "no array of values" if not names else f"{len(names)} arrays"
        raise InputError(
            f"{who}: {show(folder)} has {what}; it must hold one DataArray (or one named 'responses')."
            f"{nearest('responses', names) if names else ''}",
            code="which-member",
        )
    array = data[chosen]
    cautions = _absent(group[chosen], folder, who)
    for name in array.coords:
        if name in group:
            cautions += _absent(group[str(name)], folder, who)
    known = {str(name): _plain(coord.values) for name, coord in array.coords.items()}
    return Raw(
        values=without_masked(array).data,
        format="zarr",
        dims=_known(array.dims),
        stimulus=known.get("stimulus"),
        unit=known.get("unit"),
        time=known.get("time"),
        labels={
            str(name): (str(coord.dims[0]), known[str(name)])
            for name, coord in array.coords.items()
            if name not in ("stimulus", "stimulus_", "unit", "time") and len(coord.dims) == 1
        },
        attrs={str(key): value for key, value in array.attrs.items()},
        cautions=cautions,
        masked=has_masked_values(array),
    )


def _absent(array: Any, folder: Path, who: str) -> tuple[Caution, ...]:
    """Chunks that were never written, or were lost, read as the fill value: said, and refused where that is no
    number."""
    many, there = int(array.nchunks), int(array.nchunks_initialized)
    if there >= many:
        return ()
    fill = array.fill_value
    label = shorten(str(array.path) or folder.name, 40)
    said = f"{many - there} of {many} chunks of {label} in {show(folder)} are absent"
    if not isinstance(fill, (int, float, np.number, np.bool_)) or not np.isfinite(fill):
        raise InputError(
            f"{who}: {said}, and the value that stands for them is {shorten(fill, 20)}, which is no data; copy or "
            "write the store again.",
            code="damaged-file",
        )
    return (
        Caution(
            "chunks-absent",
            f"{said}; they read as {fill}, the fill value.",
            "Fine if they hold nothing else, since such chunks need not be written; if they were lost, copy the store "
            "again.",
        ),
    )


def _known(dims: Any) -> tuple[str, ...] | None:
    names = tuple(map(str, dims or ()))
    return names if "unit" in names or "stimulus_" in names else None


def _refuse_codecs(folder: Path, who: str) -> None:
    """Refuses stores that name pickle among the codecs of their arrays, before anything of them is decoded."""
    for root, folders, files in os.walk(folder):
        if ".zarray" in files:
            folders[:] = []  # chunks
        for name in sorted(set(files) & set(_METADATA)):
            try:
                found = json.loads((Path(root) / name).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                raise InputError(
                    f"{who}: {show(folder)} is damaged or incomplete ({name} cannot be read as JSON); copy or write it "
                    "again.",
                    code="damaged-file",
                ) from None
            if isinstance(found, dict) and found.get("node_type") == "array":
                folders[:] = []
            if _has_pickle(found):
                raise InputError(
                    f"{who}: {show(folder)} holds Python objects, which would have to be unpickled and are never "
                    "loaded; save plain numbers or text.",
                    code="pickle-refused",
                )


def _has_pickle(entry: Any) -> bool:
    if isinstance(entry, dict):
        named = (str(entry.get(key, "")).removeprefix("numcodecs.") for key in ("id", "name"))
        return "pickle" in named or any(_has_pickle(value) for value in entry.values())
    return isinstance(entry, list) and any(map(_has_pickle, entry))


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype.kind in "OT" else values
