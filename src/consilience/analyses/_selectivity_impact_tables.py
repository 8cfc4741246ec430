"""Selectivity and impact of each run as labelled tables, and what was done in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience.analyses._evaluate_outputs import Score
from consilience.networks._lesion import Parts
from consilience.units._selectivity_and_impact import IMPACTS, ImpactScores

__all__ = ["Run", "impact_table", "methods_of", "unit_table"]

ROWS = ("value", "ci_low", "ci_high", "se_units", "se_stimuli", "p", "null_low", "null_high")
PARTIAL = ("partial", "partial_low", "partial_high", "partial_p", "reliability", "ceiling")
APART = ("difference", "difference_low", "difference_high", "reliability_selectivity")


@dataclass(frozen=True, eq=False)
class Run:
    """A network (``name``) under one choice of ``how`` (``word``). intact : (n,) scores. unchanged : (parts,) bool."""

    name: str
    word: str
    parts: Parts
    score: Score
    intact: np.ndarray
    found: ImpactScores
    unchanged: np.ndarray


def impact_table(runs: list[Run], nets: list[str], hows: list[str]) -> xr.Dataset:
    shape = len(nets), len(hows)
    out = xr.Dataset(coords={"network": nets, "how": hows, "impact": list(IMPACTS)})
    for key in (*ROWS, *PARTIAL):
        values = np.stack([getattr(run.found, key) for run in runs]).reshape(*shape, len(IMPACTS))
        out[key] = (("network", "how", "impact"), values)
    for key in APART:
        out[key] = (("network", "how"), np.array([getattr(run.found, key) for run in runs]).reshape(shape))
    out["intact"] = ("network", np.array([run.intact.mean() for run in runs]).reshape(shape)[:, 0])
    out["n_units"] = ("network", np.array([run.found.kept.sum() for run in runs]).reshape(shape)[:, 0])
    return out


def unit_table(runs: list[Run], nets: list[str], hows: list[str], several: bool) -> xr.Dataset:
    each = [runs[i * len(hows) : (i + 1) * len(hows)] for i in range(len(nets))]
    first = [of[0] for of in each]

    def one(key: str) -> np.ndarray:
        return np.concatenate([getattr(run.found, key) for run in first])

    def lost(at: int) -> np.ndarray:
        return np.concatenate([np.stack([run.found.impacts[at] for run in of]) for of in each], axis=1)

    names = [name for run in first for name in run.parts.names]
    out = xr.Dataset(
        {
            **{key: ("unit", one(key)) for key in ("selectivity", "stability", "mean", "sd")},
            "preferred": ("unit", one("preferred").astype(str)),
            "impact": (("how", "unit"), lost(0)),
            "impact_preferred": (("how", "unit"), lost(1)),
            "impact_others": (("how", "unit"), lost(2)),
            "unchanged": (
                ("how", "unit"),
                np.concatenate([np.stack([r.unchanged for r in of]) for of in each], 1),
            ),
        },
        coords={"how": hows, "unit": names},
    )
    owner = np.repeat(nets, [len(run.parts) for run in first])
    out = out.assign_coords(number=("unit", np.concatenate([run.parts.unit_of for run in first])))
    return out.assign_coords(network=("unit", owner)) if several else out


def methods_of(run: Run, asked: dict[str, Any]) -> tuple[str, ...]:
    text = (
        f"Selectivity ({asked['selectivity'].replace('_', ' ')}) and the preferred class of each unit were computed "
        f"from one half of the stimuli of each class, and the loss in {run.score.name} without it from the other half, "
        f"both ways, over {asked['n_splits']} splits; their Spearman correlations over units were averaged. "
        "The noise ceiling is the root of the product of both split-half reliabilities. Partial correlations take out "
        "the rank of each unit's mean activation and standard deviation."
    )
    if asked["n_boot"]:
        text += (
            f" Intervals are for other units and other stimuli, from {asked['n_boot']} draws of units, of exponential "
            "weights of stimuli, and of both."
        )
    if asked["n_perm"]:
        text += f" p-values are two-sided, from {asked['n_perm']} permutations of units."
    return (text,)
