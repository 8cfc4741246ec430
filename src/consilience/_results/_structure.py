"""`Structure`: statistics of a population's trajectories, each with the nulls that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted, floor_of_p

if TYPE_CHECKING:
    import pandas as pd

_LINES = 16
_CLAIM = {"greater": "at least as high", "less": "at least as low", "two-sided": "as far out"}


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Structure(Result):
    """Statistics of a population's trajectories against surrogates. Made by `cs.structure`.

    data : Dataset (statistic, null) with value, ci_low, ci_high (statistic; over conditions or trials, see
        ``settings["interval"]``), of the surrogates null_mean, null_sd, null_low, null_high (the middle 95 %), and p =
        (b + 1) / (m + 1) in the direction ``claim`` (statistic), effect = (value - null_mean) / null_sd, difference =
        value - null_mean.
    draws : DataArray (statistic, null, draw): the value of every surrogate.
    planes : DataArray (source, row, time, axis), of a rotation statistic: the rows' course in the fastest plane of the
        data, and of one surrogate of each null in its own; else None.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(8, 20, 10)).cumsum(axis=1)  # random walks: smooth, no dynamics
    >>> data = cs.responses(x, stimulus=list("abcdefgh"), dims=("trial", "time", "unit"), time=np.arange(20.0),
    ...                     kind="rate", system="noise")
    >>> found = cs.structure(data, n_components=4, n_null=99, rng=0)
    >>> found.data["value"].item() > 0.3, found.data["p"].item() > 0.05  # it looks rotational, and is not
    (True, True)
    """

    data: xr.Dataset
    draws: xr.DataArray
    planes: xr.DataArray | None = None

    title: ClassVar[str] = "is the structure more than that of surrogates"

    def to_frame(self) -> pd.DataFrame:
        """One row per statistic and null."""
        wide = self.data.drop_vars("claim").to_dataframe(dim_order=["statistic", "null"]).reset_index()
        columns = [
            "statistic",
            "null",
            "value",
            "ci_low",
            "ci_high",
            "null_mean",
            "null_sd",
            "null_low",
            "null_high",
        ]
        return wide[[*columns, "p", "effect", "difference"]]

    def _lines(self) -> list[str]:
        said, data = self.settings, self.data
        rows = str(said.get("rows", "rows"))[:-1]
        lines = [
            f"  {str(said.get('system', 'data'))[:30]}: {counted(said.get('n_rows'), rows)}, "
            f"{counted(said.get('n_times'), 'time')}, {counted(said.get('n_units'), 'unit')}; "
            f"{counted(said.get('n_null'), 'surrogate')} of each null"
        ]
        nulls = data["null"].values.tolist()
        for name in data["statistic"].values.tolist():
            at = data.sel(statistic=name)
            text = f"  {cell(name, 16)} {at['value'].item():.3g}"
            if np.isfinite(at["ci_low"].item()):
                text += f" [{at['ci_low'].item():.3g}, {at['ci_high'].item():.3g}]"
            if name == "curvature" and _noise_left_in(said):
                text += "  (of means, noise included)"
            lines.append(text)
            for null in nulls:
                row = at.sel(null=null)
                lines.append(
                    f"    {cell(null, 20)} null {row['null_mean'].item():.3g} [{row['null_low'].item():.3g}, "
                    f"{row['null_high'].item():.3g}]  p={row['p'].item():.3g}  effect {row['effect'].item():+.2g} sd"
                )
        two = bool((data["claim"] == "two-sided").any())
        floor = floor_of_p(int(said.get("n_null") or 0), "surrogates", "n_null", two_sided=two)
        if len(lines) <= _LINES:
            return lines + floor
        shown = lines[: _LINES - 1]
        left = len(nulls) * data.sizes["statistic"] - sum(line.startswith("    ") for line in shown)
        return [*shown, f"  and {left} more rows (a statistic and a null) in .to_frame()", *floor]


def _noise_left_in(said: Mapping[str, Any]) -> bool:
    """Whether a curvature is that of means over trials as they are."""
    several = int(said.get("n_trials") or 0) > int(said.get("n_rows") or 0)
    return said.get("rows") == "conditions" and said.get("corrected") is False and several
