"""`characterize` of series (time, unit): tuning to a variable that was followed in time, such as heading or place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience import units
from consilience._core._errors import InputError, UnknownNameError, collect_cautions, nearest, warn
from consilience._core._params import check_number, check_option, shorten
from consilience._core._seeds import Seed
from consilience._recording._angles import full_turn
from consilience._responses._smooth import bin_width
from consilience.analyses._characterize_rows import turn_of_name
from consilience.units import UnitScores

__all__ = ["OF_SERIES", "SERIES_REFERENCES", "series_table"]

WHO = "cs.characterize"
OF_SERIES = ("direction_score", "spatial_information", "information_rate", "copula_information")
SERIES_REFERENCES = {
    "direction_score": ("batschelet1981circular",),
    "spatial_information": ("skaggs1993information",),
    "information_rate": ("skaggs1993information",),
    "copula_information": ("ince2017statistical",),
}
_FEW = 0.5  # of the times must be known
_RARE = 0.2  # of all steps: an angle that is followed in time goes through its ends more seldom
_END = 0.15  # of the range, within which of its ends a jump starts and lands
_MOSTLY = 0.9  # of the long steps
_SLACK = 0.05  # of a turn
_LEVELS = 20  # different values; of fewer (left or right, on or off) no angle


def series_table(
    data: xr.DataArray,
    by: Any,
    *,
    measures: Any,
    period: float | Sequence[float | None] | None,
    bins: int | Sequence[int] | None,
    seed: Seed,
    options: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parts of a `UnitTable`, and what its settings say."""
    if not isinstance(data, xr.DataArray) or data.dims != ("time", "unit"):
        raise InputError(f"{WHO}: responses (time, unit) are expected.", code="bad-dims")
    values = np.asarray(data.values, dtype=np.float64)
    variable, name, unit = variable_of(data, by)
    turn = _turn(period, unit, variable, name)
    spikes = data.attrs.get("kind") == "count" or data.attrs.get("reduce") == "rate"
    width = bin_width(data, who=WHO)
    counts = values * width if data.attrs.get("reduce") == "rate" else values
    known = np.isfinite(variable).all(axis=1)
    wanted = _wanted(measures, spikes, turn)
    names = np.asarray(data["unit"].values) if "unit" in data.coords else np.arange(values.shape[1])
    how = {"n_shift": options["n_perm"], "level": options["level"]}
    where: dict[str, Any] = {"width": width, "bins": bins, "period": turn if len(turn) > 1 else turn[0]}
    flat = variable[:, 0] if variable.shape[1] == 1 else variable
    table: dict[str, Callable[[], UnitScores]] = {
        "direction_score": lambda: units.direction_score(
            counts,
            flat,
            width=width,
            period=float(turn[0] or 0),
            bins=_one(bins, 36),
            **how,
            rng=seed.child("direction_score"),  # type: ignore[arg-type]
        ),
        "spatial_information": lambda: units.spatial_information(
            counts,
            flat,
            **where,
            **how,
            rng=seed.child("information"),  # type: ignore[arg-type]
        ),
        "information_rate": lambda: units.spatial_information(
            counts,
            flat,
            **where,
            **how,
            per="second",
            rng=seed.child("information"),  # type: ignore[arg-type]
        ),
        "copula_information": lambda: units.copula_information(
            values[known],
            flat[known],
            period=turn[0],
            series=True,
            n_perm=options["n_perm"],
            level=options["level"],
            rng=seed.child("copula"),  # type: ignore[arg-type]
        ),
    }
    made: dict[str, UnitScores] = {}
    said: set[str] = set()
    for one in wanted:
        with collect_cautions() as heard:
            made[one] = table[one]()
        for caution in heard:
            if caution.code not in said:
                warn(caution.code, caution.message, caution.remedy)
        said |= {caution.code for caution in heard}
    curves, best = _curves(counts, values, flat, known, spikes, where, names, options["level"])
    nothing = np.full(names.size, np.nan)
    fields = {
        "value": [made[one].counted["plain"] for one in wanted],
        "corrected": [made[one].value for one in wanted],
        "ci_low": [made[one].ci_low for one in wanted],
        "ci_high": [made[one].ci_high for one in wanted],
        "null_mean": [made[one].counted.get("plain_null", made[one].null_mean) for one in wanted],
        "floor": [nothing for _ in wanted],
        "p": [made[one].p for one in wanted],
        "stability": [nothing for _ in wanted],
    }
    preferred = [made[one].counted.get("preferred", best) for one in wanted]
    coords = {"measure": wanted, "unit": names}
    mean = counts[known].mean(axis=0) / width if spikes else values[known].mean(axis=0)
    about = {
        "by": name,
        "rows": "bins of time",
        "n_rows": int(known.sum()),
        "kind": str(data.attrs.get("kind", "rate")),
        "period": list(turn) if len(turn) > 1 else turn[0],
        "width": width,
        "variable_unit": unit,
    }
    return {
        "data": xr.Dataset(
            {key: (("measure", "unit"), np.stack(value)) for key, value in fields.items()}, coords=coords
        ),
        "preferred": xr.DataArray(
            np.stack([np.asarray(one, dtype=np.float64) for one in preferred])
            if variable.shape[1] == 1
            else np.stack([np.asarray(one).astype(str) for one in preferred]),
            dims=("measure", "unit"),
            coords=coords,
            name="preferred",
        ),
        "curves": curves,
        "units": xr.Dataset({"mean": ("unit", mean), "fano": ("unit", nothing)}, coords={"unit": names}),
    }, about


