"""``consilience predict-perturbation DATA --target LABEL``: what silencing or driving units should change."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from consilience._cli._decode import with_target
from consilience._cli._encode import gap_given
from consilience._cli._picture import drawing
from consilience._cli._text import clean
from consilience._cli._verb import for_each, names_of, run_verb

__all__ = ["act_given", "command"]


def command(
    *,
    data: str,
    target: str | None,
    target_file: str | None,
    sets: tuple[str, ...],
    act: tuple[str, ...],
    numbers: bool,
    circular: bool,
    gap: str | None,
    over_time: str | None,
    time: tuple[str, ...],
    picture: str | None,
    reading: dict[str, Any],
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    if (target is None) == (target_file is None):
        raise click.UsageError(
            "give one of --target LABEL, and --target-file FILE with a series (time, values)."
        )
    drawn = drawing(picture)
    paths = [data] if target_file is None else [data, target_file]
    keyword: dict[str, Any] = {"circular": circular}
    if gap is not None:
        keyword["gap"] = gap_given(gap)
    if over_time is not None:
        keyword["time"] = None if over_time == "all" else over_time
    if act:
        keyword["act"] = [act_given(one) for one in act] if len(act) > 1 else act_given(act[0])
    times = {name: {"time": source} for name, source in for_each(time, names_of(paths), "--time").items()}

    def arguments(systems: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        first, wanted = with_target(systems, target, numbers=numbers)
        return (first, wanted), {"sets": _sets(first, sets), **keyword}

    return run_verb(
        "predict_perturbation",
        paths,
        arguments,
        reading={**reading, "times": times},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )


def act_given(text: str) -> Any:
    """``silence``, or ``to=VALUE``, ``add=VALUE``, ``sd=K``.

    >>> act_given("silence"), act_given("to=20")
    ('silence', ('to', 20.0))
    """
    if text == "silence":
        return text
    name, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = np.nan
    if not equals or name not in ("to", "add", "sd") or not np.isfinite(number):
        raise click.UsageError(f"--act must be silence, to=VALUE, add=VALUE or sd=K, got {clean(text, 60)}.")
    return name, number


def _sets(data: Any, given: tuple[str, ...]) -> Any:
    """The name of one label of units, or {name: units as the file holds them}."""
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    known = {str(unit): unit for unit in data["unit"].values.tolist()} if "unit" in data.coords else {}
    out: dict[str, list[Any]] = {}
    for text in given:
        name, equals, units = text.partition("=")
        if not (name and equals and units) or name in out:
            raise click.UsageError(
                "--sets must be NAME=UNIT,UNIT,... (each name once), or once the name of a label of units; got "
                f"{clean(text, 60)}."
            )
        entries = [entry.strip() for entry in units.split(",")]
        out[name] = [known.get(one, int(one) if one.isdigit() else one) for one in entries]
    return out
