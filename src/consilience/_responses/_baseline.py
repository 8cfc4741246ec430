"""Responses against their baseline, by a stated rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError, UnknownNameError, cautions_to_json, nearest, warn
from consilience._core._params import check_option, check_span, shorten
from consilience._responses._check import WARNINGS, recorded_cautions
from consilience._responses._ids import examples
from consilience._responses._smooth import check_with_time

__all__ = ["baseline"]

_EDGE = 1e-9


def baseline(
    data: xr.DataArray,
    /,
    *,
    window: Sequence[float] | None = None,
    rule: Literal["subtract", "zscore", "percent", "db"] = "subtract",
    per: Literal["trial", "condition", "unit"] = "trial",
    by: str = "stimulus",
    missing: Literal["raise", "omit"] = "raise",
) -> xr.DataArray:
    """Responses relative to their baseline: with m and s the mean and standard deviation of x within ``window``,

    subtract : x - m.   zscore : (x - m) / s.   percent : 100 (x - m) / m.   db : 10 log10(x / m).

    Parameters
    ----------
    data : responses (trial, time, unit), or (time, unit) with ``per="unit"``
    window : (from, to) in the time of the data (s): times t with from <= t < to; must be given.
    rule : see above. percent and db need a mean above 0, db values above 0 too, zscore an s above 0.
    per : over what m and s are taken, for each unit by itself. "trial": the times within the window of that trial (s of
        a few bins is rough, and 0 where a trial is silent). "condition": those and all trials of equal ``by``. "unit":
        those and all trials. s divides by n - 1. Samples that are not ``valid`` count nowhere.
    by : the label of trials that "condition" means.
    missing : where the rule divides by 0 (or takes a logarithm of what is not above 0): "raise", or "omit" the units in
        which that happens.

    Returns
    -------
    DataArray like ``data``. Counts, and what is divided, have kind activation.

    Confusion: with ``per="condition"`` the baseline is made of the labels. Do not decode or test these labels at times
    after it: noise of the baseline, shared by all trials of a condition, tells conditions apart. With "trial" the noise
    of each trial's baseline is in all of its times; with "unit" neither happens.

    Raises
    ------
    InputError : no time within the window, division by 0.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.array([[[2.0], [4.0], [9.0]], [[1.0], [1.0], [3.0]]])
    >>> data = cs.responses(x, stimulus=["a", "b"], time=[-0.2, -0.1, 0.1], dims=("trial", "time", "unit"), kind="rate")
    >>> cs.baseline(data, window=(-0.2, 0)).values[:, :, 0]
    array([[-1.,  1.,  6.],
           [ 0.,  0.,  2.]])
    >>> cs.baseline(data, window=(-0.2, 0), rule="percent", per="unit").values[:, 2, 0]
    array([350.,  50.])
    """
    who = "cs.baseline"
    check_option(rule, ("subtract", "zscore", "percent", "db"), name="rule", who=who)
    check_option(per, ("trial", "condition", "unit"), name="per", who=who)
    check_option(missing, ("raise", "omit"), name="missing", who=who)
    checked, known = check_with_time(data, who=who)
    if not isinstance(by, str) or (by != "stimulus" and by not in checked.coords):
        raise UnknownNameError(
            f"{who}: by={shorten(by, 40)} is no label on trial.{nearest(by, checked.coords)}",
            code="unknown-label",
        )
    if "trial" not in checked.dims and per != "unit":
        raise InputError(f"{who}: data of {checked.dims} have no trials; per='unit'.", code="bad-dims")
    x = checked.values.astype(np.float64)
    x = x if "trial" in checked.dims else x[None]
    there = np.ones(x.shape[:2], dtype=bool) if known is None else known
    low, high = check_span(window, "the time of the data", who=who)
    inside = _inside(checked["time"].values.astype(np.float64), low, high, who)
    groups = _groups(checked, per, by, who)
    mean, spread, count = _moments(x, there, inside, groups)
    if (count < (2 if rule == "zscore" else 1)).any():
        raise InputError(
            f"{who}: {int((count < 1).sum()) or 'some'} of {count.size} baselines have too few known samples within "
            f"{inside.sum()} times of the window; a longer window, or per='unit'.",
            code="too-few",
        )
    m, s = mean[groups][:, None], spread[groups][:, None]
    bad = _undefined(x, there, m, s, rule)
    cautions = list(recorded_cautions(checked))
    if bad.any():
        checked, x, m, s = _without(checked, x, m, s, bad, rule, missing, who, cautions)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = {
            "subtract": lambda: x - m,
            "zscore": lambda: (x - m) / s,
            "percent": lambda: 100 * (x - m) / m,
            "db": lambda: 10 * np.log10(x / m),
        }[rule]()
    out = np.where(there[..., None], out, np.nan)
    out = out if "trial" in checked.dims else out[0]
    kind = str(checked.attrs.get("kind", "activation"))
    made = checked.copy(data=out.astype(checked.dtype if checked.dtype.kind == "f" else np.float64))
    made.attrs |= {
        "kind": kind if rule == "subtract" and kind != "count" else "activation",
        "baseline": f"{rule} {low:g} to {high:g} per {per if per != 'condition' else by}",
    }
    if cautions:
        made.attrs[WARNINGS] = cautions_to_json(cautions)
    return made


def _inside(time: np.ndarray, low: float, high: float, who: str) -> np.ndarray:
    inside: np.ndarray = np.asarray((time >= low - _EDGE) & (time < high - _EDGE))
    if not inside.any():
        raise InputError(
            f"{who}: no time lies from {low:g} to {high:g}; the data go from {time[0]:g} to {time[-1]:g}.",
            code="bad-window",
        )
    return inside


def _groups(data: xr.DataArray, per: str, by: str, who: str) -> np.ndarray:
    """(trial,) number of the baseline that each trial has."""
    trials = data.sizes.get("trial", 1)
    if per == "trial":
        return np.arange(trials)
    if per == "unit":
        return np.zeros(trials, dtype=np.int64)
    known = [str(name) for name, coord in data.coords.items() if coord.dims == ("trial",)]
    if by not in known:
        raise UnknownNameError(
            f"{who}: no coordinate {shorten(by, 40)} on trial.{nearest(by, known)}", code="unknown-label"
        )
    return np.unique(data[by].values, return_inverse=True)[1]


def _moments(
    x: np.ndarray, there: np.ndarray, inside: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(groups, unit) mean and standard deviation of what is known within the window, and how many times that is."""
    used, known = x[:, inside], there[:, inside]
    n, units = int(groups.max()) + 1, x.shape[2]
    count = np.bincount(groups, weights=known.sum(axis=1), minlength=n)
    filled = np.where(known[..., None], used, 0.0)
    total = np.zeros((n, units))
    np.add.at(total, groups, filled.sum(axis=1))
    mean = total / np.maximum(count, 1)[:, None]
    away = np.where(known[..., None], used - mean[groups][:, None], 0.0)
    square = np.zeros((n, units))
    np.add.at(square, groups, (away * away).sum(axis=1))
    return mean, np.sqrt(square / np.maximum(count - 1, 1)[:, None]), count


