"""What a data set is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Dataset"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A data set: stimuli, and the systems that saw them, sharing stimulus ids.

    Attributes
    ----------
    stimuli : DataArray, first dim ``stimulus``; labels are coordinates on it.
    systems : {name: responses or RDM data}.
    models : {name: RDM data} of hypotheses and computational models published with the data.
    categories : data frame of labels, one row per stimulus id.
    citation, licence, source, notes : text. ``notes`` says what the data are and how they were treated.
    """

    name: str
    stimuli: xr.DataArray
    systems: Mapping[str, xr.DataArray]
    models: Mapping[str, xr.DataArray] = field(default_factory=dict)
    categories: pd.DataFrame
    citation: str
    licence: str
    source: str
    notes: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "systems", MappingProxyType(dict(self.systems)))
        object.__setattr__(self, "models", MappingProxyType(dict(self.models)))

    def __repr__(self) -> str:
        lines = [f"Dataset {self.name!r} ({self.source}, {self.licence})"]
        shape = " x ".join(str(size) for size in self.stimuli.shape[1:])
        lines.append(f"  stimuli     {self.stimuli.sizes['stimulus']} x {shape}, {self.stimuli.dtype}")
        for label, group in (("systems", self.systems), ("models", self.models)):
            for i, (name, data) in enumerate(group.items()):
                sizes = ", ".join(f"{size} {dim}" for dim, size in data.sizes.items() if dim != "stimulus_")
                lines.append(f"  {label if i == 0 else '':<11} {name}: {sizes}")
        lines.append(f"  categories  {', '.join(str(column) for column in self.categories.columns)}")
        lines += [
            f"  cite        {line}" if i == 0 else f"              {line}"
            for i, line in enumerate(self.citation.splitlines())
        ]
        return "\n".join(lines)
