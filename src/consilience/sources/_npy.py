"""Adapter: .npy and .npz, never unpickled, the size checked against the header before reading."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience.sources._files import check_room, show
from consilience.sources._raw import Raw

__all__ = ["read_npy", "read_npz"]

_VALUES = ("responses", "data", "values")
_LABELS = ("stimulus", "unit", "time")


def _header(stream: BinaryIO, path: Path, what: str, who: str) -> tuple[tuple[int, ...], np.dtype]:
    try:
        major, minor = np.lib.format.read_magic(stream)
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}.get(major)
        if read is None:  # version 3 differs from 2 only by the text of field names, which are refused anyway
            raise ValueError(f"version {major}.{minor}")
        shape, _, dtype = read(stream)
    except Exception as error:  # noqa: BLE001  a damaged header raises anything, from SyntaxError to TokenError
        raise InputError(
            f"{who}: {show(path)}{what} is damaged or incomplete (its header cannot be read: "
            f"{shorten(str(error))}).",
            code="damaged-file",
        ) from None
    if dtype.hasobject:
        raise InputError(
            f"{who}: {show(path)}{what} holds Python objects, which would have to be unpickled and are "
            "never loaded; save plain numbers "
            "or text.",
            code="pickle-refused",
        )
    return shape, dtype


def read_npy(path: Path, *, who: str) -> Raw:
    size = path.stat().st_size
    with path.open("rb") as stream:
        shape, dtype = _header(stream, path, "", who)
        expected = math.prod(shape) * dtype.itemsize + stream.tell()
    if size != expected:
        raise InputError(
            f"{who}: {show(path)} is damaged or incomplete: its header announces {expected} bytes (shape "
            f"{shape}, {dtype}) and it has "
            f"{size}; copy or save it again.",
            code="damaged-file",
        )
    check_room(expected, path, who=who)
    return Raw(values=np.load(path, allow_pickle=False), format="npy")


def read_npz(path: Path, *, who: str) -> Raw:
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path, who)
            check_room(sum(info.file_size for info in members.values()), path, who=who)
            value_name = _value_name(list(members), path, who)
            wanted = [value_name, *(name for name in _LABELS if name in members and name != value_name)]
            arrays = {name: _member(archive, members[name], name, path, who) for name in wanted}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{who}: {show(path)} is damaged, incomplete or encrypted ({shorten(str(error))}); copy or "
            "save it again.",
            code="damaged-file",
        ) from None
    stimulus, unit, time = (arrays.get(name) for name in _LABELS)
    return Raw(values=arrays[value_name], format="npz", stimulus=stimulus, unit=unit, time=time)


def _members(archive: zipfile.ZipFile, path: Path, who: str) -> dict[str, zipfile.ZipInfo]:
    members = {}
    for info in archive.infolist():
        name = info.filename
        if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name:
            raise InputError(
                f"{who}: {show(path)} has a member {shorten(name)} that points outside the archive; it is "
                "refused.",
                code="bad-member",
            )
        if name.endswith(".npy"):
            members[name[:-4]] = info
    if not members:
        raise InputError(
            f"{who}: {show(path)} is a zip archive without any .npy member; save it with numpy.savez.",
            code="unknown-format",
        )
    return members


def _value_name(names: list[str], path: Path, who: str) -> str:
    for name in _VALUES:
        if name in names:
            return name
    others = [name for name in names if name not in _LABELS]
    if len(others) == 1:
        return others[0]
    raise InputError(
        f"{who}: {show(path)} has {len(names)} members and none is named 'responses' or 'data', so it is "
        "not clear which to read."
        f"{nearest('responses', names)}",
        code="which-member",
    )


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, path: Path, who: str) -> np.ndarray:
    content = archive.read(info)  # the CRC of the member is checked here
    stream = io.BytesIO(content)
    shape, dtype = _header(stream, path, f" (member {shorten(name)})", who)
    if math.prod(shape) * dtype.itemsize + stream.tell() != len(content):
        raise InputError(
            f"{who}: {show(path)} (member {shorten(name)}) is damaged or incomplete; save it again.",
            code="damaged-file",
        )
    stream.seek(0)
    return np.load(stream, allow_pickle=False)
