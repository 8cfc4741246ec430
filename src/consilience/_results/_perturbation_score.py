"""`PerturbationScore`: predicted changes held against those of the experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class PerturbationScore(Result):
    """How well predictions of perturbations met the experiment. Made by `cs.score_perturbation`.

    pairs : Dataset (family, pair) with predicted, low, high, control_mean, sign_agrees (1, 0; NaN where a
        change is exactly 0), inside (the observed change lies in the predicted interval, widened by the standard error
        of what was observed); (pair) observed, observed_se, sd (of the outcome from trial to trial), counted (False:
        the mirror of another outcome); coordinates perturbation and outcome on pair. The family "any" is the mean of
        families with the union of their intervals.
    data : Dataset (family) with n (changes that count), n_independent (perturbations, by which intervals and p are),
        n_signs (changes that are not 0); sign_agreement with sign_low, sign_high (Wilson) and sign_p (signs of each
        perturbation flipped together, against 1/2);
        inside with inside_low, inside_high: share of observed changes in the predicted intervals; r with r_low, r_high
        of predicted and observed changes in units of sd; error: root mean squared difference in these units, and that
        of two nulls: error_no_change (all changes 0) and error_controls (the changes of matched controls); rank by
        error, 1 best.
    """

    data: xr.Dataset
    pairs: xr.Dataset

    title: ClassVar[str] = "predicted perturbations against the experiment"

    def to_frame(self) -> pd.DataFrame:
        """One row per family."""
        return self.data.to_dataframe().reset_index()

    def to_pairs_frame(self) -> pd.DataFrame:
        """One row per (family, perturbation, outcome)."""
        return self.pairs.to_dataframe(dim_order=["family", "pair"]).reset_index()

    def _lines(self) -> list[str]:
        s = self.settings
        lines = [
            f"  {counted(int(s['n_counted']), 'observed change')} of "
            f"{counted(int(s['n_perturbations']), 'perturbation')}"
        ]
        for row in self.to_frame().head(8).to_dict("records"):
            r = "" if np.isnan(row["r"]) else f", r {row['r']:.2f}"
            if not np.isnan(row["r_low"]):
                r += f" [{row['r_low']:.2f}, {row['r_high']:.2f}]"
            sign = "-" if np.isnan(row["sign_agreement"]) else f"{row['sign_agreement']:.2f}"
            inside = "-" if np.isnan(row["inside"]) else f"{row['inside']:.2f}"
            lines.append(
                f"  {cell(row['family'], 16)} sign right {sign}, inside interval {inside}{r}, error "
                f"{row['error']:.3g} sd (no change {row['error_no_change']:.3g}, controls {row['error_controls']:.3g})"
            )
        return lines
