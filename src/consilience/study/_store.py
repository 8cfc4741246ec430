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

from consilience._core._errors import InputError
from consilience.sources._files import show

__all__ = ["Entry", "Store", "StoreError", "disk_fault"]

_FORMAT = 1
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
