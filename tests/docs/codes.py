"""Every code of a warning or error in the source, found by reading it (not by running it).

python tests/docs/codes.py      prints them with the places that use them
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "consilience"
FIRST = ("warn", "Caution")  # functions whose first argument is the code


def texts(node: ast.AST | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)


def _in_call(node: ast.Call) -> Iterator[str]:
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    for keyword in node.keywords:
        if keyword.arg == "code":
            yield from texts(keyword.value)
    owner = getattr(function.value, "id", "") if isinstance(function, ast.Attribute) else ""
    if name in FIRST and owner != "warnings" and node.args:
        yield from texts(node.args[0])
    if name == "_error" and len(node.args) > 1:
        yield from texts(node.args[1])
    if name == "Failure" and len(node.args) > 2:
        yield from texts(node.args[2])


def _in_class(node: ast.ClassDef) -> Iterator[str]:
    for entry in node.body:
        targets = entry.targets if isinstance(entry, ast.Assign) else [getattr(entry, "target", None)]
        if any(getattr(target, "id", "") == "code" for target in targets):
            yield from texts(getattr(entry, "value", None))


def _in_function(node: ast.FunctionDef) -> Iterator[str]:
    both = node.args
    for argument, default in zip(both.kwonlyargs, both.kw_defaults):
        if argument.arg == "code":
            yield from texts(default)
    for argument, default in zip(reversed(both.args), reversed(both.defaults)):
        if argument.arg == "code":
            yield from texts(default)


def used() -> dict[str, list[str]]:
    """{code: places}; the check-suites of `testing` are left out (they make codes up)."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        inner = path.relative_to(SOURCE)
        if inner.parts[0] == "testing":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            codes: Iterator[str] = iter(())
            if isinstance(node, ast.Call):
                codes = _in_call(node)
            elif isinstance(node, ast.ClassDef):
                codes = _in_class(node)
            elif isinstance(node, ast.FunctionDef):
                codes = _in_function(node)
            for code in codes:
                found[code].append(f"{inner}:{node.lineno}")
    return dict(found)


if __name__ == "__main__":
    for code, places in sorted(used().items()):
        sys.stdout.write(f"{code}: {', '.join(dict.fromkeys(places))}\n")
