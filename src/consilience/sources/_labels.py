"""Labels of trials from a list, a file with one entry a line, an array, or the column of a table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience.sources._csv import read_rows
from consilience.sources._files import check_file, show
from consilience.sources._ids import read_ids
from consilience.sources._npy import read_npy

__all__ = ["TAKEN", "LabelSource", "own_columns", "read_label"]

LabelSource = str | os.PathLike[str] | Sequence[Any]
TAKEN = (  # names of responses that mean something of their own: no label is called so
    "array",
    "dims",
    "kind",
    "missing",
    "repeat",
    "stimulus",
    "system",
    "time",
    "trial",
    "unit",
    "valid",
)
_TABLES = (".csv", ".tsv")


def read_label(source: LabelSource, name: str, *, who: str) -> np.ndarray:
    """The entries of the label ``name``, in the order of the trials.

    Parameters
    ----------
    source : list of entries; or a path: ``.csv`` and ``.tsv`` are tables with a header, of which the column called
        ``name`` is taken; ``.npy`` is a 1-D array of text, numbers or booleans; ``.txt``, ``.json``, ``.yaml`` as for
        ids.

    Returns
    -------
    array (n,). Text of a table or of lines that is whole numbers throughout becomes whole numbers.
    """
    if not isinstance(source, (str, os.PathLike)):
        return np.asarray(list(source))
    path = check_file(source, who=who)
    if path.suffix.lower() in _TABLES:
        return _numbers(_column(path, name, who))
    if path.suffix.lower() == ".npy":
        values = read_npy(path, who=who).values
        if values.ndim != 1 or values.dtype.kind not in "biufUS":
            raise InputError(
                f"{who}: {show(path)} must be 1-D text or numbers to be the label {shorten(name, 40)}, got shape "
                f"{values.shape}, {values.dtype}.",
                code="bad-label",
            )
        return values.astype(str) if values.dtype.kind == "S" else values
    entries = read_ids(path, who=who)
    return np.asarray(entries) if path.suffix.lower() not in ("", ".txt") else _numbers(entries)


def own_columns(labels: Mapping[str, LabelSource], path: Path) -> list[str]:
    """Labels that stand as columns in the file of responses itself."""
    return [
        name
        for name, source in labels.items()
        if isinstance(source, (str, os.PathLike))
        and Path(source).suffix.lower() in _TABLES
        and Path(source).exists()
        and path.exists()
        and Path(source).samefile(path)
    ]


def _column(path: Path, name: str, who: str) -> list[str]:
    rows = [row for _, row in read_rows(path, who=who, one_column=True)]
    header = [entry.strip() for entry in rows[0]]
    if header.count(name) != 1:
        found = "has no column" if name not in header else "has several columns"
        raise InputError(
            f"{who}: {show(path)} {found} {shorten(name, 40)}, which is the label wanted.{nearest(name, header)}",
            code="bad-label",
        )
    at = header.index(name)
    short = next((i for i, row in enumerate(rows) if len(row) != len(header)), None)
    if short is not None:
        raise InputError(
            f"{who}: {show(path)}, row {short + 1}: {len(rows[short])} columns where the header has {len(header)}.",
            code="bad-csv",
        )
    return [row[at].strip() for row in rows[1:]]


def _numbers(entries: list[Any]) -> np.ndarray:
    """Whole numbers where every entry is written as one (007 is a name)."""
    text = [str(entry) for entry in entries]
    if text and all(entry.lstrip("-").isdecimal() and str(int(entry)) == entry for entry in text):
        return np.array([int(entry) for entry in text])
    return np.array(text)
