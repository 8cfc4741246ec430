"""The verb compare in a study: one block for each measure, and pictures of the RDMs of what came out best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from consilience.study._baselines import place_copies, read_copies, take_copies
from consilience.study._measure import Measure, check_measures, read_measure
from consilience.study._readers import (
    Key,
    between,
    many,
    one_of,
    read_draws,
    read_flag,
    read_name,
)
from consilience.study._systems import System
from consilience.study._verb import Analysis, Side, Verb
from consilience.study._yaml import Node

if TYPE_CHECKING:
    from consilience.study._plan import Layout

__all__ = ["COMPARE"]


def _read(body: Node, values: dict[str, Any], systems: Mapping[str, System]) -> dict[str, Any]:
    baseline = take_copies(body, values, systems, side="a")
    measures = values.pop("measure", (Measure("rsa"),))
    if "measure" in body.value:
        measures = check_measures(measures, held_out=values.get("held_out", True))
    labels = [measure.label for measure in measures]
    if len(set(labels)) < len(labels):
        raise body.value["measure"].error("names a measure twice.", code="wrong-type")
    return {"measures": measures, "baseline": baseline}


def _lay_out(analysis: Analysis, layout: Layout) -> None:
    needs, sides = layout.needs(analysis)
    copies = place_copies(analysis, layout, needs, analysis.a)
    blocks = []
    for measure in analysis.measures:
        settings = {
            **sides,
            "baseline": copies,
            "measure": measure.name,
            "measure_options": dict(measure.options),
            "options": dict(analysis.options),
            "seed": layout.seed,
        }
        blocks.append(layout.plan.add(f"{analysis.name}: {measure.label}", "compare", settings, needs.keys))
    picture_needs = tuple(dict.fromkeys(needs.keys[i] for side in sides.values() for _, i in side))
    index = {key: i for i, key in enumerate(picture_needs)}
    pictured = {
        side: [[name, index[needs.keys[i]]] for name, i in members] for side, members in sides.items()
    }
    settings = {**pictured, "comparison": len(picture_needs), "join": analysis.options.get("join", "exact")}
    picture = layout.plan.add(f"{analysis.name}: RDM pictures", "rdms", settings, (*picture_needs, blocks[0]))
    layout.plan.promise(analysis.name, *blocks)
    layout.plan.promise(f"{analysis.name} RDMs", picture, picture=True)


COMPARE = Verb(
    function="consilience.analyses:compare",
    sides={"a": Side(), "b": Side()},
    options={
        "measure": Key(many(read_measure)),
        "by": Key(read_name),
        "groups": Key(read_name),
        "join": Key(one_of("exact", "inner")),
        "n_boot": Key(read_draws),
        "n_perm": Key(read_draws),
        "level": Key(between(0, 1)),
        "held_out": Key(read_flag),
        "refit": Key(read_flag),
        "baseline": Key(read_copies),
    },
    labels=("by", "groups"),
    read=_read,
    lay_out=_lay_out,
)
