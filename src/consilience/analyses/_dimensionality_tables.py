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
_SUBSETS = 10
_MOST = 2000  # components that are kept

Draws = list[dict[str, Population]]  # of each draw: {system: population}
Rows = list[dict[str, dict[str, Row]]]  # of each draw: {system: {method: row}}


def tables(rows: Rows, draws: Draws, seed: Seed, options: dict[str, Any]) -> dict[str, xr.Dataset]:
    """{field of the result: its Dataset}, each number the median over draws."""
    names = list(draws[0])
    methods = list(dict.fromkeys(method for found in rows[0].values() for method in found))
    notes = np.full((len(names), len(methods)), "", dtype=object)
    values = {key: np.full((len(names), len(methods)), np.nan) for key in _FIELDS}
    resampled = {}
    for i, name in enumerate(names):
        for j, method in enumerate(methods):
            if method not in rows[0][name]:
                continue
            resampled[method] = rows[0][name][method].resampled
            found = [draw[name][method] for draw in rows if method in draw[name]]
            for key in _FIELDS:
                values[key][i, j] = _middle(np.array([one.fields.get(key, np.nan) for one in found]))
            if np.isnan(values["value"][i, j]):
                notes[i, j] = next((one.note for one in found if one.note), "")
    data = xr.Dataset(
        {
            **{key: (("system", "measure"), value) for key, value in values.items()},
            "note": (("system", "measure"), notes.astype(str)),
        },
        coords={
            "system": names,
            "measure": methods,
            "resampled": ("measure", [resampled.get(method, "") for method in methods]),
        },
    )
    return {
        "data": data,
        "spectrum": _medians([_spectrum(found, systems) for found, systems in zip(rows, draws)]),
        "saturation": _saturation(rows, draws, seed, options),
        "extrapolated": _medians([_extrapolated(found, names) for found in rows]),
        "counts": _counts(draws[0]),
    }


def _medians(each: list[xr.Dataset]) -> xr.Dataset:
    """Of the numbers of all draws; of words, those of the first."""
    if len(each) == 1:
        return each[0]
    each = list(xr.align(*each, join="outer"))  # draws may differ in the number of components
    out = each[0].copy()
    for key in out.data_vars:
        if out[key].dtype.kind == "f":
            stack = np.stack([one[key].values for one in each])
            out[key] = (out[key].dims, np.apply_along_axis(_middle, 0, stack))
    return out


def _middle(drawn: np.ndarray) -> float:
    """Median that may be inf; of what is not NaN."""
    ordered = np.sort(drawn[~np.isnan(drawn)])
    if not ordered.size:
        return float("nan")
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


def _saturation(rows: Rows, draws: Draws, seed: Seed, options: dict[str, Any]) -> xr.Dataset:
    """Medians over draws, each of its own subsets; the band is that of single subsets of all draws together."""
    each = [
        _saturation_of(
            found, systems, seed.child(f"draw{k}") if k else seed, options, -(-_SUBSETS // len(draws))
        )
        for k, (found, systems) in enumerate(zip(rows, draws))
    ]
    out = _medians(each)
    if len(each) > 1:
        ends = {"low": (1 - options["level"]) / 2, "high": (1 + options["level"]) / 2}
        for key, end in ends.items():
            stack = np.stack([one[key].values for one in each])
            with np.errstate(invalid="ignore"):
                out[key] = (out[key].dims, np.quantile(stack, end, axis=0, method="nearest"))
    return out


def _saturation_of(
    found: dict[str, dict[str, Row]],
    systems: dict[str, Population],
    seed: Seed,
    options: dict[str, Any],
    subsets: int,
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
                n_draws=subsets,
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
