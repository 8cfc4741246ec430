"""What a result of `structure` says: each statistic with its null."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number, probability
from consilience.plots._structure import NAMES
from consilience.report._phrases import ALPHA, name_of, percent, span

__all__ = ["of_structure"]

_SIDE = {"greater": "above", "less": "below", "two-sided": "away from"}


def of_structure(result: Any) -> tuple[str, ...]:
    said = []
    for name in result.data["statistic"].values.tolist()[:4]:
        at = result.data.sel(statistic=name)
        unit = dict(result.settings.get("units", {})).get(name, "")
        text = f"{name_of(NAMES.get(name, name))[0].upper()}{name_of(NAMES.get(name, name))[1:]} is "
        text += f"{number(at['value'].item(), 3)}{' ' + unit if unit else ''}"
        text += span(at["ci_low"].item(), at["ci_high"].item(), percent(result)) + "."
        said.append(text)
        for null in result.data["null"].values.tolist()[:5]:
            row = at.sel(null=null)
            p, effect = row["p"].item(), row["effect"].item()
            side = _SIDE[str(at["claim"].item())]
            told = f"{side} surrogates" if p <= ALPHA else f"not {side} surrogates beyond chance"
            words = f"It is {told} ({name_of(NAMES.get(null, null))}: middle 95 % "
            words += f"{number(row['null_low'].item(), 3)} to "
            words += f"{number(row['null_high'].item(), 3)}; {probability(p)}"
            said.append(words + (f", effect {effect:+.1f} sd)." if np.isfinite(effect) else ")."))
    return tuple(said[:8])
