"""What a data set is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from consilience._core._errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from consilience._recording import Recording

__all__ = ["Dataset"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A data set: stimuli, and the systems that saw them, sharing stimulus ids; or recordings.

    Attributes
    ----------
    stimuli : DataArray, first dim ``stimulus``; labels are coordinates on it. None where there are recordings.
    systems : {name: responses or RDM data}.
    models : {name: RDM data} of hypotheses and computational models published with the data.
    categories : data frame of labels, one row per stimulus id, or None.
    recordings : {name: `Recording`}; ``recording`` is the only one.
    citation, licence, source, notes : text. ``notes`` says what the data are and how they were treated.
    """

    name: str
    stimuli: xr.DataArray | None = None
    systems: Mapping[str, xr.DataArray] = field(default_factory=dict)
    models: Mapping[str, xr.DataArray] = field(default_factory=dict)
    categories: pd.DataFrame | None = None
    recordings: Mapping[str, Recording] = field(default_factory=dict)
    citation: str
    licence: str
    source: str
    notes: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "systems", MappingProxyType(dict(self.systems)))
        object.__setattr__(self, "models", MappingProxyType(dict(self.models)))
        object.__setattr__(self, "recordings", MappingProxyType(dict(self.recordings)))

    @property
    def recording(self) -> Recording:
        """The recording of a data set that has one."""
        if len(self.recordings) != 1:
            raise InputError(
                f"Dataset.recording: {self.name} has {len(self.recordings)} recordings; see .recordings and .systems.",
                code="unknown-name",
            )
        return next(iter(self.recordings.values()))

    def __repr__(self) -> str:
        lines = [f"Dataset {self.name!r} ({self.source}, {self.licence})"]
        if self.stimuli is not None:
            shape = " x ".join(str(size) for size in self.stimuli.shape[1:])
            lines.append(f"  stimuli     {self.stimuli.sizes['stimulus']} x {shape}, {self.stimuli.dtype}")
        for label, group in (("systems", self.systems), ("models", self.models)):
            for i, (name, data) in enumerate(group.items()):
                sizes = ", ".join(f"{size} {dim}" for dim, size in data.sizes.items() if dim != "stimulus_")
                lines.append(f"  {label if i == 0 else '':<11} {name}: {sizes}")
        if self.categories is not None:
            lines.append(f"  categories  {', '.join(str(column) for column in self.categories.columns)}")
        for name, recording in self.recordings.items():
            parts = [] if recording.spikes is None else [f"{len(recording.spikes)} units"]
            parts += [f"signals {', '.join(recording.signals)}"] if recording.signals else []
            parts += [f"intervals {', '.join(recording.intervals)}"] if recording.intervals else []
            lines.append(f"  recording   {name}: {'; '.join(parts)}")
        lines += [
            f"  cite        {line}" if i == 0 else f"              {line}"
            for i, line in enumerate(self.citation.splitlines())
        ]
        return "\n".join(lines)
