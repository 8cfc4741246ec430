"""``consilience unit-report FILE``: the card of a unit, or the table of many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from consilience._cli._cut import cut_of
from consilience._cli._verb import run_verb

__all__ = ["command"]


def command(
    *,
    file: str,
    units: tuple[str, ...],
    variables: tuple[str, ...],
    on: str | None,
    window: tuple[float, float] | None,
    stimulus: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    cut, recording = cut_of(file, on, window, stimulus, command="unit-report")
    place = Path(file)
    if variables and place.exists() and not recording:
        raise click.UsageError(
            f"--variable names a signal of a recording, and {place.name} holds responses; in Python, "
            "cs.unit_report(responses, variable=...)."
        )

    def of_recording(_: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        from consilience._recording import Recording
        from consilience.sources import read

        found = read(file)
        more: dict[str, Any] = {"variable": list(variables) or None}
        if isinstance(found, Recording) and cut:
            more["trials"] = found.epoch(**cut)
        names = found.unit_names.tolist() if isinstance(found, Recording) else []
        return (found, _units(units, names)), more

    def of_responses(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        data = next(iter(systems.values()))
        names = data["unit"].values.tolist() if "unit" in data.coords else list(range(data.sizes["unit"]))
        return (data, _units(units, names)), {}

    return run_verb(
        "unit_report",
        [] if recording else [file],
        of_recording if recording else of_responses,
        reading=reading,
        options=options,
        output=output,
        as_json_text=as_json_text,
    )


def _units(asked: tuple[str, ...], names: list[Any]) -> list[Any] | None:
    """Names as the file has them: text that is the text of a number is that number."""
    own = {str(name): name for name in names}
    return [own.get(name, name) for name in asked] or None
