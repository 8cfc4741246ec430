"""Analyses of a study: which systems are compared, by which measures, how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from consilience._core._errors import nearest
from consilience._core._params import shorten
from consilience.study._measure import Measure, check_measures, read_measure
from consilience.study._readers import (
    Key,
    between,
    many,
    one_of,
    read_draws,
    read_flag,
    read_name,
    read_table,
    wanted,
    whole,
)
from consilience.study._systems import NetworkSystem, System
from consilience.study._yaml import Node

__all__ = ["Analysis", "read_analysis"]


_BASELINES = {"untrained": Key(whole(0, 100)), "permuted": Key(whole(0, 100))}


def _baseline(node: Node) -> tuple[str, int]:
    values = read_table(node, _BASELINES, "baseline")
    if len(values) != 1:
        raise node.error(
            f"must have one of {', '.join(_BASELINES)} with the number of copies, such as {{untrained: 3}}.",
            code="wrong-type",
        )
    return next(iter(values.items()))


@dataclass(frozen=True)
class Analysis:
    """One compare step. ``options`` are the keyword arguments of `cs.compare` that were given; ``node`` is where it
    stands."""

    name: str
    a: tuple[str, ...]
    b: tuple[str, ...]
    measures: tuple[Measure, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    baseline: tuple[str, int] | None = None
    node: Node | None = field(default=None, compare=False, repr=False)

    def place(self, key: str) -> Node:
        """Where ``key`` stands in the file, for messages."""
        assert self.node is not None
        return self.node.value.get(key, self.node)


_COMPARE = {
    "a": Key(many(read_name), required=True),
    "b": Key(many(read_name), required=True),
    "measure": Key(many(read_measure)),
    "name": Key(read_name),
    "by": Key(read_name),
    "groups": Key(read_name),
    "join": Key(one_of("exact", "inner")),
    "n_boot": Key(read_draws),
    "n_perm": Key(read_draws),
    "level": Key(between(0, 1)),
    "held_out": Key(read_flag),
    "refit": Key(read_flag),
    "baseline": Key(_baseline),
}


def read_analysis(node: Node, systems: Mapping[str, System], index: int) -> Analysis:
    """The analysis at a node of the list; everything that can be refused without data is refused here."""
    if not isinstance(node.value, dict) or len(node.value) != 1:
        raise wanted(node, "a mapping with one verb, such as {compare: {a: ..., b: ...}}")
    verb, body = next(iter(node.value.items()))
    if verb != "compare":
        raise body.error(f"is not a verb of a study.{nearest(verb, ['compare'])}", code="unknown-key")
    values = read_table(body, _COMPARE, "compare")
    for side in ("a", "b"):
        for name in values[side]:
            if name not in systems:
                raise body.value[side].error(
                    f"{shorten(name)} is not one of the systems.{nearest(name, systems)}",
                    code="unknown-system",
                )
        if len(set(values[side])) < len(values[side]):
            raise body.value[side].error("names a system twice.", code="wrong-type")
    baseline = values.pop("baseline", None)
    if baseline is not None:
        kinds = [name for name in values["a"] if not isinstance(systems[name], NetworkSystem)]
        if kinds:
            raise body.value["baseline"].error(
                f"needs networks on side a, and {shorten(kinds[0])} is none.", code="bad-baseline"
            )
        baseline = baseline if baseline[1] else None
    measures = values.pop("measure", (Measure("rsa"),))
    if "measure" in body.value:
        measures = check_measures(measures, held_out=values.get("held_out", True))
    labels = [measure.label for measure in measures]
    if len(set(labels)) < len(labels):
        raise body.value["measure"].error("names a measure twice.", code="wrong-type")
    default = f"{'+'.join(values['a'])}_{'+'.join(values['b'])}"
    name = values.pop("name", default if index == 0 else f"{default}_{index + 1}")
    a, b = values.pop("a"), values.pop("b")
    return Analysis(name, a, b, measures, values, baseline, body)
