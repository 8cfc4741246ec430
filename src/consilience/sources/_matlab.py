"""Adapter: MATLAB files of version 5 to 7, read here element by element.

Every count and length is held against the bytes that are there before room is made for it, so that a damaged file ends
in a sentence (a reader in C may run for minutes on one, or take the process down). Format: "MAT-File Format" (The
MathWorks): a header of 128 bytes, then elements of an 8-byte tag (type, bytes) and data; a matrix holds elements for
flags, dimensions, name and content, and may be deflated.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.sources._files import check_room, read_bytes_limit
from consilience.sources._matlab_objects import unread_object
from consilience.sources._variables import Unread

__all__ = ["filled", "flat", "read_mat5"]

_MATRIX, _DEFLATED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {16: "utf-8", 17: "utf-16", 18: "utf-32", 4: "utf-16", 2: "latin-1", 1: "latin-1"}
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE = 1, 2, 3, 4, 5
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_DEEPEST = 60
_FILLED = 1 << 27  # entries of a sparse matrix that is filled
_WITHOUT_FIELDS = 1_000_000  # elements of a struct array without fields, which no bytes bound


class _Damaged(Exception):
    pass


def read_mat5(path: Path, *, who: str) -> dict[str, Any]:
    """{name: array, text, list (cell, struct array) or dict (struct)} of a MATLAB file.

    Cells and struct arrays are in MATLAB's order, down the columns; vectors are 1-D, single numbers 0-D; numbers have
    the type that they have in MATLAB.
    """
    check_room(2 * path.stat().st_size, path, who=who)
    content = memoryview(path.read_bytes())
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[126:128]))
    tree: dict[str, Any] = {}
    at = 128
    try:
        if order is None:
            raise _Damaged("its header is incomplete")
        while at < len(content):
            kind, start, stop, at = _tag(content, at, order, padded=False)
            held = content[start:stop]
            if kind == _DEFLATED:
                held = _inflated(held, path, who)
                kind, start, stop, _ = _tag(held, 0, order)
                held = held[start:stop]
            if kind == _MATRIX:
                name, value = _Reader(order).matrix(held, 0)
                if name:  # the one without a name is MATLAB's own (what its objects refer to)
                    tree[name] = value
    except (_Damaged, struct.error, zlib.error, ValueError) as error:
        raise InputError(
            f"{who}: the MATLAB file is damaged or incomplete ({error}); copy or save it again.",
            code="damaged-file",
        ) from None
    if not tree:
        raise InputError(f"{who}: the MATLAB file holds no variable.", code="too-few")
    return tree


def _inflated(held: memoryview, path: Path, who: str) -> memoryview:
    inflater, limit = zlib.decompressobj(), read_bytes_limit() // 2
    inner = inflater.decompress(held, limit)
    if inflater.unconsumed_tail:
        check_room(1 << 62, path, who=who)
    if not inflater.eof:
        raise _Damaged("a variable is incomplete")
    return memoryview(inner)


def _tag(content: memoryview, at: int, order: str, *, padded: bool = True) -> tuple[int, int, int, int]:
    """(type, start and end of the data, where the next element begins) of the element at ``at``."""
    first, size = struct.unpack_from(f"{order}II", content, at)
    if first >> 16:
        kind, size, start = first & 0xFFFF, first >> 16, at + 4
        if size > 4:
            raise _Damaged(f"a short element of {size} bytes")
        return kind, start, start + size, at + 8
    start = at + 8
    if start + size > len(content):
        raise _Damaged(f"an element announces {size} bytes and {max(0, len(content) - start)} are left")
    return first, start, start + size, start + size + (-size % 8 if padded else 0)


class _Reader:
    def __init__(self, order: str) -> None:
        self.order = order

    def matrix(self, content: memoryview, deep: int) -> tuple[str, Any]:
        """(name, value) of one matrix."""
        if not len(content):
            return "", np.empty(0)
        if deep > _DEEPEST:
            return "", Unread(f"nested more than {_DEEPEST} deep")
        _, start, _, at = _tag(content, 0, self.order)
        flags = struct.unpack_from(f"{self.order}I", content, start)[0]
        what = flags & 0xFF
        if what > 15:
            return self._named_only(content, at, what)
        _, start, stop, at = _tag(content, at, self.order)
        sizes = struct.unpack_from(f"{self.order}{(stop - start) // 4}i", content, start)
        if min(sizes, default=-1) < 0 or len(sizes) > 32:
            raise _Damaged(f"dimensions {str(sizes)[:60]}")
        _, start, stop, at = _tag(content, at, self.order)
        name = bytes(content[start:stop]).decode("latin-1")
        if what in (_CELL, _STRUCT, _OBJECT):
            return name, self._nested(content, at, what, math.prod(sizes), deep)
        if flags & _COMPLEX:
            return name, Unread("complex numbers")
        if what == _CHAR:
            return name, self._characters(content, at, sizes)
        if what == _SPARSE:
            return name, self._sparse(content, at, sizes, bool(flags & _LOGICAL))
        if what not in _CLASSES:
            raise _Damaged(f"an array of class {what}")
        values, _ = self._numbers(content, at)
        if values.size != math.prod(sizes):
            raise _Damaged(f"{values.size} numbers where dimensions {sizes} are announced")
        wanted = np.dtype(bool) if flags & _LOGICAL else np.dtype(_CLASSES[what])
        return name, flat(values.astype(wanted).reshape(sizes, order="F"))

    def _named_only(self, content: memoryview, at: int, what: int) -> tuple[str, Any]:
        """Functions have flags, dimensions and a name; opaque objects (table, datetime, string) flags, a name, the
        system of types and the name of their class."""
        if what == 16:
            at = _tag(content, at, self.order)[3]
        texts = []
        for _ in range(1 if what == 16 else 3):
            _, start, stop, at = _tag(content, at, self.order)
            texts.append(bytes(content[start:stop]).decode("latin-1"))
        return texts[0], unread_object("function_handle" if what == 16 else texts[2])

    def _nested(self, content: memoryview, at: int, what: int, count: int, deep: int) -> Any:
        names = [""]
        if what == _OBJECT:
            at = _tag(content, at, self.order)[3]
        if what != _CELL:
            _, start, _, at = _tag(content, at, self.order)
            width = struct.unpack_from(f"{self.order}i", content, start)[0]
            _, start, stop, at = _tag(content, at, self.order)
            if width < 1 or (stop - start) % width:
                raise _Damaged("names of fields that do not fit")
            listed = [bytes(content[i : i + width]) for i in range(start, stop, width)]
            names = [text.split(b"\0", 1)[0].decode("latin-1") for text in listed]
        left = len(content) - at
        if 8 * count * len(names) > left or (not names and count > _WITHOUT_FIELDS):
            raise _Damaged(f"{count} elements are announced and {max(0, left)} bytes are left")
        each: list[Any] = []
        for _ in range(count):
            row = {}
            for name in names:
                kind, start, stop, at = _tag(content, at, self.order)
                if kind != _MATRIX:
                    raise _Damaged(f"an element of type {kind} where a variable is expected")
                row[name] = self.matrix(content[start:stop], deep + 1)[1]
            each.append(row[""] if what == _CELL else row)
        return each[0] if what != _CELL and count == 1 else each

    def _numbers(self, content: memoryview, at: int) -> tuple[np.ndarray, int]:
        kind, start, stop, after = _tag(content, at, self.order)
        if kind not in _STORED:
            raise _Damaged(f"numbers of type {kind}")
        dtype = np.dtype(_STORED[kind]).newbyteorder(self.order)  # type: ignore[arg-type]
        if (stop - start) % dtype.itemsize:
            raise _Damaged(f"{stop - start} bytes of {dtype} numbers")
        return np.frombuffer(content[start:stop], dtype=dtype), after

    def _characters(self, content: memoryview, at: int, sizes: tuple[int, ...]) -> Any:
        kind, start, stop, _ = _tag(content, at, self.order)
        if kind not in _TEXT:
            raise _Damaged(f"text of type {kind}")
        coding = _TEXT[kind] + (
            {"<": "-le", ">": "-be"}[self.order] if _TEXT[kind] in ("utf-16", "utf-32") else ""
        )
        text = bytes(content[start:stop]).decode(coding)
        if len(sizes) != 2 or sizes[0] <= 1 or len(text) != math.prod(sizes):
            return text
        return np.array(["".join(text[r :: sizes[0]]) for r in range(sizes[0])], dtype=str)

    def _sparse(self, content: memoryview, at: int, sizes: tuple[int, ...], logical: bool) -> Any:
        rows, at = self._numbers(content, at)
        starts, at = self._numbers(content, at)
        values, _ = self._numbers(content, at)
        if len(sizes) != 2:
            raise _Damaged("a sparse matrix of other than two axes")
        full = filled(rows, starts, values, sizes)
        return full if isinstance(full, Unread) or not logical else full.astype(bool)


def filled(rows: np.ndarray, starts: np.ndarray, values: np.ndarray, sizes: tuple[int, ...]) -> Any:
    """A sparse matrix (by columns: their rows, and where each column starts) with its zeros; places are checked."""
    if math.prod(sizes) > _FILLED:
        return Unread("a sparse matrix too large to be filled")
    begins = starts.astype(np.int64)
    sound = starts.size == sizes[1] + 1 and starts[0] == 0 and bool((np.diff(begins) >= 0).all())
    used = int(begins[-1]) if sound else 0
    places = rows[:used].astype(np.int64)
    if (
        not sound
        or used > min(rows.size, values.size)
        or (used and not 0 <= places.min() <= places.max() < sizes[0])
    ):
        raise ValueError("the places of a sparse matrix do not fit")
    out = np.zeros(sizes)
    out[places, np.repeat(np.arange(sizes[1]), np.diff(begins))] = values[:used]
    return flat(out)


def flat(value: np.ndarray) -> np.ndarray:
    """1 x n and n x 1 as (n,), 1 x 1 as ()."""
    if value.ndim == 2 and 1 in value.shape:
        return value.reshape(()) if value.size == 1 else value.reshape(-1)
    return value
