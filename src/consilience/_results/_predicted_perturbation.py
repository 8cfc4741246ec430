"""`PredictedPerturbation`: what silencing or driving units should change, by models of recordings; scored later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import METHODS, Result, cell, resolve

if TYPE_CHECKING:
    import pandas as pd

    from consilience._results._perturbation_score import PerturbationScore


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class PredictedPerturbation(Result):
    """Changes that models fitted to undisturbed recordings predict for perturbed units. Made by
    `cs.predict_perturbation`.

    data : Dataset (family, perturbation, outcome) with
        change (mean outcome perturbed minus intact, on held-out rows) with ci_low, ci_high (over stimuli or stretches
        of time, and seeds); control_mean, control_sd: of sets matched in mean rate; difference (change - control_mean)
        with difference_low, difference_high; p_control: where the change stands among those of controls; sd,
        sd_changed: of the outcome from trial to trial; trials: in each of two arms, for the power that was asked;
        trials_low, trials_high: at the far and the near end of the interval (inf: more than a million, or the interval
        holds 0). (family, outcome) intact: the mean outcome. (family) skill: held-out score. (perturbation) n_units,
        rate (mean response of its units), off_distribution with off_low, off_high: how far perturbed inputs lie from
        recorded ones (`cs.stats.OffDistribution`; 1 = as recorded); coordinates act and set.
    families : Dataset (perturbation, outcome): change (mean of families), low, high (union of their intervals),
        spread (largest minus smallest), agree (all of one sign), trials (the most of any family).
    controls : DataArray (family, perturbation, outcome, control): change of each matched set.
    power : Dataset (family, perturbation, outcome, n) chance to see the change with n trials in each arm.
    """

    data: xr.Dataset
    families: xr.Dataset
    controls: xr.DataArray
    power: xr.Dataset

    title: ClassVar[str] = "what perturbing units should change, by fitted models"

    def to_frame(self) -> pd.DataFrame:
        """One row per (family, perturbation, outcome)."""
        names = [n for n in self.data.data_vars if self.data[n].ndim == 3]
        return self.data[names].to_dataframe(dim_order=["family", "perturbation", "outcome"]).reset_index()

    def score(self, observed: Any, *, level: float = 0.95) -> PerturbationScore:
        """How well the predictions met the later experiment: see `cs.score_perturbation`."""
        return resolve(METHODS, "score_perturbation")(self, observed, level=level)

    def _lines(self) -> list[str]:
        s, f = self.settings, self.families
        skill = ", ".join(
            f"{cell(n, 20).strip()} {v:.2f}" for n, v in zip(f_names(self), self.data["skill"].values)
        )
        lines = [
            f"  {cell(s.get('target', ''), 40).strip()} from {s.get('n_units')} units of "
            f"{cell(s.get('system', ''), 30).strip()}, {s.get('n_rows')} {s.get('rows')}; "
            f"{cell(s.get('skill', 'score'), 20).strip()}: {skill}"
        ]
        table = f.to_dataframe(dim_order=["perturbation", "outcome"]).reset_index()
        for row in table.head(8).to_dict("records"):
            trials = row["trials"]
            many = "?" if np.isnan(trials) else "more than 10^6" if np.isinf(trials) else f"{trials:,.0f}"
            lines.append(
                f"  {cell(row['perturbation'], 24)} {cell(row['outcome'], 18)} {row['change']:+9.3g} "
                f"[{row['low']:.3g}, {row['high']:.3g}]  trials {many}"
                + ("" if row["agree"] else "; families differ in sign")
            )
        if len(table) > 8:
            lines.append(f"  ... {len(table) - 8} more in .families")
        lines.append(
            "  a prediction of models of undisturbed activity: it assumes that the readout is causal"
        )
        return lines


def f_names(result: PredictedPerturbation) -> list[str]:
    return [str(n) for n in result.data["family"].values.tolist()]
