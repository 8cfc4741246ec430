"""Responses over time as the rows (conditions or trials) that `structure` looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._responses import check_with_missing
from consilience._responses._check import refuse_result
from consilience._responses._masked import missing_values
from consilience._responses._smooth import check_with_time
from consilience.analyses._missing_labels import refuse_missing_label, say_omitted

__all__ = ["Repeats", "Rows", "rows_of"]

_ONE = (
    ", or, of one long trial, cut it into several with rec.epoch(...), as a single course fits almost any law; that of "
    "a series is a model's, cs.reduce(series, cs.models.LDS(...))"
)
# trials (trials, time, units), number of the condition (trials,) of each
Repeats = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """x : (rows, time, units).   trials, known : (trials, time, units) and which samples are, (trials, time), or which
    values, (trials, time, units).
    condition : (trials,) number of the condition of each.   rows : "conditions" or "trials".   bin_width : s, or 1.
    time_units : "s" or "step".
    """

    x: np.ndarray
    trials: np.ndarray
    known: np.ndarray
    condition: np.ndarray
    rows: str
    names: np.ndarray
    time: np.ndarray
    bin_width: float
    time_units: str

    def about(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "n_rows": len(self.x),
            "n_trials": len(self.trials),
            "n_times": self.x.shape[1],
            "n_units": self.x.shape[2],
            "bin": self.bin_width,
            "time_units": self.time_units,
        }

    def unit_of(self, statistic: str) -> str:
        second = "s" if self.time_units == "s" else "step"
        return {"rotation_rate": f"rad/{second}", "tangling": f"1/{second}^2", "curvature": "degrees"}.get(
            statistic, ""
        )

    @property
    def repeats(self) -> Repeats | None:
        """The trials that have all times, where rows are conditions and each has two or more of them; else None."""
        return self._repeats(np.ones(len(self.condition), dtype=bool)) if self.rows == "conditions" else None

    @property
    def whole(self) -> np.ndarray:
        """(conditions,) how many trials have all times and values."""
        whole = self.known.reshape(len(self.known), -1).all(axis=1)
        return np.bincount(self.condition[whole], minlength=len(self.names))

    def _repeats(self, keep: np.ndarray) -> Repeats | None:
        whole = keep & self.known.reshape(len(self.known), -1).all(axis=1)
        _, counts = np.unique(self.condition[whole], return_counts=True)
        if counts.size < np.unique(self.condition[keep]).size or counts.min() < 2:
            return None
        return self.trials[whole], self.condition[whole]

    def without(
        self, over: str, most: int, rng: np.random.Generator, who: str
    ) -> Iterator[tuple[np.ndarray, Repeats | None]]:
        """The rows, and their repeats, without each of at most ``most`` groups of conditions or trials."""
        if over == "conditions" or self.rows == "trials":
            if over == "conditions" and self.rows == "trials":
                owner, count = self.condition, len(self.names)
            else:
                owner, count = np.arange(len(self.x)), len(self.x)
            deal = rng.permutation(count) if count > most else np.arange(count)
            group = (deal * min(most, count) // max(count, 1))[owner]
            for k in range(int(group.max()) + 1):
                rows = self.rows == "conditions"
                yield self.x[group != k], self._repeats((group != k)[self.condition]) if rows else None
            return
        counts = np.bincount(self.condition)
        if counts.min() < 2:
            raise InputError(
                f"{who}: an interval over trials needs >= 2 trials of every condition; {int((counts < 2).sum())} of "
                f"{counts.size} have fewer. Use interval='conditions'.",
                code="no-repeats",
            )
        groups = int(min(10, counts.min()))
        part = np.empty(len(self.condition), dtype=np.int64)
        for k in range(counts.size):
            own = np.flatnonzero(self.condition == k)
            part[own] = rng.permutation(np.arange(own.size) * groups // own.size)
        for k in range(groups):
            keep = part != k
            means = _means(self.trials[keep], self.known[keep], self.condition[keep], counts.size)
            if means is not None:  # else only those trials had some time of a condition
                yield means, self._repeats(keep)


def rows_of(data: Any, *, by: str | None, rows: str, who: str) -> Rows:
    """Checks and gathers the rows."""
    refuse_result(data, who=who, name="data", expected="responses")
    hole = missing_values(data)
    known: np.ndarray | None
    if hole is not None and data["valid"].dims == data.dims:  # single values
        checked, hole = check_with_missing(data, who=who, name="data")
        known = None if hole is None else ~hole
    else:
        checked, known = check_with_time(data, who=who)
    if "trial" not in checked.dims:
        raise InputError(
            f"{who}: data must have dims ('trial', 'time', 'unit'), got {checked.dims}; cut trials with "
            "rec.epoch(...).",
            code="bad-dims",
        )
    if "time" not in checked.dims:
        raise InputError(
            f"{who}: data must have a time axis, got dims {checked.dims}; epoch(..., bin=...) makes one.",
            code="bad-dims",
        )
    labels = _labels(checked, by, who)
    x = checked.values.astype(np.float64)
    there = np.ones(x.shape[:2], dtype=bool) if known is None else np.array(known)
    some = there.any(axis=tuple(range(1, there.ndim)))
    lost = np.setdiff1d(labels, labels[some]).size if by is not None else 0
    lost_too = f", and {lost} of {np.unique(labels).size} conditions with them" if lost else ""
    say_omitted(int((~some).sum()), some.size, who, lost_too)
    x, there, labels = x[some], there[some], labels[some]
    names, condition = np.unique(labels, return_inverse=True)
    if rows == "conditions":
        means = _means(x, there, condition, names.size)
        if means is None:
            raise _short(
                who, f"some conditions have no {'trial' if there.ndim == 2 else 'value of some units'}"
            )
        values = means
    else:
        if not there.all():
            raise _short(
                who,
                f"{int((~there.reshape(len(there), -1).all(axis=1)).sum())} of {len(there)} trials have no value",
            )
        values = x
    if len(values) < 2 or values.shape[1] < 3:
        raise InputError(
            f"{who}: needs at least 2 {rows} and 3 times, got {len(values)} and {values.shape[1]}"
            f"{'; by= a label with more values' if len(values) < 2 else ''}"
            f"{_ONE if len(x) == 1 else ''}.",
            code="too-few",
        )
    spread, size = np.abs(values - values[0]).max(), np.abs(values).max()
    if spread <= 1e-12 * size:
        raise InputError(
            f"{who}: nothing varies across {rows}: all {len(values)} are the same but for rounding, so what is left of "
            "them less their mean is no structure; check how they were made, or what by= takes as conditions.",
            code="no-structure",
        )
    width, unit = _step(checked, who)
    return Rows(
        x=values,
        trials=x,
        known=there,
        condition=condition,
        rows=rows,
        names=names,
        time=checked["time"].values,
        bin_width=width,
        time_units=unit,
    )


def _short(who: str, what: str) -> InputError:
    return InputError(
        f"{who}: {what} at some times, and surrogates need all; cut the data to the times that all have, "
        "data.sel(time=slice(from, to)), or leave the short trials out.",
        code="ragged",
    )


def _labels(data: xr.DataArray, by: str | None, who: str) -> np.ndarray:
    if by is None:
        return np.arange(data.sizes["trial"])
    known = [str(name) for name, coord in data.coords.items() if coord.dims == ("trial",)]
    if not isinstance(by, str) or by not in known:
        raise UnknownNameError(
            f"{who}: no coordinate {shorten(by, 40)} on trial.{nearest(by, known)} by=None takes every trial as a "
            "condition.",
            code="unknown-label",
        )
    values = np.asarray(data[by].values)
    refuse_missing_label(values, by, who)
    return values


def _means(x: np.ndarray, known: np.ndarray, condition: np.ndarray, count: int) -> np.ndarray | None:
    """(count, time, units) mean of the known samples of each condition; None where one has none at some time."""
    known = known if known.ndim == x.ndim else known[..., None]
    n = np.zeros((count, *known.shape[1:]))
    np.add.at(n, condition, known.astype(np.float64))
    if not n.all():
        return None
    total = np.zeros((count, *x.shape[1:]))
    np.add.at(total, condition, np.where(known, x, 0.0))
    return total / n


def _step(data: xr.DataArray, who: str) -> tuple[float, str]:
    """The step of the times, which must be even, and its unit."""
    unit = "s" if str(data.attrs.get("time_units", "s")) == "s" and "time" in data.coords else "step"
    time = np.arange(data.sizes["time"]) if "time" not in data.coords else data["time"].values
    steps = np.diff(np.asarray(time, dtype=np.float64))
    if not (steps > 0).all() or np.ptp(steps) > 0.01 * steps.min():
        raise InputError(
            f"{who}: times must rise in even steps, got {steps.min():g} to {steps.max():g}; cut the trials anew with "
            "rec.epoch(..., bin=...).",
            code="bad-time",
        )
    return float(steps.mean()), unit
