"""``consilience subspaces A [B]``: whether two sets of responses of the same units use the same dimensions."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._verb import axes_of, run_verb

__all__ = ["command"]


def command(
    *,
    files: tuple[str, ...],
    condition: tuple[str, ...],
    trials: bool,
    dims: str | None,
    time: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    if len(files) > 2:
        raise click.UsageError("give two FILES, or one and --by LABEL.")
    if trials and condition:
        raise click.UsageError("--trials takes trials as the samples; leave --condition out.")
    keyword: dict[str, Any] = {"condition": list(condition)} if condition else {}
    if trials:
        keyword["condition"] = None
    return run_verb(
        "subspaces",
        list(files),
        lambda systems: (tuple(systems.values()), keyword),
        reading={**reading, "times": axes_of(files, dims, time)},
        options=options,
        output=output,
        as_json_text=as_json_text,
    )
