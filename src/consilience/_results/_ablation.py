"""`Ablation`: what is lost when parts of a network, or units of a fitted model, are removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd

ROWS = (
    "score",
    "impact",
    "ci_low",
    "ci_high",
    "p",
    "q",
    "off_distribution",
    "off_low",
    "off_high",
    "loss_impact",
    "loss_low",
    "loss_high",
    "unchanged",
)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Ablation(Result):
    """What is lost when parts are removed, one by one and one after the other. Made by `cs.ablate`.

    Impact is what is lost: intact minus lesioned (of a loss lesioned minus intact); positive = the part was needed.

    data : Dataset, of each part removed alone (no parts where ``single=False``):

        - (how, part) score, impact with ci_low and ci_high (over stimuli, paired), p of no impact (sign flips over
          stimuli) and q (false discovery rate over the parts of a ``how``); off_distribution with off_low, off_high:
          how far activations downstream lie from intact ones (`cs.stats.OffDistribution`; 1 = as intact);
          loss_impact with loss_low, loss_high: of the cross-entropy, where targets are classes; unchanged: removing
          the part changed no stimulus's activation.
        - (how, part, class) class_impact with class_low, class_high: of the stimuli of one class.
        - intact, intact_low, intact_high: the score with nothing removed. Coordinates layer and unit on part.
    curves : Dataset, parts removed one after the other; None with ``curves=False``:

        - (how, order, step) score with ci_low, ci_high, off_distribution; on step ``n_removed`` and ``fraction``. The
          order "random" is the mean of random orders, with the variance over them in its interval.
        - (how, step) random_low, random_high: the middle 95 % of single random orders.
        - (how, order) area under score against fraction with area_low, area_high; difference from the mean area of
          random orders with difference_low, difference_high and p (stimuli and orders drawn anew); placement: share of
          random orders with a smaller area.
        - (how, draw) random_area: of each random order. (order, place) sequence: parts in their order of removal
          (not of random; -1).
    agreement : Dataset (pair) of two choices of ``how``, a and b: correlation (Spearman, of the impacts over parts)
        with ci_low, ci_high (bootstrap over stimuli), n_parts, n_apart (parts whose impacts differ, q < 0.05, by more
        than half the larger), difference of the mean impact (a - b) with difference_low, difference_high; None where
        a single choice was run.

    Examples
    --------
    >>> import numpy as np, torch, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> module = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(3, 1, bias=False))
    >>> _ = module[1].weight.data.copy_(torch.tensor([[2.0, 1.0, 0.0]]))
    >>> x = rng.normal(size=(100, 3))
    >>> shown, target = cs.stimuli(x, ids=np.arange(100)), x @ [2.0, 1.0, 0.0]
    >>> lost = cs.ablate(module, "0", stimuli=shown, target=target, evaluate="loss", check_how=False, rng=0)
    >>> bool(np.allclose(lost.impact, [4 * x[:, 0].var(), x[:, 1].var(), 0.0]))  # w^2 times the variance
    True
    """

    data: xr.Dataset
    curves: xr.Dataset | None = None
    agreement: xr.Dataset | None = None

    title: ClassVar[str] = "what is lost without parts"

    @property
    def impact(self) -> xr.DataArray:
        """Impacts of single parts (part), where there is one choice of ``how``."""
        if self.data.sizes["how"] != 1:
            raise InputError(
                f"Ablation.impact exists for one choice of how; this result has "
                f"{list(map(str, self.data['how'].values))}: use .data['impact'].sel(how=...).",
                code="not-one-how",
            )
        return self.data["impact"].isel(how=0)

    def to_frame(self) -> pd.DataFrame:
        """One row per (how, part) that was removed alone; without single lesions one per (how, order, step)."""
        if self.data.sizes["part"] or self.curves is None:
            names: list[str] = [
                name for name in ROWS if name in self.data and self.data[name].dims == ("how", "part")
            ]
            return self.data[names].to_dataframe(dim_order=["how", "part"]).reset_index()
        names = [str(n) for n in self.curves.data_vars if self.curves[n].dims == ("how", "order", "step")]
        return self.curves[names].to_dataframe(dim_order=["how", "order", "step"]).reset_index()

    def to_curves_frame(self) -> pd.DataFrame:
        """One row per (how, order): area, its interval, and its difference from random orders."""
        if self.curves is None:
            raise InputError(
                "Ablation.to_curves_frame: there are no curves; use curves=True.", code="no-curves"
            )
        names = [str(n) for n in self.curves.data_vars if self.curves[n].dims == ("how", "order")]
        return self.curves[names].to_dataframe(dim_order=["how", "order"]).reset_index()

    def _lines(self) -> list[str]:
        s, d = self.settings, self.data
        intact = f"{float(d['intact']):.3g}"
        if np.isfinite(float(d["intact_low"])):
            intact += f" [{float(d['intact_low']):.3g}, {float(d['intact_high']):.3g}]"
        where = cell(s.get("layer", ""), 40).strip()
        lines = [
            f"  {cell(s.get('system', ''), 30).strip()} {where}: {s.get('n_parts', d.sizes['part'])} "
            f"{s.get('kind', 'parts')}, {cell(s.get('evaluate', ''), 30).strip()} intact {intact}"
            + (
                f", {counted(s['n_stimuli'], 'stimulus').replace('stimuluss', 'stimuli')}"
                if s.get("n_stimuli")
                else ""
            )
        ]
        for how in d["how"].values.tolist()[:3]:
            lines += self._of(how)
        if self.agreement is not None:
            for k in range(min(3, self.agreement.sizes["pair"])):
                at = self.agreement.isel(pair=k)
                lines.append(
                    f"  {at['a'].item()} against {at['b'].item()}: rank correlation of impacts "
                    f"{float(at['correlation']):.2f} [{float(at['ci_low']):.2f}, {float(at['ci_high']):.2f}], "
                    f"{int(at['n_apart'])} of {int(at['n_parts'])} parts differ"
                )
        return lines

    def _of(self, how: str) -> list[str]:
        lines = []
        if self.data.sizes["part"]:
            at = self.data.sel(how=how)
            impact = at["impact"].values
            top = int(np.nanargmax(impact))
            text = f"  {how}: largest impact {impact[top]:.3g}"
            if np.isfinite(at["ci_low"].values[top]):
                text += f" [{at['ci_low'].values[top]:.3g}, {at['ci_high'].values[top]:.3g}]"
            text += f" ({cell(at['part'].values[top], 24).strip()}), median {np.nanmedian(impact):.3g}"
            q = at["q"].values
            if np.isfinite(q).any():
                text += f"; {int((q < 0.05).sum())} with q < 0.05"
            lines.append(text)
        if self.curves is not None:
            at = self.curves.sel(how=how)
            line = f"  {how}: area under the curve"
            for order in at["order"].values.tolist()[:6]:
                text = f" {cell(order, 14).strip()} {float(at['area'].sel(order=order)):.3g}"
                if np.isfinite(float(at["p"].sel(order=order))):
                    text += f" (p {float(at['p'].sel(order=order)):.1g})"
                if len(line) + len(text) > 115:
                    lines.append(line)
                    line = "     "
                line += text + ","
            lines.append(line.rstrip(","))
        return [line if len(line) <= 118 else line[:117] + "…" for line in lines]
