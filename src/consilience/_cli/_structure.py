"""``consilience structure FILE``: statistics of trajectories against surrogates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from consilience._cli._verb import names_of, run_verb

__all__ = ["command"]

_DIMS = ("trial", "time", "unit")


def command(
    *,
    file: str,
    statistic: tuple[str, ...],
    null: tuple[str, ...],
    time: str | None,
    all_trials: bool,
    keep_mean: bool,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    of_time = (
        {"time": time} if Path(file).suffix.lower() not in (".npy", ".npz") else {"time": time, "dims": _DIMS}
    )
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
        reading={**reading, "times": {names_of([file])[0]: of_time}},
        options=options,
        output=output,
        as_json_text=as_json_text,
    )
