"""`Patching`: what sets two runs apart, by layer, place and part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Patching(Result):
    """Effects of putting activations of one run into another. Made by `cs.patch`.

    data : Dataset (layer, place, part), NaN where a layer has no such place or part, with

        - effect: share of the difference between clean and corrupted that the patch carries, a ratio of means over
          pairs; 1: all, 0: none, no bounds. ci_low, ci_high: Fieller's interval over pairs, NaN where the difference
          itself is not away from 0.
        - change: the same in units of the score (toward clean for "denoise", away from it for "noise"), mean over
          pairs; change_low, change_high: t interval over pairs.
        - control: mean effect of patches from other runs of the patched run's own condition.
        - p: the larger of two, that the mean change is 0 and that controls do as much; p_family: over the whole grid.

    pairs : Dataset: (pair) clean, corrupted, the scores without patches, higher = better; (layer, place, part, pair)
        change of each pair.

    The mean difference of clean and corrupted scores, with t interval, stands in settings: gap, gap_low, gap_high.
    """

    data: xr.Dataset
    pairs: xr.Dataset

    title: ClassVar[str] = "activations of one run put into another"

    @property
    def effect(self) -> xr.DataArray:
        """(layer, place, part) shares, without axes of one entry."""
        return self.data["effect"].squeeze()

    def to_frame(self) -> pd.DataFrame:
        """One row for each patch."""
        frame = self.data.to_dataframe().reset_index()
        return frame[frame["change"].notna()].reset_index(drop=True)

    def _lines(self) -> list[str]:
        s, d, pairs = self.settings, self.data, self.pairs
        frame = self.to_frame()
        into = "clean into corrupted" if s.get("direction") == "denoise" else "corrupted into clean"
        corrupted = ", corrupted by noise" if s.get("corruption") == "noise" else ""
        lines = [
            f"  {len(frame)} patch{'es' * (len(frame) != 1)} of {cell(s.get('system', ''), 30).strip()}, "
            f"{into}{corrupted}; {counted(self.pairs.sizes['pair'], 'pair')}; {s.get('score')}",
            f"  clean {float(pairs['clean'].mean()):.3g}, corrupted {float(pairs['corrupted'].mean()):.3g}, difference "
            f"{s.get('gap', np.nan):.3g} [{s.get('gap_low', np.nan):.3g}, {s.get('gap_high', np.nan):.3g}] = effect 1",
        ]
        order = frame["effect"].abs().sort_values(ascending=False, kind="stable").index
        for row in frame.loc[order].head(8).to_dict("records"):
            name = " ".join(
                [
                    str(row["layer"]),
                    *(f"{k} {row[k]}" for k in ("place", "part") if d.sizes[k] > 1 or row[k] != "all"),
                ]
            )
            text = f"  {cell(name, 34)} {row['effect']:.3f}"
            if np.isfinite(row["ci_low"]):
                text += f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
            if np.isfinite(row["control"]):
                text += f"  control {row['control']:.3f}"
            if np.isfinite(row["p"]):
                text += f"  p={row['p']:.3g}, over all {row['p_family']:.3g}"
            lines.append(text)
        if len(frame) > 8:
            lines.append(f"  and {len(frame) - 8} smaller ones")
        return lines
