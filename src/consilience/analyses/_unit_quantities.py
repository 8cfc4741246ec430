"""What of each result stands in the table of a `UnitReport`: quantities by name, one value a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._results import Result

__all__ = ["FIELDS", "PART", "further", "of_units", "quantities", "table_of"]

FIELDS = ("value", "corrected", "ci_low", "ci_high", "null_mean", "floor", "p", "q")

# class of a result -> what its part is called; tables are told apart by what they are of
PART = {
    "Quality": "quality",
    "ReceptiveField": "receptive_field",
    "Synthesis": "preferred",
    "Encoding": "encoding",
    "UnitTable": "selectivity",
}

# name of the quantity -> names of its fields in a result with one number per unit
_FIELD_TABLES: dict[str, dict[str, dict[str, str]]] = {
    "ReceptiveField": {
        "peak": {"value": "statistic", "null_mean": "null_mean", "p": "p", "q": "q"},
        "score": {"value": "score", "ci_low": "score_low", "ci_high": "score_high"},
        "bits_per_spike": {"value": "bits_per_spike", "ci_low": "bits_low", "ci_high": "bits_high"},
        "separability": {
            "value": "separability",
            "ci_low": "separability_low",
            "ci_high": "separability_high",
        },
        "peak_lag": {"value": "peak_lag"},
    },
    "Synthesis": {
        "value": {
            "value": "value",
            "ci_low": "ci_low",
            "ci_high": "ci_high",
            "null_mean": "null_mean",
            "p": "p",
        },
        "natural_best": {"value": "natural_best"},
        "percentile": {"value": "percentile"},
        "seeds_agree": {"value": "agreement_shifted", "null_mean": "agreement_null"},
    },
    "Encoding": {
        "r": {
            "value": "r",
            "ci_low": "ci_low",
            "ci_high": "ci_high",
            "null_mean": "null_mean",
            "p": "p",
            "q": "q",
        },
        "ceiling": {"value": "ceiling", "ci_low": "ceiling_low", "ci_high": "ceiling_high"},
    },
}


def quantities(result: Result, units: list[Any]) -> dict[str, dict[str, np.ndarray]]:
    """{quantity: {field: (units,)}} of the units, in their order; NaN for units that are not in the result."""
    name = type(result).__name__
    data: xr.Dataset = result.data  # type: ignore[attr-defined]
    if name in ("Quality", "UnitTable"):
        return {
            str(measure): {
                key: _at(data[key].sel(measure=measure), "unit", units) for key in FIELDS if key in data
            }
            for measure in data["measure"].values.tolist()
        }
    dim = "target" if name == "Synthesis" else "unit"
    found = {}
    for quantity, names in _FIELD_TABLES[name].items():
        if quantity == "peak_lag" and data.sizes["lag"] == 1:
            continue
        fields = {
            key: _at(data[own], dim, units)
            for key, own in names.items()
            if own in data and data[own].dims == (dim,)
        }
        if "value" in fields and np.isfinite(fields["value"]).any():
            found[quantity] = fields
    return found


def _at(values: xr.DataArray, dim: str, units: list[Any]) -> np.ndarray:
    there = values[dim].values.tolist()
    place = {unit: i for i, unit in enumerate(there)}
    out = np.full(len(units), np.nan)
    for i, unit in enumerate(units):
        if unit in place:
            out[i] = float(values.values[place[unit]])
    return out


def of_units(result: Any, names: Mapping[Any, Any], *, who: str) -> Result:
    """A result of these units, under the names of the report: {name in the report: name in the result}."""
    kind = type(result).__name__
    if kind not in PART:
        raise InputError(f"{who}: results are of {', '.join(PART)}; got {kind}.", code="bad-parameter")
    return _targets(result, names) if kind == "Synthesis" else _picked(result, names)


def _picked(result: Any, names: Mapping[Any, Any]) -> Result:
    changed: dict[str, Any] = {}
    for field, value in vars(result).items():
        if isinstance(value, (xr.Dataset, xr.DataArray)) and "unit" in value.dims:
            there = {unit: i for i, unit in enumerate(value["unit"].values.tolist())}
            rows = [(new, there[old]) for new, old in names.items() if old in there]
            changed[field] = value.isel(unit=[i for _, i in rows]).assign_coords(
                unit=("unit", _named([new for new, _ in rows]))
            )
    return replace(result, **changed)


def _targets(result: Any, names: Mapping[Any, Any]) -> Result:
    there = {str(target): i for i, target in enumerate(result.data["target"].values.tolist())}
    rows = [(new, there[str(old)]) for new, old in names.items() if str(old) in there]
    kept = [i for _, i in rows]
    own = {result.data["target"].values[i].item() for i in kept}
    label = ("target", _named([new for new, _ in rows]))
    data = result.data.isel(target=kept).assign_coords(target=label)
    mine = np.isin(result.stimuli["target"].values, list(own))
    stimuli = result.stimuli.isel(stimulus=np.flatnonzero(mine))
    new_name = {result.data["target"].values[i].item(): new for new, i in rows}
    told = _named([new_name[one] for one in stimuli["target"].values.tolist()])
    stimuli = stimuli.assign_coords(target=("stimulus", told))
    exemplars = result.exemplars
    if exemplars is not None:
        exemplars = exemplars.isel(target=kept).assign_coords(target=label)
    return replace(result, data=data, stimuli=stimuli, exemplars=exemplars)


def _named(names: list[Any]) -> np.ndarray:
    return np.asarray(names) if names else np.zeros(0, dtype=str)


def further(
    numbers: Mapping[str, Any] | None, units: list[Any], *, who: str
) -> dict[str, dict[str, np.ndarray]]:
    """Numbers that the caller knows of the units, as rows of the table."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, one in (numbers or {}).items():
        if not isinstance(name, str) or not name:
            raise InputError(
                f"{who}: numbers= is {{name: values}}, got the name {name!r}.", code="bad-parameter"
            )
        quantity = name if "." in name else f"other.{name}"
        if isinstance(one, (xr.Dataset, xr.DataArray)):
            if "unit" not in one.coords:
                raise InputError(
                    f"{who}: numbers[{name!r}] needs the names of its units as coordinate unit.",
                    code="bad-dims",
                )
            data = one if isinstance(one, xr.Dataset) else one.to_dataset(name="value")
            fields = {key: _at(data[key], "unit", units) for key in FIELDS if key in data}
        elif isinstance(one, Mapping):
            fields = {"value": np.array([_real(one.get(unit, np.nan), name, who) for unit in units])}
        else:
            values = np.asarray(one)
            if values.shape != (len(units),) or values.dtype.kind not in "biuf":
                raise InputError(
                    f"{who}: numbers[{name!r}] must be {len(units)} numbers, one for each unit, got {values.dtype} of "
                    f"shape {values.shape}.",
                    code="bad-parameter",
                )
            fields = {"value": values.astype(np.float64)}
        if "value" not in fields or not np.isfinite(fields["value"]).any():
            raise InputError(f"{who}: numbers[{name!r}] has no value for these units.", code="units-differ")
        found[quantity] = fields
    return found


def _real(value: Any, name: str, who: str) -> float:
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value)
    raise InputError(f"{who}: numbers[{name!r}] must be numbers, got {value!r}.", code="bad-parameter")


def table_of(
    parts: Mapping[str, Result], units: list[Any], more: Mapping[str, dict[str, np.ndarray]]
) -> xr.Dataset:
    """Dataset (quantity, unit) over all parts."""
    rows: dict[str, dict[str, np.ndarray]] = {}
    for part, result in parts.items():
        for name, fields in quantities(result, units).items():
            rows[f"{part}.{name}"] = fields
    rows |= more
    nothing = np.full(len(units), np.nan)
    return xr.Dataset(
        {
            key: (
                ("quantity", "unit"),
                np.stack([fields.get(key, nothing) for fields in rows.values()])
                if rows
                else np.zeros((0, len(units))),
            )
            for key in FIELDS
        },
        coords={"quantity": list(rows), "unit": _named(units)},
    )
