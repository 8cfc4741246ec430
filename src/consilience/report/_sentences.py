"""What a result says in words, and how its figure is shown: one entry per class of result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._results import Result
from consilience.plots._labels import number, probability, shortened, visible
from consilience.report._words import listed, plural

__all__ = ["FIGURES", "SENTENCES", "Figure", "sentences"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Heading and caption of the figure of a result."""

    title: str = ""
    caption: str = ""


def sentences(result: Result) -> tuple[str, ...]:
    """The answer in words; where no words are known, what the result prints of itself."""
    words = SENTENCES.get(type(result).__name__)
    return words(result) if words is not None else tuple(line.strip() for line in result._lines()[:3])


def _span(low: Any, high: Any, percent: str = "95 %") -> str:
    """`` (95 % interval 0.1 to 0.3)``, or nothing."""
    low, high = float(low), float(high)
    return (
        f" ({percent} interval {number(low)} to {number(high)})"
        if np.isfinite(low) and np.isfinite(high)
        else ""
    )


def _percent(result: Any) -> str:
    return f"{100 * float(result.settings.get('level', 0.95)):g} %"


def _held_out(value: Any) -> str:
    return f", {number(value)} on stimuli left out of the fit" if np.isfinite(value) else ""


def _name(value: object) -> str:
    return shortened(visible(value), 60)


def _best(result: Any) -> tuple[str, ...]:
    said = []
    for one in list(result)[:4]:
        ends = one.interval or (np.nan, np.nan)
        row = {dim: _name(one.data[dim].values[0]) for dim in ("measure", one.other)}
        said.append(
            f"By {row['measure']}, {_name(one.layer)} is the most like {row[one.other]}: {number(one.value)}"
            f"{_span(*ends)}, on other stimuli than it was chosen on."
        )
    return tuple(said)


def _influence(result: Any) -> tuple[str, ...]:
    frame = result.data.to_dataframe().reset_index()
    said = []
    for row in frame.sort_values("n_flagged", ascending=False).head(4).to_dict("records"):
        flagged = int(row["n_flagged"])
        start = (
            f"{plural(flagged, 'stimulus')} of {int(row['n_stimuli']):,} stand{'s' * (flagged == 1)} out"
            if flagged
            else f"No stimulus of {int(row['n_stimuli']):,} stands out"
        )
        said.append(
            f"{start} in {_name(row['measure'])} of {_name(row['a'])} and {_name(row['b'])}: "
            f"{number(row['value'])}, and {number(row['without_most'])} without {_name(row['most'])}."
        )
    return tuple(said)


def _partition(result: Any) -> tuple[str, ...]:
    frame = result.to_frame()
    total = frame[frame["kind"] == "total"].iloc[0]
    models = [_name(name) for name in result.coefficients["model"].values.tolist()]
    said = [
        f"{listed(models)} {'together explain' if len(models) > 1 else 'explains'} {number(total['value'])} of the "
        f"RDM's variance{_span(total['ci_low'], total['ci_high'], _percent(result))}"
        f"{_held_out(total['held_out'])}."
    ]
    if np.isfinite(total["ceiling_high"]):
        said.append(
            f"The noise ceiling is {number(total['ceiling_low'])} to {number(total['ceiling_high'])}."
        )
    unique = frame[frame["kind"] == "unique"].sort_values("value", ascending=False)
    for row in unique.head(3).to_dict("records"):
        chance = (
            f" ({probability(row['p'])}; a model of noise gives {number(row['null_mean'])})"
            if np.isfinite(row["p"])
            else ""
        )
        said.append(f"Only {_name(row['models'])} explains {number(row['value'])}{chance}.")
    return tuple(said)


SENTENCES: Mapping[str, Callable[[Any], tuple[str, ...]]] = {
    "Best": _best,
    "Influence": _influence,
    "VariancePartition": _partition,
}
FIGURES: Mapping[str, Figure] = {}
