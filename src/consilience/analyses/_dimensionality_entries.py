"""What `dimensionality` is given: responses, drawn pseudo-trials and labels, made ready for the measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience._responses import check_responses, check_with_missing
from consilience._responses._masked import missing_values
from consilience._responses._pseudo import PseudoPopulation
from consilience.analyses._dimensionality_measures import Population
from consilience.analyses._match import flat_over_time, noiseless
from consilience.analyses._missing_labels import refuse_missing_label, say_omitted

__all__ = ["checked", "drawn", "labelled_by", "over_time_of", "population_of"]

WHO = "cs.dimensionality"


def checked(entry: Any, name: str, *, gaps: bool = False) -> xr.DataArray:
    """``gaps`` : single values may be missing, which are then NaN."""
    named = f"data[{name!r}]" if name else "data"
    if gaps and np.ndim(entry) == 2:
        data, hole = check_with_missing(entry, who=WHO, name=named)
        if hole is not None:
            return data.astype(np.float64).where(~hole)
    elif (hole := missing_values(entry)) is not None and hole.any():
        _refuse_missing(entry, named)
    data = check_responses(entry, who=WHO, name=named)
    if "valid" in data.coords and "trial" in data.dims:
        valid = data["valid"].values
        say_omitted(int((~valid).sum()), valid.size, WHO)
        data = data.isel(trial=valid).drop_vars("valid")
    return flat_over_time(data) if "trial" in data.dims else data


def _refuse_missing(entry: xr.DataArray, named: str) -> None:
    if entry.ndim == 2:
        what = (
            "single values that are missing (missing='mask_values'), of which only measures=['shared'] can be had, and "
            "without match=; else leave out the units or trials that have some, or fill them on purpose"
        )
    else:
        what = (
            "bins or single values that are missing (missing='mask_values'); take the mean over those that are there "
            "first, data.where(data.valid).mean('time', keep_attrs=True), which any measure takes. A bin that is "
            "missing moves that mean where responses change over time: leave out times that many trials lack, "
            "data.sel(time=slice(a, b))"
        )
    raise InputError(f"{WHO}: {named} has {what}.", code="masked-values")


def over_time_of(entry: Any) -> str:
    """What is taken over time: "mean", of counts "sum"; "" of what has none, and of series."""
    if isinstance(entry, PseudoPopulation):
        timed, kind = entry.times is not None, entry.kind
    else:
        timed, kind = {"trial", "time"} <= set(entry.dims), str(entry.attrs.get("kind"))
    return ("sum" if kind == "count" else "mean") if timed else ""


def drawn(entry: Any, by: str, name: str, seed: Seed) -> xr.DataArray:
    """One draw of pseudo-trials, as many of each condition as the session with the fewest has trials."""
    drawn = entry.draw(int(entry.counts.min()), seed.child(name).stream("pseudo"))
    return labelled_by(checked(drawn, name), by, name)


def labelled_by(data: xr.DataArray, by: str, name: str) -> xr.DataArray:
    """``data`` with the label ``by`` as what its stimuli are."""
    if by == "stimulus" or "trial" not in data.dims:
        return data
    if not isinstance(by, str) or by not in data.coords or data[by].dims != ("trial",):
        raise InputError(
            f"{WHO}: by must be a label on trial of {name!r}, got {shorten(by)}; it has "
            f"{', '.join(str(c) for c in data.coords if data[c].dims == ('trial',))}.",
            code="bad-by",
        )
    labels = data[by].values
    refuse_missing_label(labels, by, f"{WHO} ({name})")
    order = np.argsort(labels, kind="stable")
    counts = np.unique(labels, return_counts=True)[1]
    repeat = np.empty(labels.size, dtype=np.int64)
    repeat[order] = np.concatenate([np.arange(count) for count in counts])
    return data.assign_coords(stimulus=("trial", labels), repeat=("trial", repeat))


def population_of(name: str, data: xr.DataArray) -> Population:
    kind = str(data.attrs.get("kind", "activation"))
    x = np.asarray(data.values, dtype=np.float64)
    if "trial" not in data.dims:
        return Population(name=name, kind=kind, x=x, stimulus=None, repeats=0, noiseless=False)
    number = np.unique(data["stimulus"].values, return_inverse=True)[1]
    counts = np.bincount(number)
    quiet = noiseless(data) and not np.isnan(x).any()
    if quiet and counts.max() > 1:  # repeats of what has no noise are copies
        sums = np.zeros((counts.size, x.shape[1]))
        np.add.at(sums, number, x)
        x, number = sums / counts[:, None], np.arange(counts.size)
    return Population(name, kind, x, np.asarray(number), int(counts.min()), quiet)
