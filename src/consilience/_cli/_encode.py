"""``consilience encode X Y``: how well one file predicts each unit of another."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._models import model_given
from consilience._cli._text import clean
from consilience._cli._verb import for_each, names_of, run_verb

__all__ = ["command", "delays_given", "gap_given"]

_MOST = 1_000_000


def command(
    *,
    x: str,
    y: str,
    bands: tuple[str, ...],
    model: str | None,
    delays: str | None,
    gap: str | None,
    time: tuple[str, ...],
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    paths = [x, y, *bands]
    keyword: dict[str, Any] = {} if model is None else {"model": model_given(model)}
    if delays is not None:
        keyword["delays"] = delays_given(delays)
    if gap is not None:
        keyword["gap"] = gap_given(gap)
    times = {name: {"time": source} for name, source in for_each(time, names_of(paths), "--time").items()}

    def arguments(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        (first, one), (_, target), *more = systems.items()
        return ({first: one, **dict(more)} if more else one, target), keyword

    return run_verb(
        "encode",
        paths,
        arguments,
        reading={**reading, "times": times},
        options={**options, "delays": None, "gap": None},
        output=output,
        as_json_text=as_json_text,
    )


def delays_given(text: str) -> list[int]:
    """``0,1,2`` or ``FROM:TO[:STEP]``, TO left out, as in Python.

    >>> delays_given("0:4"), delays_given("-6:3:4"), delays_given("-2,0")
    ([0, 1, 2, 3], [-6, -2, 2], [-2, 0])
    """
    try:
        if ":" in text:
            parts = [int(part) for part in text.split(":")]
            if len(parts) > 3 or max(map(abs, parts)) > _MOST:
                raise ValueError
            return list(range(*parts))
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise click.UsageError(
            f"--delays must be whole numbers of steps, 0,1,2 or FROM:TO[:STEP] (TO left out), got {clean(text, 60)}."
        ) from None


def gap_given(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text != "auto":
        raise click.UsageError(
            f"--gap must be auto, steps (a whole number) or a time (a number with a point), got {clean(text, 60)}."
        )
    return text
