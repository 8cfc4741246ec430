"""What the plots of a Comparison read from it: arrays by name, NaN where a field was not asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_option

if TYPE_CHECKING:
    import xarray as xr

    from consilience._results import Best, Comparison

__all__ = ["check_is", "field", "level", "names", "pick_measure", "pick_names"]


def check_is(result: object, kind: str, who: str) -> None:
    """`InputError` unless ``result`` is of the class named ``kind``."""
    if type(result).__name__ != kind:
        raise InputError(
            f"{who}: the first argument must be a {kind}, got {type(result).__name__}.", code="bad-parameter"
        )


def names(data: xr.Dataset | xr.DataArray, dim: str) -> list[Any]:
    """The labels along ``dim``, in the order of the data."""
    return list(data[dim].values.tolist())


def pick_measure(data: xr.Dataset, measure: str | None, who: str) -> str:
    """``measure`` if the result has it; by default its first one."""
    known = [str(name) for name in names(data, "measure")]
    if measure is None:
        return known[0]
    return str(check_option(measure, known, name="measure", who=who))


def pick_names(data: xr.Dataset | xr.DataArray, dim: str, wanted: object, who: str) -> list[Any]:
    """The labels asked for (one, several, or None = all), each checked."""
    known = names(data, dim)
    if wanted is None:
        return known
    asked = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
    for entry in asked:
        if entry not in known:
            check_option(entry, [str(name) for name in known], name=dim, who=who)
    return asked


def field(data: xr.Dataset | None, name: str, **where: Any) -> np.ndarray:
    """``data[name]`` at ``where`` as float array; NaN of that shape where the field is missing.

    Shape: the remaining dims, in the order of the data.
    """
    if data is None:
        return np.array(np.nan)
    chosen = data.sel(where)
    if name not in chosen:
        base = chosen["value"] if "value" in chosen else next(iter(chosen.data_vars.values()))
        return np.full(base.shape, np.nan)
    return np.asarray(chosen[name].values, dtype=np.float64)


def level(result: Comparison | Best) -> float:
    """The intervals' level, 0.95 unless the settings say otherwise."""
    for key in ("level", "confidence", "confidence_level"):
        value = result.settings.get(key)
        if isinstance(value, (int, float)) and 0 < value < 1:
            return float(value)
    return 0.95
