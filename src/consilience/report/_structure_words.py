"""What a result of `structure` says: each statistic with its nulls."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import probability
from consilience.plots._structure import NAMES, UNITS
from consilience.report._phrases import ALPHA, name_of, percent, significant, span, upper
from consilience.report._words import listed

__all__ = ["of_structure"]

_MOST, _NULLS = 8, 5
_SIDE = {
    "greater": ("It is above surrogates of", "It is not above surrogates of"),
    "less": ("It is below surrogates of", "It is not below surrogates of"),
    "two-sided": ("It differs from surrogates of", "It does not differ from surrogates of"),
}
_SURROGATES = {
    "tensor_max_entropy": "maximum entropy",
    "circular": "shifts in time",
    "phase": "random phases",
    "conditions": "shuffled conditions",
    "trials": "shuffled trials",
    "steps": "shuffled steps",
    "line": "straight lines",
}


def of_structure(result: Any) -> tuple[str, ...]:
    """Sentences for each statistic: its value, the nulls that it is told from, and those that it is not."""
    said = []
    names = result.data["statistic"].values.tolist()
    for name in names[:_MOST]:
        at = result.data.sel(statistic=name)
        unit = dict(result.settings.get("units", {})).get(name, "")
        text = f"{upper(name_of(NAMES.get(name, name.replace('_', ' '))))} is {significant(at['value'])}"
        text += f" {UNITS.get(unit, unit)}" if unit else ""
        text += span(at["ci_low"], at["ci_high"], percent(result), show=significant) + "."
        told: list[str] = []
        alike: list[str] = []
        for null in result.data["null"].values.tolist()[:_NULLS]:
            row = at.sel(null=null)
            (told if row["p"].item() <= ALPHA else alike).append(_against(row, null))
        words = _SIDE[str(at["claim"].item())]
        for found, start in ((told, words[0]), (alike, words[1])):
            text += f" {start} {listed(found)}." if found else ""
        said.append(text)
    if len(names) > _MOST:
        said.append(f"{len(names) - _MOST} further statistics are in the table.")
    return tuple(said)


def _against(row: Any, null: str) -> str:
    effect = row["effect"].item()
    words = f"{_SURROGATES.get(null, name_of(null))} (middle 95 % {significant(row['null_low'])} to "
    words += f"{significant(row['null_high'])}; {probability(row['p'].item())}"
    return words + (f", {effect:+.1f} sd)" if np.isfinite(effect) else ")").replace("-", "\u2212")
