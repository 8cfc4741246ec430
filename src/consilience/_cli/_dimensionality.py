"""``consilience dimensionality FILE``: how many dimensions populations have."""

from __future__ import annotations

from typing import Any

from consilience._cli._verb import axes_of, run_verb

__all__ = ["command"]


def command(
    *,
    files: tuple[str, ...],
    measures: tuple[str, ...],
    match: tuple[str, ...],
    first_rank: int | None,
    last_rank: int | None,
    dims: str | None,
    time: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    options["measures"] = list(measures) or None
    options["match"] = list(match) or None
    if first_rank is not None or last_rank is not None:
        options["fit"] = (first_rank or 1, last_rank or 500)
    return run_verb(
        "dimensionality",
        list(files),
        lambda systems: ((systems if len(systems) > 1 else next(iter(systems.values())),), {}),
        reading={**reading, "times": axes_of(files, dims, time)},
        options=options,
        output=output,
        as_json_text=as_json_text,
    )
