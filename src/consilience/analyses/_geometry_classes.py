"""Entries of the table of `geometry` that take conditions as classes: manifolds, scatter, readouts, noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from consilience._core._errors import collect_cautions, warn
from consilience._core._params import shorten
from consilience.populations import (
    ManifoldCapacity,
    PopulationScore,
    class_geometry,
    class_separability,
    manifold_capacity,
    noise_alignment,
)

if TYPE_CHECKING:
    from consilience.analyses._geometry_measures import Conditions

__all__ = ["between", "few_shot", "held_out", "manifold", "noise"]

_FEW, _MANY, _POINTS = (
    20,
    99,
    500,
)  # shuffles of manifolds: many where points are not, each solves a third of the data's programmes
_VALUES = 2_000_000  # units times shuffles of the noise
_OVER = "jackknife over conditions"
_kept: WeakKeyDictionary[Conditions, ManifoldCapacity] = WeakKeyDictionary()


def _size(c: Conditions) -> dict[str, Any]:
    return {"n_trials": len(c.x), "n_units": c.x.shape[1], "n_conditions": len(c.names)}


def _on_device(c: Conditions) -> Any:
    if c.device is None:
        return c.span
    import torch

    return torch.tensor(c.span, device=c.device)


def manifold(c: Conditions, name: str) -> dict[str, PopulationScore]:
    """``name`` : capacity, radius or dimension; the three are computed once."""
    found = _kept.get(c)
    if found is None:
        with collect_cautions() as cautions:
            found = manifold_capacity(
                _on_device(c),
                c.condition,
                n_perm=min(c.n_null, _MANY if len(c.x) <= _POINTS else _FEW),
                level=c.level,
                rng=c.rng,
                **c.options,
            )
        least = int(np.argmin(np.bincount(c.condition)))
        for one in cautions:  # classes have numbers here, and conditions names
            named = f", {shorten(c.names[least], 40)} the smallest."
            warn(one.code, one.message.replace(f", {least} the smallest.", named), one.remedy)
        _kept[c] = found
    each = {
        "capacity": (found.value, found.ci_low, found.ci_high, found.contributions),
        "radius": (found.radius, found.radius_low, found.radius_high, found.each_radius),
        "dimension": (found.dimension, found.dimension_low, found.dimension_high, found.each_dimension),
    }
    value, low, high, contributions = each[name]
    null = found.null[:, list(each).index(name)]
    tails = np.quantile(null, [(1 - c.level) / 2, (1 + c.level) / 2]) if null.size else (np.nan, np.nan)
    beyond = int(np.sum(null >= value) if name == "capacity" else np.sum(null <= value))
    score = PopulationScore(
        value=value,
        ci_low=low,
        ci_high=high,
        resampled="t over conditions",
        each=contributions,
        null_mean=float(null.mean()) if null.size else float("nan"),
        null_low=float(tails[0]),
        null_high=float(tails[1]),
        p=(1 + beyond) / (null.size + 1) if null.size else float("nan"),
        level=c.level,
        details={"half_points": found.half_points, "floor": found.floor} if name == "capacity" else {},
        note=f"{found.axes_removed} shared axes of centres taken off, null of {null.size} shuffles"
        if name == "capacity"
        else "",
        **_size(c),
    )
    return {"all": score}


def between(c: Conditions) -> dict[str, PopulationScore]:
    found = class_geometry(
        c.span, c.condition, shots=1, n_draws=1, n_perm=c.n_null, level=c.level, rng=c.rng, **c.options
    )
    score = PopulationScore(
        value=found.fraction,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        resampled=_OVER,
        each=found.each,
        null_mean=found.null_mean,
        null_low=found.null_low,
        null_high=found.null_high,
        p=found.p,
        level=c.level,
        details={"collapse": found.collapse, "dimension": found.dimension, "overlap": found.overlap},
        **_size(c),
    )
    return {"all": score}


def few_shot(c: Conditions) -> dict[str, PopulationScore]:
    shots = int(min(5, np.bincount(c.condition).min() - 1))
    options = {"shots": shots, **c.options}
    found = class_geometry(c.span, c.condition, n_perm=0, level=c.level, rng=c.rng, **options)
    score = PopulationScore(
        value=found.error,
        ci_low=found.error_low,
        ci_high=found.error_high,
        resampled=_OVER,
        each=found.each_error,
        null_mean=0.5,
        level=c.level,
        details={"predicted": found.error_predicted, "shots": float(found.shots)},
        note=f"{found.shots} examples of each, predicted {found.error_predicted:.3g}",
        **_size(c),
    )
    return {"all": score}


def held_out(c: Conditions) -> dict[str, PopulationScore]:
    options = {"folds": int(min(5, np.bincount(c.condition).min())), **c.options}
    found = class_separability(
        c.x, c.condition, n_perm=min(c.n_null, 100), level=c.level, rng=c.rng, **options
    )
    score = PopulationScore(
        value=found.value,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        resampled=_OVER,
        each=found.each,
        null_mean=found.null_mean,
        null_low=found.null_low,
        null_high=found.null_high,
        p=found.p,
        level=c.level,
        details={"margin": found.margin},
        note=f"margin {found.margin:.3g} standard deviations",
        **_size(c),
    )
    return {"all": score}


def noise(c: Conditions) -> dict[str, PopulationScore]:
    most = min(
        100, max(40, _VALUES // c.x.shape[1])
    )  # of very many units a shuffle takes long, and varies little
    return {
        "all": noise_alignment(
            c.x, c.condition, n_null=min(c.n_null, most), level=c.level, rng=c.rng, **c.options
        )
    }
