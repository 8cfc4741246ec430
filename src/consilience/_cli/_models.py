"""Models with their options, as a command takes them: ``GLM:observation=bernoulli,alpha=0.1``."""

from __future__ import annotations

import inspect
from typing import Any

import click

from consilience._cli._text import clean

__all__ = ["model_given"]

_WORDS = {"none": None, "true": True, "yes": True, "false": False, "no": False}


def model_given(text: str) -> Any:
    """An estimator of `cs.models`: NAME, or NAME:OPTION=VALUE,...; of several values, joined by +, a list.

    >>> model_given("GLM:observation=bernoulli,alpha=0.1")
    GLM(alpha=0.1, observation='bernoulli')
    >>> model_given("WienerFilter:lags=-2+0+2").lags
    [-2, 0, 2]
    """
    from consilience import models
    from consilience._core._errors import UnknownNameError, nearest
    from consilience._core._params import shorten

    name, _, listed = text.partition(":")
    known = [e for e in models.__all__ if hasattr(getattr(models, e), "fit") and not e.endswith("RDM")]
    if name not in known:
        raise UnknownNameError(f"--model {shorten(name)} is not a model of responses.{nearest(name, known)}")
    allowed = inspect.signature(getattr(models, name)).parameters
    options: dict[str, Any] = {}
    for entry in filter(None, listed.split(",")):
        key, equals, value = (part.strip() for part in entry.partition("="))
        if not (equals and key and value):
            raise click.UsageError(
                "--model must be NAME or NAME:OPTION=VALUE,..., such as GLM:observation=bernoulli,alpha=0.1, with the "
                f"values of a list joined by +, such as WienerFilter:lags=0+1+2; got {clean(text, 100)}."
            )
        if key in options:
            raise click.UsageError(f"--model {clean(text, 100)}: {clean(key, 40)} is given twice.")
        if key not in allowed:
            raise UnknownNameError(
                f"--model {clean(text, 100)}: {shorten(key)} is not an option of {name}.{nearest(key, list(allowed))}"
            )
        options[key] = _typed(key, value, str(allowed[key].annotation), text)
    return getattr(models, name)(**options)


def _typed(key: str, value: str, said: str, text: str) -> Any:
    """The value by the annotation of the option; where that is Any, what it looks like."""
    lower, whatever = value.lower(), said == "Any"
    if lower == "none" and ("None" in said or whatever):
        return None
    if said == "bool" or (whatever and lower in _WORDS):
        if _WORDS.get(lower) is None:
            raise click.UsageError(f"--model {clean(text, 100)}: {key} must be yes or no.")
        return _WORDS[lower]
    if said.startswith(("str", "Literal")):
        return value
    kinds = [int] if "float" not in said and not whatever else [int, float]
    for kind in kinds if whatever or said.startswith("int |") else kinds[-1:]:
        try:
            return [kind(value)] if said.startswith("Sequence") and "| int" not in said else kind(value)
        except ValueError:
            pass
        if "Sequence" in said or whatever:
            try:
                return [kind(part) for part in value.split("+")]
            except ValueError:
                pass
    if whatever or ("Literal" in said and f"'{value}'" in said.replace('"', "'")):
        return value
    what = "numbers joined by +" if "Sequence" in said else "a whole number" if kinds == [int] else "a number"
    raise click.UsageError(f"--model {clean(text, 100)}: {key} must be {what}.")
