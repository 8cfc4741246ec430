"""The table of verbs: what a study may ask for. A new verb is a new entry here, or in the table of its kind beside this
one, and nothing else.
"""

from __future__ import annotations

import importlib
from typing import Any

from consilience.study._compare import COMPARE
from consilience.study._decode import check_decode, decode_arguments
from consilience.study._evaluate import evaluation_arguments, read_fitted, sides_of_fitted
from consilience.study._readers import (
    Key,
    between,
    many,
    one_of,
    read_draws,
    read_flag,
    read_name,
    whole,
)
from consilience.study._verb import Side, Verb, lay_out_one
from consilience.study._verb_readers import (
    INFERENCE,
    MATCHED,
    make_measure,
    make_model,
    or_none,
    read_condition,
    read_gap,
    read_groups,
    read_model,
    read_one_measure,
    read_whole,
)
from consilience.study._verbs_lesions import LESIONS
from consilience.study._verbs_populations import OF_POPULATIONS
from consilience.study._verbs_units import OF_UNITS

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
_NOISE = ("shrinkage", "shrinkage_diagonal", "diagonal", "full")


def call_of(name: str) -> Any:
    """The function of a verb."""
    module, function = VERBS[name].function.split(":")
    return getattr(importlib.import_module(module), function)


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
            **MATCHED,
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
            **MATCHED,
            **INFERENCE,
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
            **INFERENCE,
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
            **MATCHED,
            **INFERENCE,
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
            "join": MATCHED["join"],
            **INFERENCE,
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
            **MATCHED,
            **INFERENCE,
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
            **INFERENCE,
        },
        labels=("target", "folds", "by", "session"),
        made={"model": make_model},
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
            "noise": Key(or_none(one_of("diagonal"))),
            "method": Key(one_of("spearman", "pearson", "cosine")),
            **INFERENCE,
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
    "influence": Verb(
        function="consilience.analyses:influence",
        sides={"a": Side(), "b": Side()},
        options={
            "measure": Key(many(read_one_measure)),
            "held_out": Key(read_flag),
            "threshold": Key(between(0, float("inf"))),
            "smallest": Key(between(0, float("inf"))),
            **MATCHED,
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
            **MATCHED,
        },
        labels=("by",),
        made={"measure": make_measure},
        lay_out=lay_out_one,
    ),
    **OF_UNITS,
    **OF_POPULATIONS,
    **LESIONS,
}
