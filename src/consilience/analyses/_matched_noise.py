"""Responses of a network's units as neurons would give them: counts with their number of trials and noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from consilience import units
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience._responses import average, check_responses

__all__ = ["as_neurons"]

_KEYS = ("mean", "fano", "n_trials")


def as_neurons(
    data: xr.DataArray, matched: Any, seed: Seed, *, who: str
) -> tuple[xr.DataArray, dict[str, Any]]:
    """(counts (trial, unit) with repeats, what was matched)."""
    if isinstance(matched, xr.DataArray):
        given = _of_neurons(check_responses(matched, who=who, name="matched_noise"), who)
    elif isinstance(matched, Mapping) and "mean" in matched and set(matched) <= set(_KEYS):
        given = {"fano": 1.0, "n_trials": 1, **matched}
    else:
        raise InputError(
            f"{who}: matched_noise must be counts of neurons with repeats, or a mapping with mean, and fano and "
            f"n_trials; got {shorten(matched)}.",
            code="bad-parameter",
        )
    ids = data["stimulus"].values
    means = average(data) if np.unique(ids).size < ids.size else data
    counts, row = units.matched_noise(means.values, rng=seed, **given)  # type: ignore[arg-type]
    labels: dict[str, Any] = {
        str(name): ("trial", coord.values[row])
        for name, coord in means.coords.items()
        if coord.dims == ("trial",) and name not in ("repeat", "n_repeats")
    }
    labels |= {str(name): coord for name, coord in means.coords.items() if coord.dims == ("unit",)}
    labels["repeat"] = ("trial", np.tile(np.arange(given["n_trials"]), len(means)))
    made = xr.DataArray(counts, dims=("trial", "unit"), coords=labels, attrs={**means.attrs, "kind": "count"})
    middle = {key: float(np.median(np.asarray(given[key]))) for key in ("mean", "fano")}
    return made, {"matched_noise": {**middle, "n_trials": int(given["n_trials"])}}


def _of_neurons(data: xr.DataArray, who: str) -> dict[str, Any]:
    """Mean count and Fano factor of each neuron, and the usual number of repeats."""
    if "time" in data.dims:
        data = data.sum("time", keep_attrs=True)
    x = np.asarray(data.values, dtype=np.float64)
    if data.attrs.get("kind") != "count" or (x < 0).any():
        raise InputError(
            f"{who}: matched_noise needs counts of spikes (kind='count'), got kind={data.attrs.get('kind')!r}; or say "
            "matched_noise={'mean': ..., 'fano': ..., 'n_trials': ...}.",
            code="not-counts",
        )
    ids = data["stimulus"].values
    _, number, repeats = np.unique(ids, return_inverse=True, return_counts=True)
    if repeats.max() < 2:
        raise InputError(
            f"{who}: matched_noise needs repeats, to know the noise of a trial; every stimulus was shown once.",
            code="no-repeats",
        )
    some = repeats[number] > 1
    fires = x.mean(axis=0) > 0
    fano = units.fano_factor(x[some][:, fires], ids[some], n_perm=0).value
    fano = np.where(np.isfinite(fano) & (fano > 0), fano, 1.0)
    return {"mean": x.mean(axis=0)[fires], "fano": fano, "n_trials": int(np.median(repeats))}
