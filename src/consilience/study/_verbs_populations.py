"""The verbs of a study about whole populations."""

from __future__ import annotations

from consilience.study._readers import Key, between, many, one_of, read_flag, read_name, whole
from consilience.study._verb import Side, Verb, lay_out_one
from consilience.study._verb_readers import INFERENCE, or_none

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
_NULLS = ("tensor_max_entropy", "circular", "phase", "conditions", "trials")

OF_POPULATIONS: dict[str, Verb] = {
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
