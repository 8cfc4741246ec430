"""``consilience characterize FILE``: tuning and selectivity of each unit."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._verb import run_verb

__all__ = ["command"]


def command(
    *,
    files: tuple[str, ...],
    measures: tuple[str, ...],
    noise_mean: float | None,
    noise_fano: float | None,
    noise_trials: int | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    options["measures"] = list(measures) or None
    noise = {"mean": noise_mean, "fano": noise_fano, "n_trials": noise_trials}
    given = {key: value for key, value in noise.items() if value is not None}
    if given and noise_mean is None:
        raise click.UsageError(
            "--noise-fano and --noise-trials go with --noise-mean, the mean count of the neurons."
        )
    options["matched_noise"] = given or None
    return run_verb(
        "characterize",
        list(files),
        lambda systems: ((systems if len(systems) > 1 else next(iter(systems.values())),), {}),
        reading=reading,
        options=options,
        output=output,
        as_json_text=as_json_text,
    )
