"""The verb predict_perturbation in a study: sets of units and what is done to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consilience.study._readers import plain, read_name, wanted
from consilience.study._systems import System
from consilience.study._yaml import Node

__all__ = ["check_perturbation", "perturbation_arguments", "read_act", "read_sets"]


def read_sets(node: Node) -> Any:
    """The name of a label on unit, or {name: list of units}."""
    if not isinstance(node.value, dict):
        return read_name(node)
    if not node.value:
        raise wanted(node, "a label on unit, or a mapping {name: units}")
    return {name: plain(child) for name, child in node.value.items()}


def read_act(node: Node) -> Any:
    """silence, or one of {to: value}, {add: value}, {sd: how many}."""
    if node.value == "silence":
        return "silence"
    value = node.value
    if isinstance(value, dict) and len(value) == 1:
        (name, child), *_ = value.items()
        number = child.value
        if name in ("to", "add", "sd") and isinstance(number, (int, float)) and not isinstance(number, bool):
            return (name, float(number))
    raise wanted(node, "silence, or {to: value}, {add: value} or {sd: how many standard deviations}")


def check_perturbation(body: Node, values: dict[str, Any], systems: Mapping[str, System]) -> dict[str, Any]:
    del systems
    if ("target" in values) == ("target_system" in values):
        said = "has both target: and target_system:" if "target" in values else "has no target:"
        raise body.error(
            f"{said}; give target: a label, or target_system: a series to be told.", code="missing-key"
        )
    return {}


def perturbation_arguments(
    sides: dict[str, dict[str, Any]], options: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The data; and the target: a label, its numbers, or the responses of another system."""
    keyword = dict(options)
    one: Any = next(iter(sides["data"].values()))
    if "target_system" in sides:
        keyword["target"] = next(iter(sides["target_system"].values()))
    elif keyword.pop("numbers", False):
        keyword["target"] = one[keyword["target"]].astype(float)
    return [one], keyword
