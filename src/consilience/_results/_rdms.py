"""`RDMs`: dissimilarity matrices of several systems, and their maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell

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
    data : Dataset (system) with explained (share of the RDM's positive variance that the 2 axes hold), n_subjects,
        distance, n_trials, n_folds (of a cross-validated distance, else 0), reliability (correlation of the RDMs of
        two halves of the trials; NaN without repeats), reliability_low, reliability_high (interval over stimuli).
    """

    rdms: xr.DataArray
    map: xr.DataArray
    data: xr.Dataset
    systems_map: xr.DataArray | None = None

    title: ClassVar[str] = "representational dissimilarity matrices"

    def to_frame(self) -> pd.DataFrame:
        """One row per system."""
        return self.data.to_dataframe().reset_index()

    def to_rdm_data(self) -> dict[str, xr.DataArray]:
        """Each system as RDM data, {name: (rdm, stimulus, stimulus_)}, for `cs.compare` and other verbs."""
        out = {}
        for name in self.rdms["system"].values.tolist():
            one = self.rdms.sel(system=name)
            row = self.data.sel(system=name)
            attrs = {"kind": "rdm", "system": str(name), "distance": str(row["distance"].item())}
            for key in ("n_trials", "n_folds", "reliability"):
                if key in row and np.isfinite(row[key].item()):
                    attrs[key] = row[key].item()
            out[str(name)] = xr.DataArray(
                one.values[None].copy(),
                dims=("rdm", "stimulus", "stimulus_"),
                coords={
                    "stimulus": one["stimulus"].values,
                    "stimulus_": one["stimulus_"].values,
                    "subject": ("rdm", np.array([str(name)])),
                },
                attrs=attrs,
            )
        return out

    def _lines(self) -> list[str]:
        systems, stimuli = self.rdms.sizes["system"], self.rdms.sizes["stimulus"]
        distance = self.settings.get("distance", "")
        lines = [f"  {systems} system{'s' * (systems != 1)} x {stimuli} stimuli, {distance} distance"]
        if "reliability" in self.data:
            for row in self.to_frame().head(8).to_dict("records"):
                if np.isfinite(row["reliability"]):
                    text = f"  {cell(row['system'], 22)} halves of the trials agree: r = {row['reliability']:.3f}"
                    if np.isfinite(row["reliability_low"]):
                        text += f" [{row['reliability_low']:.3f}, {row['reliability_high']:.3f}]"
                    lines.append(text)
        return lines
