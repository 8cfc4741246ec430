"""`epoch:` and `bin:` of a system that is read: from a recording to responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from consilience._core._errors import InputError
from consilience.study._readers import (
    Key,
    between,
    one_of,
    plain,
    read_name,
    read_names,
    read_table,
    read_text,
    refused,
    wanted,
)
from consilience.study._yaml import Node

__all__ = ["CUTS", "Cut", "read_cut", "responses_of"]

CUTS = ("epoch", "bin")


@dataclass(frozen=True)
class Cut:
    """How a recording becomes responses. verb : "epoch" or "bin".   options : of `Recording.epoch` or `.bin`."""

    verb: str
    options: Mapping[str, Any]
    node: Node | None = field(default=None, compare=False, repr=False)


def _number(node: Node) -> float:
    if not isinstance(node.value, (int, float)) or isinstance(node.value, bool):
        raise wanted(node, "a number of seconds")
    return float(node.value)


def _window(node: Node) -> tuple[float, float]:
    entries = node.value if isinstance(node.value, list) else []
    if len(entries) != 2:
        raise wanted(node, "[from, to] in seconds from the event")
    low, high = (_number(entry) for entry in entries)
    if not low < high:
        raise node.error("must be [from, to] with from below to.", code="bad-window")
    return low, high


def _onsets(node: Node) -> str | list[float]:
    return [_number(entry) for entry in node.value] if isinstance(node.value, list) else read_text(node)


_LONGEST = 1e9  # seconds
_EPOCH = {
    "on": Key(_onsets, required=True),
    "window": Key(_window),
    "bin": Key(between(0, _LONGEST)),
    "reduce": Key(read_text),
    "of": Key(read_text),
    "stimulus": Key(read_name),
    "missing": Key(one_of("raise", "omit", "mask")),
}
_BIN = {
    "width": Key(between(0, _LONGEST), required=True),
    "within": Key(read_text),
    "reduce": Key(read_text),
    "of": Key(read_text),
}


def read_cut(node: Node, verb: str) -> Cut:
    """What stands at ``epoch:`` or ``bin:``; a number alone is the width of bins."""
    if verb == "bin" and not isinstance(node.value, dict):
        return Cut(verb, {"width": between(0, _LONGEST)(node)}, node)
    return Cut(verb, read_table(node, _EPOCH if verb == "epoch" else _BIN, f"{verb}:"), node)


# what `read:` takes for recordings; `options:` are those of the source
RECORDING_KEYS = {"units": Key(read_names), "options": Key(plain)}


def responses_of(system: Any) -> xr.DataArray:
    """The responses of a recording that a system cuts."""
    from consilience.sources import read

    cut, node = system.cut, system.node
    try:
        found = read(system.read, units=system.units, **dict(system.options or {}))
    except InputError as error:
        raise refused(node, error) from None
    if isinstance(found, xr.DataArray):
        raise cut.node.error(
            f"cuts a recording, and {system.read.name} holds responses; leave {cut.verb}: out.",
            code="bad-system",
        )
    options = dict(cut.options)
    try:
        if cut.verb == "epoch":
            return found.epoch(**options, system=system.name)
        return found.bin(options.pop("width"), **options, system=system.name)
    except InputError as error:
        raise refused(cut.node, error) from None
