"""Attribution maps and their tests as labelled tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._seeds import Seed
from consilience.networks._attribution import Attributor, Maps
from consilience.stats import p_value
from consilience.stats._attribution_scores import mean_with_interval

__all__ = ["tables"]

NOTES = ("completeness_error", "steps", "monte_carlo_error", "monte_carlo_halves")
_PICTURED = 64  # stimuli whose pictures are kept
_LARGEST = 1 << 24  # bytes of them


def tables(
    made: Attributor,
    maps: dict[str, Maps],
    ends: tuple[np.ndarray, np.ndarray],
    rows: np.ndarray,
    found: dict[str, Any],
    n_perm: int,
    level: float,
    seed: Seed,
) -> tuple[xr.DataArray, xr.Dataset, xr.DataArray | None]:
    """Maps, table of tests, and pictures of the stimuli."""
    net, data = made.net, made.data
    names = ["class"] if made.classes is not None else [unit.name for unit in made.units]
    coords: dict[str, Any] = {"map": list(maps), "target": names, "stimulus": data["stimulus"].values}
    if made.classes is not None:
        coords["class"] = ("stimulus", made.classes)
    in_place = made.in_place()
    where = "stimulus" if in_place else "module input" if made.layer is None else f"layer {made.layer}"
    values = np.stack([one.values for one in maps.values()])
    all_maps = xr.DataArray(
        values.astype(np.float32),
        dims=("map", "target", "stimulus", *made.place_names),
        coords=coords,
        name="attribution",
        attrs={"where": where, "system": net.name},
    )
    at = ("map", "target", "stimulus")
    out = xr.Dataset(coords=coords)
    out["value"] = ("target", "stimulus"), ends[0]
    out["value_baseline"] = ("target", "stimulus"), ends[1]
    out["dead"] = at, ~np.any(values.reshape(*values.shape[:3], -1) != 0, axis=3)
    for name in NOTES:
        if any(name in one.notes for one in maps.values()):
            blank = np.full(ends[0].shape, np.nan)
            out[name] = at, np.stack([one.notes.get(name, blank) for one in maps.values()])
    if "faithfulness" in found:
        size = np.abs(ends[0] - ends[1]).mean(axis=1)
        _faithful(out, found["faithfulness"], rows, size, n_perm, level, seed)
        out["checked"] = "stimulus", np.isin(np.arange(len(data)), rows)
        out["baseline_agreement"] = ("map", "target"), found["baseline"]
    if found.get("randomisation"):
        _sensitive(out, found["randomisation"], level)
    return all_maps, out, _pictures(made, in_place)


def _faithful(
    out: xr.Dataset,
    found: dict[str, np.ndarray],
    rows: np.ndarray,
    size: np.ndarray,
    n_perm: int,
    level: float,
    seed: Seed,
) -> None:
    safe = np.where(size > 0, size, np.nan)[:, None]
    levels = found["deletion"].shape[-1]
    out.coords["share"] = np.arange(1, levels + 1) / (levels + 1)
    start, end = (out[name].values[:, rows] for name in ("value", "value_baseline"))
    flips = seed.stream("flips").integers(0, 2, (n_perm, len(rows))) * 2.0 - 1.0
    random = found["random_area"].mean(axis=2) if found["random_area"].shape[2] else start * np.nan
    for name, sign in (("deletion", -1.0), ("insertion", 1.0)):
        scaled = (found[name] - end[..., None]) / safe[..., None]
        out[f"{name}_curve"] = ("map", "target", "share"), scaled.mean(axis=2)
        out[f"{name}_area"] = ("map", "target"), (found[f"{name}_area"] / safe).mean(axis=2)
        gain = sign * (found[f"{name}_area"] - random) / safe
        mean, low, high = mean_with_interval(gain, level)
        p = np.full(mean.shape, np.nan)
        if n_perm:
            whole = np.nan_to_num(gain).reshape(-1, len(rows))
            null = (flips @ whole.T).reshape(n_perm, *mean.shape)
            p = np.where(np.isfinite(mean), p_value(whole.sum(axis=1).reshape(mean.shape), null), np.nan)
        for part, numbers in (("gain", mean), ("gain_low", low), ("gain_high", high), ("gain_p", p)):
            out[f"{name}_{part}"] = ("map", "target"), numbers
    if found["random"].shape[2]:
        scaled = (found["random"] - end[..., None, None]) / safe[..., None, None]
        out["random_curve"] = ("target", "share"), scaled.mean(axis=(1, 2))
        out["random_area"] = ("target",), (random / safe).mean(axis=1)


def _sensitive(out: xr.Dataset, found: dict[str, np.ndarray], level: float) -> None:
    dims = ("map", "target", "layers_shuffled")
    out.coords["layers_shuffled"] = found["layers"]
    out.attrs["n_layers"] = int(found["total"])
    mean, low, high = mean_with_interval(found["same"], level)
    for name, numbers in (("agreement", mean), ("agreement_low", low), ("agreement_high", high)):
        out[name] = dims, numbers
    out["unrelated"] = dims, mean_with_interval(found["unrelated"], level)[0]
    out["agreement_absolute"] = dims, mean_with_interval(found["absolute"], level)[0]


def _pictures(made: Attributor, in_place: bool) -> xr.DataArray | None:
    """The stimuli, for the figure: as they are where maps are in their places, else what the module gets."""
    data = made.data
    if made.layer is not None:
        return None
    first = data[:1] if in_place else made.inputs(np.arange(1))
    keep = min(len(data), _PICTURED, max(1, _LARGEST // max(1, first.nbytes)))
    if in_place:
        shown = data[:keep].copy(deep=True)
        return shown.drop_vars([name for name in shown.coords if name != "stimulus"])
    return xr.DataArray(
        made.inputs(np.arange(keep)),
        dims=("stimulus", *(f"dim_{i}" for i in range(1, len(made.shape) + 1))),
        coords={"stimulus": data["stimulus"].values[:keep]},
        attrs={"kind": "array"},
    )
