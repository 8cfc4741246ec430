"""YAML as a tree that remembers its lines: no tags, no duplicate keys, no addresses, bounded size and
depth."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.sources import check_file

__all__ = ["Node", "from_mapping", "read_yaml"]

_LARGEST = 1 << 22
_DEEPEST = 20
_MOST = 100_000
_PLAIN = ("str", "int", "float", "bool", "null", "timestamp")


@dataclass(frozen=True)
class Node:
    """One value with where it stands: ``value`` is a dict of Nodes, a list of Nodes, or a plain scalar.

    path : ``systems.brain.select``.   line : 1-based line of the file, or None for a mapping from Python.
        raw : the scalar as written.
    """

    value: Any
    path: str
    source: str
    line: int | None = None
    raw: str = ""

    def error(self, text: str, *, code: str, apart: bool = False) -> InputError:
        """An `InputError` that starts with the file, the line and the key; ``apart``: the text is a sentence of its
        own."""
        where = self.source if self.line is None else f"{self.source}, line {self.line}"
        key = f" {self.path}{':' if apart else ''}" if self.path else ""
        return InputError(f"{where}:{key} {text}", code=code)

    @property
    def word(self) -> str:
        """What it is, in words, for messages."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        if self.value is None:
            return "nothing"
        return f"{type(self.value).__name__} {shorten(self.value)}"


def read_yaml(path: str | os.PathLike[str]) -> Node:
    """Parses a YAML file into a `Node`; every fault is an `InputError` with the line."""
    import yaml

    source = check_file(path, who="study")
    name = source.name if source.name.isprintable() and len(source.name) < 100 else shorten(source.name)
    if source.stat().st_size > _LARGEST:
        raise InputError(
            f"{name}: {source.stat().st_size} bytes is too large for a study file; is it the right file?",
            code="too-large",
        )
    try:
        text = source.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: not UTF-8 text (byte {error.start}); save it as UTF-8.", code="not-utf8"
        ) from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}).", code="no-file") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        where = name if line is None else f"{name}, line {line}"
        raise InputError(
            f"{where}: not valid YAML ({error.problem or error.context}).", code="bad-yaml"
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(
            f"{name}, line {line}: holds a control character ({error.character!r}); remove it.",
            code="bad-yaml",
        ) from None
    except RecursionError:
        raise InputError(f"{name}: nested too deeply.", code="bad-yaml") from None
    if root is None:
        raise InputError(
            f"{name}: holds no settings; a study needs seed, output, systems and analyses.", code="bad-yaml"
        )
    return _Converter(name).convert(root, "", 0)


class _Converter:
    def __init__(self, source: str) -> None:
        self.source = source
        self.count = 0

    def convert(self, node: Any, path: str, depth: int) -> Node:
        import yaml

        line = node.start_mark.line + 1
        here = Node(None, path, self.source, line)
        self.count += 1
        if depth > _DEEPEST or self.count > _MOST:
            raise here.error("is nested too deeply, or repeats itself through anchors.", code="bad-yaml")
        tag = node.tag.rsplit(":", 1)[-1] if node.tag.startswith("tag:yaml.org,2002:") else node.tag
        if isinstance(node, yaml.MappingNode) and tag == "map":
            return Node(self._mapping(node, path, depth), path, self.source, line)
        if isinstance(node, yaml.SequenceNode) and tag == "seq":
            children = [self.convert(child, f"{path}[{i}]", depth + 1) for i, child in enumerate(node.value)]
            return Node(children, path, self.source, line)
        if isinstance(node, yaml.ScalarNode) and tag in _PLAIN:
            return Node(self._scalar(node, tag, here), path, self.source, line, node.value)
        raise here.error(
            f"has the tag {shorten(node.tag, 60)}; tags are refused, write plain values.", code="bad-yaml"
        )

    def _mapping(self, node: Any, path: str, depth: int) -> dict[str, Node]:
        import yaml

        out: dict[str, Node] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            here = Node(None, path, self.source, line)
            if not isinstance(key, yaml.ScalarNode):
                raise here.error("has a key that is not a word.", code="bad-yaml")
            name = key.value
            if name in out:
                raise here.error(
                    f"has the key {shorten(name)} twice, first on line {lines[name]}; keep one.",
                    code="duplicate-key",
                )
            lines[name] = line
            child = self.convert(value, f"{path}.{name}" if path else name, depth + 1)
            out[name] = Node(child.value, child.path, child.source, line, child.raw)
        return out

    def _scalar(self, node: Any, tag: str, here: Node) -> Any:
        import yaml

        if tag == "timestamp":
            return node.value
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise here.error(
                f"{shorten(node.value)} is not a valid {tag} ({shorten(str(error))}).", code="bad-yaml"
            ) from None


def from_mapping(mapping: Mapping[str, Any], source: str = "study") -> Node:
    """The same tree from a Python mapping (no lines)."""

    def convert(value: Any, path: str, depth: int) -> Node:
        if depth > _DEEPEST:
            raise InputError(f"{source}: {path} is nested too deeply.", code="bad-yaml")
        if isinstance(value, Node):
            return value
        if isinstance(value, Mapping):
            children = {
                str(key): convert(entry, f"{path}.{key}" if path else str(key), depth + 1)
                for key, entry in value.items()
            }
            return Node(children, path, source)
        if isinstance(value, (list, tuple)):
            return Node(
                [convert(entry, f"{path}[{i}]", depth + 1) for i, entry in enumerate(value)], path, source
            )
        if isinstance(value, Path):
            value = str(value)
        return Node(value, path, source, raw=str(value))

    return convert(mapping, "", 0)
