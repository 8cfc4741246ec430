"""``consilience rdm-movie DATA [MODEL...]``: an RDM for each moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from consilience._cli._rdms import noise_given
from consilience._cli._text import clean
from consilience._cli._verb import data_and_models, names_of, run_verb

__all__ = ["command", "onsets"]

ALPHA = 0.05
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
        more=onsets,
    )


def onsets(result: Any) -> Iterator[str]:
    """When each model is first told from chance, corrected over times."""
    data, unit = result.data, str(result.settings.get("time_units", "s"))
    for model in data["model"].values.tolist()[:8] if "model" in data.dims else []:
        p = data["p_fwer"].sel(model=model).values
        if not np.isfinite(p).any():
            continue
        times = data["time"].values[p <= ALPHA]
        when = (
            f"first at {times[0]:g} {unit}, at {len(times)} of {len(p)} times" if len(times) else "at no time"
        )
        yield f"  {clean(model, 60)} told from chance {when} (p_fwer <= {ALPHA:g})"
