"""What `characterize` takes as rows: trials, or stimuli where a class has several."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest, warn
from consilience._core._labels import plain_labels
from consilience._core._params import shorten
from consilience._responses import average, check_responses
from consilience._responses._check import refuse_result

__all__ = ["label_of", "period_of", "rows_of", "say_left_out", "systems_of", "turn_of_name"]

WHO = "cs.characterize"
_ANGLES = ("orientation", "direction", "heading", "angle")
_SLACK = 0.05  # of a turn, by which values may go beyond it
_SMALL = 90.0  # degrees; a smaller range than this may be radians that were counted on over turns


def systems_of(data: Any) -> dict[str, xr.DataArray]:
    refuse_result(data, who=WHO, name="data", expected="responses")
    if isinstance(data, Mapping):
        if not data:
            raise InputError(f"{WHO}: data is an empty mapping.", code="too-few")
        return {str(name): _still(one, f"data[{name!r}]") for name, one in data.items()}
    one = _still(data, "data")
    return {str(one.attrs.get("system") or "data"): one}


def _still(data: Any, name: str) -> xr.DataArray:
    """Responses (trial, unit), valid trials only."""
    data = check_responses(data, who=WHO, name=name)
    if "trial" not in data.dims:
        raise InputError(
            f"{WHO}: {name} is a series (time, unit), and trials are needed; cut them with rec.epoch(...), or pass "
            "it alone, with by= the variable that was followed.",
            code="bad-dims",
        )
    if "valid" in data.coords:
        if data["valid"].ndim > 1:
            raise InputError(
                f"{WHO}: trials of {name} have unequal lengths; cut them to one window first.",
                code="bad-dims",
            )
        data = data.isel(trial=data["valid"].values).drop_vars("valid")
    if "time" in data.dims:
        count = data.attrs.get("kind") == "count"
        data = data.sum("time", keep_attrs=True) if count else data.mean("time", keep_attrs=True)
    return data


def label_of(data: xr.DataArray, name: Any, option: str) -> np.ndarray:
    known = [str(key) for key, coord in data.coords.items() if coord.dims == ("trial",)]
    if not isinstance(name, str) or name not in known:
        raise UnknownNameError(
            f"{WHO}: {option} must be a label on trial, got {shorten(name, 40)}.{nearest(name, known)}",
            code="unknown-label",
        )
    return plain_labels(data[name].values, name=name, who=WHO)


def rows_of(data: xr.DataArray, by: str, groups: str | None, rows: str | None) -> tuple[xr.DataArray, str]:
    """Rows, and what they are: trials, or stimuli where classes have several with repeats."""
    label, ids = label_of(data, by, "by"), data["stimulus"].values
    if groups is not None:
        label_of(data, groups, "groups")
    names, number = np.unique(ids, return_inverse=True)
    first = label[np.unique(number, return_index=True)[1]]
    constant = bool((label == first[number]).all())
    many = names.size > np.unique(label).size
    if rows is None:
        rows = "stimuli" if constant and many else "trials"
    if rows == "trials":
        return data, "trials"
    if not constant:
        raise InputError(
            f"{WHO}: rows='stimuli' needs a {by} that is the same in all trials of a stimulus; use rows='trials'.",
            code="bad-parameter",
        )
    if groups is not None:
        of = label_of(data, groups, "groups")
        if (of != of[np.unique(number, return_index=True)[1]][number]).any():
            raise InputError(
                f"{WHO}: rows are stimuli, and some were shown in several {groups}s, so that their means are of "
                "none; leave groups= out, or take rows='trials'.",
                code="bad-parameter",
            )
    return (average(data) if names.size < ids.size else data), "stimuli"


def period_of(by: str, label: np.ndarray, period: float | None) -> float | None:
    """The whole turn of a label of angles; None of classes."""
    numbers, angle = label.dtype.kind in "iuf", named_as_angle(by)
    if not numbers:
        if period is not None:
            raise InputError(
                f"{WHO}: period= goes with a label of numbers, and {by} holds {shorten(label[0].item(), 40)}.",
                code="bad-label",
            )
        if angle and label.dtype.kind in "US" and _all_numbers(label):
            warn(
                "text-angles",
                f"{WHO}: {by} is named as an angle and holds text such as {shorten(label[0].item(), 40)}; its values "
                "are taken as classes.",
                f"Make numbers of it, {by}.astype(float), for orientation and direction selectivity.",
            )
        return None
    if period is None:
        if not angle or np.unique(label).size < 3:
            return None
        return 360.0 if np.abs(label).max() > 2 * np.pi + 1e-9 else 2 * np.pi
    values = label.astype(np.float64)
    span, half = float(np.ptp(values)), any(abs(period - one) < 1e-6 * one for one in (180.0, np.pi))
    if half or span > period * (1 + 1e-6):
        warn(
            "angle-units",
            f"{WHO}: period={period:.4g} is the whole turn of {by}, "
            + (
                "half of what a turn is"
                if half
                else f"whose values span {span:.4g}, {span / period:.1f} turns"
            )
            + ".",
            "period=360 for degrees, 2 * np.pi for radians; of orientations too (0 to 180, in a turn of 360).",
        )
    return period


def _all_numbers(label: np.ndarray) -> bool:
    try:
        np.unique(label).astype(np.float64)
    except ValueError:
        return False
    return True


def say_left_out(names: list[str], labels: np.ndarray, period: float, by: str) -> None:
    """Warns of indices of angles that cannot be had; directions are not missed where orientations were shown."""
    values = np.unique(np.mod(labels.astype(np.float64), period))
    if not names or (names == ["direction_selectivity"] and np.ptp(values) < period / 2 * (1 - 1e-6)):
        return
    what = "directions" if names == ["direction_selectivity"] else "angles"
    warn(
        "uneven-angles",
        f"{WHO}: {', '.join(names)} {'was' if len(names) == 1 else 'were'} left out: {by} has "
        f"{shorten(labels.tolist(), 60)}, not 3 or more {what} "
        f"evenly spaced round a turn of {period:.4g} (orientations: round half of it).",
        "period= the whole turn (360, or 2 * np.pi); 0 and half a turn are one orientation: name both 0.",
    )


def named_as_angle(name: str) -> bool:
    """heading, direction, orientation, angle; also head_direction, "stimulus orientation"."""
    return re.split(r"[^a-z]+", name.lower().strip())[-1] in _ANGLES


def turn_of_name(name: str, values: np.ndarray) -> float | None:
    """The whole turn of a series that is named as an angle, by its range; None for others, and where that is not
    clear."""
    values = values[np.isfinite(values)]
    if not named_as_angle(name) or np.unique(values).size < 4:
        return None
    span = float(np.ptp(values))
    if span <= 2 * np.pi * (1 + _SLACK):
        return 2 * np.pi
    if _SMALL <= span <= 360 * (1 + _SLACK):
        return 360.0
    warn(
        "no-period",
        f"{WHO}: {name} is named as an angle, and its range ({values.min():.4g} to {values.max():.4g}) is neither "
        "that of radians nor of degrees; it is taken as a line.",
        "Say the whole turn: period=360, or period=2 * np.pi for radians (of angles counted on over turns too).",
    )
    return None
