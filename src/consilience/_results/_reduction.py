"""`Reduction`: latents of a population, their loadings, and how much of them is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, counted, floor_of_p

if TYPE_CHECKING:
    import pandas as pd

_SURROGATES = {"shuffled labels": "shuffles"}


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Reduction(Result):
    """Components of a population. Made by `cs.reduce`.

    latents : DataArray (trial[, time], component) or (time, component) with the coordinates of the data; NaN where a
        trial was over, or where a model reads latents out of all units and one is missing. Of units that were recorded
        apart: those of the means of conditions, one row for each.
    components : Dataset (component) with
        explained : share of the sum of squares (about the mean of units) that the component alone explains
        of what was fitted.   ci_low, ci_high : rows drawn anew, the model fitted to each draw.
        held_out, held_out_low, held_out_high : the same of rows that were not fitted; t interval over folds.
        explained_total, held_out_total, held_out_total_low, held_out_total_high : by this and all components before.
        r, r_low, r_high : of `TargetedDR`, whose components are variables: correlation of each axis with its variable
            on held-out trials; p is of it.
        p, null_mean, null_high : against units without relation to each other; ``null_high`` the upper quantile.
        alike, alike_low, alike_high : |cosine| of loadings with those of drawn rows (order and sign matched).
        ratio : what the model says itself (``explained_variance_ratio_``), where it does.
        Coordinates of it, where the model has them: marginalization, timescale (s).
    loadings : Dataset (component, unit) with the labels of units: loading with ci_low, ci_high (rows drawn; see
        ``settings["aligned"]``); decoder, and origin, scale (unit) of `cs.project`, where the map is one product;
        unit_score (unit): R2 of a unit predicted from the others on held-out rows; shared_variance (unit), %.
    conditions : Dataset (condition[, time], component): mean of the latents of single trials, ci_low, ci_high (t
        interval over trials, given the axes), n; labels are coordinates of condition.
    marginalizations : Dataset (marginalization) of demixed PCA: explained, variance (all there is), signal_variance,
        held_out with ends, p; and by (component, marginalization), explained_by.
    choice : Dataset (number): cross-validated score of each number of components, where it was chosen, with ci_low,
        ci_high over folds (Nadeau & Bengio 2003), and score_by_fold.
    factors : {way: DataArray} of tensor decompositions, as Datasets with ``factor`` (way, component).
    dynamics : Dataset of what a dynamical model says: eigenvalues (mode), rotation rates (plane).
    neighbours : Dataset of embeddings: per row, and over runs, how well neighbours are kept.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(80, 2)) @ rng.normal(size=(2, 12)) + 0.5 * rng.normal(size=(80, 12))
    >>> found = cs.reduce(cs.responses(x, stimulus=range(80)), cs.models.PCA(4), n_boot=20, n_perm=100, rng=0)
    >>> found.n_significant, found.latents.shape
    (2, (80, 4))
    """

    latents: xr.DataArray
    components: xr.Dataset
    loadings: xr.Dataset | None = None
    conditions: xr.Dataset | None = None
    marginalizations: xr.Dataset | None = None
    choice: xr.Dataset | None = None
    factors: xr.Dataset | None = None
    dynamics: xr.Dataset | None = None
    neighbours: xr.Dataset | None = None

    title: ClassVar[str] = "latents of a population"

    def to_frame(self) -> pd.DataFrame:
        """One row per component."""
        return self.components.to_dataframe().reset_index()

    @property
    def n_components(self) -> int:
        return int(self.components.sizes["component"])

    @property
    def n_significant(self) -> int | None:
        """Components with p <= 0.05; None where none was tested."""
        p = self.components["p"].values
        return int((p <= 0.05).sum()) if np.isfinite(p).any() else None

    @property
    def p_floor(self) -> float | None:
        """The smallest p that so many surrogates (or shuffles of labels) can give; None where there were none."""
        drawn = int(self.settings.get("n_perm") or 0)
        return 1.0 / (drawn + 1) if drawn and np.isfinite(self.components["p"]).any() else None

    def _lines(self) -> list[str]:
        s, c = self.settings, self.components
        of = {"trials": "trials", "conditions": "means of conditions", "series": "samples"}[str(s["fitted"])]
        lines = [
            f"  {str(s['model_name'])[:30]} of {str(s['system'])[:30]}: {s['n_fitted']} {of}, "
            f"{counted(int(s['n_units']), 'unit')}, {counted(self.n_components, 'component')}"
        ]
        for j in range(min(self.n_components, 6)):
            row = c.isel(component=j)
            if self.neighbours is None:
                lines.append(f"  {str(row['component'].values)[:28]}: {_numbers(row)}")
        if self.n_components > 6:
            lines.append(f"  and {self.n_components - 6} more in .components")
        total = c.isel(component=-1)
        if np.isfinite(total["explained_total"]):
            held = float(total["held_out_total"])
            lines.append(
                f"  together {float(total['explained_total']):.3f} explained"
                + (f", {held:.3f} held out" if np.isfinite(held) else "")
            )
        if self.choice is not None and self.n_components in self.choice["number"].values:
            row = self.choice.sel(number=self.n_components)
            value, low, high = (float(row[k]) for k in ("score", "ci_low", "ci_high"))
            lines.append(
                f"  {self.n_components} of {self.choice.sizes['number']} numbers of components chosen: held-out score "
                f"{value:.3f} [{low:.3f}, {high:.3f}] over folds"
            )
        if self.p_floor is not None:
            what = _SURROGATES.get(str(s["null"]), "surrogates")
            lines += floor_of_p(int(s["n_perm"]), what, "n_perm")
        if self.neighbours is not None:
            n = self.neighbours.attrs
            lines.append(
                f"  neighbours kept {float(n['kept']):.3f} (chance {float(n['chance']):.3f}), the same over seeds "
                f"{float(n['over_seeds']):.3f}, over subsamples {float(n['over_subsamples']):.3f}"
            )
        return lines


def _numbers(row: Any) -> str:
    said = []
    for name, words in (("explained", "explained"), ("held_out", "held out")):
        value = float(row[name])
        ends = ("ci_low", "ci_high") if name == "explained" else ("held_out_low", "held_out_high")
        low, high = (float(row[k]) for k in ends)
        if np.isfinite(value):
            said.append(f"{words} {value:.3f}" + (f" [{low:.3f}, {high:.3f}]" if np.isfinite(low) else ""))
    if "r" in row and np.isfinite(float(row["r"])):
        said.append(f"r={float(row['r']):.3f} [{float(row['r_low']):.3f}, {float(row['r_high']):.3f}]")
    if np.isfinite(float(row["p"])):
        said.append(f"p={float(row['p']):.3g}")
    if np.isfinite(float(row["alike"])):
        said.append(f"alike {float(row['alike']):.2f}")
    return ", ".join(said) or "no numbers"
