"""``consilience rdms FILE...``: dissimilarity matrices, cross-validated where there are folds."""

from __future__ import annotations

from typing import Any

from consilience._cli._verb import run_verb

__all__ = ["command"]


def command(
    *, files: tuple[str, ...], reading: dict[str, Any], output: str | None, as_json_text: bool, **options: Any
) -> int:
    noise = options.pop("noise")
    keyword: dict[str, Any] = {}
    if noise is not None:  # none is a choice, and not given is another
        keyword = {"noise": None if noise == "none" else noise}
    return run_verb(
        "rdms",
        files,
        lambda systems: ((systems,), keyword),
        reading=reading,
        options=options,
        output=output,
        as_json_text=as_json_text,
    )
