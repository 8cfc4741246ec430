"""`Synthesis`: stimuli made for units, and how they were scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd

PER_TARGET = (
    "value",
    "ci_low",
    "ci_high",
    "natural_best",
    "natural_same_norm",
    "percentile",
    "null_mean",
    "null_sd",
    "p",
    "agreement",
    "agreement_shifted",
    "agreement_null",
    "after_shift",
    "after_noise",
    "late_gain",
    "check",
    "check_natural",
    "check_p",
)

_UNITS = {
    "one-hot": "z of the unit - log mean exp z of the others, in standard deviations",
    "stretch": "the mean z of the units, in standard deviations",
    "vector": "- mean squared distance from it in standard deviations (0: reached)",
}


def _wrapped(text: str) -> list[str]:
    """In lines of at most 118 columns, broken between its parts."""
    out: list[str] = []
    for part in text.split("; "):
        if out and len(out[-1]) + 2 + len(part) <= 118:
            out[-1] += f"; {part}"
        else:
            out.append(f"      {part}" if out else part)
    return out


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Synthesis(Result):
    """Stimuli made to drive units of a network, or a neuron. Made by `cs.synthesize`.

    stimuli : (stimulus, ...) as `cs.stimuli` returns, to be recorded again, with the coordinates target and seed.
        Images whose start was dead are not among them.
    data : Dataset (target) with

        - value: of the best stimulus, measured again as it is in ``stimuli``; best_seed: which of the seeds it is.
          ci_low, ci_high: interval over repeats (noisy neurons; NaN where a value has no noise).
        - natural_best, natural_stimulus: highest value of the natural stimuli as they are, and which;
          natural_same_norm: highest after all were cut to the places the target sees, at the norm of the synthetic one;
          percentile: share (in percent) of those below ``value``.
        - null_mean, null_sd, p: of stimuli with the same amplitude spectrum and norm and random phases; p =
          (1 + number at or above value) / (1 + number).
        - agreement, agreement_shifted, agreement_null: mean cosine of the stimuli of different seeds (differences from
          the background), as they are, at the best shift, and at the best shift with random phases.
        - after_shift, after_noise: what is left of value - null_mean after a shift of 1/64 of the side (at least 1),
          and after noise of a fifth of the norm is added.
        - late_gain: the share of the rise that came in the last tenth of the steps (converged: near 0).
        - check, check_natural, check_p: the same for the unit of another network: value, highest of natural stimuli,
          p against its own values for the stimuli with random phases.

        and (target, seed) each_value, alive, start (where a gradient was found), norm, saturated (share of values at a
        bound); (target, unit) responses: of all units to the best stimulus; (target, seed, step) course of what was
        maximised, in standard deviations of the unit.
    exemplars : Dataset (target, rank): stimulus, value of the best natural stimuli; None without natural stimuli.
    pictures : the natural stimuli that are exemplars, for the figure; None without.
    """

    data: xr.Dataset
    stimuli: xr.DataArray
    exemplars: xr.Dataset | None = None
    pictures: xr.DataArray | None = None

    title: ClassVar[str] = "stimuli made for units"

    @property
    def value(self) -> np.ndarray:
        """(targets,) value of the best stimulus of each target."""
        return np.asarray(self.data["value"].values)

    @property
    def best(self) -> xr.DataArray:
        """The best stimulus of each target (of those that have one), in the order of targets."""
        rows = self._best_rows()
        return self.stimuli.isel(stimulus=[row for row in rows if row is not None])

    def _best_rows(self) -> list[int | None]:
        made = {
            (str(t), int(s)): i
            for i, (t, s) in enumerate(
                zip(self.stimuli["target"].values.tolist(), self.stimuli["seed"].values.tolist())
            )
        }
        seeds = self.data["best_seed"].values
        return [
            made.get((str(t), int(s))) for t, s in zip(self.data["target"].values.tolist(), seeds.tolist())
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row per target."""
        names = [name for name in self.data.data_vars if self.data[name].dims == ("target",)]
        return self.data[names].to_dataframe().reset_index()

    def _norm(self) -> str:
        """Of the stimuli that were made; lowest to highest."""
        made = self.data["norm"].values if "norm" in self.data else np.array([])
        made = made[np.isfinite(made)]
        if not made.size:
            return f"{float(self.settings.get('norm', np.nan)):.3g}"
        ends = [f"{float(end):.3g}" for end in (made.min(), made.max())]
        return " to ".join(dict.fromkeys(ends))

    def _lines(self) -> list[str]:
        s, d = self.settings, self.data
        per_call = f"{s['steps']} steps" if "steps" in s else f"{s.get('presentations', 0):,} presentations"
        lines = [
            f"  {counted(d.sizes['target'], 'target')} of {cell(s.get('system', ''), 30).strip()}, {s.get('method')}, "
            f"{per_call}, {counted(d.sizes['seed'], 'seed')}, norm {self._norm()}"
        ]
        unit = _UNITS.get(str(s.get("pattern", "each")))
        if unit is not None:
            lines.append(f"  pattern {s['pattern']}: values are {unit}, not activations")
        for row in self.to_frame().head(8).to_dict("records"):
            text = f"  {cell(row['target'], 28)} {row['value']:.3g}"
            if np.isfinite(row["ci_low"]):
                text += f" [{row['ci_low']:.3g}, {row['ci_high']:.3g}]"
            if np.isfinite(row["natural_best"]):
                text += f"; best natural {row['natural_best']:.3g}"
                if np.isfinite(row["natural_same_norm"]):
                    text += f" ({row['natural_same_norm']:.3g} at its norm)"
            if np.isfinite(row["null_mean"]):
                text += f"; random phases {row['null_mean']:.3g} (p {row['p']:.2g})"
            if np.isfinite(row["agreement"]):
                text += f"; seeds agree {row['agreement']:.2f}"
            if np.isfinite(row["check"]):
                text += f"; other network {row['check']:.3g}"
            lines += _wrapped(text)
        if d.sizes["target"] > 8:
            lines.append(f"  and {d.sizes['target'] - 8} more targets")
        return lines
