"""The verb `psth`: mean responses over time, per condition, with intervals over trials."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import (
    Caution,
    ConsilienceWarning,
    InputError,
    UnknownNameError,
    collect_cautions,
    nearest,
)
from consilience._core._params import check_number, shorten
from consilience._responses import recorded_cautions
from consilience._responses._check import refuse_result
from consilience._responses._smooth import bin_width, check_with_time
from consilience._results import PSTH
from consilience.stats._trial_mean import trial_mean_interval

__all__ = ["psth"]

WHO = "cs.psth"


def psth(data: xr.DataArray, /, *, by: str | None = "stimulus", level: float = 0.95) -> PSTH:
    """Mean response over trials at each time, for each condition and unit, with its interval over trials.

    mean(c, t, u) = 1 / n(c, t) sum of x(trial, t, u) over the n trials of condition c that are known at t. Counts are
    given as rates (spikes/s: divided by the width of the bins).

    Parameters
    ----------
    data : responses (trial, time, unit), as of `Recording.epoch` with ``bin``. Trials may have unequal lengths
        (``valid`` over trial and time): each time has its own number of trials.
    by : the label of trials that makes conditions; a condition is one value of it. None: all trials are one condition.
    level : of the intervals.

    Returns
    -------
    PSTH : ``.data`` (condition, time, unit) with mean, ci_low, ci_high, and n_trials (condition, time).

    Intervals take trials as independent, and each time by itself: they are no test of a difference between conditions,
    and over many times some miss the mean. For spikes in bins (kind count, or rate as `epoch` makes it) they hold where
    few trials have a spike (see `cs.stats.trial_mean_interval`); smoothed data and values below 0 get t intervals.

    Confusion: the interval is of the mean over trials of one unit, not the spread of trials, and not over units.

    Raises
    ------
    InputError : no time, no such label, counts whose attribute ``bin`` is not the step of their times
        (``bin-differs``, as after ``coarsen``).
    ConsilienceWarning : ``too-few-trials``; ``bin-guessed``: counts without the attribute ``bin`` (s); the step of the
        times is taken.

    References
    ----------
    Gerstein & Kiang (1960); Wilson (1927) for the score interval.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).poisson(0.5, size=(20, 4, 3))
    >>> data = cs.responses(x, kind="count", stimulus=["a", "b"] * 10, repeat="count", time=[0.05, 0.15, 0.25, 0.35],
    ...                     dims=("trial", "time", "unit"), system="V1").assign_attrs(bin=0.1)
    >>> made = cs.psth(data)
    >>> made.data["mean"].sizes, made.settings["values"]
    (Frozen({'condition': 2, 'time': 4, 'unit': 3}), 'rate (spikes/s)')
    """
    refuse_result(data, who=WHO, name="data", expected="responses")
    share = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    with collect_cautions() as cautions:
        checked, known = check_with_time(data, who=WHO)
        if "trial" not in checked.dims:
            raise InputError(
                f"{WHO}: data must have dims ('trial', 'time', 'unit'), got {checked.dims}.", code="bad-dims"
            )
        labels = _labels(checked, by)
        counts, width = _counts(checked)
    x = checked.values.astype(np.float64)
    there = np.ones(x.shape[:2], dtype=bool) if known is None else known
    conditions, group = np.unique(labels, return_inverse=True)
    kind = str(checked.attrs.get("kind", "activation"))
    per_count = width if counts and kind == "rate" else 1.0
    mean, variance, n = _moments(x * per_count, there, group, len(conditions))
    score = counts and not (x < 0).any()
    low, high = trial_mean_interval(mean, variance, n[..., None], level=share, counts=score)
    scale = 1 / width if counts and width != 1 else 1.0
    if (n < 2).any():
        cautions.append(
            Caution(
                "too-few-trials",
                f"{int((n < 2).any(axis=1).sum())} of {len(conditions)} conditions have fewer than 2 trials at some "
                "time.",
                "They have no interval there; by= a label with more trials each.",
            )
        )
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    over = "all trials" if by is None else f"the trials of each {by}"
    dims = ("condition", "time", "unit")
    coords: dict[str, Any] = {"condition": conditions, "time": checked["time"].values}
    coords["unit"] = checked["unit"].values if "unit" in checked.coords else np.arange(x.shape[2])
    return PSTH(
        data=xr.Dataset(
            {
                "mean": (dims, mean * scale),
                "ci_low": (dims, low * scale),
                "ci_high": (dims, high * scale),
                "n_trials": (dims[:2], n.astype(np.int64)),
            },
            coords=coords,
        ),
        settings={
            "verb": "psth",
            "system": str(checked.attrs.get("system") or "data"),
            "by": by,
            "level": share,
            "kind": kind,
            "values": _values_in_words(kind, counts, width),
            "interval": "score and t" if score else "t",
            "time_units": str(checked.attrs.get("time_units", "s")),
            "n_trials": int(there.any(axis=1).sum()),
        },
        warnings=tuple(dict.fromkeys([*recorded_cautions(checked), *cautions])),
        references=("gerstein1960approach", "wilson1927probable") if score else ("gerstein1960approach",),
        methods=(
            f"Responses were averaged over {over} at each time, with {share:.0%} intervals over trials"
            + (
                " (the wider of the t interval and the score interval for counts with the unit's dispersion)."
                if score
                else " (t intervals)."
            ),
        ),
    )


def _labels(data: xr.DataArray, by: str | None) -> np.ndarray:
    if by is None:
        return np.full(data.sizes["trial"], "all trials")
    known = [str(name) for name, coord in data.coords.items() if coord.dims == ("trial",)]
    if not isinstance(by, str) or by not in known:
        raise UnknownNameError(
            f"{WHO}: no coordinate {shorten(by, 40)} on trial.{nearest(by, known)} by=None takes all trials as one "
            "condition.",
            code="unknown-label",
        )
    return data[by].values


def _counts(data: xr.DataArray) -> tuple[bool, float]:
    """Whether the values are spike counts once they are multiplied by a width (s), and that width.

    Counts whose bins have no known width stay counts (width 1).
    """
    kind, made = data.attrs.get("kind"), data.attrs
    if "smoothing" in made or "baseline" in made:
        return False, 1.0
    steps = np.diff(data["time"].values.astype(np.float64))
    even = steps.size > 0 and np.ptp(steps) <= 1e-6 * abs(steps[0])
    if kind == "count":
        seconds = str(made.get("time_units", "s")) == "s"
        return True, bin_width(data, who=WHO) if seconds and ("bin" in made or even) else 1.0
    if kind == "rate" and made.get("reduce") == "rate" and "bin" in made:
        width = float(made["bin"])  # averaged over bins since, or bins left out: not counts / width any more
        return (True, width) if not steps.size or abs(width - steps.min()) <= 0.01 * width else (False, 1.0)
    return False, 1.0


def _moments(
    x: np.ndarray, there: np.ndarray, group: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(condition, time, unit) mean and variance over trials (n - 1), and (condition, time) number of trials."""
    n = np.zeros((count, x.shape[1]))
    np.add.at(n, group, there.astype(np.float64))
    total = np.zeros((count, *x.shape[1:]))
    np.add.at(total, group, np.where(there[..., None], x, 0.0))
    some = np.where(n > 0, n, np.nan)[..., None]
    mean = total / some
    away = np.where(there[..., None], x - np.nan_to_num(mean)[group], 0.0)
    square = np.zeros_like(total)
    np.add.at(square, group, away * away)
    return mean, square / np.where(n > 1, n - 1, np.nan)[..., None], n


def _values_in_words(kind: str, counts: bool, width: float) -> str:
    if counts and width != 1.0:
        return "rate (spikes/s)"
    return {
        "count": "spikes per bin",
        "rate": "rate (spikes/s)",
        "dff": "dF/F",
        "voltage": "voltage (V)",
    }.get(kind, kind)
