"""`Contrasts`: differences between the systems of one side of a comparison, tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell

_COLUMNS = 120

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Contrasts(Result):
    """Which systems are more alike to another one: paired differences. Made by `Comparison.contrasts`.

    data : Dataset (contrast) with measure, first, second (systems of ``side``; second is "ceiling" where that is the
        reference), against (the system of the other side), difference (value of first minus that of second),
        ci_low, ci_high (over stimuli), ci_both_low, ci_both_high (stimuli and subjects; NaN without subjects), p
        (two-sided, against the ceiling one-sided: below it; over both where there are subjects) and p_corrected
        (within one measure and one system of the other side).
    side : "a" or "b".
    """

    data: xr.Dataset
    side: str

    title: ClassVar[str] = "differences between systems"

    def to_frame(self) -> pd.DataFrame:
        """One row per contrast."""
        return self.data.to_dataframe().reset_index(drop=True)

    def _lines(self) -> list[str]:
        frame = self.to_frame()
        lines = [f"  {len(frame)} contrasts of side {self.side}; corrected: {self.settings['correction']}"]
        for row in frame.sort_values("p_corrected", kind="stable").head(10).to_dict("records"):
            which = "ci_both" if np.isfinite(row["ci_both_low"]) else "ci"
            lines.append(
                f"  {cell(row['measure'], 14)} {cell(row['first'], 18)} - {cell(row['second'], 18)} "
                f"{cell(row['against'], 12)} {row['difference']:7.3f} "
                f"[{row[f'{which}_low']:.3f}, {row[f'{which}_high']:.3f}]  p={row['p_corrected']:.3g}"
            )
        if len(frame) > 10:
            lines.append(f"  ... {len(frame) - 10} more in .to_frame()")
        return lines

    def __repr__(self) -> str:
        lines = super().__repr__().split("\n")
        return "\n".join(v if len(v) <= _COLUMNS else v[: _COLUMNS - 1] + "…" for v in lines)
