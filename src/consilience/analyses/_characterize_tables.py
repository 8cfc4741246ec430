"""What `characterize` makes of its systems: tables side by side, q over all units, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, warn
from consilience._core._params import shorten
from consilience.stats import fdr

__all__ = ["joined", "methods", "of_which", "say_few"]

WHO = "cs.characterize"
_USUAL = 1000  # relabellings
_ALPHA = 0.05


def of_which(caution: Caution, names: list[str], n: int) -> Caution:
    """The caution with the systems that it is about, unless it is about all of them."""
    if len(names) == n:
        return caution
    listed = ", ".join(shorten(name, 30) for name in names[:3]) + (", ..." if len(names) > 3 else "")
    return replace(
        caution, message=f"{caution.message.rstrip('.')} (of {len(names)} of {n} systems: {listed})."
    )


def joined(found: list[tuple[str, dict[str, Any]]], *, several: bool) -> dict[str, Any]:
    """Tables of systems side by side, with q over all units; NaN where a system has no such measure."""
    if several:
        there = {name for _, made in found for name in made["data"]["measure"].values.tolist()}
        order = max((made["data"]["measure"].values.tolist() for _, made in found), key=len)
        every = [*order, *sorted(there - set(order))]
        parts: dict[str, list[Any]] = {}
        for name, made in found:
            told = [f"{name}/{unit}" for unit in made["data"]["unit"].values.tolist()]
            for key, one in made.items():
                if "measure" in one.dims:
                    text = isinstance(one, xr.DataArray) and one.dtype.kind not in "fc"
                    one = one.reindex(measure=every, fill_value="" if text else np.nan)
                system = np.full(len(told), name, dtype=object).astype(str)
                kept = one.assign_coords(unit=("unit", told), system=("unit", system))
                parts.setdefault(key, []).append(kept)
        options: dict[str, Any] = {"dim": "unit", "join": "exact", "combine_attrs": "drop"}
        table = {
            key: xr.concat(ones, **options, data_vars="minimal", coords="minimal", compat="equals")
            if isinstance(ones[0], xr.Dataset)
            else xr.concat(ones, **options)
            for key, ones in parts.items()
        }
    else:
        table = dict(found[0][1])
    p = table["data"]["p"].values
    q = np.stack([fdr(row) if np.isfinite(row).any() else row for row in p])
    table["data"] = table["data"].assign(q=(("measure", "unit"), q))
    return table


def say_few(data: xr.Dataset, n_perm: int) -> None:
    """Warns where no unit is told from chance, some of them beyond all relabellings: more of these may tell them."""
    if not n_perm or n_perm >= _USUAL:
        return
    least = (1 + 1e-9) / (n_perm + 1)
    for p, q in zip(data["p"].values, data["q"].values):
        at_end, known = int((p <= least).sum()), int(np.isfinite(p).sum())
        if known * least > _ALPHA and at_end > 2 * known * least and not (q <= _ALPHA).any():
            warn(
                "few-draws",
                f"{WHO}: with n_perm={n_perm} q <= {_ALPHA:g} needs {int(np.ceil(known * least / _ALPHA))} of "
                f"{known} units beyond all draws, not {at_end}.",
                f"n_perm={_USUAL}, or more.",
            )
            return


def methods(by: str, about: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[str, ...]:
    said = (
        f"Tuning of units to {by} was characterized from {about['n_rows']} {about['rows']}"
        + (" (means over repeats)" if about["rows"] == "stimuli" else "")
        + ". Indices were corrected for their bias by choosing what is preferred on one half and scoring it on the "
        f"other ({options['n_splits']} splits), or by taking the variance of means off squares."
    )
    if options["n_perm"]:
        said += f" p-values are from {options['n_perm']} relabellings"
        said += ", with the false discovery rate over units." if options["n_perm"] else "."
    if options["n_floor"]:
        said += (
            " Untuned units with the mean, spread and number of trials of each unit were drawn for the floor."
        )
    if about.get("matched_noise"):
        said += (
            " Units were first given trials and noise of neurons: counts with the neurons' mean, Fano factor and "
            f"{about['matched_noise']['n_trials']} trials of each stimulus."
        )
    return (said,)
