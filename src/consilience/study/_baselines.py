"""Baseline copies of networks, such as untrained ones: ``baseline: {untrained: 3}`` of the verbs that take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from consilience._core._params import shorten
from consilience.study._readers import Key, read_table, whole
from consilience.study._systems import NetworkSystem, System
from consilience.study._yaml import Node

if TYPE_CHECKING:
    from consilience.study._plan import Layout, Needs
    from consilience.study._verb import Analysis

__all__ = ["place_copies", "read_copies", "take_copies"]

_KINDS = {"untrained": Key(whole(0, 100)), "permuted": Key(whole(0, 100))}


def read_copies(node: Node) -> tuple[str, int]:
    """("untrained", 3) of ``{untrained: 3}``."""
    values = read_table(node, _KINDS, "baseline")
    if len(values) != 1:
        raise node.error(
            f"must have one of {', '.join(_KINDS)} with the number of copies, such as {{untrained: 3}}.",
            code="wrong-type",
        )
    return next(iter(values.items()))


def take_copies(
    body: Node, values: dict[str, Any], systems: Mapping[str, System], *, side: str
) -> tuple[str, int] | None:
    """The field ``baseline`` of an analysis out of ``values``; refused where ``side`` holds more than networks."""
    baseline = values.pop("baseline", None)
    if baseline is None:
        return None
    kinds = [name for name in values[side] if not isinstance(systems[name], NetworkSystem)]
    if kinds:
        raise body.value["baseline"].error(
            f"needs networks on side {side}, and {shorten(kinds[0])} is none.", code="bad-baseline"
        )
    return baseline if baseline[1] else None


def place_copies(analysis: Analysis, layout: Layout, needs: Needs, names: Sequence[str]) -> list[list[Any]]:
    """[seed, [[system, place of its copy]]] of the settings of a block."""
    if analysis.baseline is None:
        return []
    kind, count = analysis.baseline
    return [
        [seed, [[name, needs.place(layout.baselines[name, kind, seed])] for name in names]]
        for seed in range(count)
    ]
