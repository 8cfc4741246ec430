"""What a verb of a study is, and an analysis that was read: tables, so that no code has a branch for a verb."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from consilience.study._baselines import place_copies
from consilience.study._measure import Measure
from consilience.study._readers import Key
from consilience.study._yaml import Node

if TYPE_CHECKING:
    from consilience.study._plan import Layout
    from consilience.study._systems import System

__all__ = ["Analysis", "Side", "Verb", "lay_out_one"]


@dataclass(frozen=True)
class Analysis:
    """One step of a study: a verb with its systems. ``options`` are the keyword arguments that were given; ``node``
    is where it stands."""

    name: str
    verb: str
    sides: Mapping[str, tuple[str, ...]]
    measures: tuple[Measure, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    baseline: tuple[str, int] | None = None
    node: Node | None = field(default=None, compare=False, repr=False)

    @property
    def a(self) -> tuple[str, ...]:
        return self.sides.get("a", ())

    @property
    def copied(self) -> tuple[str, ...]:
        """Those of which ``baseline`` is copies: the first side."""
        return next(iter(self.sides.values()), ())

    @property
    def b(self) -> tuple[str, ...]:
        return self.sides.get("b", ())

    @property
    def systems(self) -> tuple[str, ...]:
        """All systems that it uses, each once."""
        return tuple(dict.fromkeys(name for names in self.sides.values() for name in names))

    def place(self, key: str) -> Node:
        """Where ``key`` stands in the file, for messages."""
        assert self.node is not None
        return self.node.value.get(key, self.node)


@dataclass(frozen=True)
class Side:
    """A key of a verb that names systems.

    alone : exactly one array, handed over as it is; otherwise a mapping {name: array}, or the array where there is
        one and ``single`` is set.   responses : RDM data will not do.   keyword : passed by its name.
    """

    alone: bool = False
    single: bool = False
    responses: bool = False
    keyword: bool = False
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One entry of the table of verbs.

    function : "module:name" of what is called.   sides : keys that name systems, in the order of its arguments.
    options : its other keys.   labels : those of them that name a label on trial.   seeded : it takes ``rng``.
    made : option -> what turns its plain value into what the function takes, when the block runs.
    arguments : from {side: {name: array}} and the options to the function's (positional, keyword) arguments, where
        the sides as they are would not do.
    read : what more is read and refused without data: (body, values, systems) -> fields of `Analysis` (``sides``: in
        addition to those above); it takes out of ``values`` what it read.
    lay_out : adds its blocks and products to the plan.
    """

    function: str
    sides: Mapping[str, Side]
    options: Mapping[str, Key]
    lay_out: Callable[[Analysis, Layout], None]
    labels: tuple[str, ...] = ()
    seeded: bool = True
    made: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    arguments: Callable[[dict[str, Any], dict[str, Any]], tuple[list[Any], dict[str, Any]]] | None = None
    read: Callable[[Node, dict[str, Any], Mapping[str, System]], dict[str, Any]] | None = None


def lay_out_one(analysis: Analysis, layout: Layout) -> None:
    """One block: the verb on its systems."""
    from consilience.study._verbs import VERBS

    needs, sides = layout.needs(analysis)
    settings: dict[str, Any] = {
        "verb": analysis.verb,
        "sides": sides,
        "options": dict(analysis.options),
        "seed": layout.seed if VERBS[analysis.verb].seeded else None,
    }
    if analysis.baseline is not None:
        settings["baseline"] = place_copies(analysis, layout, needs, analysis.copied)
    key = layout.plan.add(f"{analysis.name}: {analysis.verb}", "verb", settings, needs.keys)
    layout.plan.promise(analysis.name, key)
