"""`SelectivityImpact`: selectivity of units against what is lost without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd

# impact -> (words, whose finding it stands for)
IMPACT_WORDS = {
    "overall": "overall",
    "preferred": "on the preferred class",
    "others": "on the other classes",
}


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class SelectivityImpact(Result):
    """Correlation over units of selectivity with impact, on disjoint stimuli. Made by `cs.selectivity_impact`.

    data : Dataset.

        - (network, how, impact), impact "overall" (Morcos et al. 2018), "preferred" (class-specific, Zhou et al. 2018)
          or "others": value (Spearman), ci_low and ci_high (other units and other stimuli), se_units and se_stimuli
          (of one of the two alone), p (two-sided, units in random order) with null_low and null_high; partial with
          partial_low, partial_high, partial_p: without the unit's mean activation and standard deviation;
          reliability (of the impact, between halves of the stimuli) and ceiling.
        - (network, how) reliability_selectivity; difference (preferred less overall) with difference_low,
          difference_high.
        - (network) intact: the score with nothing removed; n_units: units in the correlation.
    units : Dataset (unit; ``network`` on unit where there were several; ``number`` in the layer): selectivity, mean and
        sd of the activation, preferred class (of all stimuli), stability (share of splits whose halves prefer the
        same); (how, unit) impact, impact_preferred (the class chosen on one half, scored on the other), impact_others;
        unchanged: removing the unit changed nothing. Means over splits.

    Examples
    --------
    >>> import numpy as np, torch, consilience as cs
    >>> label = np.repeat([0, 1], 20)
    >>> x = np.random.default_rng(0).normal(np.eye(2)[label] * 3, 1).clip(0)
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 12), torch.nn.Sigmoid(), torch.nn.Linear(12, 2))
    >>> found = cs.selectivity_impact(cs.Network(module, name="net"), "1", stimuli=cs.stimuli(x, ids=range(40)),
    ...                               target=label, evaluate="loss", n_boot=20, n_perm=99)
    >>> found.value["impact"].values.tolist(), found.units.sizes["unit"]
    (['overall', 'preferred', 'others'], 12)
    """

    data: xr.Dataset
    units: xr.Dataset

    title: ClassVar[str] = "selectivity of units against what is lost without them"

    @property
    def value(self) -> xr.DataArray:
        """The correlations (impact) of one network under one choice of ``how``."""
        if self.data.sizes["network"] * self.data.sizes["how"] != 1:
            raise InputError(
                "SelectivityImpact.value exists for one network and one choice of how; use "
                ".data['value'].sel(network=..., how=...).",
                code="not-one-how",
            )
        return self.data["value"].isel(network=0, how=0)

    def to_frame(self) -> pd.DataFrame:
        """One row per (network, how, impact)."""
        names = [name for name in self.data.data_vars if "impact" in self.data[name].dims]
        return self.data[names].to_dataframe(dim_order=["network", "how", "impact"]).reset_index()

    def to_units_frame(self) -> pd.DataFrame:
        """One row per (unit, how)."""
        return self.units.to_dataframe(dim_order=["unit", "how"]).reset_index()

    def of(self, network: str) -> xr.Dataset:
        """The units of one network."""
        if "network" not in self.units.coords:
            return self.units
        return self.units.isel(unit=np.flatnonzero(self.units["network"].values.astype(str) == network))

    def _lines(self) -> list[str]:
        s, d = self.settings, self.data
        lines = [
            f"  {counted(d.sizes['network'], 'network')}, {s.get('n_stimuli')} stimuli of {s.get('n_classes')} "
            f"classes; {s.get('evaluate')}; {str(s.get('selectivity')).replace('_', ' ')}; Spearman over units"
        ]
        shown = 0
        for name in d["network"].values.tolist():
            for how in d["how"].values.tolist():
                at = d.sel(network=name, how=how)
                if shown == 4:
                    break
                shown += 1
                lines.append(
                    f"  {cell(name, 30).strip()}, how={cell(how, 20).strip()}: {self._counted(name)}, intact "
                    f"{float(at['intact']):.3g}"
                )
                lines += [f"    {self._row(at.sel(impact=impact))}" for impact in ("overall", "preferred")]
        left = d.sizes["network"] * d.sizes["how"] - shown
        return lines + ([f"  and {left} more in .to_frame()"] if left else [])

    def _counted(self, name: Any) -> str:
        used, every = int(self.data["n_units"].sel(network=name)), self.of(str(name)).sizes["unit"]
        return f"{every} units" if used == every else f"{used} of {every} units (others silent)"

    def _row(self, at: xr.Dataset) -> str:
        v = {key: float(at[key]) for key in ("value", "ci_low", "ci_high", "p", "partial", "ceiling")}
        text = f"{cell(IMPACT_WORDS[str(at['impact'].item())], 23)} {v['value']:+.2f}"
        text += f" [{v['ci_low']:.2f}, {v['ci_high']:.2f}]" if np.isfinite(v["ci_low"]) else ""
        text += f" p={v['p']:.3g}" if np.isfinite(v["p"]) else ""
        text += f", ceiling {v['ceiling']:.2f}" if np.isfinite(v["ceiling"]) else ", no ceiling"
        return text + f", without mean and sd {v['partial']:+.2f}"
