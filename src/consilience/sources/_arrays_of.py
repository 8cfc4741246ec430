"""Arrays by name of .npy, .npz, HDF5 files and zarr groups; each is read when it is taken."""

from __future__ import annotations

import functools
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import require, shorten
from consilience.sources._files import check_room, show
from consilience.sources._netcdf import look
from consilience.sources._npy import _header, _member, _members, read_npy
from consilience.sources._variables import Stored, Unread
from consilience.sources._zarr import _refuse_codecs

__all__ = ["hdf5_arrays", "npy_array", "npz_arrays", "zarr_arrays"]


def npy_array(path: Path, *, who: str) -> dict[str, Any]:
    """The one array of a .npy file, as ``data``."""
    return {"data": read_npy(path, who=who).values}


def npz_arrays(path: Path, *, who: str) -> dict[str, Any]:
    """{member: array}; members of Python objects are refused when they are taken."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path, who)
            out: dict[str, Any] = {}
            for name, info in members.items():
                with archive.open(info) as stream:
                    try:
                        shape, dtype = _header(stream, path, f" (member {shorten(name)})", who)  # type: ignore[arg-type]
                    except InputError as error:
                        if error.code != "pickle-refused":
                            raise
                        out[name] = Unread("pickled Python objects, which are never loaded")
                        continue
                out[name] = Stored(shape, dtype, functools.partial(_npz_member, path, name, who))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{who}: it is damaged, incomplete or encrypted ({shorten(str(error))}); copy or save it again.",
            code="damaged-file",
        ) from None
    return out


def _npz_member(path: Path, name: str, who: str) -> np.ndarray:
    try:
        with zipfile.ZipFile(path) as archive:
            info = _members(archive, path, who)[name]
            check_room(info.file_size, path, who=who)
            return _member(archive, info, name, path, who)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{who}: the member {shorten(name, 60)} is damaged or incomplete ({shorten(str(error))}); copy or save the "
            "file again.",
            code="damaged-file",
        ) from None


def hdf5_arrays(path: Path, *, who: str) -> dict[str, Any]:
    """{name: array, text, or dict of a group}; links into other files are refused."""
    import h5py

    look(path, who)
    with h5py.File(path, "r") as file:
        return _group(file, path, who, set())


def _group(group: Any, path: Path, who: str, above: set[Any]) -> dict[str, Any]:
    import h5py

    out: dict[str, Any] = {}
    for name in group:
        if isinstance(group.get(name, getlink=True), (h5py.SoftLink, h5py.ExternalLink)):
            continue
        item = group[name]
        key = h5py.h5o.get_info(item.id).addr
        if key in above:
            continue  # a group within itself
        if isinstance(item, h5py.Group):
            out[str(name)] = _group(item, path, who, above | {key})
        elif not isinstance(item, h5py.Dataset) or item.shape is None:
            continue
        elif h5py.check_string_dtype(item.dtype) is not None or item.dtype.kind in "biuf":
            shape = tuple(int(s) for s in item.shape)
            dtype = np.dtype(str) if item.dtype.kind in "OS" else item.dtype
            out[str(name)] = Stored(shape, dtype, functools.partial(_hdf5_array, path, item.name, who))
        elif h5py.check_vlen_dtype(item.dtype) is not None and item.ndim == 1:
            out[str(name)] = [np.asarray(entry) for entry in item[()]]
        else:
            out[str(name)] = Unread(f"of type {item.dtype}")
    return out


def _hdf5_array(path: Path, name: str, who: str) -> np.ndarray:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            item = file[name]
            check_room(int(item.nbytes), path, who=who)
            text = h5py.check_string_dtype(item.dtype) is not None
            values = np.asarray(item.asstr("utf-8", "replace")[()] if text else item[()])
            return values.astype(str) if text else values
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise InputError(
            f"{who}: the array {shorten(name, 60)} is damaged or incomplete ({shorten(str(error), 120)}); copy or "
            "write the file again.",
            code="damaged-file",
        ) from None


def zarr_arrays(path: Path, *, who: str) -> dict[str, Any]:
    """{name: array, or dict of a group} of a zarr store in a folder."""
    import warnings

    zarr = require("zarr", extra="zarr", purpose=f"{who}")
    _refuse_codecs(path, who)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr about its own format
        opened = zarr.open(store=str(path), mode="r")
        if isinstance(opened, zarr.Array):
            return {"data": _zarr_array(opened, path, who)}
        return _zarr_group(opened, zarr, path, who)


def _zarr_group(group: Any, zarr: Any, path: Path, who: str) -> dict[str, Any]:
    return {
        str(name): _zarr_array(item, path, who)
        if isinstance(item, zarr.Array)
        else _zarr_group(item, zarr, path, who)
        for name, item in group.members()
    }


def _zarr_array(array: Any, path: Path, who: str) -> Stored | Unread:
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "biufUST":
        return Unread(f"of type {dtype}")

    def load() -> np.ndarray:
        check_room(int(np.prod(array.shape, dtype=np.int64)) * max(1, dtype.itemsize), path, who=who)
        try:
            values = np.asarray(array[...])
        except Exception as error:  # noqa: BLE001  whatever a damaged chunk does in the reader
            raise InputError(
                f"{who}: {show(path)}: the array {shorten(str(array.path), 60)} is damaged or incomplete "
                f"({type(error).__name__}); copy or write the store again.",
                code="damaged-file",
            ) from None
        return values.astype(str) if values.dtype.kind in "OT" else values

    return Stored(tuple(int(s) for s in array.shape), dtype if dtype.kind in "biuf" else np.dtype(str), load)
