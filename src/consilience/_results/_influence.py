"""`Influence`: how much each stimulus moves the value of a pair of systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Influence(Result):
    """How much each stimulus moves the value of each pair of systems. Made by `cs.influence`.

    stimuli : Dataset (measure, a, b, stimulus) with
        influence (value without the stimulus minus value), z (how far that is from the influences of the other
        stimuli, in their standard deviations), flagged (bool: abs z above the threshold and abs influence above
        the smallest change that counts).
    data : Dataset (measure, a, b) with value, se (jackknife standard error over stimuli, from the same numbers),
        most (the stimulus of largest abs influence), without_most (value without it), n_flagged, n_stimuli.
    """

    data: xr.Dataset
    stimuli: xr.Dataset

    title: ClassVar[str] = "how much each stimulus moves the value"

    def to_frame(self) -> pd.DataFrame:
        """One row per (measure, a, b, stimulus)."""
        return self.stimuli.to_dataframe(dim_order=["measure", "a", "b", "stimulus"]).reset_index()

    def flagged(self) -> pd.DataFrame:
        """The flagged rows of `to_frame`, largest influence first."""
        frame = self.to_frame()
        frame = frame[frame["flagged"].astype(bool)].drop(columns="flagged")
        return frame.sort_values("influence", key=abs, ascending=False).reset_index(drop=True)

    def _lines(self) -> list[str]:
        frame = self.data.to_dataframe(dim_order=["measure", "a", "b"]).reset_index()
        lines = [f"  {int(frame['n_stimuli'].max())} stimuli, each left out once"]
        for row in frame.head(10).to_dict("records"):
            names = f"{cell(row['measure'], 24)} {cell(row['a'], 16)} {cell(row['b'], 14)}"
            text = f"  {names} {row['value']:6.3f} (se {row['se']:.3f}); without {cell(row['most'], 14).strip()} "
            text += f"{row['without_most']:.3f}"
            if row["n_flagged"]:
                text += f"; {int(row['n_flagged'])} flagged"
            lines.append(text)
        if len(frame) > 10:
            lines.append(f"  ... {len(frame) - 10} more in .data")
        return lines

    def _pair(self) -> tuple[str, str, str]:
        """The pair whose value one stimulus moves most: what a figure shows unless told otherwise."""
        size = np.abs(np.nan_to_num(self.stimuli["influence"].values)).max(axis=-1)
        at = np.unravel_index(int(size.argmax()), size.shape)
        return tuple(str(self.stimuli[d].values[i]) for d, i in zip(("measure", "a", "b"), at))  # type: ignore[return-value]
