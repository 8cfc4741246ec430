"""`DecidingStimuli`: which stimuli decide between two systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell

if TYPE_CHECKING:
    import pandas as pd

EQUAL = 1e-12  # a difference that is rounding


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class DecidingStimuli(Result):
    """Which stimuli decide between two systems for a third. Made by `cs.deciding_stimuli`.

    stimuli : Dataset (stimulus) with contribution (they sum to the difference), first, second (contributions to
        the two values), ci_low, ci_high (over the other stimuli), p, p_corrected (over stimuli): under these
        responses, whose noise is in the contributions. NaN where the measure is no cosine over pairs.
    curve : Dataset (removed) with difference: the difference of values when the stimuli that speak most for the
        winner are removed, 0, 1, 2, ... of them; held_out_share: of the difference, what so many stimuli carry,
        chosen with one half of the other stimuli and scored with the other half (NaN as above).
    data : Dataset () with value_first, value_second, difference, se (jackknife), ci_low, ci_high, p (of the
        difference, over stimuli, two-sided), n_to_flip (fewest removed after which the other system is ahead; NaN if
        there are none up to half of the stimuli, or no difference), n_stimuli, n_deciding (stimuli of p_corrected <
        0.05: to be read where the difference itself is told from 0).
    """

    data: xr.Dataset
    stimuli: xr.Dataset
    curve: xr.Dataset

    title: ClassVar[str] = "which stimuli decide between two systems"

    @property
    def difference(self) -> float:
        """Value of the first system minus that of the second."""
        return float(self.data["difference"])

    @property
    def told_apart(self) -> bool:
        """Is the difference told from 0 (p < 0.05, over stimuli)?"""
        return "p" in self.data and float(self.data["p"]) < 0.05

    def to_frame(self) -> pd.DataFrame:
        """One row per stimulus, those that speak most for the first system first."""
        frame = self.stimuli.to_dataframe().reset_index()
        return frame.sort_values("contribution", ascending=False, kind="stable").reset_index(drop=True)

    def _lines(self) -> list[str]:
        s, at = self.settings, self.data
        n = int(at["n_stimuli"])
        ahead = s["first"] if self.difference >= 0 else s["second"]
        lines = [
            f"  {cell(s['measure'], 24).strip()} with {cell(s['b'], 24).strip()}: {cell(s['first'], 24).strip()} "
            f"{float(at['value_first']):.3f}, {cell(s['second'], 24).strip()} {float(at['value_second']):.3f}",
            f"  difference {self.difference:.3f}{self._tested()}, {n} stimuli",
        ]
        flips = float(at["n_to_flip"])
        lines.append(
            "  the two values are equal: there is no difference to decide"
            if abs(self.difference) <= EQUAL
            else f"  {cell(ahead, 24).strip()} stays ahead without the {len(self.curve['removed']) - 1} stimuli that "
            "speak for it most"
            if np.isnan(flips)
            else f"  without {int(flips)} of {n} stimuli {cell(ahead, 24).strip()} is not ahead any more"
        )
        if self.told_apart and np.isfinite(self.stimuli["p_corrected"].values).any():
            lines.append(
                f"  {int(at['n_deciding'])} stimuli add more or less than 0 (corrected p < 0.05) under these "
                "responses, noise included"
            )
        elif not self.told_apart and abs(self.difference) > EQUAL:
            lines.append("  not told from 0: the contributions describe these responses, noise included")
        frame = self.to_frame()
        for row in [*frame.head(3).to_dict("records"), *frame.tail(3).to_dict("records")]:
            text = f"    {cell(row['stimulus'], 28)} {row['contribution']:+.4f}"
            if np.isfinite(row["ci_low"]):
                text += f" [{row['ci_low']:+.4f}, {row['ci_high']:+.4f}]"
            lines.append(text)
        return lines

    def _tested(self) -> str:
        """Interval and p of the difference; its standard error in files that have no more."""
        at = self.data
        if "p" not in at:
            return f" (jackknife se {float(at['se']):.3f})"
        return (
            f" [{float(at['ci_low']):.3f}, {float(at['ci_high']):.3f}] over stimuli, p={float(at['p']):.3g}"
        )
