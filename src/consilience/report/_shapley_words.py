"""What Shapley values say."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.report._phrases import ALPHA, name_of, percent
from consilience.report._words import plural

__all__ = ["of_shapley"]


def _number(value: Any) -> str:
    return f"{float(value):.3g}"  # scores may be of any size


def _span(low: Any, high: Any, share: str) -> str:
    known = np.isfinite(low) and np.isfinite(high)
    return f" ({share} interval {_number(low)} to {_number(high)})" if known else ""


def of_shapley(result: Any) -> tuple[str, ...]:
    d, s = result.data, result.settings
    value = d["value"].values
    best = d.isel(player=int(np.argmax(value)))
    said = [
        f"{plural(d.sizes['player'], 'player')} of {name_of(s.get('system'))} share {_number(result.total)}: "
        f"{_number(s['v_nobody'])} with nobody, {_number(s['v_all'])} with all "
        f"({name_of(s.get('score'))}).",
        f"{name_of(best['player'].item())} adds most, {_number(float(best['value']))}"
        f"{_span(best['ci_low'], best['ci_high'], percent(result))}; removed alone it costs "
        f"{_number(float(best['single']))}.",
    ]
    q = d["q"].values
    if np.isfinite(q).any():
        sure = q <= ALPHA
        said.append(
            f"{int((sure & (value > 0)).sum()):,} players are needed and {int((sure & (value < 0)).sum()):,} are "
            f"better away (q at most {ALPHA:g})."
        )
    elif "r2" not in s:
        said.append(
            "The score is one number for all stimuli, so nothing is said of other stimuli"
            + ("." if result.exact else "; intervals are over the sampled orders.")
        )
    if s.get("reached") is False:
        said.append(
            f"Intervals over the sampled orders are up to +- {_number(float(s['half_widest']))} wide, not "
            f"{_number(float(s['precision']))} as asked."
        )
    if "r2" in s and not np.isfinite(float(s["r2"])):
        said.append("All scores are equal, so lesions predict nothing.")
    elif "r2" in s:
        said.append(
            "Coalitions that were not seen were filled in by a fit whose R2 for animals left out is "
            f"{_number(float(s['r2']))}{_span(s['r2_low'], s['r2_high'], percent(result))}."
        )
    if result.interactions is not None and result.interactions.sizes["pair"]:
        pairs = result.interactions
        most = pairs.isel(pair=int(np.argmax(np.abs(pairs["value"].values))))
        kind = "add more together" if float(most["value"]) > 0 else "stand in for each other"
        said.append(
            f"{name_of(most['first'].item())} and {name_of(most['second'].item())} {kind}: interaction "
            f"{_number(float(most['value']))}{_span(most['ci_low'], most['ci_high'], percent(result))}."
        )
    return tuple(said)
