"""Models with their options as text, the same on the command line and in a study: ``GLM:observation=bernoulli``."""

from __future__ import annotations

import inspect
from typing import Any

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten

__all__ = ["SHORT_NAMES", "chooses", "known_models", "model_of_text", "refuse_unknown_options"]

SHORT_NAMES = {
    "pca": "PCA",
    "fa": "FactorAnalysis",
    "gpfa": "GPFA",
    "poisson_gpfa": "PoissonGPFA",
    "dpca": "DPCA",
    "jpca": "JPCA",
    "lds": "LDS",
    "cp": "CP",
}
_WORDS = {"none": None, "true": True, "yes": True, "false": False, "no": False}
_FORM = (
    "must be NAME or NAME:OPTION=VALUE,..., such as GLM:observation=bernoulli,alpha=0.1, with the values of a list "
    "joined by +, such as WienerFilter:lags=0+1+2"
)
_CHOSEN = "n_components"  # of which a latent model takes one, and `cs.models.LatentCV` the numbers to try


def known_models(*, reducing: bool = False) -> list[str]:
    """Names of the estimators of `cs.models` that take responses; ``reducing``: those that have latents."""
    from consilience import models

    known = [e for e in models.__all__ if hasattr(getattr(models, e), "fit") and not e.endswith("RDM")]
    if reducing:
        return [e for e in known if hasattr(getattr(models, e), "inverse_transform") or e == "Embedding"]
    return known


def model_of_text(text: str, *, reducing: bool = False) -> dict[str, Any]:
    """NAME, or NAME:OPTION=VALUE,... as {"name": NAME, option: value}; of several values, joined by +, a list.

    ``reducing`` : a model with latents, also by its short name. Several numbers of components of such a model are
    those to try, see `chooses`. Errors begin with what is wrong, so that the caller says where.

    >>> model_of_text("pca:n_components=2", reducing=True)
    {'name': 'PCA', 'n_components': 2}
    >>> model_of_text("WienerFilter:lags=-2+0+2")
    {'name': 'WienerFilter', 'lags': [-2, 0, 2]}
    >>> model_of_text("gpfa:n_components=1+2", reducing=True)
    {'name': 'GPFA', 'n_components': [1, 2]}
    """
    given, colon, listed = text.partition(":")
    name = SHORT_NAMES.get(given.strip().lower(), given) if reducing else given
    known = known_models(reducing=reducing)
    if name not in known:
        short = [*known, *SHORT_NAMES] if reducing else known
        what = "a model that reduces" if reducing else "a model of responses"
        raise UnknownNameError(
            f"{shorten(given)} is not {what}.{nearest(given, short)}", code="unknown-model"
        )
    if colon and not listed.strip(" ,"):
        raise InputError(
            f"{_FORM}; got {shorten(text, 100)}, with nothing after the colon.", code="bad-parameter"
        )
    options: dict[str, Any] = {}
    for entry in filter(None, listed.split(",")):
        key, equals, value = (part.strip() for part in entry.partition("="))
        if not (equals and key and value):
            raise InputError(f"{_FORM}; got {shorten(text, 100)}.", code="bad-parameter")
        if key in options:
            raise InputError(f"{key[:40]} is given twice.", code="bad-parameter")
        allowed = refuse_unknown_options(name, [key])
        several = key == _CHOSEN and "+" in value and chooses(name)
        said = "Sequence[int]" if several else str(allowed[key].annotation)
        options[key] = _typed(key, value, said)
    return {"name": name, **options}


def chooses(name: str) -> bool:
    """Whether `cs.models.LatentCV` chooses the model's number of latents by held-out units."""
    from consilience import models

    model = getattr(models, name)
    return name != "LatentCV" and all(hasattr(model, one) for one in ("unit_scores", "score"))


def refuse_unknown_options(name: str, options: list[str]) -> dict[str, inspect.Parameter]:
    """The parameters of a model, if the options are some of them."""
    from consilience import models

    allowed = dict(inspect.signature(getattr(models, name)).parameters)
    for key in options:
        if key not in allowed:
            raise UnknownNameError(
                f"{shorten(key)} is not an option of {name}.{nearest(key, list(allowed))}",
                code="unknown-option",
            )
    return allowed


def _typed(key: str, value: str, said: str) -> Any:
    """The value by the annotation of the option; where that is Any, what it looks like."""
    lower, whatever = value.lower(), said == "Any"
    if lower == "none" and ("None" in said or whatever):
        return None
    if said == "bool" or (whatever and lower in _WORDS):
        if _WORDS.get(lower) is None:
            raise InputError(f"{key} must be yes or no.", code="bad-parameter")
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
    raise InputError(f"{key} must be {what}, got {shorten(value, 40)}.", code="bad-parameter")
