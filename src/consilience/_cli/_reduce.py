"""``consilience reduce FILE``: latents of a population, with what they explain held out and against a null."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consilience._cli._models import model_given
from consilience._cli._picture import drawing
from consilience._cli._verb import names_of, run_verb

__all__ = ["SHORT", "command"]

SHORT = {
    "pca": "PCA",
    "fa": "FactorAnalysis",
    "gpfa": "GPFA",
    "dpca": "DPCA",
    "jpca": "JPCA",
    "lds": "LDS",
    "cp": "CP",
}
_DIMS = ("trial", "time", "unit")


def command(
    *,
    file: str,
    model: str | None,
    label: tuple[str, ...],
    single_trials: bool,
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
        name, colon, rest = model.partition(":")
        keyword["model"] = model_given(SHORT.get(name.lower(), name) + colon + rest)
    if single_trials:
        keyword["average"] = False
    of_time: dict[str, Any] = {"time": time}
    if Path(file).suffix.lower() in (".npy", ".npz") and time is not None and label:
        of_time["dims"] = _DIMS
    options |= {"labels": list(label) or None, "standardise": options["standardise"] or None}
    return run_verb(
        "reduce",
        [file],
        lambda systems: ((next(iter(systems.values())),), keyword),
        reading={**reading, "times": {names_of([file])[0]: of_time} if time is not None else {}},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )
