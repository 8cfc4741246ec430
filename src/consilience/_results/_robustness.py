"""`Robustness`: what noise in a layer costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Robustness(Result):
    """The score of a network with noise in one layer at a time. Made by `cs.robustness`.

    data : Dataset (layer, level): value, ci_low, ci_high; level 0 is the intact network. Intervals over stimuli, each
        with noise of its own.
    layers : Dataset (layer): half_level, the level at which half of what is above chance is lost (infinite: beyond the
        levels; NaN: chance is not known, or the interval of the intact score holds it, so that there is nothing to
        halve), half_low, half_high (bootstrap over stimuli; infinite: beyond the levels); area, the mean score over the
        range of levels, area_low, area_high (t over stimuli); rms_sd, the root mean square of the units' standard
        deviations, in the units of the layer.
    differences : Dataset (layer, layer_): area of the first less that of the second, over the same stimuli, with t
        interval; p_family: flips of the stimuli's signs, over all pairs of layers.

    settings hold chance and the intact score.
    """

    data: xr.Dataset
    layers: xr.Dataset
    differences: xr.Dataset

    title: ClassVar[str] = "what noise in a layer costs"

    def to_frame(self) -> pd.DataFrame:
        """One row for each layer and level."""
        return self.data.to_dataframe().reset_index()

    def _lines(self) -> list[str]:
        s, d = self.settings, self.layers
        chance = s.get("chance")
        lines = [
            f"  {counted(d.sizes['layer'], 'layer')} of {cell(s.get('system', ''), 30).strip()}, {s.get('noise')} "
            f"noise at {self.data.sizes['level'] - 1} levels, {s.get('n_stimuli')} stimuli, "
            f"{counted(s.get('n_draws'), 'draw')} each",
            f"  {s.get('score')}: intact {s.get('intact', np.nan):.3g}"
            + (f", chance {chance:.3g}" if chance is not None else ", chance not known"),
        ]
        most = float(self.data["level"].max())
        for row in d.to_dataframe().reset_index().head(12).to_dict("records"):
            text = half_words(row["half_level"], row["half_low"], row["half_high"], most)
            area = f"area {row['area']:.3f} [{row['area_low']:.3f}, {row['area_high']:.3f}]"
            lines.append(f"  {cell(row['layer'], 28)} {text}; {area}")
        if d.sizes["layer"] > 12:
            lines.append(f"  and {d.sizes['layer'] - 12} more layers")
        return lines


def within(value: float, most: float) -> str:
    """A half level, or ``> 4`` where it is beyond the highest level."""
    return f"> {most:g}" if value > most else f"{value:.3g}"


def half_words(value: float, low: float, high: float, most: float) -> str:
    """``half lost at 0.5 [0.3, > 4]``."""
    if np.isnan(value):
        return "half level unknown"
    if low > most:
        return f"half lost beyond {most:g}"
    return f"half lost at {within(value, most)} [{within(low, most)}, {within(high, most)}]"
