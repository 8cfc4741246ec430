"""HDF5 files: what in them would lead out of the file, and values that stay on disk until they are used."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._memory import check_fits, gigabytes
from consilience._core._params import shorten
from consilience.sources._files import show

__all__ = ["OnDisk", "lacking_filter", "refuse_links", "text_of", "values_of", "whole"]

_WHOLE = 64 << 20  # bytes of values up to which a data set is kept whole once it was read
_BLOCK = 32 << 20  # bytes that a read takes and keeps where windows follow one another, as those of trials do
# filters that are not part of HDF5 itself, by the numbers under which they are registered
_FILTERS = {32000: "LZF", 32001: "Blosc", 32004: "LZ4", 32008: "bitshuffle", 32013: "ZFP", 32015: "Zstandard"}


def refuse_links(file: Any, path: Path, *, who: str) -> None:
    """Refuses links to, and values in, other files, before anything is read. Each object is visited once."""
    import h5py

    pending, seen = [file], set()
    while pending:
        group = pending.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise InputError(
                    f"{who}: {shorten(name, 60)} is a link to another file; that is refused. Write one file that holds "
                    "everything.",
                    code="external-link",
                )
            if isinstance(link, h5py.SoftLink):
                continue  # a path within this file; what it leads to is visited under its own name
            entry = group[name]
            if isinstance(entry, h5py.Dataset):
                if entry.external or entry.is_virtual:
                    raise InputError(
                        f"{who}: the values of {shorten(name, 60)} are kept in another file; that is refused.",
                        code="external-link",
                    )
            elif isinstance(entry, h5py.Group):
                place = h5py.h5o.get_info(entry.id).addr
                if place not in seen:  # hard links may go round in a circle
                    seen.add(place)
                    pending.append(entry)


def text_of(entry: Any) -> str:
    """Text of a scalar, an attribute, or a data set of one text; bytes as UTF-8."""
    if hasattr(entry, "shape") and hasattr(entry, "dtype") and not isinstance(entry, np.ndarray | np.generic):
        entry = entry[()]
    if isinstance(entry, np.ndarray):
        entry = entry.ravel()[0] if entry.size else ""
    return entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry)


def whole(dataset: Any) -> np.ndarray:
    """All of a data set, if it fits in memory (a damaged or hostile file may announce any size)."""
    free = check_fits(int(dataset.nbytes))
    if free is not None:
        raise InputError(
            f"{str(dataset.name).strip('/')} has {dataset.size} entries, {gigabytes(dataset.nbytes)}, and {free} of "
            "memory is free.",
            code="too-large",
        )
    return np.asarray(dataset[()])


def values_of(dataset: Any) -> np.ndarray | None:
    """All values of a data set: numbers as they are, text as str, references as the names of what they lead to; None
    for anything else (compound, dates, objects)."""
    import h5py

    if dataset.shape is None:
        return None
    if h5py.check_string_dtype(dataset.dtype) is not None or dataset.dtype.kind == "S":
        listed = np.asarray(whole(dataset), dtype=object).ravel()
        return np.array([text_of(entry) for entry in listed], dtype=str).reshape(dataset.shape)
    if h5py.check_ref_dtype(dataset.dtype) is h5py.Reference:
        names = []
        for entry in np.ravel(whole(dataset)):
            names.append(str(dataset.file[entry].name).rsplit("/", 1)[-1] if entry else "")
        return np.array(names, dtype=str).reshape(dataset.shape)
    if dataset.dtype.kind in "biuf":
        found = whole(dataset)
        return found if found.dtype.isnative else found.astype(found.dtype.newbyteorder("="))
    return None


def lacking_filter(dataset: Any) -> str:
    """The name of a compression filter that is needed to read the data set and is not there, or ''."""
    import h5py

    properties = dataset.id.get_create_plist()
    for i in range(properties.get_nfilters()):
        code = properties.get_filter(i)[0]
        if not h5py.h5z.filter_avail(code):
            return f"{_FILTERS.get(code, 'unknown')} ({code})"
    return ""


class OnDisk:
    """Rows (n, channels) or (n,) of a data set, read where they are used: ``values * scale + offset``.

    The file is opened for each read and closed again, so nothing stays open and nothing leaks. At most 64 MB are kept:
    a small data set whole, of a large one the block read last. A file that has changed since is refused. May be
    pickled.

    path : of the file.   name : of the data set.   scale : a number, or one per channel.   transposed : the file holds
    (channels, n).
    """

    def __init__(
        self,
        path: Path,
        dataset: Any,
        *,
        scale: Any = 1.0,
        offset: float = 0.0,
        transposed: bool = False,
    ) -> None:
        self.path, self.name = path.absolute(), str(dataset.name)
        self.scale, self.offset, self.transposed = (
            np.asarray(scale, dtype=np.float64),
            float(offset),
            transposed,
        )
        self.shape = tuple(dataset.shape[::-1] if transposed else dataset.shape)
        self._plain = bool((self.scale == 1).all()) and self.offset == 0
        stored = dataset.dtype
        single = stored.kind == "f" and stored.itemsize <= 4 and self._plain
        self.dtype = np.dtype(np.float32 if single else np.float64)
        self._stamp = _stamp(path)
        self._kept: tuple[int, int, np.ndarray] | None = None
        self._last = 0  # where the last rows that were asked for end

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, step = rows.indices(self.shape[0])
        if step != 1:
            raise IndexError("rows are read in order, one after the other")
        last = max(first, last)
        kept = self._kept
        if kept is None or not (kept[0] <= first and last <= kept[1]):
            kept = self._block(first, last)
            if kept[2].nbytes <= _WHOLE:
                self._kept = kept
        self._last = last
        return kept[2][first - kept[0] : last - kept[0]]

    def _block(self, first: int, last: int) -> tuple[int, int, np.ndarray]:
        row = self.dtype.itemsize * max(1, math.prod(self.shape[1:]))
        ahead = _BLOCK // row
        if self.shape[0] * row <= _WHOLE:
            first, last = 0, self.shape[0]
        elif 0 <= first - self._last <= ahead // 8:
            last = min(self.shape[0], max(last, first + ahead))
        return first, last, self._read(first, last)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[:], dtype=dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def _read(self, first: int, last: int) -> np.ndarray:
        import h5py

        who = f"reading {self.name} of {show(self.path)}"
        if _stamp(self.path) != self._stamp:
            raise InputError(
                f"{who}: the file has changed, or gone, since the recording was read; read it again.",
                code="file-changed",
            )
        try:
            with h5py.File(self.path, "r") as file:
                dataset = file[self.name]
                found = dataset[:, first:last].T if self.transposed else dataset[first:last]
        except Exception as error:  # noqa: BLE001  whatever a damaged file does in the reader, the user gets one sentence
            text = str(error).splitlines()[0] if str(error) else "no reason given"
            raise InputError(
                f"{who}: damaged or incomplete ({type(error).__name__}: {shorten(text, 120)}); copy or write it again.",
                code="damaged-file",
            ) from None
        found = found.astype(self.dtype)
        if not self._plain:
            found *= self.scale
            found += self.offset
        found.flags.writeable = False
        return found


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (-1, -1)
    return (found.st_size, found.st_mtime_ns)
