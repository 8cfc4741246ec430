"""The verbs of a study about single units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from consilience.study._readers import Key, between, many, one_of, plain, read_draws, read_name, whole
from consilience.study._verb import Side, Verb, lay_out_one
from consilience.study._verb_readers import (
    INFERENCE,
    MATCHED,
    MATCHES,
    make_field_method,
    or_none,
    read_field_method,
    read_lags,
    read_noise,
    read_ranks,
)
from consilience.study._yaml import Node

if TYPE_CHECKING:
    from consilience.study._systems import System

__all__ = ["OF_UNITS"]

_OF_TRIALS = ("reliability", "split_half", "explainable_variance", "tuning_snr", "fano_factor")
_OF_DIMENSION = (
    "participation_ratio",
    "participation_ratio_units",
    "cvpca",
    "shared",
    "svca",
    "effective_rank",
    "two_nn",
    "mle",
    "local_pca",
)
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


OF_UNITS: dict[str, Verb] = {
    "psth": Verb(
        function="consilience.analyses:psth",
        sides={"data": Side(alone=True, responses=True)},
        options={"by": Key(or_none(read_name)), "level": INFERENCE["level"]},
        labels=("by",),
        lay_out=lay_out_one,
        seeded=False,
    ),
    "quality": Verb(
        function="consilience.analyses:quality",
        sides={"data": Side(alone=True, responses=True)},
        options={
            "measures": Key(many(one_of(*_OF_TRIALS))),
            "by": MATCHED["by"],
            "groups": Key(read_name),
            "n_splits": Key(whole(1, 10_000)),
            "n_perm": INFERENCE["n_perm"],
            "level": INFERENCE["level"],
        },
        labels=("by", "groups"),
        lay_out=lay_out_one,
    ),
    "dimensionality": Verb(
        function="consilience.analyses:dimensionality",
        sides={"data": Side(single=True, responses=True)},
        options={
            "measures": Key(many(one_of(*_OF_DIMENSION))),
            "by": MATCHED["by"],
            "match": Key(many(one_of(*MATCHES))),
            "n_match": Key(whole(1, 1000)),
            "fit": Key(read_ranks),
            "gap": Key(whole(0, 1_000_000)),
            "n_perm": INFERENCE["n_perm"],
            "level": INFERENCE["level"],
        },
        labels=("by",),
        lay_out=lay_out_one,
    ),
    "characterize": Verb(
        function="consilience.analyses:characterize",
        sides={
            "data": Side(single=True, responses=True),
            "variable": Side(alone=True, responses=True, required=False),
        },
        options={
            "by": MATCHED["by"],
            "measures": Key(many(one_of(*_TUNING))),
            "period": Key(between(0, float("inf"))),
            "bins": Key(whole(2, 10_000)),
            "groups": Key(read_name),
            "rows": Key(one_of("trials", "stimuli")),
            "matched_noise": Key(read_noise),
            "n_splits": Key(whole(1, 10_000)),
            "n_floor": Key(read_draws),
            "n_perm": INFERENCE["n_perm"],
            "level": INFERENCE["level"],
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
            "n_perm": INFERENCE["n_perm"],
            "level": INFERENCE["level"],
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
            "by": MATCHED["by"],
            "period": Key(between(0, float("inf"))),
            "n_perm": INFERENCE["n_perm"],
            "level": INFERENCE["level"],
        },
        labels=("by",),
        arguments=_of_units,
        lay_out=lay_out_one,
    ),
}
