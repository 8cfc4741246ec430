"""The table of verbs: what a study may ask for. A new verb is a new entry here, and nothing else."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience.study._compare import COMPARE
from consilience.study._decode import check_decode, decode_arguments
from consilience.study._evaluate import evaluation_arguments, read_fitted, sides_of_fitted
from consilience.study._measure import check_measures, read_measure
from consilience.study._readers import (
    Key,
    Reader,
    between,
    many,
    one_of,
    plain,
    read_draws,
    read_flag,
    read_mapping,
    read_name,
    refused,
    wanted,
    whole,
)
from consilience.study._verb import Analysis, Side, Verb
from consilience.study._yaml import Node

if TYPE_CHECKING:
    from consilience.study._plan import Layout
    from consilience.study._systems import System

__all__ = ["VERBS", "call_of"]

_DISTANCES = (
    "correlation",
    "euclidean",
    "sqeuclidean",
    "cosine",
    "mahalanobis",
    "poisson",
    "crossnobis",
    "poisson_crossvalidated",
)
_COMPARED = ("cosine", "pearson", "spearman", "kendall", "rho_a", "whitened_cosine", "whitened_pearson")
_OF_TRIALS = ("reliability", "split_half", "explainable_variance", "tuning_snr", "fano_factor")
_TUNING = (
    "class_selectivity",
    "lifetime_sparseness",
    "orientation_selectivity",
    "direction_selectivity",
    "circular_variance",
    "d_prime",
    "roc_auc",
    "eta_squared",
    "mutual_information",
    "direction_score",
    "spatial_information",
    "information_rate",
    "copula_information",
)
_NOISE = ("shrinkage", "shrinkage_diagonal", "diagonal", "full")


def call_of(name: str) -> Any:
    """The function of a verb."""
    module, function = VERBS[name].function.split(":")
    return getattr(importlib.import_module(module), function)


def lay_out_one(analysis: Analysis, layout: Layout) -> None:
    """One block: the verb on its systems."""
    needs, sides = layout.needs(analysis)
    settings = {
        "verb": analysis.verb,
        "sides": sides,
        "options": dict(analysis.options),
        "seed": layout.seed if VERBS[analysis.verb].seeded else None,
    }
    key = layout.plan.add(f"{analysis.name}: {analysis.verb}", "verb", settings, needs.keys)
    layout.plan.promise(analysis.name, key)


# -- readers and makers of what is more than a plain value: what is stored is plain, and made when the block runs


def _read_one_measure(node: Node) -> Any:
    (measure,) = check_measures((read_measure(node),), held_out=True)
    return {"name": measure.name, **measure.options} if measure.options else measure.name


def _make_measure(stored: Any) -> Any:
    from consilience import measures

    if isinstance(stored, str):
        return stored
    options = {key: value for key, value in stored.items() if key != "name"}
    return functools.partial(getattr(measures, stored["name"]), **options)


def _read_model(node: Node) -> Any:
    """An estimator of `cs.models`: a name, or a mapping with name: and options."""
    from consilience import models

    if isinstance(node.value, str):
        name, options = node, {}
    elif isinstance(node.value, dict) and "name" in node.value:
        name = node.value["name"]
        options = {key: entry for key, entry in node.value.items() if key != "name"}
    else:
        raise wanted(node, "a model: a name, or a mapping with name: and options")
    known = [e for e in models.__all__ if hasattr(getattr(models, e), "fit") and not e.endswith("RDM")]
    if name.value not in known:
        begin = str(name.value).partition(":")[0]
        hint = nearest(str(name.value), known)
        if begin in known:
            hint = f" Options go into a mapping: {{name: {begin}, option: value}}."
        raise name.error(f"{shorten(name.value)} is not a model.{hint}", code="unknown-model")
    allowed = list(inspect.signature(getattr(models, name.value)).parameters)
    for option, entry in options.items():
        if option not in allowed:
            raise entry.error(
                f"is not an option of {name.value}.{nearest(option, allowed)}", code="unknown-option"
            )
    stored = {"name": name.value, **{key: plain(entry) for key, entry in options.items()}}
    try:
        _make_model(stored)
    except InputError as error:
        raise refused(node, error) from None
    return stored


def _make_model(stored: Any) -> Any:
    from consilience import models

    options = {key: value for key, value in stored.items() if key != "name"}
    return getattr(models, stored["name"])(**options)


def _read_whole(node: Node) -> int:
    if not isinstance(node.value, int) or isinstance(node.value, bool):
        raise wanted(node, "a whole number")
    return node.value


def _read_gap(node: Node) -> int | float | str:
    """Steps (a whole number), seconds (any other number), or ``auto``."""
    number = isinstance(node.value, (int, float)) and not isinstance(node.value, bool) and node.value >= 0
    if node.value != "auto" and not number:
        raise wanted(node, "auto, a number of steps, or seconds (with a decimal point)")
    return node.value


def _read_groups(node: Node) -> dict[str, str]:
    """{system: label}."""
    return {name: read_name(child) for name, child in read_mapping(node).value.items()}


def _read_condition(node: Node) -> dict[str, Any]:
    """{label: value, or list of values}."""
    return {name: plain(child) for name, child in read_mapping(node).value.items()}


def _read_noise(node: Node) -> dict[str, Any]:
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


def _read_lags(node: Node) -> Any:
    """A number of frames, seconds (with a decimal point), or a list of two of them."""
    entries = node.value if isinstance(node.value, list) else [node]
    numbers = [plain(entry) for entry in entries]
    if len(numbers) not in (1, 2) or not all(
        isinstance(one, (int, float)) and not isinstance(one, bool) for one in numbers
    ):
        raise wanted(node, "a number of frames, seconds (with a decimal point), or [from, to]")
    return numbers if isinstance(node.value, list) else numbers[0]


def _read_field_method(node: Node) -> Any:
    """The name of a method, or an estimator of `cs.models`."""
    from consilience.analyses._field_fit import METHODS

    return node.value if isinstance(node.value, str) and node.value in METHODS else _read_model(node)


def _make_field_method(stored: Any) -> Any:
    return stored if isinstance(stored, str) else _make_model(stored)


def _or_none(read: Reader) -> Reader:
    """What ``read`` takes, or ``none``."""

    def read_or_none(node: Node) -> Any:
        return None if node.value is None or node.value == "none" else read(node)

    return read_or_none


def _of_units(sides: dict[str, dict[str, Any]], options: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The data, the units asked for, and the series that they are tuned to."""
    keyword = dict(options)
    if "variable" in sides:
        keyword["variable"] = next(iter(sides["variable"].values()))
    return [next(iter(sides["data"].values())), keyword.pop("unit", None)], keyword


