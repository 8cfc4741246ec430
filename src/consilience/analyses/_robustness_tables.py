"""Curves of scores over levels of noise: intervals, half levels, areas, differences of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._seeds import Seed
from consilience.stats import (
    area_under,
    half_height,
    multinomial_weights,
    proportion_interval,
    sign_flip_p,
    t_test,
)

__all__ = ["robustness_tables"]


def robustness_tables(
    scores: np.ndarray,
    levels: np.ndarray,
    labels: list[str],
    spreads: np.ndarray,
    *,
    sign: int,
    chance: float | None,
    proportion: bool,
    seed: Seed,
    n_boot: int,
    n_perm: int,
    level: float,
) -> dict[str, xr.Dataset]:
    """``scores`` (layers, levels, n), means over draws; ``sign`` -1: lower is better."""
    n = scores.shape[-1]
    value, variance = scores.mean(axis=-1), scores.var(axis=-1, ddof=1) / n
    if proportion:
        low, high = proportion_interval(value, variance, items=n, level=level, df=n - 1)
    else:
        test = t_test(value, variance, df=n - 1, level=level)
        low, high = test.low, test.high
    layers = {"layer": np.array(labels, dtype=object)}
    data = xr.Dataset(
        {
            name: (("layer", "level"), found)
            for name, found in zip(("value", "ci_low", "ci_high"), (value, low, high))
        },
        coords={**layers, "level": levels},
    )
    weights = multinomial_weights(n, n_boot, seed.stream("bootstrap")) / n
    draws = np.einsum("bi,lki->blk", weights, scores, optimize=True)
    ends = [(1 - level) / 2, (1 + level) / 2]
    each = area_under(
        levels, np.swapaxes(scores, 1, 2)
    )  # (layers, n); their mean is the area of the mean curve
    area = each.mean(axis=1)
    between = t_test(area, each.var(axis=1, ddof=1) / n, df=n - 1, level=level)
    end = low if sign > 0 else -high
    sure = chance is not None and bool((end[:, 0] > sign * chance).all())  # level 0 is the same in all layers
    data.attrs["above_chance"] = sure
    if chance is None or not sure:
        half, half_low, half_high = (np.full(len(labels), np.nan) for _ in range(3))
    else:
        half = half_height(levels, sign * value, sign * chance)
        halves = half_height(levels, sign * draws, sign * chance)
        halves = np.where(np.isnan(halves), 0.0, halves)  # nothing above chance was there to lose
        half_low, half_high = np.quantile(halves, ends, axis=0, method="inverted_cdf")
        half_low, half_high = (np.where(np.isnan(half), np.nan, end) for end in (half_low, half_high))
    return {
        "data": data,
        "layers": xr.Dataset(
            {
                "half_level": ("layer", half),
                "half_low": ("layer", half_low),
                "half_high": ("layer", half_high),
                "area": ("layer", area),
                "area_low": ("layer", between.low),
                "area_high": ("layer", between.high),
                "rms_sd": ("layer", spreads),
            },
            coords=layers,
        ),
        "differences": _differences(each, labels, seed, n_perm=n_perm, level=level),
    }


def _differences(each: np.ndarray, labels: list[str], seed: Seed, *, n_perm: int, level: float) -> xr.Dataset:
    """Areas of each layer less those of the others, over the same stimuli: (layer, layer_)."""
    count = len(labels)
    fields: dict[str, Any] = {
        name: np.full((count, count), np.nan) for name in ("value", "ci_low", "ci_high", "p_family")
    }
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    if pairs:
        family = sign_flip_p(np.stack([each[i] - each[j] for i, j in pairs]), n_perm, seed.stream("signs"))[1]
        for (i, j), p in zip(pairs, family):
            away = each[i] - each[j]
            mean = float(away.mean())
            test = t_test(mean, away.var(ddof=1) / away.size, df=away.size - 1, level=level)
            low, high = float(test.low), float(test.high)
            fields["value"][i, j], fields["value"][j, i] = mean, -mean
            fields["ci_low"][i, j], fields["ci_high"][i, j] = low, high
            fields["ci_low"][j, i], fields["ci_high"][j, i] = -high, -low
            fields["p_family"][i, j] = fields["p_family"][j, i] = p
    names = np.array(labels, dtype=object)
    return xr.Dataset(
        {name: (("layer", "layer_"), found) for name, found in fields.items()},
        coords={"layer": names, "layer_": names},
    )
