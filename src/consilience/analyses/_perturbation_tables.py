"""Tables of predicted perturbations: intervals by half samples, controls, trials; what is doubtful about them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy import stats as distributions

from consilience._core._errors import warn
from consilience._core._params import shorten
from consilience.analyses._recorded_fits import Task
from consilience.models._removed_units import predictions_without
from consilience.stats import OffDistribution
from consilience.stats._trials_needed import trials_needed

__all__ = ["IN_HALVES", "doubts", "off_inputs", "tables", "together"]

_OFF_ROWS = 600
IN_HALVES = 20  # controls of which the mean is taken in fits to halves


def tables(
    found: dict[str, Any],
    outcomes: list[str],
    labels: list[str],
    counts: list[int],
    n_sets: int,
    n_acts: int,
    level: float,
    power: float,
    alpha: float,
) -> tuple[xr.Dataset, xr.DataArray]:
    shape = (len(found), len(labels), len(outcomes))
    keys = (
        *("change", "ci_low", "ci_high", "control_mean", "control_sd", "difference", "difference_low"),
        *("difference_high", "p_control", "sd", "sd_changed"),
    )
    out = {k: np.full(shape, np.nan) for k in keys}
    most = max([1, *counts])
    controls = np.full((*shape, most), np.nan)
    intact = np.full((len(found), len(outcomes)), np.nan)
    starts = n_sets + np.cumsum([0, *counts])
    half_starts = n_sets + np.cumsum([0, *(min(c, IN_HALVES) for c in counts)])
    for f, one in enumerate(found.values()):
        for a in range(n_acts):
            mean, sd = one["mean"][a], one["sd"][a]
            change = mean[1:] - mean[0]
            intact[f] = mean[0]
            halves = None if one["halves"] is None else one["halves"][a]
            known = np.isfinite(one["observed"])
            for s in range(n_sets):
                at = f, a * n_sets + s
                out["change"][at] = change[s]
                own = slice(starts[s], starts[s + 1])
                base = np.where(known, one["observed"], sd[0])
                out["sd"][at] = base
                out["sd_changed"][at] = np.where(known, one["observed"], sd[1 + s])
                others = change[own]
                if halves is not None and len(halves) > 1:
                    away = distributions.t.ppf((1 + level) / 2, len(halves) - 1) * halves[:, s].std(
                        axis=0, ddof=1
                    )
                    out["ci_low"][at], out["ci_high"][at] = change[s] - away, change[s] + away
                if not len(others):
                    continue
                controls[(*at, slice(None), slice(0, len(others)))] = others.T
                out["control_mean"][at] = others.mean(axis=0)
                out["control_sd"][at] = others.std(axis=0, ddof=1) if len(others) > 1 else np.nan
                apart = change[s] - others.mean(axis=0)
                out["difference"][at] = apart
                below = (others <= change[s]).sum(axis=0)
                above = (others >= change[s]).sum(axis=0)
                out["p_control"][at] = np.minimum(1.0, 2 * (np.minimum(below, above) + 1) / (len(others) + 1))
                if halves is not None and len(halves) > 1:
                    drawn = halves[:, s] - halves[:, half_starts[s] : half_starts[s + 1]].mean(axis=1)
                    away = distributions.t.ppf((1 + level) / 2, len(halves) - 1) * drawn.std(axis=0, ddof=1)
                    out["difference_low"][at], out["difference_high"][at] = apart - away, apart + away
    low, high = out["ci_low"], out["ci_high"]
    near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    near = np.where(np.isfinite(low), near, np.nan)
    far = np.maximum(np.abs(low), np.abs(high))
    for name, size in (("trials", out["change"]), ("trials_low", far), ("trials_high", near)):
        out[name] = trials_needed(size, out["sd"], out["sd_changed"], power=power, alpha=alpha)
    dims = ("family", "perturbation", "outcome")
    coords = {"family": list(found), "perturbation": labels, "outcome": outcomes}
    table = xr.Dataset({k: (dims, v) for k, v in out.items()}, coords=coords)
    table = table.assign(
        intact=(("family", "outcome"), intact), skill=("family", [one["skill"] for one in found.values()])
    )
    return table, xr.DataArray(controls, dims=(*dims, "control"), coords=coords, name="change")


def together(data: xr.Dataset) -> xr.Dataset:
    change = data["change"]
    sign = np.sign(change.values)
    return xr.Dataset(
        {
            "change": change.mean("family"),
            "low": data["ci_low"].min("family"),
            "high": data["ci_high"].max("family"),
            "spread": change.max("family") - change.min("family"),
            "agree": (("perturbation", "outcome"), (sign == sign[:1]).all(axis=0)),
            "trials": data["trials"].max("family", skipna=False),
        }
    )


def off_inputs(
    task: Task, columns: np.ndarray, act: Any, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = len(task.x)
    rows = np.unique(np.linspace(0, n - 1, min(n, _OFF_ROWS)).astype(int))
    x = np.asarray(task.x[rows], np.float64)
    instead = act.to(x, x.mean(axis=0), x.std(axis=0))
    off = OffDistribution(x, np.arange(len(x)) < len(x) // 2)
    found = predictions_without(
        lambda made: off.distances(made, np.arange(len(x)))[:, None], None, x, instead, columns, stacked=False
    )
    return off.ratio(found[:, :, 0], level=level)


def doubts(data: xr.Dataset) -> None:
    warn(
        "correlational-model",
        "models fitted to undisturbed activity; predictions assume that the readout is causal.",
        "A unit that is only correlated with the cause is given weight too: compare families and matched controls, "
        "save the prediction, and score it against the experiment (.score(observed)).",
    )
    low, high = data["ci_low"].values, data["ci_high"].values
    if np.isfinite(low).any() and data.sizes["family"] > 1:
        apart = np.nanmin(high, axis=0) < np.nanmax(low, axis=0)
        if apart.any():
            p, o = np.argwhere(apart)[0]
            first = f"{data['perturbation'].values[p].item()}, {data['outcome'].values[o].item()}"
            warn(
                "families-disagree",
                f"intervals exclude each other in {int(apart.sum())} of {apart.size} predictions "
                f"({shorten(first, 30)}).",
                "Read the union of the intervals (.families), or leave out families that fit worse (skill) or that are "
                "asked far from what they were fitted to (off_distribution).",
            )
    far = data["off_low"].values > 2
    if far.any():
        top = float(np.max(data["off_distribution"].values))
        warn(
            "off-distribution",
            f"{int(far.sum())} of {far.size} perturbed inputs lie far from recorded ones (distance^2 x {top:.3g}).",
            "Models were never fitted there: a weaker perturbation (('sd', 1)), or fewer units.",
        )
