"""`Interchange`: how often a network answers as a causal model does when variables are exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Interchange(Result):
    """Interchange intervention accuracy of each variable of a causal model. Made by `cs.interchange`.

    data : Dataset (variable) with accuracy, the share of pairs in which the network answers as expected; ci_low,
        ci_high: Wilson's interval over pairs; unpatched: the same without any patch; changed: pairs in which the
        expected answer differs from that, accuracy_changed: the accuracy in these; random_mean, random_low,
        random_high: mean and middle 95 % of random parts of the same size; p against these; size: units or dimensions
        of the part.
    pairs : Dataset (variable, pair): answer, expected; (pair) unpatched.
    """

    data: xr.Dataset
    pairs: xr.Dataset

    title: ClassVar[str] = "does the network answer as a causal model under exchanges"

    def to_frame(self) -> pd.DataFrame:
        """One row for each variable."""
        return self.data.to_dataframe().reset_index()

    def _lines(self) -> list[str]:
        s, d = self.settings, self.data
        lines = [
            f"  {counted(d.sizes['variable'], 'variable')} in layer {cell(s.get('layer', ''), 30).strip()} of "
            f"{cell(s.get('system', ''), 30).strip()}; {counted(s.get('n_pairs'), 'pair')}"
        ]
        for row in self.to_frame().head(16).to_dict("records"):
            text = f"  {cell(row['variable'], 24)} {row['accuracy']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
            if np.isfinite(row["accuracy_changed"]):
                text += f"  {row['accuracy_changed']:.3f} of {row['changed']} changed"
            text += f"  no patch {row['unpatched']:.3f}"
            if np.isfinite(row["p"]):
                text += f"  random {row['random_mean']:.3f}  p={row['p']:.3g}"
            lines.append(text)
        if d.sizes["variable"] > 16:
            lines.append(f"  and {d.sizes['variable'] - 16} more")
        return lines
