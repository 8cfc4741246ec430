"""`ReceptiveField.fit`: the maps of a result as Gabor functions, differences of Gaussians or Gaussians."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import stats as distributions

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_option, shorten
from consilience._core._seeds import resolve_seed
from consilience.stats import p_value
from consilience.units._fit_difference_of_gaussians import dog_fits, dog_parameters
from consilience.units._fit_gabor import gabor_fits, gabor_parameters
from consilience.units._fit_gaussian import gaussian_fits, gaussian_parameters
from consilience.units._map_fits import as_maps

if TYPE_CHECKING:
    import pandas as pd

    from consilience._results import ReceptiveField

__all__ = ["fit_field"]

_WHO = "ReceptiveField.fit"
_SHAPES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "gabor": (gabor_parameters, gabor_fits),
    "dog": (dog_parameters, dog_fits),
    "gaussian": (gaussian_parameters, gaussian_fits),
}
_TURNS = {"orientation": np.pi, "phase": 2 * np.pi}  # parameters on a circle, and its length


def fit_field(
    field: ReceptiveField, shape: str, *, unit: Any, channel: Any, n_null: int, rng: Any
) -> pd.DataFrame:
    """See `ReceptiveField.fit`."""
    import pandas as pd

    parameters, named = _SHAPES[check_option(shape, _SHAPES, name="shape", who=_WHO)]
    n_null = check_count(n_null, name="n_null", who=_WHO)
    generator = resolve_seed(rng, who=_WHO).stream("noise maps")
    data = field.data
    spatial, filters, picked = _of_channel(field, channel)
    places_of = tuple(str(dim) for dim in spatial.dims if dim != "unit")
    up, right = places_of if set(places_of) != {"x", "y"} else ("y", "x")
    chosen = data["unit"].values if unit is None else np.atleast_1d(np.asarray(unit))
    places = {str(name): i for i, name in enumerate(data["unit"].values.tolist())}
    rows = np.array(
        [places[check_option(str(name), places, name="unit", who=_WHO)] for name in chosen.tolist()],
        dtype=int,
    )
    maps = spatial.transpose("unit", up, right).values[rows]
    known = np.isfinite(maps).all(axis=(1, 2))
    maps = np.where(known[:, None, None], maps, 0.0)  # a map of 0 has no fit
    values, grid, _ = as_maps(maps, data[right].values, data[up].values, who=_WHO)
    params, share = parameters(values, grid)
    found = asdict(named(params, share, grid, single=False))
    found.pop("fitted")
    # the same map of each fit without one stretch: its filter seen through the course of all
    course = data["temporal"].values[rows]
    weight = np.where(known[:, None], course / (course**2).sum(axis=1, keepdims=True), 0.0)
    each = filters.transpose("fold", "unit", "lag", up, right).values[:, rows]
    folds = np.nan_to_num(np.einsum("kulyx,ul->kuyx", each, weight))
    k, units = folds.shape[:2]
    start = np.nan_to_num(params)
    parts = []
    for one in folds.reshape(k, units, -1):
        part, own = parameters(one, grid, start=start[:, None])
        parts.append(asdict(named(part, own, grid, single=False)))
    t = distributions.t.ppf((1 + float(field.settings["level"])) / 2, k - 1)
    columns: dict[str, np.ndarray] = {}
    for name, value in found.items():
        away = _jackknife(np.stack([part[name] for part in parts]), _TURNS.get(name)) * t
        columns |= {name: value, f"{name}_low": value - away, f"{name}_high": value + away}
    columns["fve_high"] = np.minimum(columns["fve_high"], 1.0)
    columns["p"] = np.full(units, np.nan)
    if n_null:
        noise = _noise(folds, n_null, generator)  # (units, n_null, y, x)
        null = parameters(noise.reshape(units * n_null, -1), grid)[1].reshape(units, n_null).T
        columns["p"] = p_value(share, np.nan_to_num(null))
    which = {} if picked is None else {"channel": picked[rows]}
    return pd.DataFrame({"unit": data["unit"].values[rows], **which, **columns})


def _of_channel(field: ReceptiveField, channel: Any) -> tuple[xr.DataArray, xr.DataArray, np.ndarray | None]:
    """Maps and filters over two dims of space; of three, in one channel of each unit, and which it is."""
    spatial, filters, space = field.data["spatial"], field.folds, field.space
    if len(space) == 2:
        if channel is not None:
            raise InputError(
                f"{_WHO}: channel={shorten(channel)} is for stimuli with channels; this one has ({', '.join(space)}).",
                code="bad-parameter",
            )
        return spatial, filters, None
    colour = [dim for dim in space if dim == "channel"] or [dim for dim in space if dim not in ("x", "y")]
    if len(space) != 3 or len(colour) != 1:
        raise InputError(
            f"{_WHO}: the stimulus must have two dims of space, (y, x), and at most a channel beside them, got "
            f"({', '.join(space)}); fit maps of your own with cs.units.fit_gabor(map).",
            code="not-2d",
        )
    (dim,) = colour
    names = spatial[dim].values if dim in spatial.coords else np.arange(spatial.sizes[dim])
    if channel is None:
        power = (spatial**2).sum([one for one in space if one != dim])
        at = power.transpose("unit", dim).values.argmax(axis=1)
    else:
        known = {str(name): i for i, name in enumerate(names.tolist())}
        at = np.full(
            spatial.sizes["unit"], known[check_option(str(channel), known, name="channel", who=_WHO)]
        )
    index: Any = {
        "unit": xr.DataArray(np.arange(at.size), dims="unit"),
        dim: xr.DataArray(at, dims="unit"),
    }
    return spatial.isel(index), filters.isel(index), names[at]


def _jackknife(values: np.ndarray, turn: float | None) -> np.ndarray:
    """Standard errors from values (k, units) without each stretch; of angles about their mean direction."""
    k = len(values)
    if turn is not None:
        angle = np.exp(2j * np.pi * values / turn)
        away = np.angle(angle * np.exp(-1j * np.angle(angle.mean(axis=0)))) * turn / (2 * np.pi)
    else:
        away = values - values.mean(axis=0)
    return np.sqrt((k - 1) / k * (away**2).sum(axis=0))


def _noise(folds: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(units, count, y, x) maps with the noise of the estimate and no signal: contrasts of pseudo-values.

    A pseudo-value is all - (k - 1) (without a stretch - all), and their mean has the variance over them / k; a unit
    contrast of them, which sums to 0, over sqrt(k) has it too.
    """
    k = len(folds)
    away = (k - 1) * (folds.mean(axis=0) - folds)
    weights = rng.normal(size=(count, k))
    weights -= weights.mean(axis=1, keepdims=True)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True) * np.sqrt(k)
    return np.einsum("mk,kuyx->umyx", weights, away)
