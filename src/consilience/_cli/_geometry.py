"""``consilience geometry FILE --by LABEL``: how the conditions of populations lie to each other."""

from __future__ import annotations

from typing import Any

from consilience._cli._verb import axes_of, run_verb

__all__ = ["command"]


def command(
    *,
    files: tuple[str, ...],
    by: tuple[str, ...],
    methods: tuple[str, ...],
    match: tuple[str, ...],
    as_they_are: bool,
    dims: str | None,
    time: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    options["methods"] = list(methods) or None
    options["match"] = list(match) or None
    if as_they_are:
        options["standardise"] = False
    return run_verb(
        "geometry",
        list(files),
        lambda systems: ((systems if len(systems) > 1 else next(iter(systems.values())),), {"by": list(by)}),
        reading={**reading, "times": axes_of(files, dims, time)},
        options=options,
        output=output,
        as_json_text=as_json_text,
    )
