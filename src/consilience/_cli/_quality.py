"""``consilience quality FILE``: how reliable and how clean each unit of a recording, or of responses, is."""

from __future__ import annotations

from typing import Any

from consilience._cli._cut import cut_of
from consilience._cli._verb import run_verb

__all__ = ["command"]


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
    cut, recording = cut_of(file, on, window, stimulus, command="quality")
    options["measures"] = list(measures) or None

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
