"""Analyses of a study: which verb is run on which systems, how."""

from __future__ import annotations

from collections.abc import Mapping

from consilience._core._errors import nearest
from consilience._core._params import shorten
from consilience.study._readers import Key, many, read_name, read_table, wanted
from consilience.study._systems import System
from consilience.study._verb import Analysis
from consilience.study._verbs import VERBS
from consilience.study._yaml import Node

__all__ = ["Analysis", "read_analysis"]


def read_analysis(node: Node, systems: Mapping[str, System], index: int) -> Analysis:
    """The analysis at a node of the list; everything that can be refused without data is refused here."""
    if not isinstance(node.value, dict) or len(node.value) != 1:
        raise wanted(node, "a mapping with one verb, such as {compare: {a: ..., b: ...}}")
    name, body = next(iter(node.value.items()))
    if name not in VERBS:
        raise body.error(f"is not a verb of a study.{nearest(name, VERBS)}", code="unknown-key")
    verb = VERBS[name]
    sides = {key: Key(many(read_name), required=side.required) for key, side in verb.sides.items()}
    values = read_table(body, {**sides, **verb.options, "name": Key(read_name)}, name)
    for side in verb.sides:
        _check_systems(body, side, values.get(side, ()), systems)
    more = verb.read(body, values, systems) if verb.read is not None else {}
    used = {side: values.pop(side) for side in verb.sides if side in values}
    default = "_".join("+".join(names) for names in used.values())
    called = values.pop("name", default if index == 0 else f"{default}_{index + 1}")
    used |= more.pop("sides", {})
    return Analysis(called, name, used, options=values, node=body, **more)


def _check_systems(body: Node, side: str, names: tuple[str, ...], systems: Mapping[str, System]) -> None:
    for name in names:
        if name not in systems:
            raise body.value[side].error(
                f"{shorten(name)} is not one of the systems.{nearest(name, systems)}",
                code="unknown-system",
            )
    if len(set(names)) < len(names):
        raise body.value[side].error("names a system twice.", code="wrong-type")