def _undefined(x: np.ndarray, there: np.ndarray, m: np.ndarray, s: np.ndarray, rule: str) -> Any:
    """(unit,) where the rule divides by 0, or takes a logarithm of what is not above 0, in a trial that is known."""
    some = np.asarray(there.any(axis=1))[:, None, None]
    if rule == "zscore":
        return ((s <= 1e-12 * np.maximum(np.abs(m), 1e-300)) & some).any(axis=(0, 1))
    if rule == "percent":
        return ((m <= 0) & some).any(axis=(0, 1))
    if rule == "db":
        return ((m <= 0) & some).any(axis=(0, 1)) | ((x <= 0) & there[..., None]).any(axis=(0, 1))
    return np.zeros(x.shape[2], dtype=bool)


def _without(
    data: xr.DataArray,
    x: np.ndarray,
    m: np.ndarray,
    s: np.ndarray,
    bad: np.ndarray,
    rule: str,
    missing: str,
    who: str,
    cautions: list[Caution],
) -> tuple[xr.DataArray, np.ndarray, np.ndarray, np.ndarray]:
    why = {
        "zscore": "a baseline whose standard deviation is 0",
        "percent": "a baseline whose mean is not above 0",
        "db": "values or a baseline not above 0",
    }[rule]
    names = (
        examples(data["unit"].values[bad].tolist()) if "unit" in data.coords else str(np.flatnonzero(bad)[:3])
    )
    said = f"{int(bad.sum())} of {bad.size} units have {why} ({names})"
    if missing == "raise" or bad.all():
        more = "" if bad.all() else ", missing='omit' to leave these units out"
        raise InputError(
            f"{who}: {said}, so {rule} would divide by 0; rule='subtract', per='unit', a longer window{more}.",
            code="baseline-undefined",
        )
    caution = Caution(
        "units-left-out", f"{said}; they were left out.", "rule='subtract', or per='unit', keeps them."
    )
    warn(caution.code, caution.message, caution.remedy, stacklevel=4)
    cautions.append(caution)
    keep = ~bad
    return data.isel(unit=np.flatnonzero(keep)), x[..., keep], m[..., keep], s[..., keep]
