"""``consilience shapley TABLE --scores COLUMN``: what each region adds, from a table of lesions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consilience._cli._picture import drawing
from consilience._cli._verb import run_verb, said_as_options
from consilience._core._errors import InputError
from consilience._core._params import shorten

__all__ = ["command", "table_of"]


def command(
    *, table: str, picture: str | None, output: str | None, as_json_text: bool, **options: Any
) -> int:
    drawn = drawing(picture)
    with said_as_options([*options], ()):
        lesions = table_of(table)

    return run_verb(
        "shapley",
        [],
        lambda _systems: ((lesions,), {}),
        reading={},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )


def table_of(path: str, *, needs: str = "regions, scores, and a row for each animal") -> Any:
    """A .csv or .tsv with a header, as a data frame.   needs : what it should hold, for the message."""
    import pandas as pd

    file = Path(path)
    if not file.is_file():
        raise InputError(f"{shorten(path)}: there is no such file.", code="no-file")
    try:
        found = pd.read_csv(file, sep="\t" if file.suffix.lower() == ".tsv" else ",", skipinitialspace=True)
    except (ValueError, UnicodeError, pd.errors.ParserError) as error:
        raise InputError(
            f"{shorten(path)}: not a table of comma-separated values with a header ({shorten(str(error))}).",
            code="damaged-file",
        ) from None
    if not len(found) or found.shape[1] < 2:
        raise InputError(
            f"{shorten(path)}: {len(found)} rows and {found.shape[1]} columns; it needs {needs}.",
            code="too-few",
        )
    return found
