"""Baselines of `geometry`: untrained copies measured beside the systems, and what a system is beyond them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._params import shorten
from consilience.analyses._checks import baseline_sides
from consilience.populations import PopulationScore
from consilience.stats import gain_over

__all__ = ["baseline_systems", "refuse_other_sizes", "with_gain"]

_FIELDS = ("value", "ci_low", "ci_high")
_FEW = 3


def baseline_systems(baseline: Any, systems: Mapping[str, Any], *, who: str) -> dict[int, dict[str, str]]:
    """{seed: {name: the name under which it is measured}}; ``systems`` gets the copies under those names.

    A bare system for a seed is taken where there is one system.
    """
    if baseline is None:
        return {}
    names = list(systems)
    if isinstance(baseline, Mapping) and len(names) == 1:
        baseline = {
            s: {names[0]: one} if isinstance(one, xr.DataArray) else one for s, one in baseline.items()
        }
    sides = baseline_sides(baseline, dict(systems), who=who, side="data")
    out: dict[int, dict[str, str]] = {}
    assert isinstance(systems, dict)
    for seed, copies in zip(baseline, sides.values(), strict=True):
        out[int(seed)] = {}
        for name, one in copies.items():
            if not isinstance(one, xr.DataArray):
                raise InputError(
                    f"{who}: baseline {seed} of {shorten(name, 40)} must be responses, got {type(one).__name__}.",
                    code="bad-baseline",
                )
            key = f"{name} (baseline {seed})"
            systems[key] = one
            out[int(seed)][str(name)] = key
    if len(out) < _FEW:
        said = (
            "one baseline copy, whose gain holds nothing of the spread over seeds: its interval is that over this very "
            "copy, and too narrow for copies in general"
            if len(out) == 1
            else "two baseline copies, whose spread over seeds is hardly known: intervals of the gain are wide, and "
            "change from system to system"
        )
        warn("few-seeds", f"{who}: {said}.", f"Give {_FEW} copies or more, of as many seeds.")
    return out


def refuse_other_sizes(
    shown: Mapping[str, Any],
    bases: Mapping[int, Mapping[str, str]],
    labels: tuple[str, ...],
    *,
    who: str,
) -> None:
    """Measures depend on units and trials: copies must have as many of both, after what ``match`` made equal."""
    for seed, copies in bases.items():
        for name, key in copies.items():
            one, other = (_sizes(shown[k], labels) for k in (name, key))
            for of, what in (
                ("unit", "units"),
                ("trial", "trials"),
                ("fewest", "trials in the smallest condition"),
            ):
                if one.get(of) != other.get(of) and of in one and of in other:
                    raise InputError(
                        f"{who}: baseline {seed} of {shorten(name, 40)} has {other[of]} {what} and the system "
                        f"{one[of]}; values depend on that, and the gain would show it. Give copies of the same "
                        "size, or match=['units', 'trials'].",
                        code="bad-baseline",
                    )


def _sizes(data: Any, labels: tuple[str, ...]) -> dict[str, int]:
    """Units, trials, and those of the smallest condition, as far as they are there."""
    if not isinstance(data, xr.DataArray) or "trial" not in data.dims:
        return {}
    if "valid" in data.coords and data["valid"].dims == ("trial",):
        data = data.isel(trial=data["valid"].values)
    out = {str(dim): int(data.sizes[dim]) for dim in ("unit", "trial") if dim in data.dims}
    if all(label in data.coords and data[label].dims == ("trial",) for label in labels):
        cells = Counter(zip(*(data[label].values.tolist() for label in labels), strict=True))
        out["fewest"] = min(cells.values(), default=0)
    return out


def with_gain(
    tables: Mapping[str, Any],
    rows: Mapping[str, list[dict[tuple[str, str], PopulationScore]]],
    names: Mapping[str, tuple[str, ...]],
    bases: Mapping[int, Mapping[str, str]],
    *,
    level: float,
    who: str,
) -> dict[str, Any]:
    """Tables of systems and copies side by side, taken apart: ``.data`` of systems with their gain, ``.baselines``.

    rows : the scores of every draw.   names : conditions of each system.
    """
    data = tables["data"]
    own = list(next(iter(bases.values())))
    for seed, copies in bases.items():
        for name in own:
            if names[copies[name]] != names[name]:
                odd = sorted({*names[copies[name]]} ^ {*names[name]})
                raise InputError(
                    f"{who}: baseline {seed} of {shorten(name, 40)} has other conditions than the system, e.g. "
                    f"{shorten(odd[0], 40)}; show both the same stimuli.",
                    code="bad-baseline",
                )
    each = [
        data[list(_FIELDS)]
        .sel(system=[copies[name] for name in own])
        .assign_coords(system=own)
        .reset_coords(drop=True)
        for copies in bases.values()
    ]
    others = xr.concat(each, dim=xr.DataArray(list(bases), dims="seed", name="seed"))
    data = data.sel(system=own)
    found = {"baseline": others["value"].mean("seed", skipna=False).values}
    found |= {key: np.full(found["baseline"].shape, np.nan) for key in ("gain", "gain_low", "gain_high")}
    paired = np.zeros(found["baseline"].shape, dtype=bool)
    for m, measure in enumerate(data["measure"].values.tolist()):
        low, top = (float(data[end].values[m]) for end in ("low", "top"))
        for o, of in enumerate(data["of"].values.tolist()):
            for s, name in enumerate(own):
                keys = [name, *(copies[name] for copies in bases.values())]
                parts = [_contributions(rows[key], (measure, of)) for key in keys]
                known = len({part.shape for part in parts}) == 1 and parts[0].size > 0
                paired[m, o, s] = known
                got = gain_over(
                    *(data[key].values[m, o, s] for key in _FIELDS),
                    *(others[key].values[:, m, o, s] for key in _FIELDS),
                    each=parts[0] if known else None,
                    others_each=np.stack(parts[1:]) if known else None,
                    limits=(low if low == low else -np.inf, top if top == top else np.inf),
                    level=level,
                )
                for key, value in zip(("gain", "gain_low", "gain_high"), got, strict=True):
                    found[key][m, o, s] = value
    return {
        "data": data.assign(
            {key: (data["value"].dims, value) for key, value in {**found, "gain_paired": paired}.items()}
        ),
        "counts": tables["counts"].sel(system=own),
        "baselines": others,
    }


def _contributions(draws: list[dict[tuple[str, str], PopulationScore]], key: tuple[str, str]) -> np.ndarray:
    """(C,) of each condition, mean over draws; empty without."""
    found = [one[key].each for one in draws if key in one]
    return np.mean(found, axis=0) if found and len({one.shape for one in found}) == 1 else np.empty(0)
