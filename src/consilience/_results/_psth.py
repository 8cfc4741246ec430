"""`PSTH`: mean responses over time, per condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class PSTH(Result):
    """Mean response over trials at each time, for each condition and unit. Made by `cs.psth`.

    data : Dataset (condition, time, unit) with mean, ci_low, ci_high (interval over trials, for each condition, time
        and unit by itself), and n_trials (condition, time). The unit of the values is in ``settings["values"]``.
    """

    data: xr.Dataset

    title: ClassVar[str] = "mean response over trials, per condition and time"

    def to_frame(self) -> pd.DataFrame:
        """One row per condition, time and unit."""
        return self.data.to_dataframe(dim_order=["condition", "time", "unit"]).reset_index()

    def _lines(self) -> list[str]:
        data, unit = self.data, str(self.settings.get("time_units", "s"))
        times, trials = data["time"].values, data["n_trials"].max("time").values
        few, most = int(trials.min()), int(trials.max())
        lines = [
            f"  {counted(data.sizes['condition'], 'condition')}{_by(self.settings.get('by'))}, "
            f"{few if few == most else f'{few} to {most}'} trials each; {counted(data.sizes['unit'], 'unit')}, "
            f"{times.size} times from {times[0]:g} to {times[-1]:g} {unit}; {self.settings.get('values', '')}"
        ]
        mean = data["mean"].mean("unit")
        for name in data["condition"].values.tolist()[:8]:
            row = mean.sel(condition=name).values
            if np.isfinite(row).any():
                at = int(np.nanargmax(row))
                lines.append(
                    f"  {cell(name, 22)} highest at {times[at]:g} {unit}: {row[at]:.3g}, mean of all units"
                )
        if data.sizes["condition"] > 8:
            lines.append(f"  and {data.sizes['condition'] - 8} more conditions")
        return lines


def _by(label: object) -> str:
    return f" by {label}" if label is not None else ""
