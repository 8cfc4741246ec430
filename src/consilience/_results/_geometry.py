"""`Geometry`: where the conditions of a population lie to each other, by several measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell, floor_of_p

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Geometry(Result):
    """Measures of the geometry of conditions, of one or several systems. Made by `cs.geometry`.

    data : Dataset (measure, of, system) with value, ci_low, ci_high, null_mean, null_low, null_high, p, ceiling and
        ``note`` (what was chosen, such as the dichotomy that generalises best); NaN where a measure has none. ``of`` is
        "all", the conditions as a whole, or one of the labels that cross in them. Coordinates on measure: ``words``,
        ``higher`` (what a high value says), ``null`` (what the null is), ``low`` and ``top`` (ends of its range).
        With a baseline also ``baseline``, its mean over seeds, and ``gain``, ``gain_low``, ``gain_high``, beyond it;
        ``gain_paired``: whether that interval pairs system and copies by condition. Where not (measures whose interval
        is over trials: ccgp, parallelism, shattering, noise_alignment), both are taken for independent.
    baselines : Dataset (seed, measure, of, system): value, ci_low, ci_high of each copy; None without a baseline.
    counts : Dataset (system): n_trials, n_units, n_conditions, fewest (trials of a condition).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> thing, place = np.repeat(["car", "face"], 40), np.tile(np.repeat(["left", "right"], 20), 2)
    >>> x = np.outer(thing == "car", rng.normal(size=200)) + np.outer(place == "left", rng.normal(size=200))
    >>> it = cs.responses(x + rng.normal(size=x.shape), stimulus=np.arange(80), thing=thing, place=place, kind="rate")
    >>> found = cs.geometry(it, by=["thing", "place"], methods=["parallelism"], n_null=50, rng=0)
    >>> bool(found.data["value"].sel(measure="parallelism", of="thing").item() > 0.9)
    True
    """

    data: xr.Dataset
    counts: xr.Dataset
    baselines: xr.Dataset | None = None

    title: ClassVar[str] = "how the conditions of a population lie to each other"

    def to_frame(self) -> pd.DataFrame:
        """One row per (system, measure, of) that has a value."""
        frame = (
            self.data.reset_coords(drop=True)
            .to_dataframe(dim_order=["system", "measure", "of"])
            .reset_index()
        )
        return frame[np.isfinite(frame["value"])].reset_index(drop=True)

    def _lines(self) -> list[str]:
        said = self.settings
        systems = self.data["system"].values.tolist()
        lines = []
        for name in systems[:3]:
            n = self.counts.sel(system=name)
            lines.append(
                f"  {cell(name, 40).rstrip()}: {int(n['n_units'])} units, {int(n['n_trials'])} trials, "
                f"{int(n['n_conditions'])} conditions ({', '.join(said['by'])})"
            )
            frame = self.data.sel(system=name)
            for measure in self.data["measure"].values.tolist():
                for of in self.data["of"].values.tolist():
                    one = frame.sel(measure=measure, of=of)
                    if np.isfinite(float(one["value"])) and len(lines) < 16:
                        lines.append(f"    {cell(one['words'].item(), 34)} {cell(of, 12)} {_number(one)}")
        if len(systems) > 3:
            lines.append(f"  and {len(systems) - 3} more systems in .to_frame()")
        if np.isfinite(self.data["p"]).any():
            lines += floor_of_p(int(said.get("n_null") or 0), "draws of the null", "n_null")
        return lines


def _number(one: xr.Dataset) -> str:
    text = f"{float(one['value']):7.3g}"
    if np.isfinite(float(one["ci_low"])):
        text += f" [{float(one['ci_low']):.3g}, {float(one['ci_high']):.3g}]"
    gain = "gain" in one and np.isfinite(float(one["gain"]))
    if np.isfinite(float(one["null_mean"])) and not gain:
        text += f"  null {float(one['null_mean']):.3g}"
    if np.isfinite(float(one["p"])):
        text += f"  p={float(one['p']):.2g}"
    if gain:
        text += f"  gain {float(one['gain']):+.3g}"
        if np.isfinite(float(one["gain_low"])):
            text += f" [{float(one['gain_low']):.3g}, {float(one['gain_high']):.3g}]"
    return text
