"""`Shapley`: what each player of a game adds, and what that number leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 8


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Shapley(Result):
    """What each part of a network, or each region of a brain, adds to a score. Made by `cs.shapley`.

    data : Dataset (player) with

        - value: the Shapley value; above 0: the player is needed. All of them add up to ``total``.
        - ci_low, ci_high: interval over both the random orders and the stimuli (of tables: over animals). Without
          stimuli over orders alone; of exact values without stimuli NaN, as nothing is left open.
        - se_sampling: standard error from the random orders (0: exact); half_sampling: half of their interval, which
          ``precision`` is about; se_stimuli: from the stimuli.
        - p, q: of the value being 0 for all stimuli; q after Benjamini & Hochberg over players.
        - single: v(all) - v(all but it), what removing it alone costs; alone: v(it alone) - v(nobody).
        - where the target has classes, over (player, class): class_value, class_low, class_high, class_p, class_q.
        - of tables: lesions (how often each was lesioned), inflation (of its variance by the other lesions).

        and each (player, stimulus), the value for every stimulus, where there are at most 2 million of them.
    interactions : Dataset (pair): first, second, value, ci_low, ci_high, se_sampling, se_stimuli, p, q; None unless
        asked for. Above 0: together they add more than apart; below 0: one stands in for the other.
    """

    data: xr.Dataset
    interactions: xr.Dataset | None = None

    title: ClassVar[str] = "what each player adds to a score"

    @property
    def value(self) -> xr.DataArray:
        """(player,) Shapley values."""
        return self.data["value"]

    @property
    def total(self) -> float:
        """v(all) - v(nobody), which the values add up to."""
        return float(self.settings["v_all"]) - float(self.settings["v_nobody"])

    @property
    def exact(self) -> bool:
        """No order was left to chance."""
        return str(self.settings["method"]) == "exact"

    def to_frame(self) -> pd.DataFrame:
        """One row per player."""
        names = [name for name in self.data.data_vars if self.data[name].dims == ("player",)]
        return self.data[names].to_dataframe().reset_index()

    def _lines(self) -> list[str]:
        s, d = self.settings, self.data
        how = (
            f"exact, all {int(s['n_coalitions']):,} coalitions"
            if self.exact
            else f"{int(s['n_orders']):,} random orders, {int(s['n_coalitions']):,} coalitions"
            if "n_orders" in s
            else f"{s['method']}, {counted(int(s['n_rows']), 'row')}"
        )
        lines = [
            f"  {counted(d.sizes['player'], 'player')} of {cell(s.get('system', ''), 40).strip()}; "
            f"{cell(s.get('score', 'score'), 30).strip()}; {how}"
        ]
        if np.isnan(d["p"].values).all():
            lines.append("  one score for all stimuli: no interval over stimuli, no p")
        lines.append(
            f"  {float(s['v_nobody']):.4g} with nobody, {float(s['v_all']):.4g} with all; values add up to "
            f"{float(np.sum(self.value)):.4g} of {self.total:.4g}"
        )
        if "r2" in s and not np.isfinite(float(s["r2"])):
            lines.append("  all scores are equal: there is no R2 of the fit")
        elif "r2" in s:
            lines.append(
                f"  held-out R2 of the fit {float(s['r2']):.2f} [{float(s['r2_low']):.2f}, {float(s['r2_high']):.2f}]"
                f", p {float(s['r2_p']):.2g}"
            )
        order = np.argsort(-self.value.values, kind="stable")
        for i in order[:SHOWN]:
            row = d.isel(player=int(i))
            text = f"  {cell(row['player'].item(), 28)} {float(row['value']):.4g}"
            if np.isfinite(row["ci_low"]):
                text += f" [{float(row['ci_low']):.4g}, {float(row['ci_high']):.4g}]"
            if np.isfinite(row["q"]):
                text += f" q={float(row['q']):.2g}"
            if np.isfinite(row["single"]):
                text += f"; removed alone {float(row['single']):.4g}"
            lines.append(text)
        if d.sizes["player"] > SHOWN:
            lines.append(
                f"  and {d.sizes['player'] - SHOWN} more players, lowest {float(self.value.min()):.4g}"
            )
        if self.interactions is not None:
            lines.append(f"  interactions of {counted(self.interactions.sizes['pair'], 'pair')}")
        return lines
