"""Tables of numbers: what the page shows, and the whole as CSV and JSON in links that need no network."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from consilience.plots._labels import visible

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cell", "Download", "Table", "csv_text", "json_text", "table"]

MOST_ROWS = 200
_LARGEST_PLAIN = 1_000_000  # characters; a longer file is compressed
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Cell:
    """One cell: the text shown, what to sort by, whether it is a number, whether it must wrap."""

    text: str
    sort: str
    number: bool
    long: bool = False


@dataclass(frozen=True)
class Download:
    """A link that holds its file."""

    name: str
    href: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """What the page shows of a frame, and the downloads with all of it."""

    caption: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int
    empty: tuple[str, ...] = ()
    downloads: tuple[Download, ...] = field(default=())


def table(frame: pd.DataFrame, *, caption: str, name: str, most: int = MOST_ROWS) -> Table:
    """The first ``most`` rows to show, all to download as ``name``.csv and .json; NaN columns only named."""
    columns = [str(column) for column in frame.columns]
    records = list(frame.itertuples(index=False, name=None))
    numbers = [_is_number_column(frame.iloc[:, i]) for i in range(len(columns))]
    empty = [
        numbers[i] and len(records) > 0 and all(_missing(row[i]) for row in records)
        for i in range(len(columns))
    ]
    kept = [i for i in range(len(columns)) if not empty[i]]
    rows = tuple(tuple(_cell(row[i], is_number=numbers[i]) for i in kept) for row in records[:most])
    return Table(
        caption=caption,
        columns=tuple(visible(columns[i]) for i in kept),
        numeric=tuple(numbers[i] for i in kept),
        rows=rows,
        total=len(records),
        empty=tuple(visible(columns[i]) for i in range(len(columns)) if empty[i]),
        downloads=(
            _download(f"{name}.csv", "text/csv", csv_text(columns, records), "CSV"),
            _download(f"{name}.json", "application/json", json_text(columns, records), "JSON"),
        ),
    )


def _is_number_column(column: pd.Series) -> bool:
    return column.dtype.kind in "fiu"


def _missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _cell(value: Any, *, is_number: bool) -> Cell:
    if not is_number:
        text = visible(value)
        shown = text if len(text) <= 160 else f"{text[:100]}…{text[-40:]} ({len(text):,} characters)"
        return Cell(shown, text[:200], number=False, long=len(text) > 40)
    if _missing(value):
        return Cell("–", "", number=True)
    if float(value).is_integer() and abs(value) < 1e15:
        return Cell(f"{int(value):,}".replace(",", "\u2009"), repr(int(value)), number=True)
    text = f"{value:.3f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"
    return Cell(text.replace("-", "−"), repr(float(value)), number=True)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""CSV (RFC 4180) in full precision. Text that a spreadsheet would run as a formula gets a leading
    ``'``; numbers do not.

    >>> csv_text(["name", "value"], [("=1+1", -0.5), ("nul\0", float("nan"))])
    "name,value\r\n'=1+1,-0.5\r\nnul\\x00,\r\n"
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([_csv_cell(str(column)) for column in columns])
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])
    return stream.getvalue()


def _csv_cell(value: Any) -> str:
    if isinstance(value, str):
        return (
            "'" if value.startswith(_FORMULA) or value.lstrip(" ").startswith(_FORMULA) else ""
        ) + visible(value)
    plain = value.item() if hasattr(value, "item") else value
    if plain is None or _missing(plain):
        return ""
    return repr(plain) if isinstance(plain, (int, float)) else _csv_cell(str(plain))


def json_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """``{"columns": [...], "rows": [[...]]}``, ASCII only; what is not finite is null."""
    return json.dumps(
        {"columns": list(columns), "rows": [[_plain(value) for value in row] for row in rows]},
        separators=(",", ":"),
    )


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (int, str, bool)) or value is None else str(value)


def _download(name: str, kind: str, text: str, words: str) -> Download:
    payload = text.encode("utf-8", "backslashreplace")
    if len(payload) > _LARGEST_PLAIN:
        payload, kind, name, words = (
            gzip.compress(payload, 9, mtime=0),
            "application/gzip",
            f"{name}.gz",
            f"{words} (gzip)",
        )
    else:
        kind = f"{kind};charset=utf-8"
    return Download(
        name,
        f"data:{kind};base64,{base64.b64encode(payload).decode('ascii')}",
        f"{words}, {_size(len(payload))}",
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"
