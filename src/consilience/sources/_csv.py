"""Adapter: a text table whose first column holds stimulus ids and whose header names the units."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.sources._doubts import doubt_header, doubt_ids
from consilience.sources._files import check_room, show
from consilience.sources._raw import Raw

__all__ = ["read_csv", "read_rows"]

_MISSING = {"", "na", "nan", "n/a", "null", "none"}


def read_rows(path: Path, *, who: str, one_column: bool = False) -> list[tuple[int, list[str]]]:
    """The rows of a text table, each with the line on which it ends; comma, semicolon or tab."""
    if path.suffix.lower() == ".py":
        raise InputError(
            f"{who}: {show(path)} is Python text; a folder of Phy / Kilosort is read as a whole: give the folder, "
            f"{show(path.parent)}.",
            code="unknown-format",
        )
    check_room(8 * path.stat().st_size, path, who=who)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{who}: {show(path)} is not UTF-8 text (byte {error.start}); save it as UTF-8 CSV.",
            code="not-utf8",
        ) from None
    if "\0" in text:
        raise InputError(
            f"{who}: {show(path)} is not a text table (it holds NUL bytes).", code="unknown-format"
        )
    first = text.split("\n", 1)[0]
    delimiter = max("\t;,", key=first.count)
    if first.count(delimiter) == 0 and not one_column:
        raise InputError(
            f"{who}: {show(path)}, line 1: no comma, semicolon or tab; the header must name the id column "
            "and at least one unit.",
            code="bad-csv",
        )
    try:
        return [(line, row) for line, row in _numbered(text, delimiter) if row]
    except csv.Error as error:
        raise InputError(f"{who}: {show(path)}: {error}.", code="bad-csv") from None


def read_csv(path: Path, *, who: str, apart: Sequence[str] = ()) -> Raw:
    """The table; columns named in ``apart`` are labels of trials, not units."""
    rows = read_rows(path, who=who)
    header, body = rows[0][1], rows[1:]
    if not body:
        raise InputError(f"{who}: {show(path)} has a header and no rows.", code="too-few")
    kept = [j for j, name in enumerate(header) if j > 0 and name.strip() not in apart]
    if not kept:
        raise InputError(f"{who}: {show(path)} has no column left that is a unit.", code="too-few")
    values = np.empty((len(body), len(kept)))
    for i, (line, row) in enumerate(body):
        if len(row) != len(header):
            raise InputError(
                f"{who}: {show(path)}, line {line}: {len(row)} columns where the header has {len(header)}.",
                code="bad-csv",
            )
        for j, column in enumerate(kept):
            values[i, j] = _number(row[column], path, line, header[column], who)
    ids = [row[0].strip() for _, row in body]
    return Raw(
        values=values,
        format="csv",
        dims=("trial", "unit"),
        stimulus=np.array(ids),
        unit=np.array([header[column].strip() for column in kept]),
        cautions=(
            *doubt_header([header[0], *(header[column] for column in kept)], ids, path),
            *doubt_ids(header, ids, path),
        ),
    )


def _numbered(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    return [(reader.line_num, row) for row in reader]


def _number(cell: str, path: Path, line: int, column: str, who: str) -> float:
    try:
        return float(cell)
    except ValueError:
        if cell.strip().lower() in _MISSING:
            return float("nan")
        raise InputError(
            f"{who}: {show(path)}, line {line}, column {shorten(column, 40)}: {shorten(cell, 40)} is not a "
            "number (the first column holds ids, "
            "the others numbers with a decimal point).",
            code="not-numeric",
        ) from None
