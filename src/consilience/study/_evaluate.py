"""The verb evaluate_models in a study: systems as models of an RDM, and models fitted from several of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consilience._core._errors import nearest
from consilience._core._params import shorten
from consilience.study._readers import many, read_mapping, read_name
from consilience.study._systems import System
from consilience.study._yaml import Node

__all__ = ["evaluation_arguments", "read_fitted", "sides_of_fitted"]

_FITTED = {"weighted": "WeightedRDM", "select": "SelectRDM", "interpolate": "InterpolateRDM"}
_SIDE = "fitted: "


def read_fitted(node: Node) -> dict[str, tuple[str, tuple[str, ...]]]:
    """{name: {weighted | select | interpolate: systems}} as {name: (kind, systems)}."""
    out = {}
    for name, child in read_mapping(node).value.items():
        if not isinstance(child.value, dict) or len(child.value) != 1:
            raise child.error(
                f"must be one of {', '.join(_FITTED)} with systems, such as {{weighted: [a, b]}}.",
                code="wrong-type",
            )
        kind, systems = next(iter(child.value.items()))
        if kind not in _FITTED:
            raise systems.error(f"is no kind of fitted model.{nearest(kind, _FITTED)}", code="unknown-option")
        out[name] = (kind, many(read_name)(systems))
    return out


def sides_of_fitted(body: Node, values: dict[str, Any], systems: Mapping[str, System]) -> dict[str, Any]:
    """The systems that fitted models are made of, as sides of the analysis."""
    sides = {}
    for name, (kind, members) in values.get("fitted", {}).items():
        node = body.value["fitted"].value[name]
        for member in members:
            if member not in systems:
                raise node.value[kind].error(
                    f"{shorten(member)} is not one of the systems.{nearest(member, systems)}",
                    code="unknown-system",
                )
        if name in values["models"]:
            raise node.error("has the name of one of models:; give it another.", code="duplicate-name")
        sides[f"{_SIDE}{name}"] = members
    if "fitted" in values:
        values["fitted"] = {name: kind for name, (kind, _) in values["fitted"].items()}
    return {"sides": sides}


def evaluation_arguments(
    sides: dict[str, dict[str, Any]], options: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Models by name, plain ones and fitted ones, and the data: one array, or {subject: array}."""
    from consilience import models

    given: dict[str, Any] = dict(sides["models"])
    for name, kind in options.get("fitted", {}).items():
        given[name] = getattr(models, _FITTED[kind])(sides[f"{_SIDE}{name}"])
    data = sides["data"]
    keyword = {key: value for key, value in options.items() if key != "fitted"}
    return [given, next(iter(data.values())) if len(data) == 1 else data], keyword
