"""`Equivalence`: is a model as close to an animal as another animal is?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Equivalence(Result):
    """Is a model as close to an animal as the other animals are? Made by `cs.equivalence`.

    data : Dataset (model, target): the targets are the animals and, last, their mean "all". With value_model (of the
        model with the target), value_animals (mean of the other animals with it), difference (model minus
        animals), its interval ci_low, ci_high, p_equivalent (two one-sided tests: within the margin), p_below (the
        model is less close, one-sided) and p_not_inferior (not less close by the margin, one-sided), over stimuli,
        for these animals; and ci_both_low, ci_both_high, p_equivalent_both, p_below_both, p_not_inferior_both, over
        stimuli and animals, of "all" where there are at least 3 animals (NaN else).
    """

    data: xr.Dataset

    title: ClassVar[str] = "is a model as close to an animal as another animal is"

    def to_frame(self) -> pd.DataFrame:
        """One row per model and target."""
        return self.data.to_dataframe(dim_order=["model", "target"]).reset_index()

    def _lines(self) -> list[str]:
        frame = self.to_frame()
        lines = [
            f"  {self.settings['measure']}, margin {self.settings['margin']:g}, {self.settings['n_stimuli']} stimuli"
        ]
        for row in frame[frame["target"] == "all"].head(8).to_dict("records"):
            lines.append(
                f"  {cell(row['model'], 22)} {row['value_model']:.3f}, animals {row['value_animals']:.3f}: "
                f"{row['difference']:+.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]  equivalent: "
                f"p={row['p_equivalent']:.3g}  less close: p={row['p_below']:.3g}"
            )
            if np.isfinite(row.get("ci_both_low", np.nan)):
                lines.append(
                    f"  {'for new animals too':>22s} {'':22s}[{row['ci_both_low']:.3f}, {row['ci_both_high']:.3f}]  "
                    f"equivalent: p={row['p_equivalent_both']:.3g}  less close: p={row['p_below_both']:.3g}"
                )
        return lines