def variable_of(data: xr.DataArray, by: Any) -> tuple[np.ndarray, str, str]:
    """(times, dimensions) of the variable, NaN where it is not known; its name; its unit."""
    n = data.sizes["time"]
    if isinstance(by, str):
        if by not in data.coords or data.coords[by].dims != ("time",):
            there = [str(key) for key, coord in data.coords.items() if coord.dims == ("time",)]
            raise UnknownNameError(
                f"{WHO}: no label {by!r} on time; pass the variable itself, by=rec.bin(width, of='{by}')"
                f"{', or one of ' + ', '.join(there) if there else ''}.{nearest(by, there)}",
                code="unknown-label",
            )
        one = data.coords[by]
        return _numbers(one.values, n, by), by, str(one.attrs.get("unit", ""))
    if isinstance(by, (list, tuple)) and by and all(isinstance(one, xr.DataArray) for one in by):
        parts = [variable_of(data, one) for one in by]
        return (
            np.concatenate([values for values, _, _ in parts], axis=1),
            ", ".join(name for _, name, _ in parts),
            parts[0][2],
        )
    if isinstance(by, xr.DataArray):
        name = _name_of(by)
        values = _numbers(by.values, by.shape[0] if by.ndim else 0, name)
        unit = str(by.attrs.get("unit", ""))
        if "time" not in by.coords or "time" not in data.coords:
            if len(values) != n:
                raise _other_length(len(values), n)
            return values, name, unit
        return _matched(data, by, values, name), name, unit
    if isinstance(by, (np.ndarray, list, tuple)):
        values = _numbers(np.asarray(by), n, "the variable")
        if len(values) != n:
            raise _other_length(len(values), n)
        return values, "variable", ""
    raise InputError(
        f"{WHO}: by must be the variable that was followed: a series (time,) as rec.bin(width, of=...) gives, an array "
        f"or a label on time; got {shorten(by)}.",
        code="bad-parameter",
    )


def _other_length(got: int, n: int) -> InputError:
    return InputError(
        f"{WHO}: the variable has {got} samples and the responses {n}; bin both alike, "
        "rec.bin(width, within=...) and rec.bin(width, of=..., within=...).",
        code="rows-differ",
    )


def _numbers(values: Any, n: int, name: str) -> np.ndarray:
    out = np.asarray(values)
    if out.dtype.kind not in "iuf" or out.ndim not in (1, 2):
        raise InputError(
            f"{WHO}: {name} must be numbers (time,) or (time, dimensions), got {out.dtype} of shape {out.shape}; for "
            "classes cut trials, rec.epoch(...).",
            code="bad-dims",
        )
    return out.astype(np.float64).reshape(len(out), -1)


def _matched(data: xr.DataArray, by: xr.DataArray, values: np.ndarray, name: str) -> np.ndarray:
    """The variable at the times of the responses; NaN where it has none."""
    mine = np.asarray(data["time"].values, dtype=np.float64)
    other = np.asarray(by["time"].values, dtype=np.float64)
    step = float(np.median(np.diff(mine))) if mine.size > 1 else 1.0
    order = np.argsort(other, kind="stable")
    at = np.clip(np.searchsorted(other[order], mine - step / 4), 0, other.size - 1)
    near = order[at]
    hit = np.abs(other[near] - mine) < step / 4
    if hit.mean() < _FEW:
        raise InputError(
            f"{WHO}: {name} is known at {int(hit.sum())} of {mine.size} times of the responses "
            f"({mine[0]:g} to {mine[-1]:g} s, steps of {step:g}); bin both alike, rec.bin(width, within=...) and "
            "rec.bin(width, of=..., within=...).",
            code="rows-differ",
        )
    out = np.full((mine.size, values.shape[1]), np.nan)
    out[hit] = values[near[hit]]
    return out


def _name_of(by: xr.DataArray) -> str:
    """Its own name, or those of its signals; else the system's; numbers of columns are no names."""
    signals = [str(one) for one in np.atleast_1d(by["unit"].values)] if "unit" in by.coords else []
    named = signals and not any(one.lstrip("-").isdigit() for one in signals)
    return str(by.name or (named and ", ".join(signals)) or by.attrs.get("system") or "variable")


