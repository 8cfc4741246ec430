"""Content-keyed store of block products: a folder per key, written whole or not at all, every file hashed."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience.sources._files import show

__all__ = [
    "Entry",
    "Store",
    "StoreError",
    "disk_fault",
    "array_digest",
    "digest",
    "read_arrays",
    "write_arrays",
]

_FORMAT = 1
_MMAP = 1 << 20
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_counter = itertools.count()


class StoreError(InputError):
    """The store cannot be written (disk full, no permission): the run ends, since nothing more can be
    kept."""

    code = "cannot-write"


def disk_fault(error: BaseException) -> str | None:
    """What the disk said, where it is behind an error (HDF5 hides it in a RuntimeError); None otherwise."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _DISK:
            return os.strerror(seen.errno)
        for number in _DISK:
            if f"errno = {number}," in str(seen):
                return os.strerror(number)
        seen = seen.__cause__ or seen.__context__
    return None


def digest(*parts: Any) -> str:
    """SHA-256 of JSON-like parts."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def array_digest(data: xr.DataArray) -> str:
    """SHA-256 over values, type, dims, coordinates and attributes of a DataArray."""
    out = hashlib.sha256()
    out.update(
        json.dumps(
            [list(map(str, data.dims)), list(data.shape), dict(data.attrs)], sort_keys=True, default=_plain
        ).encode()
    )
    for name, values in [("", data.values), *sorted((str(n), c.values) for n, c in data.coords.items())]:
        values = _storable(values)
        out.update(f"|{name}|{values.dtype.str}|{values.shape}".encode())
        out.update(np.ascontiguousarray(values).data.cast("B") if values.size else b"")
    return out.hexdigest()


def _storable(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype.kind in "OT" else values


def write_arrays(folder: Path, arrays: Mapping[str, xr.DataArray]) -> None:
    """Writes named DataArrays as .npy files with one index.json."""
    index = []
    for i, (name, data) in enumerate(arrays.items()):
        np.save(folder / f"{i:04d}.npy", np.ascontiguousarray(data.values), allow_pickle=False)
        coords = {}
        for j, (key, coord) in enumerate(data.coords.items()):
            file = f"{i:04d}.{j:02d}.npy"
            np.save(folder / file, _storable(coord.values), allow_pickle=False)
            coords[str(key)] = [list(map(str, coord.dims)), file]
        attrs = json.loads(json.dumps(dict(data.attrs), default=_plain))
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
    """Reads what `write_arrays` wrote; large values stay on disk and are mapped read-only."""
    out = {}
    for entry in json.loads((folder / "index.json").read_text(encoding="utf-8")):
        path = folder / entry["file"]
        values = np.load(path, mmap_mode="r" if path.stat().st_size > _MMAP else None, allow_pickle=False)
        coords = {
            key: (tuple(dims), np.load(folder / file, allow_pickle=False))
            for key, (dims, file) in entry["coords"].items()
        }
        out[entry["name"]] = xr.DataArray(
            values, dims=tuple(entry["dims"]), coords=coords, attrs=entry["attrs"]
        )
    return out


@dataclass(frozen=True)
class Entry:
    """A finished block: its folder, and what the manifest says."""

    folder: Path
    manifest: Mapping[str, Any]


class Store:
    """Folder of finished blocks, by key. Safe for many threads, and for a process killed at any moment."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, key: str) -> bool:
        """Whether a finished block of that key is there (not yet verified)."""
        return (self.root / key / "manifest.json").is_file()

    def size(self, key: str) -> int:
        """Bytes of a block on disk."""
        return sum(path.stat().st_size for path in (self.root / key).iterdir())

    def get(self, key: str) -> Entry | None:
        """The block, every file checked against its hash; None if it is not there. ValueError if damaged."""
        folder = self.root / key
        if not folder.is_dir():
            return None
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            whole = manifest["format"] == _FORMAT and manifest["key"] == key
            whole = whole and all(
                _file_hash(folder / name) == value for name, value in manifest["files"].items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise ValueError(key)
        return Entry(folder, manifest)

    def put(self, key: str, write: Callable[[Path], Mapping[str, Any] | None], *, label: str) -> Entry:
        """Runs ``write(folder)`` in a temporary folder, hashes what it wrote, and renames it into place."""
        temporary = self.root / f".writing-{key[:12]}-{os.getpid()}-{threading.get_ident()}-{next(_counter)}"
        final = self.root / key
        started = time.perf_counter()
        try:
            temporary.mkdir()
            said = write(temporary) or {}
            files = {path.name: _file_hash(path) for path in sorted(temporary.iterdir())}
            seconds = round(time.perf_counter() - started, 3)
            manifest = {
                "format": _FORMAT,
                "key": key,
                "label": label,
                "seconds": seconds,
                "files": files,
                **said,
            }
            (temporary / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
            if final.exists():
                self.drop(key)
            os.replace(temporary, final)
        except OSError as error:
            raise StoreError(
                f"study: cannot write into {show(self.root)} ({error.strerror or error}).",
                code="cannot-write",
            ) from None
        finally:
            if temporary.exists():
                shutil.rmtree(temporary, ignore_errors=True)
        return Entry(final, manifest)

    def drop(self, key: str) -> None:
        """Removes a block; it disappears at once, its files after."""
        aside = self.root / f".writing-drop-{os.getpid()}-{next(_counter)}"
        try:
            os.replace(self.root / key, aside)
        except FileNotFoundError:
            return
        shutil.rmtree(aside, ignore_errors=True)

    def sweep(self) -> None:
        """Removes what killed runs left half-written (call it while holding the output's lock)."""
        for path in self.root.glob(".writing-*"):
            shutil.rmtree(path, ignore_errors=True)


def _file_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
