"""Text for terminals: names made harmless, numbers short, no colour, any width."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["as_options", "clean", "counted", "interval", "number", "table"]

_OPTIONS = (
    (
        re.compile(r"name one: member=.* in Python, 'system: .*' in a study file, (.*) on the command line"),
        r"name one: \1",
    ),
    (re.compile(r"cs\.responses\(\.\.\., repeat=(['\"])count\1\)|repeat=(['\"])count\2"), "--repeat count"),
    (re.compile(r"stimulus=\[\.\.\.\]"), "--ids FILE"),
    (re.compile(r"\bjoin=(['\"])(\w+)\1"), r"--join \2"),
    (
        re.compile(r"time must give (\d+) times in seconds"),
        r"pass --time FILE with \1 times in seconds",
    ),
    (re.compile(r"data\.assign_coords\((\w+)=\('unit', values\)\)"), r"--label \1=FILE"),
    (re.compile(r"Pass subject=\[\.\.\.\], one id per RDM"), "Pass --label subject=FILE, one id per RDM"),
    (re.compile(r"as \{part: RDM data\}"), "as further files (--and FILE)"),
    (re.compile(r"\bn_(boot|perm)=(\d+)"), r"--n-\1 \2"),
    (
        re.compile(r"pass the variable itself, by=rec\.bin\(width, of='(.*?)'\)(, or one of time(?=\.))?"),
        r"of a signal of a recording: consilience unit-report FILE --variable \1",
    ),
    (
        re.compile(
            r"say rdm: correlation \(or its distance\) in the study file, or make it with cs\.rdm_data in Python"
        ),
        "pass --rdm correlation (or its distance, or unknown)",
    ),
)


def as_options(text: str, names: Sequence[str] = (), measures: Mapping[str, str] | None = None) -> str:
    """Advice for Python (``join='inner'``) as options of a command (``--join inner``); ``names``: further arguments
    that are options of it; ``measures``: {option: the measure that takes it}."""
    for option, measure in (measures or {}).items():
        text = re.sub(
            rf"\b([Uu]se|[Pp]ass|[Gg]ive|or) {option}=(['\"]?)([\w.]+)\2",
            rf"\1 -m {measure}:{option}=\3",
            text,
        )
    for pattern, option in _OPTIONS:
        text = pattern.sub(option, text)
    for name in names:
        option = "--measure" if name == "measures" else f"--{name.replace('_', '-')}"
        text = re.sub(rf"^cs\.\w+: {name}\b", option, text)
        text = re.sub(rf"(?<![\w:(-]){name}=(['\"]?)(\w(?:[\w.]*\w)?)\1", rf"{option} \2", text)
        text = re.sub(rf"(?<![\w:(-]){name}=(?=[\s.,;:]|$)", option, text)
    return re.sub(
        r"--dims, one of .*; or reshape it to \(trial, unit\)",
        "--dims trial,time,unit (with --time FILE)",
        text,
    )


def clean(text: object, limit: int = 200) -> str:
    """Control, direction and other unprintable characters escaped (no terminal takes orders from a name);
    long text shortened."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in str(text)
    )
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."


def counted(n: int, noun: str, plural: str = "") -> str:
    """``1 block``, ``2 blocks``."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def number(value: float, digits: int = 3) -> str:
    return "-" if not math.isfinite(value) else f"{value:.{digits}f}"


def interval(low: float, high: float) -> str:
    """``[0.123, 0.456]``, or nothing where there is none."""
    return f"[{number(low)}, {number(high)}]" if math.isfinite(low) and math.isfinite(high) else ""


def table(rows: Iterable[Sequence[object]], *, indent: str = "  ", limit: int = 60) -> list[str]:
    """Rows as lines, columns aligned by spaces."""
    cells = [[clean(cell, limit) for cell in row] for row in rows]
    if not cells:
        return []
    widths = [max(len(row[i]) for row in cells if i < len(row)) for i in range(max(map(len, cells)))]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells
    ]
