"""`RDMMovie`: an RDM for each moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RDMMovie(Result):
    """RDMs over time. Made by `cs.rdm_movie`.

    rdms : DataArray (time, stimulus, stimulus_); time is the middle of each window.
    data : Dataset (time[, model]) with reliability, reliability_low, reliability_high (halves of the trials; NaN
        without repeats) and, with models, value, ci_low, ci_high (interval over stimuli), null_low, null_high (band
        of the permutations), p, p_fwer (over times, maximum statistic).
    generalisation : DataArray (time, time_): correlation of the RDM of one half of the trials at a time with that of
        the other half at another; None without repeats.
    """

    rdms: xr.DataArray
    data: xr.Dataset
    generalisation: xr.DataArray | None = None

    title: ClassVar[str] = "representational dissimilarity matrices over time"

    def to_frame(self) -> pd.DataFrame:
        """One row per time (and model)."""
        if "model" not in self.data.dims:
            return self.data.to_dataframe().reset_index()
        return self.data.to_dataframe(dim_order=["model", "time"]).reset_index()

    def _lines(self) -> list[str]:
        n, times = self.rdms.sizes["stimulus"], self.data["time"].values
        unit = self.settings.get("time_units", "s")
        distance = self.settings.get("distance", "")
        lines = [
            f"  {times.size} times from {times[0]:g} to {times[-1]:g} {unit}, {n} stimuli, {distance} distance"
        ]
        agreed = self.data["reliability"].values
        if np.isfinite(agreed).any():
            at = int(np.nanargmax(agreed))
            lines.append(f"  halves of the trials agree most at {times[at]:g} {unit}: r = {agreed[at]:.3f}")
        if "model" in self.data.dims:
            for model in self.data["model"].values.tolist()[:8]:
                row = self.data.sel(model=model)
                value = row["value"].values
                if not np.isfinite(value).any():
                    continue
                at = int(np.nanargmax(value))
                text = f"  {cell(model, 22)} most alike at {times[at]:g} {unit}: {value[at]:.3f}"
                if np.isfinite(row["ci_low"].values[at]):
                    text += f" [{row['ci_low'].values[at]:.3f}, {row['ci_high'].values[at]:.3f}]"
                if np.isfinite(row["p_fwer"].values[at]):
                    text += f"  p_fwer={row['p_fwer'].values[at]:.3g}"
                lines.append(text)
        return lines
