"""Labelled arrays in a folder: .npy files and an index. Large ones stay on disk; what is asked for is read
then."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from consilience.study._digest import plain, storable

__all__ = ["read_arrays", "write_arrays"]

_LARGE = 1 << 20  # bytes
_maps: WeakValueDictionary[str, np.ndarray] = WeakValueDictionary()
_lock = threading.Lock()


def write_arrays(folder: Path, arrays: Mapping[str, xr.DataArray], *, by_id: bool = False) -> None:
    """Writes named DataArrays as .npy files with one index.json. ``by_id``: trials in the order of their ids, as
    they are matched, so that a large file is read straight through."""
    index = []
    for i, (name, data) in enumerate(arrays.items()):
        if by_id:
            data = data.isel(trial=np.argsort(data["stimulus"].values, kind="stable"))
        np.save(folder / f"{i:04d}.npy", np.ascontiguousarray(data.values), allow_pickle=False)
        coords = {}
        for j, (key, coord) in enumerate(data.coords.items()):
            file = f"{i:04d}.{j:02d}.npy"
            np.save(folder / file, storable(coord.values), allow_pickle=False)
            coords[str(key)] = [list(map(str, coord.dims)), file]
        attrs = json.loads(json.dumps(dict(data.attrs), default=plain))
        index.append(
            {
                "name": name,
                "dims": list(map(str, data.dims)),
                "file": f"{i:04d}.npy",
                "coords": coords,
                "attrs": attrs,
            }
        )
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def read_arrays(folder: Path) -> dict[str, xr.DataArray]:
    """Reads what `write_arrays` wrote. Large values and labels stay on disk: whole they are mapped, and selections
    read only their rows, so that a study never holds all layers of a network in memory of its own."""
    out = {}
    for entry in json.loads((folder / "index.json").read_text(encoding="utf-8")):
        dims = tuple(entry["dims"])
        coords = {
            key: (tuple(of), _read(folder / file, whole=key in dims))
            for key, (of, file) in entry["coords"].items()
        }
        values = _read(folder / entry["file"], whole=False)
        out[entry["name"]] = xr.DataArray(values, dims=dims, coords=coords, attrs=entry["attrs"])
    return out


def _read(path: Path, *, whole: bool) -> Any:
    """The array, or (large, and not needed ``whole`` for an index) one that stays on disk."""
    if whole or path.stat().st_size <= _LARGE:
        return np.load(path, allow_pickle=False)
    return indexing.LazilyIndexedArray(_OnDisk(path))


def _mapped(path: Path) -> np.ndarray:
    """The whole file, mapped read-only: once for all blocks of this process, while any of them uses it."""
    with _lock:
        found = _maps.get(str(path))
        if found is None:
            found = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
            _maps[str(path)] = found
        return found


class _OnDisk(BackendArray):
    """A .npy file as xarray sees an array of a file: nothing is held, selections read their rows only."""

    def __init__(self, path: Path) -> None:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        self.path, self.start = path, mapped.offset
        self.shape, self.dtype = mapped.shape, mapped.dtype

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, indexing.VectorizedIndexer):
            support = indexing.IndexingSupport.OUTER
            return indexing.explicit_indexing_adapter(key, self.shape, support, self._take)
        return self._take(key.tuple)  # rows in any order; the adapter would sort them and copy again

    def _take(self, key: tuple[Any, ...]) -> np.ndarray:
        values = self._rows(np.arange(self.shape[0])[key[0]])
        for axis, one in enumerate(key[1:], start=1):
            if not (isinstance(one, slice) and one == slice(None)):
                values = np.take(values, np.arange(self.shape[axis])[np.atleast_1d(one)], axis=axis)
        alone = tuple(axis for axis, one in enumerate(key) if isinstance(one, (int, np.integer)))
        return values.squeeze(alone) if alone else values

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        """These rows, read-only; all of them in their order are the file itself, mapped."""
        rows = np.atleast_1d(rows)
        if rows.size == self.shape[0] and (np.diff(rows) == 1).all():
            return _mapped(self.path)
        found = self._from_disk(rows)
        found.flags.writeable = False
        return found

    def _from_disk(self, rows: np.ndarray) -> np.ndarray:
        if len(self.shape) == 1:
            return np.asarray(np.load(self.path, allow_pickle=False)[rows])
        out = np.empty((rows.size, *self.shape[1:]), self.dtype)
        length = self.dtype.itemsize * math.prod(self.shape[1:])
        places = out.reshape(-1).view(np.uint8).reshape(rows.size, length)
        with self.path.open("rb") as stream:
            for place, row in zip(places, rows.tolist()):
                stream.seek(self.start + row * length)
                if stream.readinto(place.data) != length:
                    raise OSError(f"{self.path.name} ended early")
        return out