def _turn(period: Any, unit: str, variable: np.ndarray, name: str) -> tuple[float | None, ...]:
    """The whole turn of each dimension: as given, of the unit, or of a variable named as an angle."""
    dims = variable.shape[1]
    if period is None:
        one = full_turn(unit)
        if one is None and dims == 1:
            one = turn_of_name(name, variable[:, 0])
        if one is None:
            for column in variable.T:
                _say_jumps(column, name)
        return (one,) * dims
    each = list(period) if isinstance(period, (list, tuple)) else [period] * dims
    if len(each) != dims:
        raise InputError(
            f"{WHO}: period must be one number, or one (or None) for each of {dims} dimensions, got "
            f"{shorten(period)}.",
            code="bad-parameter",
        )
    return tuple(None if one is None else check_number(one, name="period", who=WHO, low=0.0) for one in each)


def _say_jumps(values: np.ndarray, name: str) -> None:
    """Warns where values without period go from one end of their range to the other, as an angle does."""
    both = np.isfinite(values[1:]) & np.isfinite(values[:-1])
    if not both.any():
        return
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    span, step = high - low, np.diff(values)[both]
    far = np.abs(step) > span / 2
    few = np.unique(values[np.isfinite(values)]).size < _LEVELS
    if span <= 0 or few or far.sum() < 2 or far.mean() > _RARE:
        return
    ends = np.abs(step[far]) > (1 - 2 * _END) * span
    ways = [int((step[far][ends] > 0).sum()), int((step[far][ends] < 0).sum())]
    turn = any(abs(span - one) < _SLACK * one for one in (360.0, 2 * np.pi))
    if ends.mean() >= _MOSTLY and (min(ways) >= 2 or (turn and sum(ways) >= 2)):
        warn(
            "no-period",
            f"{WHO}: {name} goes {sum(ways)} times from one end of its range ({low:.4g} to {high:.4g}) to the other in "
            "one step, as an angle does, and is taken as a line.",
            "Of an angle say the whole turn: period=360, or period=2 * np.pi for radians; period= the length of a "
            "track that closes on itself.",
        )


def _one(bins: Any, default: int) -> Any:
    return default if bins is None else bins


def _wanted(measures: Any, spikes: bool, turn: tuple[float | None, ...]) -> list[str]:
    angle = len(turn) == 1 and turn[0] is not None
    can = ["spatial_information", "information_rate"] if spikes else []
    can = ["direction_score", *can] if spikes and angle else can
    can = can if spikes else ["copula_information"]
    if measures is None:
        return can
    asked = [measures] if isinstance(measures, str) else list(measures)
    if not asked:
        raise InputError(f"{WHO}: measures is empty; None takes all.", code="bad-parameter")
    for one in asked:
        check_option(one, OF_SERIES, name="measures", who=WHO)
        if one in can or one == "copula_information":
            continue
        need = (
            "an angle (period=)" if one == "direction_score" and spikes else "counts of spikes (kind='count')"
        )
        raise InputError(
            f"{WHO}: {one} needs {need}; these data give {', '.join(can)}.", code="bad-parameter"
        )
    return list(dict.fromkeys(asked))


def _curves(
    counts: np.ndarray,
    values: np.ndarray,
    variable: np.ndarray,
    known: np.ndarray,
    spikes: bool,
    where: dict[str, Any],
    names: np.ndarray,
    level: float,
) -> tuple[xr.Dataset, np.ndarray]:
    """Curves over the bins of the variable that were visited, and where each unit is highest."""
    smooth = 0.0 if variable.ndim == 1 else 1.5
    with collect_cautions():  # said by the measures already
        maps: Any = (
            units.rate_map(counts, variable, **where, smooth=smooth, level=level)
            if spikes
            else units.mean_map(values, variable, **where, level=level)
        )
    seen = np.flatnonzero(maps.occupancy.ravel() > 0)
    grids = np.meshgrid(*maps.centres, indexing="ij")
    centres = np.stack([grid.ravel()[seen] for grid in grids], axis=1)
    both = ("condition", "unit")
    mean, low, high = (
        one.reshape(names.size, -1)[:, seen].T
        for one in (maps.rate if spikes else maps.mean, maps.low, maps.high)
    )
    peak = mean.argmax(axis=0)
    one = centres.shape[1] == 1
    labels = centres[:, 0] if one else np.array([", ".join(f"{v:.4g}" for v in row) for row in centres])
    coords: dict[str, Any] = {"condition": labels, "unit": names}
    if not one:
        for k, axis in enumerate(centres.T):
            coords[f"dimension{k}"] = ("condition", axis)
    curves = xr.Dataset(
        {
            "mean": (both, mean),
            "ci_low": (both, low),
            "ci_high": (both, high),
            "seconds": ("condition", maps.occupancy.ravel()[seen]),
            "n_rows": (
                "condition",
                np.round(maps.occupancy.ravel()[seen] / float(where["width"])).astype(np.int64),
            ),
        },
        coords=coords,
    )
    return curves, labels[peak]
