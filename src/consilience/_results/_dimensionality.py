"""`Dimensionality`: how many dimensions populations have, by several definitions, with what each is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd

# method -> (what it is, what it counts)
METHODS_OF_DIMENSION = {
    "participation_ratio": (
        "participation ratio, corrected",
        "dimensions that share the variance of infinitely many such units and stimuli",
    ),
    "participation_ratio_units": (
        "participation ratio, these units",
        "dimensions that share the variance of these units over infinitely many stimuli",
    ),
    "effective_rank": ("effective rank", "exponential of the entropy of singular values, uncorrected"),
    "cvpca": ("power-law exponent", "how fast variances fall with their rank; not a number of dimensions"),
    "shared": ("shared dimensionality", "factors that units share, beside noise of their own"),
    "svca": ("shared components", "components that two halves of the units share at held-out times"),
    "two_nn": ("TwoNN", "degrees of freedom at the scale of two nearest neighbours"),
    "mle": ("MLE, neighbours", "degrees of freedom at the scale of some nearest neighbours"),
    "local_pca": ("local PCA", "directions in which neighbours spread"),
}


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Dimensionality(Result):
    """Dimensionalities of one or several populations. Made by `cs.dimensionality`.

    data : Dataset (system, measure) with value, ci_low, ci_high, and null_mean, null_low, null_high, p of unrelated
        units (p: share of those with as low a value); inf = no bound, NaN = there is none, and ``note`` says why.
        ``resampled`` (measure) says what each interval is over. There is no ceiling: of no data is it known how many
        dimensions they could have at most, but for the numbers of units and stimuli. With ``match=`` all numbers of all
        tables are medians over draws.
    spectrum : Dataset (system, component): variance (that repeats, held out; NaN where the system has no spectrum),
        ci_low, ci_high, plain (of means), each over the sum of ``variance``; (system): exponent, exponent_low,
        exponent_high, exponent_raw, factor (log), fit_from, fit_to, kind ("cvPCA", "PCA" of noiseless responses,
        "SVCA", "").
    saturation : Dataset (system, along, step): n, value, low, high, plain. The corrected participation ratio of random
        subsets of units and of stimuli, and the plain one; NaN where there is none.
    extrapolated : Dataset (system, factor): the participation ratio with 1, 10, 100 times the units, and inf, with
        interval; valid for units drawn from where these came.
    counts : Dataset (system): n_units, n_stimuli, n_trials, n_samples (of series), repeats (fewest).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(80, 6)) @ rng.normal(size=(6, 50))
    >>> found = cs.dimensionality(cs.responses(x, stimulus=np.arange(80), kind="activation"), rng=0)
    >>> found.data["value"].sel(measure="local_pca").item()
    6.0
    """

    data: xr.Dataset
    spectrum: xr.Dataset
    saturation: xr.Dataset
    extrapolated: xr.Dataset
    counts: xr.Dataset

    title: ClassVar[str] = "how many dimensions a population has"

    def to_frame(self) -> pd.DataFrame:
        """One row per (system, measure)."""
        frame = self.data.to_dataframe(dim_order=["system", "measure"]).reset_index()
        names = (
            "system",
            "measure",
            "value",
            "ci_low",
            "ci_high",
            "null_mean",
            "null_low",
            "null_high",
            "p",
            "resampled",
            "note",
        )
        frame = frame[list(names)]
        return frame[frame["value"].notna() | (frame["note"] != "")].reset_index(drop=True)

    def _lines(self) -> list[str]:
        lines = []
        systems = self.data["system"].values.tolist()
        for name in systems[:4]:
            n = self.counts.sel(system=name)
            text = f"  {cell(name, 40).rstrip()}: {counted(int(n['n_units']), 'unit')}"
            if int(n["n_samples"]):
                text += f", {counted(int(n['n_samples']), 'sample')}"
            else:
                text += f", {counted(int(n['n_trials']), 'trial')}, {int(n['n_stimuli'])} stimuli"
            lines.append(text)
            over = self.settings.get("over_time", {}).get(name)
            if over:
                lines.append(
                    f"    {over}s over time; of one bin: data.sel(time=...), of trajectories: a row for each bin"
                )
            at = self.data.sel(system=name)
            for method in self.data["measure"].values.tolist():
                one = at.sel(measure=method)
                if np.isnan(float(one["value"])):
                    if str(one["note"].item()):
                        lines.append(
                            f"    {cell(METHODS_OF_DIMENSION[method][0], 34)}    none: {one['note'].item()}"[
                                :120
                            ]
                        )
                    continue
                line = f"    {cell(METHODS_OF_DIMENSION[method][0], 34)}{float(one['value']):8.4g}"
                if np.isfinite(float(one["ci_low"])):
                    line += f"  [{float(one['ci_low']):.3g}, {float(one['ci_high']):.3g}]"
                if not np.isnan(float(one["null_mean"])):
                    line += f"  unrelated units: {_span(one)}"
                lines.append(line)
            if len(lines) > 14:
                break
        if len(systems) > len([line for line in lines if not line.startswith("    ")]):
            lines.append(f"  and more of {len(systems)} systems in .to_frame()")
        draws = int(self.settings.get("n_match") or 0)
        if draws:
            what = "equal systems" if self.settings.get("match") else "pseudo-trials"
            lines.append(f"  medians over {counted(draws, 'draw')} of {what}")
        return lines


def _span(one: Any) -> str:
    low, high = float(one["null_low"]), float(one["null_high"])
    if not np.isfinite(high):
        return f"above {_round(low)}" if np.isfinite(low) else "no bound"
    return f"{_round(low)} to {_round(high)}"


def _round(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
