"""The table of verbs: what a study may ask for. A new verb is a new entry here, and nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from consilience.study._compare import COMPARE
from consilience.study._decode import check_decode, decode_arguments
from consilience.study._evaluate import evaluation_arguments, read_fitted, sides_of_fitted
from consilience.study._lesions import ablation_arguments, check_ablation, lay_out_lesions
from consilience.study._perturbation import (
    check_perturbation,
    perturbation_arguments,
    read_act,
    read_sets,
)
from consilience.study._readers import (
    Key,
    between,
    many,
    one_of,
    plain,
    read_draws,
    read_flag,
    read_name,
    whole,
)
from consilience.study._verb import Analysis, Side, Verb
from consilience.study._verb_readers import (
    make_field_method,
    make_measure,
    make_model,
    or_none,
    read_condition,
    read_field_method,
    read_gap,
    read_groups,
    read_lags,
    read_model,
    read_noise,
    read_one_measure,
    read_whole,
)
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
            "noise": Key(or_none(one_of(*_NOISE))),
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
            "noise": Key(or_none(one_of(*_NOISE))),
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
            "measure": Key(read_one_measure),
            "held_out": Key(read_flag),
            "labels": Key(read_groups),
            **_MATCHED,
            **_INFERENCE,
        },
        labels=("by",),
        made={"measure": make_measure},
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
            "model": Key(read_model),
            "cv": Key(whole(2, 1000)),
            "groups": Key(read_name),
            "gap": Key(read_gap),
            "delays": Key(many(read_whole)),
            "n_deals": Key(whole(0, 1000)),
            **_MATCHED,
            **_INFERENCE,
        },
        labels=("by", "groups"),
        made={"model": make_model},
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
            "gap": Key(read_gap),
            "model": Key(read_model),
            "cv": Key(whole(2, 1000)),
            "groups": Key(read_name),
            "folds": Key(read_name),
            "time": Key(or_none(one_of("each", "mean"))),
            "generalise_time": Key(read_flag),
            "train_on": Key(read_condition),
            "test_on": Key(read_condition),
            "circular": Key(read_flag),
            "score": Key(
                one_of("balanced_accuracy", "accuracy", "auc", "log_loss", "r", "r2", "circular_error")
            ),
            "standardise": Key(read_flag),
            "n_deals": Key(whole(0, 1000)),
            **_INFERENCE,
        },
        labels=("target", "folds", "by", "session"),
        made={"model": make_model},
        read=check_decode,
        arguments=decode_arguments,
        lay_out=lay_out_one,
    ),
    "predict_perturbation": Verb(
        function="consilience.analyses:predict_perturbation",
        sides={
            "data": Side(alone=True, responses=True),
            "target_system": Side(alone=True, responses=True, required=False),
        },
        options={
            "target": Key(read_name),
            "numbers": Key(read_flag),
            "sets": Key(read_sets, required=True),
            "act": Key(read_act),
            "circular": Key(read_flag),
            "n_controls": Key(whole(0, 10_000)),
            "n_refits": Key(whole(0, 10_000)),
            "power": Key(between(0, 1)),
            "alpha": Key(between(0, 1)),
            "trial": Key(whole(1)),
            "time": Key(or_none(one_of("mean"))),
            "cv": Key(whole(2, 1000)),
            "groups": Key(read_name),
            "folds": Key(read_name),
            "gap": Key(read_gap),
            "standardise": Key(read_flag),
            "level": _INFERENCE["level"],
        },
        labels=("target", "folds"),
        read=check_perturbation,
        arguments=perturbation_arguments,
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
            "noise": Key(or_none(one_of("diagonal"))),
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
            "measure": Key(read_one_measure),
            "margin": Key(between(0, float("inf")), required=True),
            "n_boot": Key(read_draws),
            "level": Key(between(0, 1)),
            "held_out": Key(read_flag),
        },
        made={"measure": make_measure},
        lay_out=lay_out_one,
    ),
    "psth": Verb(
        function="consilience.analyses:psth",
        sides={"data": Side(alone=True, responses=True)},
        options={"by": Key(or_none(read_name)), "level": _INFERENCE["level"]},
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
    "ablate": Verb(
        function="consilience.study._lesions:ablate",
        sides={
            "data": Side(alone=True, responses=True),
            "target_system": Side(alone=True, responses=True, required=False),
        },
        options={
            "target": Key(read_name),
            "evaluate": Key(one_of("accuracy", "loss", "probability")),
            "how": Key(many(one_of("zero", "mean", "resample", "noise", "refit"))),
            "order": Key(
                many(
                    one_of(
                        "random",
                        *(
                            f"{sign}{one}"
                            for one in ("selectivity", "attribution", "impact", "greedy")
                            for sign in ("", "-")
                        ),
                    )
                )
            ),
            "parts": Key(one_of("units", "channels", "layer", "components")),
            "n_orders": Key(whole(0, 10_000)),
            "refit": Key(read_flag),
            "numbers": Key(read_flag),
            "circular": Key(read_flag),
            "model": Key(read_model),
            "cv": Key(whole(2, 1000)),
            "groups": Key(read_name),
            "folds": Key(read_name),
            "gap": Key(read_gap),
            "time": Key(or_none(one_of("mean"))),
            "score": Key(one_of("balanced_accuracy", "accuracy", "r", "circular_error")),
            "standardise": Key(read_flag),
            "n_draws": Key(whole(1, 10_000)),
            "n_deals": Key(whole(0, 1000)),
            **_INFERENCE,
        },
        labels=("target", "folds"),
        made={"model": make_model},
        read=check_ablation,
        arguments=ablation_arguments,
        lay_out=lay_out_lesions,
    ),
    "selectivity_impact": Verb(
        function="consilience.study._selectivity_impact:selectivity_impact",
        sides={"data": Side(alone=True, responses=True)},
        options={
            "by": Key(read_name, required=True),
            "target": Key(read_name),
            "evaluate": Key(one_of("accuracy", "loss", "probability")),
            "selectivity": Key(one_of("class_selectivity", "d_prime", "eta_squared", "lifetime_sparseness")),
            "how": Key(many(one_of("zero", "mean", "resample", "noise"))),
            "parts": Key(one_of("units", "channels")),
            "n_splits": Key(whole(1, 10_000)),
            **_INFERENCE,
        },
        labels=("by", "target"),
        lay_out=lay_out_lesions,
    ),
    "shapley": Verb(
        function="consilience.study._shapley:shapley",
        sides={"data": Side(alone=True, responses=True)},
        options={
            "target": Key(read_name),
            "evaluate": Key(one_of("accuracy", "loss", "probability")),
            "how": Key(one_of("zero", "mean", "resample", "noise")),
            "parts": Key(one_of("units", "channels", "layer", "components")),
            "precision": Key(between(0, float("inf"))),
            "budget": Key(whole(1)),
            "interactions": Key(whole(2, 1000)),
            "level": Key(between(0, 1)),
        },
        labels=("target",),
        lay_out=lay_out_lesions,
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
            "matched_noise": Key(read_noise),
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
            "lags": Key(read_lags),
            "method": Key(read_field_method),
            "cv": Key(whole(2, 1000)),
            "n_perm": _INFERENCE["n_perm"],
            "level": _INFERENCE["level"],
        },
        made={
            "lags": lambda stored: tuple(stored) if isinstance(stored, list) else stored,
            "method": make_field_method,
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
            "measure": Key(many(read_one_measure)),
            "held_out": Key(read_flag),
            "threshold": Key(between(0, float("inf"))),
            "smallest": Key(between(0, float("inf"))),
            **_MATCHED,
        },
        labels=("by",),
        made={"measure": lambda stored: [make_measure(one) for one in stored]},
        lay_out=lay_out_one,
    ),
    "deciding_stimuli": Verb(
        function="consilience.analyses:deciding_stimuli",
        sides={"first": Side(alone=True), "second": Side(alone=True), "b": Side(alone=True)},
        options={
            "measure": Key(read_one_measure),
            "held_out": Key(read_flag),
            "correction": Key(one_of("holm", "fdr", "none")),
            "level": Key(between(0, 1)),
            **_MATCHED,
        },
        labels=("by",),
        made={"measure": make_measure},
        lay_out=lay_out_one,
    ),
}
