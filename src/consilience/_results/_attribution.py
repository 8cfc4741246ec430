"""`Attribution`: maps of what a unit's answer hangs on, and the tests they were put to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Attribution(Result):
    """What the activation of units hangs on, place by place. Made by `cs.attribute`.

    maps : (map, target, stimulus, places...) float32, summed over channels, in units of the activation (gradient,
        smoothgrad: activation per unit of the module's input). ``maps.attrs["where"]``: whether places are those
        of the stimulus, of the module's input, or units of a layer. Positive: the place raises the activation.
    data : Dataset with

        - (target, stimulus) value, value_baseline: activation f for the stimulus and for the baseline.
        - (map, target, stimulus) dead: the map is 0 everywhere. completeness_error: sum of integrated gradients less
          value - value_baseline; steps: nodes used. monte_carlo_error: standard error of smoothgrad, root mean square
          over places, relative to the map; monte_carlo_halves: correlation of the means of two halves of its samples.
        - (map, target) deletion_area, insertion_area, (target) random_area: mean of f - f(baseline) while patches go
          to the baseline, highest, lowest or random first, over the mean |value - value_baseline|.
          deletion_gain: random less deletion, insertion_gain: insertion less random; higher = better, 0 = no better
          than random; _low, _high: t interval over stimuli; _p: one-sided, sign flips over stimuli. deletion_curve,
          insertion_curve, random_curve: against the share taken out.
        - (map, target) baseline_agreement: mean rank correlation of maps with those of another baseline.
        - (map, target, layers_shuffled) agreement, with agreement_low and agreement_high (t interval over stimuli):
          rank correlation of maps (of |map| for gradient and smoothgrad, whose sign says nothing of importance) with
          those of a network whose top layers have shuffled weights, over the places that maps reach at all; unrelated:
          the same between different stimuli; agreement_absolute: of |map|. Where agreement of the last (the whole
          network) is high the map does not depend on what the network has learned; where agreement_absolute is, its
          outline does not.
        - (stimulus) checked: whether the tests were made on it.
    pictures : the stimuli, for the figure; None for layers.
    """

    maps: xr.DataArray
    data: xr.Dataset
    pictures: xr.DataArray | None = None

    title: ClassVar[str] = "what activations hang on"

    def to_frame(self) -> pd.DataFrame:
        """One row per method and target; agreement is that of the whole network shuffled."""
        d = self.data
        names = [name for name in d.data_vars if d[name].dims == ("map", "target")]
        frame = d[["dead"]].mean("stimulus").to_dataframe().rename(columns={"dead": "share_dead"})
        for name in names:
            frame[str(name)] = d[name].to_series()
        if "agreement" in d:
            for name in ("agreement", "agreement_low", "agreement_high", "unrelated", "agreement_absolute"):
                frame[name] = d[name].isel(layers_shuffled=-1, drop=True).to_series()
        out = frame.reset_index()
        return out.drop(columns=[c for c in ("class",) if c in out])

    def _lines(self) -> list[str]:
        d, s = self.data, self.settings
        n = d.sizes["stimulus"]
        lines = [
            f"  {counted(d.sizes['map'], 'method')}, {counted(d.sizes['target'], 'target')} of "
            f"{cell(s.get('system', ''), 30).strip()}, {n:,} stimul{'i' if n != 1 else 'us'}; "
            f"maps of {' x '.join(map(str, self.maps.shape[3:]))} in places of the {s.get('coordinates', '')}"
        ]
        if "deletion_gain" in d:
            lines.append(
                "  gains of deletion and insertion over random orders; agreement with shuffled weights (unrelated "
                f"maps); n = {s.get('n_check')}"
            )
        rows = self.to_frame().to_dict("records")
        for row in rows[:8]:
            text = f"  {cell(row['map'], 20)} {cell(row['target'], 14)}"
            for name in ("deletion", "insertion"):
                if np.isfinite(row.get(f"{name}_gain", np.nan)):
                    low, high = row[f"{name}_gain_low"], row[f"{name}_gain_high"]
                    text += f" {name[:3]} {row[f'{name}_gain']:+.2f} [{low:.2f}, {high:.2f}]"
            if np.isfinite(row.get("agreement", np.nan)):
                text += f"; weights {row['agreement']:.2f} ({row['unrelated']:.2f})"
            if row["share_dead"]:
                text += f"; {100 * row['share_dead']:.0f} % dead"
            lines.append(text)
        if len(rows) > 8:
            lines.append(f"  and {len(rows) - 8} more rows")
        return lines
