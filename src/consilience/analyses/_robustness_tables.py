"""Tables of `Robustness`: curves of scores over levels of noise, layers, differences of layers."""

from __future__ import annotations

import numpy as np
import xarray as xr

from consilience._core._seeds import Seed
from consilience.stats._noise_curves import area_differences, noise_curves

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
    found = noise_curves(
        scores,
        levels,
        sign=sign,
        chance=chance,
        proportion=proportion,
        n_boot=n_boot,
        level=level,
        rng=seed.stream("bootstrap"),
    )
    apart = area_differences(found.each, n_perm=n_perm, level=level, rng=seed.stream("signs"))
    names = np.array(labels, dtype=object)
    curves = {"value": found.value, "ci_low": found.low, "ci_high": found.high}
    layers = {
        "half_level": found.half,
        "half_low": found.half_low,
        "half_high": found.half_high,
        "area": found.area,
        "area_low": found.area_low,
        "area_high": found.area_high,
        "rms_sd": spreads,
    }
    differences = {
        "value": apart.value,
        "ci_low": apart.low,
        "ci_high": apart.high,
        "p_family": apart.p_family,
    }
    return {
        "data": xr.Dataset(
            {name: (("layer", "level"), values) for name, values in curves.items()},
            coords={"layer": names, "level": levels},
            attrs={"above_chance": found.above},
        ),
        "layers": xr.Dataset(
            {name: ("layer", values) for name, values in layers.items()}, coords={"layer": names}
        ),
        "differences": xr.Dataset(
            {name: (("layer", "layer_"), values) for name, values in differences.items()},
            coords={"layer": names, "layer_": names},
        ),
    }
