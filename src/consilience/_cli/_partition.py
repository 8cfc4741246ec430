"""``consilience partition DATA MODEL...``: which part of an RDM only one model explains."""

from __future__ import annotations

from typing import Any

from consilience._cli._verb import first_and_rest, run_verb

__all__ = ["command"]


def command(
    *,
    data: str,
    models: tuple[str, ...],
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    return run_verb(
        "partition",
        [data, *models],
        first_and_rest,
        reading=reading,
        options=options,
        output=output,
        as_json_text=as_json_text,
    )
