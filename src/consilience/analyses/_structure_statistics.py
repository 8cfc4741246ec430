"""Statistics and nulls of `structure` by name: what each is, where its claim lies, and which pairs say little."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.populations import curvature, rotation_ratio, tangling
from consilience.populations._curvature import repeat_angle
from consilience.populations._variance_in_k import variance_in_k

__all__ = ["KEEPS", "NULL_REFERENCES", "STATISTICS", "Statistic", "measured", "mismatch", "of_function"]


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """label, unit : of the value.   claim : "greater", "less" or "two-sided", where a claim of structure lies.
    family : statistics of one family are computed at once.   n_components : by default.   dynamics : a claim about how
    states go on.   references : keys.   field : of what the family's function returns.
    bounds : that the value cannot leave; its interval is cut there.
    """

    label: str
    unit: str = ""
    claim: str
    family: str
    n_components: int = 6
    dynamics: bool = False
    references: tuple[str, ...] = ()
    field: str = ""
    bounds: tuple[float, float] = (0.0, 1.0)


_ROTATION: dict[str, Any] = {"family": "rotation", "dynamics": True, "references": ("churchland2012neural",)}
STATISTICS: dict[str, Statistic] = {
    "rotation": Statistic(
        label="R2 of rotation / R2 of any linear law", claim="greater", field="ratio", **_ROTATION
    ),
    "rotation_r2": Statistic(label="R2 of the best rotation", claim="greater", field="r2_skew", **_ROTATION),
    "rotation_rate": Statistic(
        label="speed of the fastest plane",
        claim="two-sided",
        field="turning_rates",
        bounds=(0.0, np.inf),
        **_ROTATION,
    ),
    "linear_dynamics": Statistic(label="R2 of the best linear law", claim="greater", field="r2", **_ROTATION),
    "tangling": Statistic(
        label="tangling",
        claim="less",
        family="tangling",
        n_components=8,
        dynamics=True,
        bounds=(0.0, np.inf),
        references=("russo2018motor",),
    ),
    "curvature": Statistic(
        label="curvature",
        unit="degrees",
        claim="less",
        family="curvature",
        bounds=(0.0, 180.0),
        references=("henaff2019perceptual",),
    ),
    "variance_in_k": Statistic(
        label="variance along the first axes", claim="greater", family="variance", n_components=2
    ),
}

KEEPS = {
    "tensor_max_entropy": "means and covariances over time, units and conditions",
    "circular": "the time course of each unit and trial, but for when it happens",
    "phase": "the power spectrum of each unit and trial",
    "conditions": "the time courses of each unit, with conditions of units shuffled apart",
    "trials": "the mean of each condition, with trials of units shuffled apart",
    "steps": "the steps of each condition, in another order",
    "line": "the speed of each condition, along a straight line, and the noise of trials",
}
OF_STEPS = ("steps", "line")  # nulls of curvature, and of trials where there are repeats
NULL_REFERENCES = {
    "tensor_max_entropy": ("elsayed2017structure",),
    "circular": ("harris2020nonsense",),
    "phase": ("theiler1992testing", "prichard1994generating"),
}
_APART = (
    "surrogates lose the covariances of units and conditions too, so a rejection can come from units that share smooth "
    "signals, without any dynamics"
)
_MISMATCH = {
    "circular": _APART,
    "phase": _APART,
    "conditions": (
        "surrogates lose only what units share over conditions and keep the time course of every unit, so a rejection "
        "can come from shared tuning, and a sequence stays one"
    ),
    "trials": "surrogates lose only noise correlations, so they say nothing of the mean trajectories",
    "steps": "surrogates lose smoothness in time, which alone makes a rejection",
    "line": "surrogates are straight, so any bend makes a rejection",
}
_NOISE_BENDS = (
    "noise of a state bends the path by its two steps and no longer once steps are in another order, so a noisy path "
    "does not come out as straighter; with two complete trials of every condition it is taken out"
)


def mismatch(statistic: str, null: str, *, corrected: bool = False) -> str | None:
    """Why this null does not answer the claim of this statistic; None where it does, or where nothing is known.
    ``corrected`` : curvature is of repeats.
    """
    if statistic not in STATISTICS or null not in KEEPS:
        return None
    if STATISTICS[statistic].dynamics:
        return _MISMATCH.get(null)
    if statistic == "curvature":
        if null in OF_STEPS:
            return None if corrected else _NOISE_BENDS
        return (
            "surrogates keep how each unit changes over time, which all but sets the mean angle between steps, so p "
            "says little, and beside them the value is that of means with their noise; "
            "compare curvature between systems, or ask for its own nulls, steps and line, alone"
        )
    if null in OF_STEPS:
        return _MISMATCH[null]
    if statistic == "variance_in_k" and null == "tensor_max_entropy":
        return (
            "surrogates have the covariance of units of the data, and this share with it; conditions asks whether "
            "units share more than chance"
        )
    return None


def of_function(function: Callable[[np.ndarray], Any], x: np.ndarray, who: str) -> float:
    """The value of the user's own statistic."""
    value = function(x)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number):
        raise InputError(
            f"{who}: statistic must be a function of an array (conditions, time, units) that returns one finite "
            f"number, got {shorten(value, 60)}.",
            code="bad-parameter",
        )
    return number


def measured(
    names: tuple[str, ...],
    x: np.ndarray,
    options: Mapping[str, Any],
    repeats: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, float]:
    """The named statistics of one tensor; each family is computed once.

    repeats : trials (trials, time, units) and the condition (trials,) of each; the curvature is theirs, free of noise.
    """
    out: dict[str, float] = {}
    families: dict[str, Any] = {}
    for name in names:
        entry = STATISTICS[name]
        k = entry.n_components if options["n_components"] is None else options["n_components"]
        mean, soft, width = options["subtract_mean"], options["soft_normalise"], options["bin_width"]
        if entry.family == "rotation":
            if "rotation" not in families:
                families["rotation"] = rotation_ratio(
                    x, n_components=k, subtract_mean=mean, soft_normalise=soft, bin_width=width
                )
            value = getattr(families["rotation"], entry.field)
            out[name] = float(value[0] if entry.field == "turning_rates" else value)
        elif entry.family == "tangling":
            out[name] = tangling(x, n_components=k, soft_normalise=soft, bin_width=width).value
        elif entry.family == "curvature":
            out[name] = curvature(x).value if repeats is None else _of_repeats(*repeats)
        else:
            out[name] = variance_in_k(x, k, subtract_mean=mean)
    return out


def _of_repeats(trials: np.ndarray, condition: np.ndarray) -> float:
    """The mean over conditions of the angle behind noise; NaN where repeats of none agree that it moves."""
    each = np.array([repeat_angle(trials[condition == k]) for k in np.unique(condition)])
    known = each[np.isfinite(each)]
    return float(known.mean()) if known.size else float("nan")
