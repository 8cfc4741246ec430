"""Analyses of a study: which verb is run on which systems, how."""

from __future__ import annotations

from consilience._core._errors import nearest
from consilience._core._params import shorten
from consilience.study._readers import Key, many, read_name, read_table, wanted
from consilience.study._systems import System, part_of
from consilience.study._verb import Analysis
from consilience.study._verbs import VERBS
from consilience.study._yaml import Node

__all__ = ["Analysis", "read_analysis"]


def read_analysis(node: Node, systems: dict[str, System], index: int) -> Analysis:
    """The analysis at a node of the list; everything that can be refused without data is refused here. What is named
    as system/layer is added to ``systems``.
    """
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
    default = "_".join("+".join(names) for names in used.values()).replace("/", "_")
    called = values.pop("name", default if index == 0 else f"{default}_{index + 1}")
    used |= more.pop("sides", {})
    return Analysis(called, name, used, options=values, node=body, **more)


def _check_systems(body: Node, side: str, names: tuple[str, ...], systems: dict[str, System]) -> None:
    for name in names:
        part = None if name in systems else part_of(name, systems, body.value[side])
        if part is not None:
            systems[name] = part
        elif name not in systems:
            raise body.value[side].error(
                f"{shorten(name)} is not one of the systems.{nearest(name, systems)}",
                code="unknown-system",
            )
    if len(set(names)) < len(names):
        raise body.value[side].error("names a system twice.", code="wrong-type")
