"""``consilience reduce FILE``: latents of a population, with what they explain held out and against a null."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._encode import gap_given
from consilience._cli._models import model_given
from consilience._cli._picture import drawing
from consilience._cli._verb import axes_of, run_verb

__all__ = ["command"]

_DIMS = ("trial", "time", "unit")


def command(
    *,
    file: str,
    model: str | None,
    label: tuple[str, ...],
    single_trials: bool,
    means: bool,
    gap: str | None,
    dims: str | None,
    time: str | None,
    picture: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    drawn = drawing(picture)
    keyword: dict[str, Any] = {}
    if model is not None:
        keyword["model"] = model_given(model, reducing=True)
    if single_trials and means:
        raise click.UsageError("give --single-trials or --means, not both.")
    if single_trials or means:
        keyword["average"] = means
    if gap is not None:
        keyword["gap"] = gap_given(gap)
    arrays = _DIMS if time is not None and label else None
    options |= {"labels": list(label) or None, "standardise": options["standardise"] or None}
    return run_verb(
        "reduce",
        [file],
        lambda systems: ((next(iter(systems.values())),), keyword),
        reading={**reading, "times": axes_of([file], dims, time, arrays=arrays)},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )
