"""The verb decode in a study: a label or the series of another system as target, and units recorded apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consilience.study._systems import System
from consilience.study._yaml import Node

__all__ = ["decode_arguments", "check_decode"]

_APART = ("by", "session", "n_draws")


def check_decode(body: Node, values: dict[str, Any], systems: Mapping[str, System]) -> dict[str, Any]:
    """Refuses what does not go together: one of data and sessions, one of target and target_system."""
    del systems
    for one, other, words in (
        ("data", "sessions", "one system, or sessions: that were recorded apart"),
        ("target", "target_system", "a label, or target_system: a series to be told"),
    ):
        if (one in values) == (other in values):
            said = f"has both {one}: and {other}:" if one in values else f"has no {one}:"
            raise body.error(f"{said}; give {one}: {words}.", code="missing-key")
    apart = "sessions" in values or "session" in values
    if "sessions" in values and "session" in values:
        raise body.value["session"].error(
            "tells the sessions of one array apart, and sessions: names them; leave one out.",
            code="bad-system",
        )
    if "target_system" in values and apart:
        raise body.value["target_system"].error(
            "is a series, and sessions are joined by their trials; give target: a label.", code="bad-system"
        )
    if "numbers" in values and (apart or "target_system" in values):
        why = "conditions of sessions are classes" if apart else "a series is numbers already"
        raise body.value["numbers"].error(f"is of labels of trials; {why}.", code="bad-system")
    key = next((key for key in _APART if key in values), None)
    if key is not None and not apart:
        raise body.value[key].error(
            "is for units that were recorded apart; give sessions:, or session: the label that tells them apart.",
            code="bad-system",
        )
    if apart:
        given = values.get("by", ())
        named = [given] if isinstance(given, str) else list(given)
        values["by"] = tuple(
            dict.fromkeys([*named, values["target"]])
        )  # conditions: the target, and labels beside it
    return {}


def decode_arguments(
    sides: dict[str, dict[str, Any]], options: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The data, or the pseudo-population of its sessions; and the target: a label, its numbers, or a series."""
    from consilience._responses import pseudo_population

    keyword = dict(options)
    by, session = keyword.pop("by", None), keyword.pop("session", None)
    one: Any = next(iter(sides["data"].values())) if "data" in sides else None
    data = (
        one
        if by is None
        else pseudo_population(sides["sessions"] if one is None else one, by=by, session=session)
    )
    if "target_system" in sides:
        keyword["target"] = next(iter(sides["target_system"].values()))
    elif keyword.pop("numbers", False):
        keyword["target"] = one[keyword["target"]].astype(float)
    return [data], keyword
