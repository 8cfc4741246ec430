"""Adapter: MATLAB files of version 7.3, which are HDF5 with MATLAB's own marks, read with h5py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.sources._files import check_room
from consilience.sources._matlab import filled, flat
from consilience.sources._matlab_objects import unread_object
from consilience.sources._netcdf import look
from consilience.sources._variables import Unread

__all__ = ["read_mat73"]

_DEEPEST = 50
_MOST = 2_000_000  # cells, structs and fields in all
_OBJECTS = ("table", "datetime", "string", "function_handle", "categorical")
_OLD_OBJECT = 2  # MATLAB_object_decode of a class as they were before 2008, which is stored as a struct


def read_mat73(path: Path, *, who: str) -> dict[str, Any]:
    """{name: array, text, list (cell, struct array) or dict (struct)}, as `read_mat5`; axes in MATLAB's order."""
    import h5py

    check_room(look(path, who), path, who=who)
    with h5py.File(path, "r") as file:
        reader = _Reader(file)
        tree = {str(name): reader.entry(file[name], 0) for name in file if not str(name).startswith("#")}
    if not tree:
        raise InputError(f"{who}: the MATLAB file holds no variable.", code="too-few")
    return tree


class _Reader:
    def __init__(self, file: Any) -> None:
        self.file, self.count = file, 0

    def entry(self, item: Any, deep: int) -> Any:
        import h5py

        self.count += 1
        if deep > _DEEPEST or self.count > _MOST:
            return Unread(
                f"nested more than {_DEEPEST} deep" if deep > _DEEPEST else "beyond the number of cells read"
            )
        kind = _text(item.attrs.get("MATLAB_class", b""))
        if item.attrs.get("MATLAB_object_decode", _OLD_OBJECT) != _OLD_OBJECT or kind in _OBJECTS:
            return unread_object(kind)
        if isinstance(item, h5py.Group):
            if "MATLAB_sparse" in item.attrs:
                return _sparse(item)
            return self._struct(item, deep)
        if item.attrs.get("MATLAB_empty", 0):
            return "" if kind == "char" else [] if kind in ("cell", "struct") else np.empty(0)
        if h5py.check_ref_dtype(item.dtype) is h5py.Reference:
            return [self.entry(self.file[r], deep + 1) if r else np.empty(0) for r in item[()].reshape(-1)]
        if item.dtype.names is not None and set(item.dtype.names) == {"real", "imag"}:
            return Unread("complex numbers")
        if item.dtype.kind not in "biuf":
            return Unread(f"of type {item.dtype}")
        values = np.asarray(item[()])
        if kind == "char":
            return _characters(values)
        if kind == "logical":
            values = values.astype(bool)
        return flat(np.ascontiguousarray(values.T)) if values.ndim else values

    def _struct(self, group: Any, deep: int) -> Any:
        """A struct; or, where every field is an array of references of one size, a struct array."""
        import h5py

        fields = _fields(group)
        arrays = [
            isinstance(group[name], h5py.Dataset)
            and h5py.check_ref_dtype(group[name].dtype) is h5py.Reference
            and not _text(group[name].attrs.get("MATLAB_class", b""))
            for name in fields
        ]
        if fields and all(arrays):
            sizes = {group[name].size for name in fields}
            if len(sizes) == 1:
                columns = {name: group[name][()].reshape(-1) for name in fields}
                return [
                    {name: self.entry(self.file[columns[name][i]], deep + 1) for name in fields}
                    for i in range(sizes.pop())
                ]
        return {str(name): self.entry(group[name], deep + 1) for name in fields}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _fields(group: Any) -> list[str]:
    """The fields of a struct in MATLAB's order, where the file says it; HDF5 lists them by the alphabet."""
    there = list(group)
    said = np.atleast_1d(group.attrs.get("MATLAB_fields", []))
    names = ["".join(map(_text, np.atleast_1d(one))) for one in said]
    return names if sorted(names) == there else there


def _characters(values: np.ndarray) -> Any:
    """UTF-16 codes, transposed as MATLAB's axes are: one text, or one per row."""
    codes = np.atleast_2d(values.T).astype("<u2")
    rows = [row.tobytes().decode("utf-16-le", "replace") for row in codes]
    return rows[0] if len(rows) == 1 else np.array(rows, dtype=str)


def _sparse(group: Any) -> Any:
    """data, ir (rows) and jc (starts of columns); MATLAB_sparse is the number of rows."""
    starts = np.asarray(group["jc"][()])
    sizes = (int(group.attrs["MATLAB_sparse"]), starts.size - 1)
    empty = "data" not in group or "ir" not in group
    rows, values = (np.empty(0), np.empty(0)) if empty else (group["ir"][()], group["data"][()])
    if rows.ndim != 1 or values.ndim != 1 or starts.ndim != 1 or values.dtype.kind not in "biuf":
        return Unread("a sparse matrix of an odd layout")
    return filled(rows, starts, values, sizes)
