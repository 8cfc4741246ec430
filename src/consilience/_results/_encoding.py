"""`Encoding`: how well one system predicts each unit of another on rows held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Encoding(Result):
    """Held-out prediction of every unit of y from x. Made by `cs.encode`.

    data : Dataset (unit) with
        r, ci_low, ci_high : correlation of held-out predictions and responses, in -1 ... 1.
        p, p_fwer, q : by relabelling: one unit, family-wise over units, false discovery rate.   null_mean : of r.
        r2 : 1 - squared error / squared error of the training mean; without an interval, as draws of held-out rows
        cover it in 0.88 to 0.92 of simulations only.
        d2, bits_per_spike : of `cs.models.GLM` and `GLMCV` other than Gaussian, whose d2 is r2: log-likelihood gained
        over the training mean, over what a perfect model gains (share of deviance; negative binomial counts as Poisson
        ones), and in bits over the number of spikes; each with _low, _high. In simulations of Poisson series and
        stimuli, intervals at 95 % held the expected score in 0.96 to 0.995; with 100 features of 120 stimuli in 0.93.
        alpha : penalty (number of components), the median of the folds' choices.   alpha_at_edge : in most folds
        the choice was an end of the grid.
        reliability, reliability_low, reliability_high : signal variance / variance of the mean response.
        ceiling, ceiling_low, ceiling_high : its root (CC_max), the highest r that a perfect model can have.
        ratio : r / ceiling, never capped; NaN where the ceiling is below 0.1.   unreliable : the interval of the
        reliability holds 0. Take medians of ratio over units that are not unreliable: in simulations (100 stimuli, 2, 4
        or 8 repeats) that median was within 0.004 of r / the true ceiling; the median of all ratios was 0.01 to 0.02
        too high, as the weakest units have none. The ratio of a single unit has a standard deviation near 0.3 at a
        ceiling of 0.55 and 0.45 at 0.35.
    population : Dataset without dims: median of r over units with ci_* (new stimuli), ci_units_* (new units), ci_both_*
        (both), p. Of a single unit there is none over units or both.
    bands : Dataset (band, unit), with several bands: share (the band's part of r2, parts add up to r2), unique (r2 lost
        when the band is left out and all is fitted anew), each with _low, _high. In simulations these cover bands that
        carry something in 0.89 to 0.99, and lie above 0 in 0.002 for one that carries nothing. NaN where the value is
        not above 0: the fit made no use of the band, and draws of it would not vary as new data do.
    predictions : Dataset (stimulus or time, unit): predicted, actual, held out, in units of y.

    Examples
    --------
    >>> import numpy as np, warnings, consilience as cs
    >>> x = cs.responses(np.random.default_rng(0).normal(size=(40, 5)), stimulus=np.arange(40), system="layer")
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", cs.ConsilienceWarning)
    ...     result = cs.encode(x, x[:, :2], n_boot=0, n_perm=0, rng=0)
    >>> bool((result.data["r"] > 0.99).all())
    True
    """

    data: xr.Dataset
    population: xr.Dataset
    predictions: xr.Dataset
    bands: xr.Dataset | None = None

    title: ClassVar[str] = "held-out prediction of every unit"

    def to_frame(self) -> pd.DataFrame:
        """One row per unit; with several bands, their columns beside."""
        frame = self.data.to_dataframe().reset_index()
        if self.bands is not None:
            for band in self.bands["band"].values.tolist():
                for name in ("share", "unique"):
                    frame[f"{name} {band}"] = self.bands[name].sel(band=band).values
        return frame

    @property
    def value(self) -> float:
        """Median of r over units."""
        return float(self.population["median"])

    @property
    def interval(self) -> tuple[float, float]:
        """Of the median, over stimuli (stretches of time) and units together; of one unit, over stimuli alone: that of
        its r.
        """
        if self.data.sizes["unit"] == 1:
            return float(self.data["ci_low"][0]), float(self.data["ci_high"][0])
        return float(self.population["ci_both_low"]), float(self.population["ci_both_high"])

    def _lines(self) -> list[str]:
        said, d = self.settings, self.data
        rows = f"{said['n_samples']} samples" if "n_samples" in said else f"{said.get('n_stimuli')} stimuli"
        low, high = self.interval
        units = d.sizes["unit"]
        drawn = ("time" if "n_samples" in said else "stimuli") + " and units" * (units != 1)
        lines = [
            f"  {str(said.get('x'))[:40]} predicts {str(said.get('y'))[:40]}: {units} unit{'s' * (units != 1)}, "
            f"{rows}, "
            f"{said.get('model_name')}",
            f"  {'median r' if units != 1 else 'r'} {self.value:.3f}"
            + (f" [{low:.3f}, {high:.3f}] ({drawn})" if np.isfinite(low) else ", no interval"),
        ]
        if "d2" in d:
            bits = (
                f"; {float(d['bits_per_spike'].median()):.3f} bits per spike" if "bits_per_spike" in d else ""
            )
            lines.append(f"  median share of deviance {float(d['d2'].median()):.3f}{bits}")
        p = d["p_fwer"].values
        if np.isfinite(p).any():
            least = 1 / (1 + int(said.get("n_perm") or 0))
            lines.append(
                f"  {int((p <= 0.05).sum())} of {p.size} units above chance, p_fwer <= 0.05"
                if least <= 0.05
                else f"  smallest p_fwer {np.nanmin(p):.3f}; with n_perm={said.get('n_perm')} none can be below "
                f"{least:.3f}"
            )
        ceiling = d["ceiling"].values
        if np.isfinite(ceiling).any():
            usable = ~d["unreliable"].values & np.isfinite(d["ratio"].values)
            middle = f"median {np.median(d['ratio'].values[usable]):.3f}" if usable.any() else "none"
            known = "reliable " if np.isfinite(d["reliability_low"].values).any() else ""
            lines.append(
                f"  ceiling: median {np.nanmedian(ceiling):.3f}; r / ceiling: {middle} of {int(usable.sum())} "
                f"{known}units"
            )
        elif np.isfinite(d["reliability"].values).any():
            lines.append("  ceiling: none, repeats of no unit agree")
        if self.bands is not None:
            for band in self.bands["band"].values.tolist():
                at = self.bands.sel(band=band)
                lines.append(
                    f"  {str(band)[:40]}: median share of R2 {float(at['share'].median()):.3f}, unique "
                    f"{float(at['unique'].median()):.3f}"
                )
        return lines[:14]
