"""Readers: from a `Node` to a plain value, or an error that names line, key, what is expected and what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from consilience._core._errors import InputError, nearest
from consilience._responses import DIMS
from consilience.sources import check_path_text
from consilience.study._yaml import Node

__all__ = [
    "Key",
    "Reader",
    "SEED_MAX",
    "between",
    "many",
    "one_of",
    "plain",
    "read_dims",
    "read_draws",
    "read_flag",
    "read_ids",
    "read_mapping",
    "read_name",
    "read_names",
    "read_path",
    "read_sequence",
    "read_table",
    "read_text",
    "refused",
    "wanted",
    "whole",
]

Reader = Callable[[Node], Any]
SEED_MAX = 2**128 - 1


def wanted(node: Node, expected: str) -> InputError:
    return node.error(f"must be {expected}, got {node.word}.", code="wrong-type")


def refused(node: Node, error: InputError, *, begins: str = "") -> InputError:
    """An error of another part of the package, said at this place of the file: without who found it, and without
    the name with which the text ``begins``, since the place says it."""
    who, _, said = str(error).partition(": ")
    text = said or who
    goes_on = bool(begins) and text.startswith(f"{begins} ")
    return node.error(text[len(begins) + 1 :] if goes_on else text, code=error.code, apart=not goes_on)


def read_text(node: Node) -> str:
    if not isinstance(node.value, str) or not node.value.strip():
        raise wanted(node, "text")
    return node.value


def read_name(node: Node) -> str:
    """A name; a number or yes/no that YAML would convert is taken as it is written."""
    if isinstance(node.value, (dict, list)) or node.value is None or not node.raw.strip():
        raise wanted(node, "a name")
    return node.raw


def read_names(node: Node) -> str | tuple[str, ...]:
    return many(read_name)(node) if isinstance(node.value, list) else read_name(node)


def read_path(node: Node) -> str:
    text = read_text(node)
    try:
        return check_path_text(text, who=node.path)
    except InputError as error:
        raise refused(node, error) from None


def read_flag(node: Node) -> bool:
    if not isinstance(node.value, bool):
        raise wanted(node, "true or false")
    return node.value


def whole(low: int, high: int | None = None) -> Reader:
    def read(node: Node) -> int:
        value = node.value
        fits = (
            isinstance(value, int)
            and not isinstance(value, bool)
            and value >= low
            and (high is None or value <= high)
        )
        if not fits:
            bound = (
                f"at least {low}"
                if high is None
                else f"from {low} to {'2**128 - 1' if high == SEED_MAX else high}"
            )
            raise wanted(node, f"a whole number, {bound}")
        return int(value)

    return read


def read_draws(node: Node) -> int:
    """A number of resamples: 0 is none, and one says nothing."""
    if whole(0, 10_000_000)(node) == 1:
        raise wanted(node, "0 for none, or some hundreds")
    return int(node.value)


def between(low: float, high: float) -> Reader:
    def read(node: Node) -> float:
        value = node.value
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low < value < high:
            raise wanted(node, f"a number between {low:g} and {high:g}")
        return float(value)

    return read


def one_of(*options: str) -> Reader:
    def read(node: Node) -> str:
        if node.value not in options:
            hint = nearest(node.value, options)
            raise node.error(
                f"must be one of {', '.join(options)}, got "
                f"{node.word}.{hint if hint.startswith(' Did') else ''}",
                code="unknown-option",
            )
        return str(node.value)

    return read


def many(read: Reader, *, empty: bool = False) -> Reader:
    """One entry or a list of them, as a tuple."""

    def read_all(node: Node) -> tuple[Any, ...]:
        entries = node.value if isinstance(node.value, list) else [node]
        if not entries and not empty:
            raise node.error("is an empty list; give at least one entry.", code="wrong-type")
        return tuple(read(entry) for entry in entries)

    return read_all


def read_dims(node: Node) -> tuple[str, ...]:
    names = many(read_name)(node)
    if names not in DIMS:
        raise wanted(node, "one of " + ", ".join("[" + ", ".join(entry) + "]" for entry in DIMS))
    return names


def read_ids(node: Node) -> Any:
    if not isinstance(node.value, list):
        return read_path(node)
    odd = next(
        (
            entry
            for entry in node.value
            if not isinstance(entry.value, (str, int)) or isinstance(entry.value, bool)
        ),
        None,
    )
    if odd is not None:
        raise odd.error(
            f"must be text or a whole number, got {odd.word}; put quotation marks around it.",
            code="wrong-type",
        )
    return tuple(entry.value for entry in node.value)


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(entry) for key, entry in node.value.items()}
    if isinstance(node.value, list):
        return [plain(entry) for entry in node.value]
    return node.value


def read_mapping(node: Node) -> Node:
    if not isinstance(node.value, dict) or not node.value:
        raise wanted(node, "a mapping with at least one entry")
    return node


def read_sequence(node: Node) -> Node:
    if not isinstance(node.value, list) or not node.value:
        raise wanted(node, "a list with at least one entry")
    return node


# -- tables: key -> reader


@dataclass(frozen=True)
class Key:
    """One allowed key: how its value is read, and whether it must be there."""

    read: Reader
    required: bool = False


def read_table(node: Node, table: Mapping[str, Key], what: str) -> dict[str, Any]:
    """Reads a mapping by its table: unknown and missing keys are refused with line and nearest name."""
    if not isinstance(node.value, dict):
        raise wanted(node, f"a mapping with {', '.join(table)}")
    for key, child in node.value.items():
        if key not in table:
            raise child.error(f"is not a key of {what}.{nearest(key, table)}", code="unknown-key")
    missing = [key for key, entry in table.items() if entry.required and key not in node.value]
    if missing:
        raise node.error(
            f"{'has' if node.path else 'there is'} no {missing[0]}:, which {what} needs.", code="missing-key"
        )
    return {key: table[key].read(child) for key, child in node.value.items()}
