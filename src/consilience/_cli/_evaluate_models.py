"""``consilience evaluate-models DATA MODEL...``: how well models of an RDM explain data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import click

from consilience._cli._text import clean
from consilience._cli._verb import labels_of_data, names_of, run_verb
from consilience._core._errors import nearest

__all__ = ["command", "told_apart"]

ALPHA = 0.05


def command(
    *,
    data: str,
    models: tuple[str, ...],
    more: tuple[str, ...],
    weighted: tuple[str, ...],
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    paths, count = [data, *more, *models], 1 + len(more)

    def arguments(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        named = list(systems.items())
        parts, given = dict(named[:count]), dict(named[count:])
        return ({**given, **_weighted(weighted, given)}, parts if more else next(iter(parts.values()))), {}

    return run_verb(
        "evaluate_models",
        paths,
        arguments,
        reading={**reading, "labels": labels_of_data(names_of(paths)[:count], reading.get("labels", ()))},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=told_apart,
    )


def told_apart(result: Any) -> Iterator[str]:
    """Is the best model told apart from the next one, and from the noise ceiling?"""
    frame = result.to_frame().sort_values("value", ascending=False)
    if len(frame) > 1:
        first, second = frame["model"].tolist()[:2]
        pairs = result.pairs_frame()
        row = pairs[pairs["model"].isin([first, second]) & pairs["other"].isin([first, second])].iloc[0]
        p = float(row["p_corrected"])
        ahead = f"{clean(first, 60)} and the next, {clean(second, 60)}"
        if math.isfinite(p):
            verdict = "told apart" if p < ALPHA else "not told apart"
            yield f"  {ahead}: {verdict}, difference {abs(row['difference']):.3f}, p={p:.3g} (corrected)"
        else:
            yield f"  {ahead}: not tested (no resamples)"
    top = frame.iloc[0]
    p = float(top["p_ceiling_corrected"])
    if math.isfinite(p):
        verdict = "below it" if p < ALPHA else "not told apart from it"
        yield f"  {clean(top['model'], 60)} and the noise ceiling: {verdict}, p={p:.3g} (corrected)"
    elif math.isfinite(float(result.ceilings["value"].sel(bound="low"))):
        yield f"  {clean(top['model'], 60)} and the noise ceiling: not tested"
    else:
        yield "  noise ceiling: none for one RDM"


def _weighted(entries: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    from consilience.models import WeightedRDM

    out = {}
    for entry in entries:
        name, equals, listed = entry.partition("=")
        parts = [part for part in listed.split(",") if part]
        if not (equals and name and parts):
            raise click.UsageError(
                f"--weighted must be NAME=MODEL,MODEL, such as both=face,house; got {clean(entry, 100)}."
            )
        unknown = next((part for part in parts if part not in given), None)
        if unknown is not None:
            raise click.UsageError(
                f"--weighted {clean(entry, 100)}: {clean(unknown, 60)!r} is none of the models."
                f"{nearest(unknown, given)}"
            )
        out[name] = WeightedRDM({part: given[part] for part in parts})
    return out
