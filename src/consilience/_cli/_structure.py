"""``consilience structure FILE``: statistics of trajectories against surrogates."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._verb import axes_of, run_verb

__all__ = ["command"]

_DIMS = ("trial", "time", "unit")


def command(
    *,
    file: str,
    statistic: tuple[str, ...],
    null: tuple[str, ...],
    dims: str | None,
    time: str | None,
    all_trials: bool,
    keep_mean: bool,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    if all_trials and options["by"] is not None:
        raise click.UsageError("give --by LABEL or --all-trials, not both.")
    keyword: dict[str, Any] = {"by": None} if all_trials else {}
    if keep_mean:
        keyword["subtract_mean"] = False
    options |= {"statistic": list(statistic) or None, "null": list(null) or None}
    return run_verb(
        "structure",
        [file],
        lambda systems: ((next(iter(systems.values())),), keyword),
        reading={**reading, "times": axes_of([file], dims, time, arrays=_DIMS)},
        options=options,
        output=output,
        as_json_text=as_json_text,
    )
