"""Measures with their options, as a command takes them: ``rsa:distance=euclidean,method=cosine``."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Sequence
from typing import Any

import click

from consilience._cli._text import clean

__all__ = ["measure_given", "options_of_measures"]


def measure_given(text: str | None) -> Any:
    """A name as it is; NAME:OPTION=VALUE,... as the measure with these options, values typed by its signature.

    >>> measure_given("cka"), measure_given("cka:debiased=no").keywords
    ('cka', {'debiased': False})
    """
    if text is None or ":" not in text:
        return text
    from consilience.measures import as_measure

    name, _, listed = text.partition(":")
    function = as_measure(name, who="--measure", held_out=False).function
    options: dict[str, Any] = {}
    for entry in filter(None, listed.split(",")):
        key, equals, value = (part.strip() for part in entry.partition("="))
        if not (equals and key and value):
            raise click.UsageError(
                f"--measure must be NAME or NAME:OPTION=VALUE,..., such as rsa:distance=euclidean,method=cosine; got "
                f"{clean(text, 100)}."
            )
        if key in options:
            raise click.UsageError(f"--measure {clean(text, 100)}: {clean(key, 40)} is given twice.")
        options[key] = _typed(function, key, value, text)
    return functools.partial(function, **options)


def _typed(function: Any, key: str, value: str, text: str) -> Any:
    """The value by the annotation of the option; of an option that is not there as it stands (which the measure
    refuses by name)."""
    parameter = inspect.signature(function).parameters.get(key)
    said = str(parameter.annotation) if parameter is not None else "str"
    words = {"none": None, "true": True, "yes": True, "false": False, "no": False}
    if value.lower() == "none" and "None" in said:
        return None
    if re.search(r"\bbool\b", said):
        if words.get(value.lower()) is None:
            raise click.UsageError(f"--measure {clean(text, 100)}: {key} must be yes or no.")
        return words[value.lower()]
    kinds = [kind for kind in (int, float) if re.search(rf"\b{kind.__name__}\b", said)]
    try:
        if "Sequence[float]" in said:
            return [float(part) for part in value.split("+")]
        return kinds[-1](value) if kinds else value
    except ValueError:
        what = (
            "numbers joined by +"
            if "Sequence" in said
            else "a whole number"
            if kinds == [int]
            else "a number"
        )
        raise click.UsageError(f"--measure {clean(text, 100)}: {key} must be {what}.") from None


def options_of_measures(given: Sequence[str | None]) -> dict[str, str]:
    """{option: the first of the measures that takes it}, for advice in messages; unknown measures have none."""
    from consilience._core._errors import UnknownNameError
    from consilience.measures import as_measure

    out: dict[str, str] = {}
    for text in filter(None, given):
        name = text.partition(":")[0]
        try:
            function = as_measure(name, held_out=False).function
        except UnknownNameError:
            continue
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                out.setdefault(parameter.name, name)
    return out
