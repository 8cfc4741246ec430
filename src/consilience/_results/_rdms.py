"""`RDMs`: dissimilarity matrices of several systems, and their maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import xarray as xr

from consilience._results._base import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RDMs(Result):
    """RDMs of several systems over the same stimuli, and their map. Made by `cs.rdms`.

    rdms : DataArray (system, stimulus, stimulus_), subjects averaged.
    map : DataArray (system, stimulus, axis): classical multidimensional scaling to 2 axes of each RDM,
        turned onto the first system.
    systems_map : DataArray (system, axis) : the systems themselves, by 1 - Spearman between their RDMs;
        None with one system.
    data : Dataset (system) with explained (share of the RDM's positive variance that the 2 axes hold),
        n_subjects.
    """

    rdms: xr.DataArray
    map: xr.DataArray
    data: xr.Dataset
    systems_map: xr.DataArray | None = None

    title: ClassVar[str] = "representational dissimilarity matrices"

    def to_frame(self) -> pd.DataFrame:
        """One row per system."""
        return self.data.to_dataframe().reset_index()

    def _lines(self) -> list[str]:
        systems, stimuli = self.rdms.sizes["system"], self.rdms.sizes["stimulus"]
        distance = self.settings.get("distance", "")
        return [f"  {systems} system{'s' * (systems != 1)} x {stimuli} stimuli, {distance} distance"]
