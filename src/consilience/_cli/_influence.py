"""``consilience influence A B``: each stimulus left out once."""

from __future__ import annotations

from typing import Any

from consilience._cli._measures import measure_given
from consilience._cli._verb import run_verb

__all__ = ["command"]


def command(
    *,
    a: str,
    b: str,
    measures: tuple[str, ...],
    in_sample: bool,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    keyword = {"measure": [measure_given(measure) for measure in measures], "held_out": not in_sample}

    def arguments(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tuple({name: data} for name, data in systems.items()), keyword

    return run_verb(
        "influence",
        [a, b],
        arguments,
        reading=reading,
        options=options,
        output=output,
        as_json_text=as_json_text,
        measures=measures,
    )
