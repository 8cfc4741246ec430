"""What is asked of `structure`: statistics, nulls, rows and repeats that go together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._params import check_option, shorten
from consilience._results._base import counted
from consilience.analyses._structure_data import Repeats, Rows
from consilience.analyses._structure_statistics import OF_STEPS, STATISTICS

__all__ = ["WHO", "Function", "claim_of", "entries_of", "refuse_seams", "repeats_asked", "rows_asked"]

WHO = "cs.structure"
Function = Callable[..., Any]


def entries_of(given: Any, known: Any, name: str) -> dict[str, Function | None]:
    """{name: None or the user's function}, in the order given."""
    asked = list(given) if isinstance(given, (list, tuple)) else [given]
    if not asked:
        raise InputError(f"{WHO}: {name} is empty; give one or more.", code="bad-parameter")
    out: dict[str, Function | None] = {}
    for entry in asked:
        if callable(entry):
            own = str(getattr(entry, "__name__", "")) or type(entry).__name__
            own = f"{own}()" if own in known else own
            out[own if own not in out else f"{own} {len(out)}"] = entry
        else:
            out[check_option(entry, known, name=name, who=WHO)] = None
    return out


def rows_asked(rows: str | None, nulls: Any) -> str:
    if rows is None:
        rows = "trials" if list(nulls) == ["trials"] else "conditions"
    check_option(rows, ("conditions", "trials"), name="rows", who=WHO)
    if "trials" in nulls and rows == "conditions":
        raise InputError(
            f"{WHO}: the null 'trials' keeps the mean of every condition, so every surrogate has the value of the "
            "data; pass rows='trials' for a statistic of single trials.",
            code="bad-parameter",
        )
    return rows


def refuse_seams(statistics: Any, nulls: Any) -> None:
    for null in ("circular", "phase"):
        if "variance_in_k" in statistics and null in nulls:
            raise InputError(
                f"{WHO}: {null} is no null of variance_in_k: trials have a seam where their end meets their beginning, "
                "which surrogates spread over axes, so of smooth units that share nothing p was at most 0.05 in 0.15 "
                "to 1.00 of simulated data sets; use null='conditions'.",
                code="bad-parameter",
            )


def claim_of(name: str, entry: Function | None, nulls: Any) -> str:
    """Where the claim lies: of a curvature against lines, above them."""
    if entry is not None:
        return "greater"
    if name == "curvature" and "line" in nulls:
        return "greater" if set(nulls) == {"line"} else "two-sided"
    return STATISTICS[name].claim


def repeats_asked(made: Rows, statistics: Any, nulls: Any) -> Repeats | None:
    """The trials that surrogates are of: those of a curvature, where its nulls are asked for and no other."""
    if "line" not in nulls and ("curvature" not in statistics or not set(nulls) <= set(OF_STEPS)):
        return None
    repeats = made.repeats
    if "line" in nulls and not set(nulls) <= set(OF_STEPS):
        raise InputError(
            f"{WHO}: the null 'line' has the noise of trials around lines, and no other null than 'steps' goes beside "
            "it; ask for others in a call of their own.",
            code="bad-parameter",
        )
    if "line" in nulls and made.rows != "conditions":
        raise InputError(
            f"{WHO}: the null 'line' has the noise of trials around lines: it needs rows='conditions', with at least 3 "
            "complete trials of each.",
            code="bad-parameter",
        )
    if "line" in nulls and made.whole.min() < 3:
        raise InputError(
            f"{WHO}: the null 'line' has the noise of trials around lines: it needs at least 3 complete trials of each "
            f"condition, and {_fewest(made)}{_FEW if made.known.all() else _MORE_WHOLE}.",
            code="bad-parameter",
        )
    if repeats is None and made.rows == "conditions" and not made.known.all() and "curvature" in statistics:
        counts = np.bincount(made.condition)
        if counts.min() >= 2:  # else they could not be corrected if they were complete
            warn(
                "noise-bends",
                f"{WHO}: the curvature is that of means as they are: noise bends a path towards 120 degrees, and "
                f"is taken out by two complete trials of each condition, and {_fewest(made)}.",
                f"Do not compare it with a curvature of complete trials{_MORE_WHOLE}.",
            )
    return repeats


_MORE_WHOLE = (
    "; leave out units or times that many trials lack (data.sel(unit=..., time=slice(from, to))), or fill single "
    "missing values before"
)
_FEW = "; by= a label with more trials each, or ask for null='steps' alone"


def _fewest(made: Rows) -> str:
    whole, least = made.whole, int(made.whole.argmin())
    return (
        f"{shorten(made.names.tolist()[least], 40)} has {counted(int(whole[least]), 'complete trial')} of "
        f"{int((made.condition == least).sum())} ({int(whole.sum())} of {len(made.trials)} over all conditions)"
    )
