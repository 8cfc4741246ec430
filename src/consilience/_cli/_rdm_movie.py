"""``consilience rdm-movie DATA [MODEL...]``: an RDM for each moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consilience._cli._rdms import noise_given
from consilience._cli._verb import data_and_models, names_of, run_verb

__all__ = ["command"]

_DIMS = ("trial", "time", "unit")


def command(
    *,
    data: str,
    models: tuple[str, ...],
    time: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    paths = [data, *models]
    keyword = noise_given(options.pop("noise"))
    of_time = (
        {"time": time} if Path(data).suffix.lower() not in (".npy", ".npz") else {"time": time, "dims": _DIMS}
    )

    def arguments(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        (_, movie), *rest = systems.items()
        return (movie,), {**keyword, **({"models": dict(rest)} if rest else {})}

    return run_verb(
        "rdm_movie",
        paths,
        arguments,
        reading={**data_and_models(paths, reading), "times": {names_of(paths)[0]: of_time}},
        options=options,
        output=output,
        as_json_text=as_json_text,
    )
