"""Readers and makers of what is more than a plain value: what is stored is plain, and made when the block runs."""

from __future__ import annotations

import functools
from typing import Any

from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience.study._measure import check_measures, read_measure
from consilience.study._model_text import chooses, model_of_text, refuse_unknown_options
from consilience.study._readers import (
    Key,
    Reader,
    between,
    one_of,
    plain,
    read_draws,
    read_mapping,
    read_name,
    refused,
    wanted,
    whole,
)
from consilience.study._yaml import Node

# options that many verbs share
INFERENCE = {"n_boot": Key(read_draws), "n_perm": Key(read_draws), "level": Key(between(0, 1))}
MATCHES = ("stimuli", "bins", "units", "trials", "snr", "all")
MATCHED = {"by": Key(read_name), "join": Key(one_of("exact", "inner"))}


def read_one_measure(node: Node) -> Any:
    (measure,) = check_measures((read_measure(node),), held_out=True)
    return {"name": measure.name, **measure.options} if measure.options else measure.name


def make_measure(stored: Any) -> Any:
    from consilience import measures

    if isinstance(stored, str):
        return stored
    options = {key: value for key, value in stored.items() if key != "name"}
    return functools.partial(getattr(measures, stored["name"]), **options)


def read_reducing_model(node: Node) -> Any:
    """A model that reduces: a name, or the short one of the command line, with options or not, or a mapping."""
    return read_model(node, reducing=True)


def read_model(node: Node, *, reducing: bool = False) -> Any:
    """An estimator of `cs.models`: a name, a name with options as on the command line (pca:n_components=2), or a
    mapping with name: and options. ``reducing``: one with latents.
    """
    if isinstance(node.value, str):
        name, options = node, {}
    elif isinstance(node.value, dict) and "name" in node.value:
        name = node.value["name"]
        options = {key: entry for key, entry in node.value.items() if key != "name"}
    else:
        raise wanted(
            node, "a model: a name, a name with options (PCA:n_components=2), or a mapping with name:"
        )
    if name is not node and ":" in str(name.value):
        raise name.error(
            f"is {shorten(name.value)}, with options of its own; write them as further keys.",
            code="unknown-model",
        )
    try:
        stored = model_of_text(str(name.value), reducing=reducing)
    except InputError as error:
        text, more = str(error), ""
        if error.code == "unknown-model" and reducing:
            more = " Options are PCA:n_components=2, or a mapping, {name: PCA, n_components: 2}."
        raise name.error(f"{text}{more}", code=error.code, apart=not text.startswith("must be ")) from None
    for option, entry in options.items():
        try:
            refuse_unknown_options(stored["name"], [option])
        except InputError as error:
            begin = f"{shorten(option)} "
            raise entry.error(str(error).removeprefix(begin), code="unknown-option") from None
    stored |= {key: plain(entry) for key, entry in options.items()}
    try:
        make_model(stored)
    except InputError as error:
        raise refused(node, error) from None
    return stored


def make_model(stored: Any) -> Any:
    """The estimator; of several numbers of components of a model of latents, the one that held-out units choose."""
    from consilience import models

    options = {key: value for key, value in stored.items() if key != "name"}
    made = getattr(models, stored["name"])
    if isinstance(options.get("n_components"), list) and chooses(stored["name"]):
        numbers = options.pop("n_components")
        return models.LatentCV(made(**options), numbers)
    return made(**options)


def read_whole(node: Node) -> int:
    if not isinstance(node.value, int) or isinstance(node.value, bool):
        raise wanted(node, "a whole number")
    return node.value


def read_gap(node: Node) -> int | float | str:
    """Steps (a whole number), seconds (any other number), or ``auto``."""
    number = isinstance(node.value, (int, float)) and not isinstance(node.value, bool) and node.value >= 0
    if node.value != "auto" and not number:
        raise wanted(node, "auto, a number of steps, or seconds (with a decimal point)")
    return node.value


def read_ranks(node: Node) -> tuple[int, int]:
    """[first, last] of the ranks of a power law."""
    given = plain(node)
    listed = given if isinstance(given, list) and len(given) == 2 else [0, 0]
    if (
        not all(isinstance(v, int) and not isinstance(v, bool) for v in listed)
        or not 1 <= listed[0] < listed[1]
    ):
        raise wanted(node, "[first, last], two ranks, 1 <= first < last")
    return listed[0], listed[1]


def read_groups(node: Node) -> dict[str, str]:
    """{system: label}."""
    return {name: read_name(child) for name, child in read_mapping(node).value.items()}


def read_condition(node: Node) -> dict[str, Any]:
    """{label: value, or list of values}."""
    return {name: plain(child) for name, child in read_mapping(node).value.items()}


def read_noise(node: Node) -> dict[str, Any]:
    """{mean: number, fano: number, n_trials: whole number}."""
    known = {
        "mean": between(0, float("inf")),
        "fano": between(0, float("inf")),
        "n_trials": whole(1, 100_000),
    }
    entries = read_mapping(node).value
    for name, child in entries.items():
        if name not in known:
            raise child.error(f"is not a key of matched_noise.{nearest(name, known)}", code="unknown-option")
    if "mean" not in entries:
        raise wanted(node, "a mapping with mean, and fano and n_trials")
    return {name: known[name](child) for name, child in entries.items()}


def read_lags(node: Node) -> Any:
    """A number of frames, seconds (with a decimal point), or a list of two of them."""
    entries = node.value if isinstance(node.value, list) else [node]
    numbers = [plain(entry) for entry in entries]
    if len(numbers) not in (1, 2) or not all(
        isinstance(one, (int, float)) and not isinstance(one, bool) for one in numbers
    ):
        raise wanted(node, "a number of frames, seconds (with a decimal point), or [from, to]")
    return numbers if isinstance(node.value, list) else numbers[0]


def read_field_method(node: Node) -> Any:
    """The name of a method, or an estimator of `cs.models`."""
    from consilience.analyses._field_fit import METHODS

    return node.value if isinstance(node.value, str) and node.value in METHODS else read_model(node)


def make_field_method(stored: Any) -> Any:
    return stored if isinstance(stored, str) else make_model(stored)


def or_none(read: Reader) -> Reader:
    """What ``read`` takes, or ``none``."""

    def read_or_none(node: Node) -> Any:
        return None if node.value is None or node.value == "none" else read(node)

    return read_or_none
