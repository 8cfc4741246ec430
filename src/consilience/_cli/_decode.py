"""``consilience decode DATA --target LABEL``: a label, or a series of another file, told from responses held out.
Several DATA are sessions, whose units are joined to pseudo-trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import numpy as np

from consilience._cli._encode import gap_given
from consilience._cli._models import model_given
from consilience._cli._text import clean
from consilience._cli._verb import for_each, names_of, run_verb

__all__ = ["command", "condition_given", "with_target"]


def command(
    *,
    data: tuple[str, ...],
    by: tuple[str, ...],
    session: str | None,
    target: str | None,
    target_file: str | None,
    model: str | None,
    gap: str | None,
    over_time: str | None,
    train_on: tuple[str, ...],
    test_on: tuple[str, ...],
    numbers: bool,
    time: tuple[str, ...],
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    if target is not None and target_file is not None:
        raise click.UsageError("give --target LABEL or --target-file FILE, not both.")
    if target is None and target_file is None:
        raise click.UsageError("give --target LABEL, or --target-file FILE with a series (time, values).")
    apart = len(data) > 1 or session is not None
    if len(data) > 1 and session is not None:
        raise click.UsageError(
            "--session tells the sessions of one file apart; give one file, or leave it out."
        )
    if apart and target_file is not None:
        raise click.UsageError(
            "--target-file is for one series; several DATA are sessions, joined by their trials."
        )
    if apart and numbers:
        raise click.UsageError("--numbers is of labels of trials; conditions of sessions are classes.")
    if not apart and (by or options["n_draws"] is not None):
        said = "--by" if by else "--n-draws"
        raise click.UsageError(
            f"{said} is for units that were recorded apart: several DATA, or --session LABEL."
        )
    paths = [*data] if target_file is None else [*data, target_file]
    keyword: dict[str, Any] = {} if model is None else {"model": model_given(model)}
    if gap is not None:
        keyword["gap"] = gap_given(gap)
    if over_time is not None:
        keyword["time"] = None if over_time == "all" else over_time
    for option, entries in (("train_on", train_on), ("test_on", test_on)):
        if entries:
            keyword[option] = [condition_given(entry, option) for entry in entries]
    times = {name: {"time": source} for name, source in for_each(time, names_of(paths), "--time").items()}

    def arguments(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if apart:
            from consilience._responses import pseudo_population

            joined = systems if session is None else next(iter(systems.values()))
            named = list(dict.fromkeys([*by, str(target)]))  # conditions: the target, and labels beside it
            first = pseudo_population(joined, by=named, session=session)
            for option in ("train_on", "test_on"):
                if option in keyword:
                    keyword[option] = _values(first.labels, keyword[option])
            return (first,), {"target": target, **keyword}
        first, wanted = with_target(systems, target, numbers=numbers)
        for option in ("train_on", "test_on"):
            if option in keyword:
                keyword[option] = _values(first.coords, keyword[option])
        return (first,), {"target": wanted, **keyword}

    return run_verb(
        "decode",
        paths,
        arguments,
        reading={**reading, "times": times},
        options=options,
        output=output,
        as_json_text=as_json_text,
    )


def condition_given(text: str, option: str) -> tuple[str, list[str]]:
    """``LABEL=VALUE[,VALUE...]``.

    >>> condition_given("position=upper,lower", "train_on")
    ('position', ['upper', 'lower'])
    """
    label, equals, values = text.partition("=")
    if not (label and equals and values):
        raise click.UsageError(
            f"--{option.replace('_', '-')} must be LABEL=VALUE[,VALUE...], got {clean(text, 60)}."
        )
    return label, values.split(",")


def _values(labels: Any, given: list[tuple[str, list[str]]]) -> dict[str, list[Any]]:
    """Values as the label holds them: text, or whole numbers."""
    out: dict[str, list[Any]] = {}
    for label, values in given:
        known = {str(v): v for v in np.asarray(labels[label]).tolist()} if label in labels else {}
        out[label] = [known.get(value, value) for value in values]
    return out


def with_target(systems: Mapping[str, Any], target: str | None, *, numbers: bool) -> tuple[Any, Any]:
    """The first of the files, and what is told from it: the second, or the label (with ``numbers`` its values)."""
    first, *others = systems.values()
    if others:
        return first, others[0]
    if numbers and target is not None and target in first.coords:
        return first, _as_numbers(first[target], target)
    return first, target


def _as_numbers(values: Any, label: str) -> Any:
    try:
        return values.astype(float)
    except ValueError:
        raise click.UsageError(f"--numbers: the label {clean(label, 60)} holds text.") from None
