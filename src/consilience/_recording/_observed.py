"""Units that were recorded at different times: what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._recording._intervals import Intervals

__all__ = ["check_each", "in_common"]


def check_each(given: Any, units: int, *, who: str) -> tuple[Intervals, ...]:
    """One `Intervals` for each of ``units``."""
    each = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else ()
    wrong = next((entry for entry in each if not isinstance(entry, Intervals)), None)
    if wrong is not None or len(each) != units:
        came = (
            f"an entry {shorten(wrong, 40)}"
            if wrong is not None
            else f"{len(each)} entries"
            if each
            else shorten(given, 40)
        )
        raise InputError(
            f"{who}: observed_by_unit must be a list with one cs.Intervals for each of {units} units, got {came}.",
            code="bad-recording",
        )
    return each


def in_common(each: Sequence[Intervals]) -> Intervals:
    """When all were observed, as sorted, disjoint intervals."""
    different: list[Intervals] = []
    seen: set[bytes] = set()
    for one in each:
        key = one.start.tobytes() + b"|" + one.stop.tobytes()
        if key not in seen:
            seen.add(key)
            different.append(one)
    common = different[0].merged()
    for one in different[1:]:
        common = common & one
    return common
