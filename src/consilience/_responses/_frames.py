"""What a data frame says about its values: ids of its rows, names of its columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten

__all__ = ["check_columns_of_frame", "is_frame", "labels_of_frame"]


def is_frame(thing: Any) -> bool:
    """A data frame of pandas, told by its attributes."""
    return all(hasattr(thing, name) for name in ("iloc", "columns", "index", "dtypes", "to_numpy"))


def labels_of_frame(frame: Any) -> tuple[list[Any] | None, list[Any] | None]:
    """(labels of rows, names of columns); None where they are only counted 0, 1, ..."""
    return _entries(frame.index), _entries(frame.columns)


def check_columns_of_frame(frame: Any, *, who: str) -> None:
    """Refuses columns that hold no numbers, by their names."""
    text = [str(name) for name, kind in zip(frame.columns, frame.dtypes) if not _numeric(kind)]
    if text:
        raise InputError(
            f"{who}: {len(text)} of {len(frame.columns)} columns of the data frame hold no numbers "
            f"({shorten(', '.join(text), 80)}); cs.from_object(frame, stimulus={text[0]!r}) makes ids and labels of "
            "such columns.",
            code="not-numeric",
        )


def _numeric(kind: Any) -> bool:
    return getattr(kind, "kind", "O") in "biuf"


def _entries(index: Any) -> list[Any] | None:
    if type(index).__name__ == "RangeIndex" and list(index) == list(range(len(index))):
        return None
    if getattr(index, "nlevels", 1) > 1:
        return ["/".join(map(str, entry)) for entry in index]
    entries = list(index)
    whole = all(isinstance(entry, (int, np.integer)) and not isinstance(entry, bool) for entry in entries)
    return [int(entry) for entry in entries] if whole else [str(entry) for entry in entries]