def _label_or_variable(body: Node, values: dict[str, Any], systems: Mapping[str, System]) -> dict[str, Any]:
    """Refuses a label together with a series that was followed."""
    del systems
    if "by" in values and "variable" in values:
        raise body.value["by"].error(
            "is a label of trials, and variable: names a series that was followed; leave one out.",
            code="bad-system",
        )
    if "bins" in values and "variable" not in values:
        raise body.value["bins"].error("goes with variable:, a series that was followed.", code="bad-system")
    return {}


def _of_systems(
    sides: dict[str, dict[str, Any]], options: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """One system, or a mapping of several; and the series that it is tuned to."""
    data, keyword = sides["data"], dict(options)
    if "variable" in sides:
        keyword["by"] = next(iter(sides["variable"].values()))
    return [next(iter(data.values())) if len(data) == 1 else data], keyword


_INFERENCE = {"n_boot": Key(read_draws), "n_perm": Key(read_draws), "level": Key(between(0, 1))}
_MATCHED = {"by": Key(read_name), "join": Key(one_of("exact", "inner"))}

VERBS: dict[str, Verb] = {
    "compare": COMPARE,
    "rdms": Verb(
        function="consilience.analyses:rdms",
        sides={"systems": Side(single=True)},
        options={
            "distance": Key(one_of(*_DISTANCES)),
            "folds": Key(read_name),
            "noise": Key(_or_none(one_of(*_NOISE))),
            "n_splits": Key(whole(0, 10_000)),
            "n_boot": Key(read_draws),
            "level": Key(between(0, 1)),
            **_MATCHED,
        },
        labels=("by", "folds"),
        lay_out=lay_out_one,
    ),
    "partition": Verb(
        function="consilience.analyses:partition",
        sides={"data": Side(alone=True), "models": Side()},
        options={
            "method": Key(one_of("nnls", "ols")),
            "distance": Key(one_of("correlation", "euclidean", "sqeuclidean", "cosine")),
            **_MATCHED,
            **_INFERENCE,
        },
        labels=("by",),
        lay_out=lay_out_one,
    ),
    "rdm_movie": Verb(
        function="consilience.analyses:rdm_movie",
        sides={"data": Side(alone=True, responses=True), "models": Side(keyword=True, required=False)},
        options={
            "distance": Key(one_of(*_DISTANCES)),
            "folds": Key(read_name),
            "noise": Key(_or_none(one_of(*_NOISE))),
            "window": Key(between(0, float("inf"))),
            "step": Key(between(0, float("inf"))),
            "method": Key(one_of("spearman", "pearson", "cosine")),
            "n_splits": Key(whole(0, 10_000)),
            **_INFERENCE,
        },
        labels=("folds",),
        lay_out=lay_out_one,
    ),
    "shape_space": Verb(
        function="consilience.analyses:shape_space",
        sides={"systems": Side()},
        options={
            "measure": Key(_read_one_measure),
            "held_out": Key(read_flag),
            "labels": Key(_read_groups),
            **_MATCHED,
            **_INFERENCE,
        },
        labels=("by",),
        made={"measure": _make_measure},
        lay_out=lay_out_one,
    ),
    "evaluate_models": Verb(
        function="consilience.analyses:evaluate_models",
        sides={"models": Side(), "data": Side()},
        options={
            "fitted": Key(read_fitted),
            "method": Key(one_of(*_COMPARED)),
            "cv": Key(whole(2, 1000)),
            "correction": Key(one_of("holm", "fdr", "max", "none")),
            "distance": Key(one_of("correlation", "euclidean", "sqeuclidean", "cosine")),
            "join": _MATCHED["join"],
            **_INFERENCE,
        },
        read=sides_of_fitted,
        arguments=evaluation_arguments,
        lay_out=lay_out_one,
    ),
    "encode": Verb(
        function="consilience.analyses:encode",
        sides={"x": Side(single=True, responses=True), "y": Side(alone=True, responses=True)},
        options={
            "model": Key(_read_model),
            "cv": Key(whole(2, 1000)),
            "groups": Key(read_name),
            "gap": Key(_read_gap),
            "delays": Key(many(_read_whole)),
            "n_deals": Key(whole(0, 1000)),
            **_MATCHED,
            **_INFERENCE,
        },
        labels=("by", "groups"),
        made={"model": _make_model},
        lay_out=lay_out_one,
    ),
    "decode": Verb(
        function="consilience.analyses:decode",
        sides={
            "data": Side(alone=True, responses=True, required=False),
            "sessions": Side(responses=True, required=False),
            "target_system": Side(alone=True, responses=True, required=False),
        },
        options={
            "target": Key(read_name),
            "numbers": Key(read_flag),
            "by": Key(many(read_name)),
            "session": Key(read_name),
            "n_draws": Key(whole(1, 10_000)),
            "gap": Key(_read_gap),
            "model": Key(_read_model),
            "cv": Key(whole(2, 1000)),
            "groups": Key(read_name),
            "folds": Key(read_name),
            "time": Key(_or_none(one_of("each", "mean"))),
            "generalise_time": Key(read_flag),
            "train_on": Key(_read_condition),
            "test_on": Key(_read_condition),
            "circular": Key(read_flag),
            "score": Key(
                one_of("balanced_accuracy", "accuracy", "auc", "log_loss", "r", "r2", "circular_error")
            ),
            "standardise": Key(read_flag),
            "n_deals": Key(whole(0, 1000)),
            **_INFERENCE,
        },
        labels=("target", "folds", "by", "session"),
        made={"model": _make_model},
        read=check_decode,
        arguments=decode_arguments,
        lay_out=lay_out_one,
    ),
    "searchlight": Verb(
        function="consilience.analyses:searchlight",
        sides={"data": Side(alone=True, responses=True), "target": Side(alone=True)},
        options={
            "radius": Key(between(0, float("inf"))),
            "n_units": Key(whole(1)),
            "coordinates": Key(many(read_name)),
            "distance": Key(one_of("crossnobis", "euclidean", "correlation")),
            "folds": Key(read_name),
            "noise": Key(_or_none(one_of("diagonal"))),
            "method": Key(one_of("spearman", "pearson", "cosine")),
            **_INFERENCE,
        },
        labels=("folds",),
        lay_out=lay_out_one,
    ),
    "equivalence": Verb(
        function="consilience.analyses:equivalence",
        sides={"models": Side(), "animals": Side()},
        options={
            "measure": Key(_read_one_measure),
            "margin": Key(between(0, float("inf")), required=True),
            "n_boot": Key(read_draws),
            "level": Key(between(0, 1)),
            "held_out": Key(read_flag),
        },
        made={"measure": _make_measure},
        lay_out=lay_out_one,
    ),
    "psth": Verb(
        function="consilience.analyses:psth",
        sides={"data": Side(alone=True, responses=True)},
        options={"by": Key(_or_none(read_name)), "level": _INFERENCE["level"]},
        labels=("by",),
        lay_out=lay_out_one,
        seeded=False,
    ),
    "quality": Verb(
        function="consilience.analyses:quality",
        sides={"data": Side(alone=True, responses=True)},
        options={
            "measures": Key(many(one_of(*_OF_TRIALS))),
            "by": _MATCHED["by"],
            "groups": Key(read_name),
            "n_splits": Key(whole(1, 10_000)),
            "n_perm": _INFERENCE["n_perm"],
            "level": _INFERENCE["level"],
        },
        labels=("by", "groups"),
        lay_out=lay_out_one,
    ),
    "characterize": Verb(
        function="consilience.analyses:characterize",
        sides={
            "data": Side(single=True, responses=True),
            "variable": Side(alone=True, responses=True, required=False),
        },
        options={
            "by": _MATCHED["by"],
            "measures": Key(many(one_of(*_TUNING))),
            "period": Key(between(0, float("inf"))),
            "bins": Key(whole(2, 10_000)),
            "groups": Key(read_name),
            "rows": Key(one_of("trials", "stimuli")),
            "matched_noise": Key(_read_noise),
            "n_splits": Key(whole(1, 10_000)),
            "n_floor": Key(read_draws),
            "n_perm": _INFERENCE["n_perm"],
            "level": _INFERENCE["level"],
        },
        labels=("by", "groups"),
        read=_label_or_variable,
        arguments=_of_systems,
        lay_out=lay_out_one,
    ),
    "receptive_field": Verb(
        function="consilience.analyses:receptive_field",
        sides={
            "responses": Side(alone=True, responses=True),
            "stimulus": Side(alone=True, responses=True),
        },
        options={
            "lags": Key(_read_lags),
            "method": Key(_read_field_method),
            "cv": Key(whole(2, 1000)),
            "n_perm": _INFERENCE["n_perm"],
            "level": _INFERENCE["level"],
        },
        made={
            "lags": lambda stored: tuple(stored) if isinstance(stored, list) else stored,
            "method": _make_field_method,
        },
        lay_out=lay_out_one,
    ),
    "unit_report": Verb(
        function="consilience.analyses:unit_report",
        sides={
            "data": Side(alone=True, responses=True),
            "variable": Side(alone=True, responses=True, required=False),
        },
        options={
            "unit": Key(many(plain)),
            "by": _MATCHED["by"],
            "period": Key(between(0, float("inf"))),
            "n_perm": _INFERENCE["n_perm"],
            "level": _INFERENCE["level"],
        },
        labels=("by",),
        arguments=_of_units,
        lay_out=lay_out_one,
    ),
    "influence": Verb(
        function="consilience.analyses:influence",
        sides={"a": Side(), "b": Side()},
        options={
            "measure": Key(many(_read_one_measure)),
            "held_out": Key(read_flag),
            "threshold": Key(between(0, float("inf"))),
            "smallest": Key(between(0, float("inf"))),
            **_MATCHED,
        },
        labels=("by",),
        made={"measure": lambda stored: [_make_measure(one) for one in stored]},
        lay_out=lay_out_one,
    ),
    "deciding_stimuli": Verb(
        function="consilience.analyses:deciding_stimuli",
        sides={"first": Side(alone=True), "second": Side(alone=True), "b": Side(alone=True)},
        options={
            "measure": Key(_read_one_measure),
            "held_out": Key(read_flag),
            "correction": Key(one_of("holm", "fdr", "none")),
            "level": Key(between(0, 1)),
            **_MATCHED,
        },
        labels=("by",),
        made={"measure": _make_measure},
        lay_out=lay_out_one,
    ),
}
