"""`Agreement`: whether measures rank systems alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Agreement(Result):
    """Whether several measures rank the systems of side a alike. Made by `Comparison.agreement`.

    data : Dataset (b, measure, measure_) with tau (Kendall's tau-b over the systems of side a), tau_low, tau_high
        (over stimuli, from the shared draws; NaN where the two measures share none), spearman, same_ranking (bool),
        same_top (bool: the same system first), same_top_share (share of the draws in which it is).
    pairs : Dataset (b, pair, measure) with difference (value of the first system minus the second), support (share of
        draws with that sign); coordinates first and second on pair; split (b, pair): whether measures differ in sign.
    """

    data: xr.Dataset
    pairs: xr.Dataset

    title: ClassVar[str] = "whether measures rank systems alike"

    def to_frame(self) -> pd.DataFrame:
        """One row per system of side b and pair of measures."""
        frame = self.data.to_dataframe(dim_order=["b", "measure", "measure_"]).reset_index()
        order = {name: k for k, name in enumerate(self.data["measure"].values.tolist())}
        return frame[frame["measure"].map(order) < frame["measure_"].map(order)].reset_index(drop=True)

    def disagreements(self) -> pd.DataFrame:
        """The pairs of systems that the measures order differently, one row per measure."""
        frame = self.pairs.to_dataframe(dim_order=["b", "pair", "measure"]).reset_index()
        frame = frame[frame["split"].astype(bool)].drop(columns=["split", "pair"])
        return frame[["b", "first", "second", "measure", "difference", "support"]].reset_index(drop=True)

    def _lines(self) -> list[str]:
        frame = self.to_frame()
        lines = [
            f"  {len(self.data['measure'])} measures, {int(self.settings['n_systems'])} systems of side a"
        ]
        for row in frame.head(10).to_dict("records"):
            text = f"  {cell(row['b'], 14)} {cell(row['measure'], 24)} {cell(row['measure_'], 24)} "
            text += f"tau {row['tau']:5.2f}"
            if np.isfinite(row["tau_low"]):
                text += f" [{row['tau_low']:.2f}, {row['tau_high']:.2f}]"
            lines.append(
                text + ("  same ranking" if row["same_ranking"] else "  same best" if row["same_top"] else "")
            )
        if len(frame) > 10:
            lines.append(f"  ... {len(frame) - 10} more in .to_frame()")
        split = self.pairs["split"].values
        lines.append(
            f"  {int(split.sum())} of {split.size} pairs of systems are ordered differently by some measures"
        )
        b, pair = np.nonzero(split)
        for i, k in list(zip(b, pair))[:4]:
            first, second = (cell(self.pairs[end].values[k], 20).strip() for end in ("first", "second"))
            for_first = [
                str(m)
                for m, d in zip(self.pairs["measure"].values, self.pairs["difference"].values[i, k])
                if d > 0
            ]
            words = f"{cell(self.pairs['b'].values[i], 14).strip()}: {first} above {second} for {', '.join(for_first)}"
            lines.append(f"    {cell(words, 110).strip()}")
        return lines
