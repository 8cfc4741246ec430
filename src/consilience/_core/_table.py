"""A small read-only table for listings: prints as text, shows as HTML, becomes a data frame."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["Table"]


class Table(Sequence[dict[str, Any]]):
    """Rows (dicts) with fixed columns; ``table["name"]`` is a column, ``table[0]`` a row.

    Examples
    --------
    >>> Table(["name", "n"], [("a", 1), ("b", 2)])
    name  n
    ----  -
    a     1
    b     2
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns = tuple(columns)
        self._rows = [tuple(row) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self.columns:
                raise KeyError(f"no column {key!r}; columns are {', '.join(self.columns)}")
            return [row[self.columns.index(key)] for row in self._rows]
        if isinstance(key, slice):
            return Table(self.columns, self._rows[key])
        return dict(zip(self.columns, self._rows[key]))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.columns, row)) for row in self._rows)

    def _texts(self) -> list[tuple[str, ...]]:
        return [tuple("" if cell is None else str(cell) for cell in row) for row in self._rows]

    def __repr__(self) -> str:
        lines = [self.columns, *self._texts()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        lines.insert(1, tuple("-" * width for width in widths))
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._texts()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self._rows, columns=list(self.columns))
