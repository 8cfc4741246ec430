"""``consilience shape-space FILE...``: many systems by their distances."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._measures import measure_given
from consilience._cli._text import clean
from consilience._cli._verb import run_verb

__all__ = ["command"]


def command(
    *,
    files: tuple[str, ...],
    groups: tuple[str, ...],
    in_sample: bool,
    measure: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    keyword: dict[str, Any] = {"held_out": False} if in_sample else {}
    if groups:
        keyword["labels"] = _labels(groups)
    return run_verb(
        "shape_space",
        files,
        lambda systems: ((systems,), keyword),
        reading=reading,
        options={**options, "measure": measure_given(measure)},
        output=output,
        as_json_text=as_json_text,
        measures=[measure],
    )


def _labels(groups: tuple[str, ...]) -> dict[str, str]:
    out: dict[str, str] = {}
    for entry in groups:
        name, equals, label = entry.partition("=")
        if not (equals and name and label):
            raise click.UsageError(f"--group must be NAME=LABEL, got {clean(entry, 100)}.")
        out[name] = label
    return out
