"""``consilience evaluate-models DATA MODEL...``: how well models of an RDM explain data."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._text import clean
from consilience._cli._verb import run_verb
from consilience._core._errors import nearest

__all__ = ["command"]


def command(
    *,
    data: str,
    models: tuple[str, ...],
    weighted: tuple[str, ...],
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    def arguments(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        (_, target), *rest = systems.items()
        given = dict(rest)
        return ({**given, **_weighted(weighted, given)}, target), {}

    return run_verb(
        "evaluate_models",
        [data, *models],
        arguments,
        reading=reading,
        options=options,
        output=output,
        as_json_text=as_json_text,
    )


def _weighted(entries: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    from consilience.models import WeightedRDM

    out = {}
    for entry in entries:
        name, equals, listed = entry.partition("=")
        parts = [part for part in listed.split(",") if part]
        if not (equals and name and parts):
            raise click.UsageError(
                f"--weighted must be NAME=MODEL,MODEL, such as both=face,house; got {clean(entry, 100)}."
            )
        unknown = next((part for part in parts if part not in given), None)
        if unknown is not None:
            raise click.UsageError(
                f"--weighted {clean(entry, 100)}: {clean(unknown, 60)!r} is none of the models."
                f"{nearest(unknown, given)}"
            )
        out[name] = WeightedRDM({part: given[part] for part in parts})
    return out
