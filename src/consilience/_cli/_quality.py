"""``consilience quality FILE``: how reliable and how clean each unit of a recording, or of responses, is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from consilience._cli._verb import run_verb

__all__ = ["command"]

_CUT = ("on", "window", "stimulus")


def command(
    *,
    file: str,
    measures: tuple[str, ...],
    on: str | None,
    window: tuple[float, float] | None,
    stimulus: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    from consilience.sources._door import find_source

    cut: dict[str, Any] = {
        key: value for key, value in zip(_CUT, (on, window, stimulus)) if value is not None
    }
    if cut and on is None:
        raise click.UsageError(f"--{next(iter(cut))} says how trials are cut, and needs --on TABLE.COLUMN.")
    options["measures"] = list(measures) or None
    place = Path(file)
    recording = place.exists() and find_source(place, None, {}, "quality").name != "array"
    if cut and place.exists() and not recording:
        raise click.UsageError(
            f"--on cuts trials from a recording, and {place.name} holds responses already."
        )

    def of_recording(_: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        from consilience._recording import Recording
        from consilience.sources import read

        found = read(file)
        if not isinstance(found, Recording) or not cut:
            return (found,), {}
        return (found,), {"trials": found.epoch(**cut)}

    return run_verb(
        "quality",
        [] if recording else [file],
        of_recording if recording else lambda systems: ((next(iter(systems.values())),), {}),
        reading=reading,
        options=options,
        output=output,
        as_json_text=as_json_text,
    )
