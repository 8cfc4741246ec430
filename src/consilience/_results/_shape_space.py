"""`ShapeSpace`: many systems by their distances from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ShapeSpace(Result):
    """Distances between many systems, their map and their tree. Made by `cs.shape_space`.

    data : Dataset (system, system_) with value (distance, radians), similarity, ci_low, ci_high (of the distance, over
        stimuli; NaN where the measure has none), null_expected (distance of unrelated systems of this size); attrs:
        metric ("yes" or why not), triples, violations (of the triangle inequality) and worst (largest excess).
    map : DataArray (system, axis), classical scaling to 2 axes; attrs["explained"] is the share of the positive
        variance of the distances that they hold.
    tree : Dataset (merge) of average-linkage clustering: left, right (systems first, then merges, as SciPy counts),
        height, size, support (share of draws over stimuli in which the same systems form a cluster; NaN without draws).
    mean : DataArray (stimulus, axis), leading axes of the mean shape under rotations (`mean_shape`, no whitening,
        whatever the measure); None if a system is known by RDMs only.
    draws : DataArray (draw, system, system_) of distances; None without.
    groups : Dataset () with within, between (mean distances), difference, p; None if systems have no labels.
    """

    data: xr.Dataset
    map: xr.DataArray
    tree: xr.Dataset
    mean: xr.DataArray | None = None
    draws: xr.DataArray | None = None
    groups: xr.Dataset | None = None

    title: ClassVar[str] = "systems by their distances"

    def to_frame(self) -> pd.DataFrame:
        """One row per pair of systems."""
        import pandas as pd

        names = self.data["system"].values.tolist()
        rows, columns = np.triu_indices(len(names), 1)
        table: dict[str, object] = {"a": [names[i] for i in rows], "b": [names[j] for j in columns]}
        table |= {str(k): v.values[rows, columns] for k, v in self.data.data_vars.items()}
        return pd.DataFrame(table)

    @property
    def linkage(self) -> np.ndarray:
        """The tree as SciPy's linkage matrix (systems - 1, 4)."""
        return np.stack(
            [self.tree[k].values.astype(np.float64) for k in ("left", "right", "height", "size")], axis=1
        )

    def _lines(self) -> list[str]:
        d, names = self.data["value"].values, self.data["system"].values.tolist()
        rows, columns = np.triu_indices(len(names), 1)
        values = d[rows, columns]
        order = np.argsort(values)
        attrs = self.data.attrs
        out = [
            f"  {len(names)} systems, {self.settings.get('n_stimuli', '?')} stimuli, arccos of "
            f"{self.settings.get('measure', '?')}; lower = more alike",
            f"  metric: {attrs['metric']}; {attrs['violations']} of {attrs['triples']} triangles broken"
            + (f", by up to {attrs['worst']:.3f}" if attrs["violations"] else ""),
            f"  map: 2 axes hold {self.map.attrs['explained']:.0%} of the variance",
        ]
        pairs = (
            [("nearest", order[:3]), ("farthest", order[::-1][:3])] if len(order) > 6 else [("pair", order)]
        )
        for word, chosen in pairs:
            for k in chosen:
                i, j = rows[k], columns[k]
                low, high = (float(self.data[f"ci_{end}"].values[i, j]) for end in ("low", "high"))
                interval = f" [{low:.3f}, {high:.3f}]" if low == low else ""
                out.append(f"  {word:8} {cell(names[i], 28)} {cell(names[j], 28)} {values[k]:.3f}{interval}")
        if self.groups is not None:
            g = {k: float(v.values) for k, v in self.groups.data_vars.items()}
            p = f", p={g['p']:.3g}" if g["p"] == g["p"] else ""
            out.append(f"  groups: within {g['within']:.3f}, between {g['between']:.3f}{p}")
        return out
