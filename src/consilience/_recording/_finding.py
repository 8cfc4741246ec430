"""What `consilience inspect` finds in a recording: one sentence each, with a severity and a code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Finding", "counted", "named", "span_in_words"]

_MANY = 4


@dataclass(frozen=True)
class Finding:
    """severity : "critical" (results would be wrong, or it cannot be used), "warning" (look before using it), "hint".
    code : slug for programs.   text : one or two sentences for people.
    """

    severity: Literal["critical", "warning", "hint"]
    code: str
    text: str


def counted(n: int, noun: str, plural: str = "") -> str:
    """``1 unit``, ``2 units``."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def named(entries: np.ndarray) -> str:
    """The first few names, each once, in brackets."""
    different = list(dict.fromkeys(entries.tolist()))
    listed = ", ".join(str(entry)[:40] for entry in different[:_MANY])
    return f"({listed}{', ...' if len(different) > _MANY else ''})"


def span_in_words(seconds: float) -> str:
    """``20 min``, ``3.2 days``: the length of a span as people say it."""
    for size, word in ((31_557_600, "years"), (86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {word}"
    return f"{seconds:.3g} s"
