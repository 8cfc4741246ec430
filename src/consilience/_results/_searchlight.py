"""`Searchlight`: a value for the surroundings of each unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Searchlight(Result):
    """Likeness of a model to the units around each unit. Made by `cs.searchlight`.

    data : Dataset (unit) with the coordinates of the centres and value, ci_low, ci_high (interval over stimuli), p
        (stimulus permutation, one-sided), p_fwer (maximum statistic over centres), q (false discovery rate), n_units.
    """

    data: xr.Dataset

    title: ClassVar[str] = "likeness of a model to the units around each unit"

    def to_frame(self) -> pd.DataFrame:
        """One row per centre."""
        return self.data.to_dataframe().reset_index()

    def _lines(self) -> list[str]:
        value, count = self.data["value"].values, self.data["n_units"].values
        lines = [
            f"  {value.size} centres, {np.median(count):g} units in the median one, "
            f"{self.settings.get('distance', '')} distance, {self.settings.get('n_stimuli', '')} stimuli"
        ]
        if np.isfinite(value).any():
            row = self.data.isel(unit=int(np.nanargmax(value)))
            text = f"  highest: unit {cell(row['unit'].item(), 20).strip()}, {row['value'].item():.3f}"
            if np.isfinite(row["ci_low"].item()):
                text += f" [{row['ci_low'].item():.3f}, {row['ci_high'].item():.3f}]"
            if np.isfinite(row["p_fwer"].item()):
                text += f"  p_fwer={row['p_fwer'].item():.3g}"
                lines += [text]
                found, wide = (int((self.data[k].values <= 0.05).sum()) for k in ("p_fwer", "q"))
                lines.append(f"  centres with p_fwer <= 0.05: {found}; with q <= 0.05: {wide}")
            else:
                lines.append(text)
        return lines
