"""The verbs of a study about whole populations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consilience.study._baselines import read_copies, take_copies
from consilience.study._readers import Key, between, many, one_of, read_flag, read_name, whole
from consilience.study._systems import System
from consilience.study._verb import Side, Verb, lay_out_one
from consilience.study._verb_readers import (
    INFERENCE,
    MATCHES,
    make_model,
    or_none,
    read_gap,
    read_reducing_model,
)
from consilience.study._yaml import Node

__all__ = ["OF_POPULATIONS"]

_STATISTICS = (
    "rotation",
    "rotation_r2",
    "rotation_rate",
    "linear_dynamics",
    "tangling",
    "curvature",
    "variance_in_k",
)
_NULLS = ("tensor_max_entropy", "circular", "phase", "conditions", "trials", "steps", "line")


def _read_geometry(body: Node, values: dict[str, Any], systems: Mapping[str, System]) -> dict[str, Any]:
    return {"baseline": take_copies(body, values, systems, side="data")}


OF_POPULATIONS: dict[str, Verb] = {
    "subspaces": Verb(
        function="consilience.analyses:subspaces",
        sides={
            "a": Side(alone=True, responses=True),
            "b": Side(alone=True, responses=True, required=False),
        },
        options={
            "by": Key(read_name),
            "condition": Key(or_none(many(read_name))),
            "k": Key(whole(1, 10_000)),
            "join": Key(one_of("exact", "inner")),
            "n_splits": Key(whole(1, 1000)),
            "n_null": Key(whole(0, 1_000_000)),
            "level": INFERENCE["level"],
        },
        labels=("by", "condition"),
        lay_out=lay_out_one,
    ),
    "geometry": Verb(
        function="consilience.analyses:geometry",
        sides={"data": Side(single=True, responses=True)},
        options={
            "by": Key(many(read_name)),
            "methods": Key(many(read_name)),
            "match": Key(many(one_of(*MATCHES))),
            "baseline": Key(read_copies),
            "n_draws": Key(whole(1, 1000)),
            "standardise": Key(read_flag),
            "n_null": Key(whole(0, 1_000_000)),
            "level": INFERENCE["level"],
        },
        read=_read_geometry,
        labels=("by",),
        lay_out=lay_out_one,
    ),
    "reduce": Verb(
        function="consilience.analyses:reduce",
        sides={"data": Side(alone=True, responses=True)},
        options={
            "model": Key(read_reducing_model),
            "labels": Key(many(read_name)),
            "average": Key(read_flag),
            "standardise": Key(read_flag),
            "cv": Key(whole(0, 1000)),
            "groups": Key(or_none(read_name)),
            "gap": Key(read_gap),
            "n_boot": INFERENCE["n_boot"],
            "n_perm": INFERENCE["n_perm"],
            "level": INFERENCE["level"],
        },
        made={"model": make_model},
        labels=("labels", "groups"),
        lay_out=lay_out_one,
    ),
    "structure": Verb(
        function="consilience.analyses:structure",
        sides={"data": Side(alone=True, responses=True)},
        options={
            "statistic": Key(many(one_of(*_STATISTICS))),
            "null": Key(many(one_of(*_NULLS))),
            "by": Key(or_none(read_name)),
            "rows": Key(one_of("conditions", "trials")),
            "n_components": Key(whole(1, 10_000)),
            "subtract_mean": Key(read_flag),
            "soft_normalise": Key(between(0, float("inf"))),
            "alternative": Key(one_of("greater", "less", "two-sided")),
            "interval": Key(one_of("conditions", "trials")),
            "n_null": Key(whole(1, 1_000_000)),
            "level": INFERENCE["level"],
        },
        labels=("by",),
        lay_out=lay_out_one,
    ),
}
