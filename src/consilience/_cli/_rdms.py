"""``consilience rdms FILE...``: dissimilarity matrices, cross-validated where there are folds."""

from __future__ import annotations

from typing import Any

from consilience._cli._verb import run_verb

__all__ = ["command", "noise_given"]


def command(
    *, files: tuple[str, ...], reading: dict[str, Any], output: str | None, as_json_text: bool, **options: Any
) -> int:
    keyword = noise_given(options.pop("noise"))
    return run_verb(
        "rdms",
        files,
        lambda systems: ((systems,), keyword),
        reading=reading,
        options=options,
        output=output,
        as_json_text=as_json_text,
    )


def noise_given(noise: str | None) -> dict[str, Any]:
    """The argument ``noise``: none is a choice, and not given is another."""
    return {} if noise is None else {"noise": None if noise == "none" else noise}
