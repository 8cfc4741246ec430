"""What a `SelectivityImpact` says in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number
from consilience.report._phrases import name_of, percent, span
from consilience.report._words import plural

__all__ = ["of_selectivity_impact"]

_MOST = 4
_SIDES = (("overall", "over all stimuli"), ("preferred", "over stimuli of the unit's preferred class"))


def of_selectivity_impact(result: Any) -> tuple[str, ...]:
    s, d = result.settings, result.data
    said = [
        f"Selectivity ({str(s.get('selectivity')).replace('_', ' ')}) of one half of {s.get('n_stimuli'):,} stimuli "
        f"against what is lost in {name_of(s.get('evaluate'))} without each unit on the other half."
    ]
    pairs = [(name, how) for name in d["network"].values.tolist() for how in d["how"].values.tolist()]
    for name, how in pairs[:_MOST]:
        at = d.sel(network=name, how=how)
        parts = []
        for impact, words in _SIDES:
            row = at.sel(impact=impact)
            ends = span(row["ci_low"].item(), row["ci_high"].item(), percent(result))
            text = f"{number(row['value'].item())}{ends} {words}"
            text += (
                f" (noise ceiling {number(row['ceiling'].item())}"
                if np.isfinite(row["ceiling"])
                else " (no ceiling: halves do not agree"
            )
            text += f"; without mean activation and spread {number(row['partial'].item())})"
            parts.append(text)
        said.append(
            f"{name_of(name)}, how {name_of(how)}, {plural(int(at['n_units']), 'unit')}: r = {parts[0]}, and "
            f"{parts[1]}."
        )
    if len(pairs) > _MOST:
        said.append(f"{len(pairs) - _MOST} more stand in the table.")
    return tuple(said)
