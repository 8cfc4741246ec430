"""``consilience searchlight DATA TARGET``: where responses look like a model RDM."""

from __future__ import annotations

from typing import Any

from consilience._cli._verb import data_and_models, run_verb

__all__ = ["command"]


def command(
    *,
    data: str,
    model: str,
    coordinates: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    paths = [data, model]
    return run_verb(
        "searchlight",
        paths,
        lambda systems: (tuple(systems.values()), {}),
        reading=data_and_models(paths, reading),
        options={**options, "coordinates": coordinates and coordinates.split(",")},
        output=output,
        as_json_text=as_json_text,
    )
