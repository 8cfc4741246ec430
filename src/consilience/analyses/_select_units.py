"""The verb `select_units`: units chosen by their quality on some trials, given back with the other trials."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import (
    Caution,
    ConsilienceWarning,
    InputError,
    UnknownNameError,
    cautions_to_json,
    collect_cautions,
    nearest,
    warn,
)
from consilience._core._params import shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._recording import Recording
from consilience._responses import check_responses, recorded_cautions
from consilience._responses._check import WARNINGS
from consilience._results._quality import within
from consilience.analyses._quality import quality
from consilience.analyses._quality_measures import OF_TRIALS

__all__ = ["CHOSEN", "select_units"]

WHO = "cs.select_units"
CHOSEN = "units_chosen"  # attribute that says by what and on which trials


def select_units(
    data: xr.DataArray | Recording,
    /,
    *,
    by: Mapping[str, float | tuple[float | None, float | None]],
    choose_on: Any = "half",
    groups: str | None = None,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> Any:
    """Units of good quality, chosen on some trials; the other trials of these units are given back.

    Units that were chosen because they looked reliable, tuned or quiet on some trials look so on the same trials again
    by chance (regression to the mean, "double dipping"); on other trials they do not.

    Parameters
    ----------
    data : responses (trial[, time], unit) with repeats; or a `cs.Recording`, chosen by measures of its spike times,
        which know nothing of stimuli: it comes back whole, with fewer units.
    by : {measure: least} or {measure: (low, high)}, as in `Quality.select`; measures as in `cs.quality`.
    choose_on : "half": a random half of the repeats of each stimulus (2 of 3), the others come back. {label: values}:
        the trials with these labels ({"session": "monday"}), the others come back. "same": all trials, which all come
        back, with a warning that stays with them.   groups : label on trial, as in `cs.quality`.   rng : seed of the
        halves.

    Returns
    -------
    DataArray (or Recording) : attribute ``units_chosen`` (JSON): limits, measures, the trials that chose (row numbers),
        how many units of how many, seed.

    Raises
    ------
    InputError : no unit is left (``no-units-left``), a stimulus with too few trials (``no-repeats``), trials that are
        all on one side.
    ConsilienceWarning : ``chosen-on-same-trials``.

    References
    ----------
    Kriegeskorte, Simmons, Bellgowan & Baker (2009).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> ids = np.repeat(np.arange(30), 8)
    >>> x = rng.normal(size=(30, 3))[ids] * [2, 1, 0] + rng.normal(size=(240, 3))
    >>> v1 = cs.responses(x, stimulus=ids, repeat="count", unit=["a", "b", "c"], kind="rate", system="V1")
    >>> good = cs.select_units(v1, by={"reliability": 0.4}, rng=0)
    >>> good["unit"].values.tolist(), good.sizes["trial"]
    (['a', 'b'], 120)
    """
    seed = resolve_seed(rng, who=WHO)
    if not isinstance(by, Mapping) or not by:
        raise InputError(
            f"{WHO}: by must say limits, such as {{'reliability': 0.3}}, got {shorten(by)}.",
            code="bad-parameter",
        )
    options = {"measures": list(by), "n_perm": 0, "groups": groups, "rng": seed.child("quality")}
    if isinstance(data, Recording):
        return _of_recording(data, by, options)
    data = check_responses(data, who=WHO, name="data")
    chosen_on, text = _rows(data, choose_on, seed)
    with collect_cautions() as heard:
        part = data if chosen_on.all() else data.isel(trial=chosen_on)
        table = quality(part, **options).data  # type: ignore[arg-type]
    keep = _kept(table, by)
    same = chosen_on.all()
    back = data.isel(unit=keep) if same else data.isel(trial=~chosen_on, unit=keep)
    if "repeat" in back.coords and not same:
        back = back.assign_coords(repeat=("trial", _numbered(back["stimulus"].values)))
    record = {
        "by": {
            name: list(limit) if isinstance(limit, (tuple, list)) else limit for name, limit in by.items()
        },
        "choose_on": text,
        "trials": np.flatnonzero(chosen_on).tolist(),
        "units": [int(keep.sum()), int(keep.size)],
        "seed": str(seed),
    }
    back = back.assign_attrs({**data.attrs, CHOSEN: json.dumps(record)})
    cautions = [caution for caution in heard if caution.code not in ("silent-units", "no-agreement")]
    if same:
        cautions.append(
            Caution(
                "chosen-on-same-trials",
                f"{WHO}: {int(keep.sum())} of {keep.size} units were chosen on the trials that come back.",
                f"What is like {', '.join(by)} comes out too high on them; choose_on='half' chooses on other trials.",
            )
        )
        back.attrs[WARNINGS] = cautions_to_json([*recorded_cautions(data), cautions[-1]])
    for caution in cautions:
        warn(caution.code, caution.message, caution.remedy)
    return back


def _of_recording(data: Recording, by: Mapping[str, Any], options: dict[str, Any]) -> Recording:
    wrong = [name for name in by if name in OF_TRIALS]
    if wrong:
        raise InputError(
            f"{WHO}: {wrong[0]} needs trials; cut them first, cs.select_units(rec.epoch(...), by=...).",
            code="bad-parameter",
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ConsilienceWarning, message=r"\[silent-units\]")
        table = quality(data, **options).data
    return data.select(_kept(table, by))


def _kept(table: xr.Dataset, by: Mapping[str, Any]) -> np.ndarray:
    keep = within(table, dict(by), who=WHO)
    if not keep.any():
        best = "; ".join(
            f"{name} is {np.nanmin(v):.3g} to {np.nanmax(v):.3g}"
            if np.isfinite(v).any()
            else f"{name} has no value"
            for name in by
            for v in [table["value"].sel(measure=name).values]
        )
        raise InputError(f"{WHO}: no unit of {keep.size} is within the limits; {best}.", code="no-units-left")
    return keep


def _rows(data: xr.DataArray, choose_on: Any, seed: Seed) -> tuple[np.ndarray, str]:
    """Bool (trial,), which trials choose, and that in words."""
    n = data.sizes.get("trial", 0)
    if "trial" not in data.dims:
        raise InputError(f"{WHO}: data must have trials, got dims {tuple(data.dims)}.", code="bad-dims")
    if isinstance(choose_on, str) and choose_on == "same":
        return np.ones(n, dtype=bool), "same"
    if isinstance(choose_on, str) and choose_on == "half":
        ids = data["stimulus"].values
        names, number, counts = np.unique(ids, return_inverse=True, return_counts=True)
        if counts.min() < 3:
            raise InputError(
                f"{WHO}: needs >= 3 repeats of every stimulus, 2 to choose on and one to give back; "
                f"{int((counts < 3).sum())} of {counts.size} stimuli have fewer, e.g. "
                f"{shorten(names[counts.argmin()].item(), 40)}. Name trials to choose on by a label, "
                "choose_on={'session': ...}.",
                code="no-repeats",
            )
        order = np.lexsort((seed.stream("halves").random(n), number))
        rank = np.empty(n, dtype=np.int64)
        rank[order] = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
        return rank < np.maximum(2, counts // 2)[number], "half"
    if isinstance(choose_on, Mapping) and len(choose_on) == 1:
        ((label, values),) = choose_on.items()
        known = [str(name) for name, coord in data.coords.items() if coord.dims == ("trial",)]
        if label not in known:
            raise UnknownNameError(
                f"{WHO}: no coordinate {label!r} on trial.{nearest(label, known)}", code="unknown-label"
            )
        listed = list(values) if isinstance(values, (list, tuple, set, np.ndarray)) else [values]
        rows = np.isin(data[label].values, listed)
        if rows.all() or not rows.any():
            raise InputError(
                f"{WHO}: choose_on={shorten(choose_on)} takes {int(rows.sum())} of {n} trials; some must "
                "choose and some come back.",
                code="bad-parameter",
            )
        return rows, f"{label} in {shorten(listed)}"
    raise InputError(
        f"{WHO}: choose_on must be 'half', 'same' or {{label: values}}, got {shorten(choose_on)}.",
        code="bad-parameter",
    )


def _numbered(ids: np.ndarray) -> np.ndarray:
    """Which repeat of its stimulus each trial is, from 0."""
    _, number, counts = np.unique(ids, return_inverse=True, return_counts=True)
    order = np.argsort(number, kind="stable")
    out = np.empty(ids.size, dtype=np.int64)
    out[order] = np.arange(ids.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return out
