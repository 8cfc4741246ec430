"""Trials that a command cuts from a recording: --on, --window, --stimulus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["cut_of"]


def cut_of(
    file: str, on: str | None, window: tuple[float, float] | None, stimulus: str | None, *, command: str
) -> tuple[dict[str, Any], bool]:
    """Arguments of `Recording.epoch`, and whether the file is a recording; responses are refused with them."""
    from consilience.sources._door import find_source

    given = {"on": on, "window": window, "stimulus": stimulus}
    cut = {key: value for key, value in given.items() if value is not None}
    if cut and on is None:
        raise click.UsageError(f"--{next(iter(cut))} says how trials are cut, and needs --on TABLE.COLUMN.")
    place = Path(file)
    recording = place.exists() and find_source(place, None, {}, command).name != "array"
    if cut and place.exists() and not recording:
        raise click.UsageError(
            f"--on cuts trials from a recording, and {place.name} holds responses already."
        )
    return cut, recording
