"""``consilience encode X Y``: how well one file predicts each unit of another."""

from __future__ import annotations

from typing import Any

from consilience._cli._verb import run_verb

__all__ = ["command"]


def command(
    *,
    x: str,
    y: str,
    bands: tuple[str, ...],
    model: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    keyword = {} if model is None else {"model": _model(model)}

    def arguments(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        (first, one), (_, target), *more = systems.items()
        return ({first: one, **dict(more)} if more else one, target), keyword

    return run_verb(
        "encode",
        [x, y, *bands],
        arguments,
        reading=reading,
        options=options,
        output=output,
        as_json_text=as_json_text,
    )


def _model(name: str) -> Any:
    from consilience import models
    from consilience._core._errors import UnknownNameError, nearest
    from consilience._core._params import shorten

    known = [entry for entry in models.__all__ if not entry.endswith("RDM")]
    if name not in known:
        raise UnknownNameError(f"--model {shorten(name)} is not a model of responses.{nearest(name, known)}")
    return getattr(models, name)()
