"""What can be loaded by name: one entry per data set or trained network, each in a file of its own."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from consilience._core._errors import UnknownNameError, nearest
from consilience._core._fetch import PackageFile, cached
from consilience._core._installed import InstalledFiles
from consilience._core._params import shorten
from consilience._core._table import Table

__all__ = ["Entry", "catalogue_table", "entry_module", "package_file"]


@dataclass(frozen=True)
class Entry:
    """``module`` is the dotted name of the file with ``load(entry)``; it is imported on first use. ``name`` is that of
    the entry, for modules that load several.
    """

    module: str
    what: str
    licence: str
    source: PackageFile | InstalledFiles
    name: str = ""


def entry_module(entries: Mapping[str, Entry], name: object, *, who: str, what: str) -> ModuleType:
    """The module that loads ``name``; else `UnknownNameError` with the nearest names."""
    if not isinstance(name, str) or name not in entries:
        hint = nearest(name, entries)
        raise UnknownNameError(f"{who}: no {what} is called {shorten(name)}.{hint}", code="unknown-name")
    return importlib.import_module(entries[name].module)


def package_file(entry: Entry) -> PackageFile:
    """The source of an entry whose files are fetched."""
    assert isinstance(entry.source, PackageFile)
    return entry.source


def _there(source: PackageFile | InstalledFiles) -> bool:
    return source.find() is not None if isinstance(source, InstalledFiles) else cached(source)


def catalogue_table(entries: Mapping[str, Entry]) -> Table:
    rows = [
        (name, entry.what, entry.licence, str(entry.source), "yes" if _there(entry.source) else "no")
        for name, entry in entries.items()
    ]
    return Table(["name", "what", "licence", "source", "cached"], rows)
