"""The variables of a file that holds several (.npz, .mat, HDF5, zarr, .csv): found by dotted names, listed in words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience.sources._files import check_file, check_path_text, show, signature

__all__ = ["Stored", "Unread", "Variables", "is_matlab", "not_read", "open_variables", "variables"]

_MOST = 24  # variables in a listing


@dataclass(frozen=True)
class Stored:
    """An array that is read when it is used: its shape and dtype, and the function that reads it."""

    shape: tuple[int, ...]
    dtype: np.dtype
    load: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Unread:
    """What stands in the file and is not read, why, and what to do (with ``{name}`` and ``{last}``, its last part)."""

    why: str
    remedy: str = ""

    def sentence(self, name: str) -> str:
        """``'trials' is a table of MATLAB, which is not read; ...``."""
        plain = name if name.replace(".", "").replace("_", "").isalnum() and name.isascii() else "x"
        remedy = self.remedy.format(name=plain, last=plain.rpartition(".")[2])
        return f"{shorten(name, 60)} is {self.why}, which is not read" + (f"; {remedy}" if remedy else "")


class Variables(Mapping[str, Any]):
    """Variables by name; ``"a.b"`` (or ``"a/b"``) is field b of struct a, of each of its elements where a is a list.

    An entry is a NumPy array (vectors 1-D, single numbers 0-D), text, a list (cells, struct arrays), or `Variables` (a
    struct, a group). Printing them says what is there.
    """

    def __init__(self, tree: Mapping[str, Any], *, name: str = "") -> None:
        self._tree, self._name = dict(tree), name

    def __getitem__(self, name: str) -> Any:
        if name in self._tree:
            return self._given(self._tree[name], name)
        for mark in (".", "/"):
            first, _, rest = name.partition(mark)
            while rest:
                if first in self._tree:
                    return _field(self._given(self._tree[first], first), rest, name, self._name)
                more, _, rest = rest.partition(mark)
                first = f"{first}{mark}{more}"
        raise UnknownNameError(
            f"{self._name or 'variables'}: there is no variable {shorten(name, 60)}.{nearest(name, self._tree)} "
            f"It holds: {self.listing()}.",
            code="unknown-name",
        )

    def __contains__(self, name: object) -> bool:
        try:
            self[name]  # type: ignore[index]
        except (InputError, TypeError, AttributeError):
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree)

    def __len__(self) -> int:
        return len(self._tree)

    def __repr__(self) -> str:
        lines = [f"<Variables> {self._name}".rstrip(), *(f"  {entry}" for entry in self._entries(60))]
        return "\n".join(lines)

    def listing(self) -> str:
        """What is there, in one line."""
        return "; ".join(self._entries(_MOST)) or "nothing"

    def unread(self) -> Iterator[tuple[str, Unread]]:
        """(dotted name, what it is) of everything that is there and not read; of a list the first that is not."""
        for name, entry in self._tree.items():
            yield from _unread(entry, str(name))

    def _entries(self, most: int) -> list[str]:
        every = [f"{_clean(name)}: {_what(entry)}" for name, entry in self._tree.items()]
        return every[:most] + ([f"and {len(every) - most} more"] if len(every) > most else [])

    def _given(self, entry: Any, name: str) -> Any:
        if isinstance(entry, Stored):
            return entry.load()
        if isinstance(entry, Unread):
            raise not_read(entry, name, self._name)
        if isinstance(entry, Mapping) and not isinstance(entry, Variables):
            return Variables(entry, name=f"{self._name}: {name}" if self._name else name)
        return entry


def not_read(entry: Unread, name: str, who: str) -> InputError:
    return InputError(f"{who}: the variable {entry.sentence(name)}.", code="not-read")


def _unread(entry: Any, name: str) -> Iterator[tuple[str, Unread]]:
    if isinstance(entry, Unread):
        yield name, entry
    elif isinstance(entry, Mapping):
        for key, one in entry.items():
            yield from _unread(one, f"{name}.{key}")
    elif isinstance(entry, list):
        seen = set()
        for one in entry:
            for place, found in _unread(one, name):
                if place not in seen:
                    seen.add(place)
                    yield place, found


def _field(entry: Any, rest: str, name: str, where: str) -> Any:
    if isinstance(entry, Variables):
        return entry[rest]
    if isinstance(entry, list):
        return [
            _field(Variables(e, name=where) if isinstance(e, dict) else e, rest, name, where) for e in entry
        ]
    raise UnknownNameError(
        f"{where}: {shorten(name, 60)} asks for a field of what is {_what(entry)}.", code="unknown-name"
    )


def _clean(name: str) -> str:
    return name if name.isprintable() and len(name) <= 60 else shorten(name, 60)


def _what(entry: Any) -> str:
    """An entry in words."""
    if isinstance(entry, Unread):
        return f"not read ({entry.why})"
    if isinstance(entry, (np.ndarray, Stored)):
        kind = "text" if entry.dtype.kind in "UST" else str(entry.dtype)
        if entry.shape == ():
            return f"one {'text' if kind == 'text' else 'number'}"
        return f"{entry.shape} {kind}"
    if isinstance(entry, str):
        return "text"
    if isinstance(entry, list):
        inner = f" of {_what(entry[0])}" if entry and not isinstance(entry[0], list) else ""
        return f"list of {len(entry)}" + (f", the first{inner[3:]}" if inner and len(entry) > 1 else inner)
    if isinstance(entry, Mapping):
        names = ", ".join(_clean(str(key)) for key in list(entry)[:8])
        return f"fields {names}" + (", ..." if len(entry) > 8 else "")
    return type(entry).__name__


def is_matlab(head: bytes) -> bool:
    """The first bytes of a MATLAB file, of version 5 to 7 or 7.3?"""
    return head.startswith((b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"))


def variables(path: str | os.PathLike[str]) -> Variables:
    """The variables of a .npz, .mat (any of MATLAB 5 to 7.3), HDF5, .csv file or zarr group, as a mapping.

    Structs and groups are mappings themselves, and ``["a.b"]`` goes into them. Cells are lists, struct arrays lists of
    mappings; vectors of MATLAB are 1-D and its single numbers 0-D. Arrays of HDF5, .npz and zarr are read when they are
    taken. This is the way to data of a shape of its own, from which `cs.responses` or `cs.Recording` is then made.

    Parameters
    ----------
    path : a regular file, or a folder that is a zarr store.

    Raises
    ------
    InputError : no such file, damaged, pickled, links into other files, another format.

    Examples
    --------
    >>> import numpy as np, consilience as cs, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "session.npz")
    >>> np.savez(path, counts=np.zeros((4, 3)), speed=np.arange(4.0))
    >>> found = cs.sources.variables(path)
    >>> list(found), found["speed"].shape
    (['counts', 'speed'], (4,))
    """
    who = "variables"
    place = Path(check_path_text(os.fspath(path), who=who))
    place = place if place.is_dir() else check_file(place, who=who)
    return open_variables(place, who=f"reading {show(place)}")


def open_variables(path: Path, *, who: str) -> Variables:
    """The variables of a checked path; whatever a damaged file does in its reader becomes one sentence."""
    try:
        return Variables(_tree(path, who), name=who)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  a damaged file raises anything
        said = str(error).splitlines()[0] if str(error) else "no reason given"
        raise InputError(
            f"{who}: it is damaged or incomplete ({type(error).__name__}: {shorten(said, 120)}); copy or write it "
            "again.",
            code="damaged-file",
        ) from None


def _tree(path: Path, who: str) -> Mapping[str, Any]:
    if path.is_dir():
        from consilience.sources._arrays_of import zarr_arrays

        return zarr_arrays(path, who=who)
    with path.open("rb") as stream:
        head = stream.read(512)
    if head.startswith(b"MATLAB 5.0 MAT-file"):
        from consilience.sources._matlab import read_mat5

        return read_mat5(path, who=who)
    if head.startswith(b"MATLAB 7.3 MAT-file"):
        from consilience.sources._matlab73 import read_mat73

        return read_mat73(path, who=who)
    kind = signature(path, who=who)
    if kind == "csv":
        from consilience.sources._columns import read_columns

        return read_columns(path, who=who)
    from consilience.sources import _arrays_of

    return {"npz": _arrays_of.npz_arrays, "netcdf": _arrays_of.hdf5_arrays, "npy": _arrays_of.npy_array}[
        kind
    ](path, who=who)
