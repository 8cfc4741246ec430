"""Code blocks of Markdown files: which language, whether they need data, and what they must print."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


@dataclass(frozen=True)
class Block:
    """One fenced block. ``expected``: what it must print (the text block marked <!-- output -->)."""

    language: str
    code: str
    line: int
    needs_data: bool
    expected: str | None = None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in _FENCE.finditer(text):
        before = text[: match.start()].rstrip().rsplit("\n", 1)[-1]
        if before == "<!-- output -->":
            last = found.pop()
            found.append(Block(last.language, last.code, last.line, last.needs_data, match[2]))
            continue
        line = text.count("\n", 0, match.start()) + 2
        found.append(Block(match[1], match[2], line, before == "<!-- needs-data -->"))
    return found


def same_output(expected: str, printed: str) -> str:
    """Empty if ``printed`` is as expected, numbers to 0.002; a line "..." stands for any lines."""
    wanted = [line.rstrip() for line in expected.strip().splitlines()]
    came = [line.rstrip() for line in printed.strip().splitlines()]
    at, skipping = 0, False
    for line in wanted:
        if line == "...":
            skipping = True
            continue
        while skipping and at < len(came) and not _same_line(line, came[at]):
            at += 1
        if at >= len(came) or not _same_line(line, came[at]):
            return f"expected {line!r}, got {came[at] if at < len(came) else 'no more lines'!r}"
        at, skipping = at + 1, False
    return "" if skipping or at == len(came) else f"more was printed: {came[at]!r}"


def _same_line(one: str, two: str) -> bool:
    if " ".join(_NUMBER.sub("#", one).split()) != " ".join(_NUMBER.sub("#", two).split()):
        return False
    return all(abs(float(a) - float(b)) <= 0.002 for a, b in zip(_NUMBER.findall(one), _NUMBER.findall(two)))
