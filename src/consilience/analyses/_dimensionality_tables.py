"""Tables of `dimensionality`: values, spectra, saturation and extrapolation of all systems."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience import populations
from consilience._core._seeds import Seed
from consilience.analyses._dimensionality_measures import Population, Row

__all__ = ["tables"]

_FIELDS = ("value", "ci_low", "ci_high", "null_mean", "null_low", "null_high", "p")
_FACTORS = (1.0, 10.0, 100.0, float("inf"))
_STEPS = 6
_MOST = 2000  # components that are kept

Rows = list[dict[str, dict[str, Row]]]  # of each draw: {system: {method: row}}


def tables(
    rows: Rows, systems: dict[str, Population], seed: Seed, options: dict[str, Any]
) -> dict[str, xr.Dataset]:
    """{field of the result: its Dataset}."""
    names = list(systems)
    methods = list(dict.fromkeys(method for found in rows[0].values() for method in found))
    values = {key: np.full((len(names), len(methods)), np.nan) for key in _FIELDS}
    resampled = {}
    for i, name in enumerate(names):
        for j, method in enumerate(methods):
            if method not in rows[0][name]:
                continue
            resampled[method] = rows[0][name][method].resampled
            for key in _FIELDS:
                drawn = np.array([draw[name][method].fields.get(key, np.nan) for draw in rows])
                known = drawn[~np.isnan(drawn)]
                if known.size:
                    values[key][i, j] = _middle(known)
    data = xr.Dataset(
        {key: (("system", "measure"), value) for key, value in values.items()},
        coords={
            "system": names,
            "measure": methods,
            "resampled": ("measure", [resampled.get(method, "") for method in methods]),
        },
    )
    return {
        "data": data,
        "spectrum": _spectrum(rows[0], systems),
        "saturation": _saturation(rows[0], systems, seed, options),
        "extrapolated": _extrapolated(rows[0], names),
        "counts": _counts(systems),
    }


def _middle(drawn: np.ndarray) -> float:
    """Median that may be inf, not NaN."""
    ordered = np.sort(drawn)
    low, high = ordered[(ordered.size - 1) // 2], ordered[ordered.size // 2]
    return float(high if np.isinf(high) else (low + high) / 2)


def _counts(systems: dict[str, Population]) -> xr.Dataset:
    def column(of: Any) -> tuple[str, np.ndarray]:
        return "system", np.array([of(one) for one in systems.values()], dtype=np.int64)

    return xr.Dataset(
        {
            "n_units": column(lambda one: one.x.shape[1]),
            "n_trials": column(lambda one: 0 if one.stimulus is None else len(one.x)),
            "n_stimuli": column(lambda one: 0 if one.stimulus is None else int(one.stimulus.max()) + 1),
            "n_samples": column(lambda one: len(one.x) if one.stimulus is None else 0),
            "repeats": column(lambda one: one.repeats),
        },
        coords={"system": list(systems)},
    )


def _spectrum(found: dict[str, dict[str, Row]], systems: dict[str, Population]) -> xr.Dataset:
    names = list(systems)
    one = {}
    for name in names:
        for method in ("cvpca", "svca"):
            if method in found[name]:
                one[name] = (method, found[name][method].found)
    size = max([1, *(min(_MOST, _length(*entry)) for entry in one.values())])
    wide = {key: np.full((len(names), size), np.nan) for key in ("variance", "ci_low", "ci_high", "plain")}
    fitted = ("exponent", "exponent_low", "exponent_high", "exponent_raw", "factor", "fit_from", "fit_to")
    flat = {key: np.full(len(names), np.nan) for key in fitted}
    kinds = []
    for i, name in enumerate(names):
        if name not in one:
            kinds.append("")
            continue
        method, made = one[name]
        shown = min(size, _length(method, made))
        if method == "svca":
            total = float(np.abs(made.shared).sum()) or 1.0
            wide["variance"][i, :shown] = made.shared[:shown] / total
            wide["plain"][i, :shown] = made.total[:shown] / total
            kinds.append("SVCA")
            continue
        total = float(made.variance.sum()) if made.variance.sum() > 0 else 1.0
        for key in wide:
            wide[key][i, :shown] = getattr(made, key)[:shown] / total
        for key in fitted[:4]:
            flat[key][i] = getattr(made, key)
        flat["factor"][i] = made.factor - np.log(total)
        flat["fit_from"][i], flat["fit_to"][i] = made.fitted
        kinds.append("PCA" if systems[name].noiseless else "cvPCA")
    return xr.Dataset(
        {
            **{key: (("system", "component"), value) for key, value in wide.items()},
            **{key: ("system", value) for key, value in flat.items()},
            "kind": ("system", np.array(kinds, dtype=str)),
        },
        coords={"system": names, "component": np.arange(1, size + 1)},
    )


def _length(method: str, made: Any) -> int:
    return int((made.shared if method == "svca" else made.variance).size)


def _saturation(
    found: dict[str, dict[str, Row]], systems: dict[str, Population], seed: Seed, options: dict[str, Any]
) -> xr.Dataset:
    along = ("units", "stimuli")
    keys = ("n", "value", "low", "high", "plain")
    wide = {key: np.full((len(systems), len(along), _STEPS), np.nan) for key in keys}
    for i, (name, one) in enumerate(systems.items()):
        if "participation_ratio" not in found[name]:
            continue
        for j, which in enumerate(along):
            made = populations.saturation(
                one.x,
                one.labels,
                along=which,  # type: ignore[arg-type]
                n_steps=_STEPS,
                level=options["level"],
                rng=int(seed.child(f"saturation {name}").stream(which).integers(0, 2**63)),
            )
            for key in keys:
                values = getattr(made, key)
                wide[key][i, j, : values.size] = values
    return xr.Dataset(
        {key: (("system", "along", "step"), value) for key, value in wide.items()},
        coords={"system": list(systems), "along": list(along), "step": np.arange(_STEPS)},
    )


def _extrapolated(found: dict[str, dict[str, Row]], names: list[str]) -> xr.Dataset:
    keys = ("n_units", "value", "ci_low", "ci_high")
    wide = {key: np.full((len(names), len(_FACTORS)), np.nan) for key in keys}
    for i, name in enumerate(names):
        if "participation_ratio" not in found[name]:
            continue
        one = found[name]["participation_ratio"].found
        for j, factor in enumerate(_FACTORS):
            if np.isinf(factor):
                made = (factor, one.value, one.ci_low, one.ci_high)
            else:
                units = int(one.n_units * factor)
                made = (float(units), *populations.with_more_units(one, units))
            for key, value in zip(keys, made):
                wide[key][i, j] = value
    return xr.Dataset(
        {key: (("system", "factor"), value) for key, value in wide.items()},
        coords={"system": names, "factor": list(_FACTORS)},
    )
