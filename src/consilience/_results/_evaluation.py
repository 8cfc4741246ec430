"""`ModelEvaluation`: how well models of an RDM explain the RDMs of subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ModelEvaluation(Result):
    """How well models of an RDM explain the RDMs of subjects. Made by `cs.evaluate_models`.

    data : Dataset (model) with value (mean over subjects), ci_low, ci_high (over stimuli), ci_subjects_low/_high,
        ci_both_low/_high (stimuli and subjects), p, p_corrected (relabelled stimuli, one-sided), below_ceiling
        (lower ceiling minus value) with its interval below_ceiling_low/_high, p_ceiling, p_ceiling_corrected (is
        the model below the lower ceiling, one-sided), kind (fixed, select, weighted, interpolate), n_parts.
        NaN = not asked for, or does not exist.
    pairs : Dataset (model, other) with difference (value of model minus that of other), its interval ci_low,
        ci_high and p, p_corrected (two-sided), from the same draws.
    ceilings : Dataset (bound) low and high, with value and the same three intervals.
    subjects : DataArray (model, subject), the value in each subject; NaN where models are cross-validated.
    draws : DataArray (factor, model, draw): stimuli, subjects, both; None with n_boot=0.
    """

    data: xr.Dataset
    pairs: xr.Dataset
    ceilings: xr.Dataset
    subjects: xr.DataArray
    draws: xr.DataArray | None = None

    title: ClassVar[str] = "how well models explain the RDMs of subjects"

    def to_frame(self) -> pd.DataFrame:
        """One row per model."""
        return self.data.to_dataframe().reset_index()

    def pairs_frame(self) -> pd.DataFrame:
        """One row per pair of models, the first before the second in the order of the data."""
        frame = self.pairs.to_dataframe(dim_order=["model", "other"]).reset_index()
        names = self.data["model"].values.tolist()
        rank = {name: i for i, name in enumerate(names)}
        keep = [rank[a] < rank[b] for a, b in zip(frame["model"], frame["other"])]
        return frame[keep].reset_index(drop=True)

    def _lines(self) -> list[str]:
        settings = self.settings
        lines = [
            f"  {counted(self.data.sizes['model'], 'model')}, {counted(settings.get('n_subjects'), 'subject')}, "
            f"{settings.get('n_stimuli')} stimuli, {settings.get('method')}"
            f"{', cross-validated' if settings.get('cross_validated') else ''}"
        ]
        low, high = (float(self.ceilings["value"].sel(bound=b)) for b in ("low", "high"))
        if np.isfinite(low):
            lines.append(f"  noise ceiling [{low:.3f}, {high:.3f}]")
        for row in self.to_frame().sort_values("value", ascending=False).head(12).to_dict("records"):
            which = "ci_both" if np.isfinite(row["ci_both_low"]) else "ci"
            text = f"  {cell(row['model'], 24)} {row['value']:7.3f}"
            if np.isfinite(row[f"{which}_low"]):
                text += f" [{row[f'{which}_low']:.3f}, {row[f'{which}_high']:.3f}]"
            if np.isfinite(row["p"]):
                text += f"  p={row['p']:.3g}"
            if np.isfinite(row["p_ceiling_corrected"]):
                text += f"  below the ceiling: p={row['p_ceiling_corrected']:.3g}"
            lines.append(text)
        if self.data.sizes["model"] > 12:
            lines.append(f"  ... {self.data.sizes['model'] - 12} more in .to_frame()")
        return lines
