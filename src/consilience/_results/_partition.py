"""`VariancePartition`: what each model RDM explains of an RDM, alone, uniquely and together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class VariancePartition(Result):
    """What model RDMs explain of an RDM: together, each alone, each uniquely, and what they share. Made by
    `cs.partition`.

    data : Dataset over part with
        kind ("total", "alone", "unique" or "common"), models (their names, joined by " + "), value (share of the
        RDM's variance over pairs, mean over subjects; in-sample, so biased up), ci_low, ci_high (interval over
        stimuli), ci_subjects_low/_high, ci_both_low/_high (stimuli and subjects), p (stimulus permutation,
        one-sided), null_mean (mean of the permutations: the size of the bias), held_out (the same share on pairs
        whose stimuli were left out of the fit; can be negative), ceiling_low, ceiling_high (of the total, from
        several subjects). NaN = not asked for or does not exist. The unique and common parts sum to the total.
    coefficients : Dataset over model with value, ci_low, ci_high: the weight of each model in the fit of all, in
        standard deviations of the RDM per standard deviation of the model.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> one, two = np.random.default_rng(0).normal(size=(2, 12, 3))
    >>> ids = list("abcdefghijkl")
    >>> brain = cs.responses(np.hstack([one, two]), stimulus=ids, system="brain")
    >>> models = {"one": cs.responses(one, stimulus=ids), "two": cs.responses(two, stimulus=ids)}
    >>> result = cs.partition(brain, models, distance="sqeuclidean", n_boot=0, n_perm=0, rng=0)
    >>> result.data["part"].values.tolist()[1:]
    ['alone: one', 'alone: two', 'unique: one', 'unique: two', 'common: one + two']
    >>> round(result.r2, 6)
    1.0
    """

    data: xr.Dataset
    coefficients: xr.Dataset

    title: ClassVar[str] = "what model RDMs explain of an RDM"

    def _row(self, part: str) -> xr.Dataset:
        return self.data.sel(part=part)

    @property
    def r2(self) -> float:
        """Share of variance explained by all models together, in-sample."""
        return float(self._row("total")["value"])

    @property
    def interval(self) -> tuple[float, float] | None:
        """(ci_low, ci_high) of `r2` over stimuli; None with n_boot=0."""
        low, high = (float(self._row("total")[name]) for name in ("ci_low", "ci_high"))
        return None if np.isnan(low) else (low, high)

    def unique(self, model: str) -> float:
        """Share of variance that ``model`` explains and no other does."""
        name = f"unique: {model}"
        if name not in self.data["part"].values.tolist():
            known = ", ".join(repr(str(m)) for m in self.coefficients["model"].values[:12])
            raise InputError(
                f"VariancePartition.unique: no model {model!r}; known: {known}.", code="unknown-name"
            )
        return float(self._row(name)["value"])

    def to_frame(self) -> pd.DataFrame:
        """One row per part, the variables of `data` as columns."""
        return self.data.to_dataframe().reset_index()

    def _lines(self) -> list[str]:
        frame = self.to_frame()
        n = int(self.settings.get("n_stimuli", 0))
        models = counted(self.coefficients.sizes["model"], "model")
        lines = [f"  {models}; {n} stimuli; share of variance over pairs"]
        for row in frame.head(14).to_dict("records"):
            text = f"  {cell(row['part'], 40)} {row['value']:7.3f}"
            if np.isfinite(row["ci_low"]):
                text += f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
            if np.isfinite(row["p"]):
                text += f"  p={row['p']:.3g}  null {row['null_mean']:.3f}"
            if np.isfinite(row["held_out"]):
                text += f"  held out {row['held_out']:.3f}"
            lines.append(text)
        if len(frame) > 14:
            lines.append(f"  ... {len(frame) - 14} more in .to_frame()")
        return lines
