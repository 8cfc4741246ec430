"""The stimulus of `receptive_field`: frames over time, or single stimuli, with the names of their dims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import all_finite, as_array, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._recording import Recording
from consilience._responses import average, check_responses

__all__ = ["WHO", "Stimulus", "read_stimulus", "timeline"]

WHO = "cs.receptive_field"
_UNEVEN = 0.1  # share of the median step by which frames may come early or late
_GAP = 1.5  # steps from which on frames are missing
_SPACES = {0: (), 1: ("feature",), 2: ("y", "x"), 3: ("channel", "y", "x")}


@dataclass(frozen=True)
class Stimulus:
    values: np.ndarray
    space: tuple[str, ...]
    coords: dict[str, np.ndarray]
    ids: np.ndarray | None = None  # stimuli shown one by one
    start: np.ndarray | None = None  # s at which each frame comes
    time: np.ndarray | None = None  # s as given, of bins their middles


def read_stimulus(given: Any) -> Stimulus:
    if isinstance(given, str):
        raise InputError(
            f"{WHO}: stimulus must be an array, got the text {shorten(given)}; a signal of a recording becomes one by "
            "rec.bin(width, of=signal).",
            code="bad-stimuli",
        )
    if isinstance(given, Recording):
        raise InputError(
            f"{WHO}: stimulus must be an array; bin the signal of the recording that is meant, "
            "rec.bin(width, of=signal).",
            code="bad-stimuli",
        )
    if not isinstance(given, xr.DataArray):
        values = _numbers(given)
        return Stimulus(values, _names_of(values), {})
    dims = tuple(str(dim) for dim in given.dims)
    if dims == ("trial", "unit"):  # features of single stimuli
        given = average(check_responses(given, who=WHO, name="stimulus"))
        given = given.rename(trial="stimulus_row", unit="feature").set_index(stimulus_row="stimulus")
        given = given.rename(stimulus_row="stimulus")
        dims = ("stimulus", "feature")
    if not dims or dims[0] not in ("time", "stimulus"):
        raise InputError(
            f"{WHO}: the first dim of stimulus must be 'time' or 'stimulus', got dims {dims}; rename or transpose it.",
            code="bad-dims",
        )
    values = _numbers(given)
    data = given
    if dims[1:] == ("unit",):  # a signal, as of rec.bin
        data = data.rename(unit="channel")
        if data.sizes["channel"] == 1:
            data, values = data.isel(channel=0, drop=True), values[:, 0]
    space = tuple(str(dim) for dim in data.dims[1:])
    for name in space:
        if name in ("unit", "lag", "fold"):
            raise InputError(
                f"{WHO}: a dim of stimulus is called {name!r}, as one of the result; rename it.",
                code="bad-dims",
            )
    coords = {name: data[name].values for name in space if name in data.coords and data[name].dims == (name,)}
    if dims[0] == "stimulus":
        ids = data["stimulus"].values if "stimulus" in data.coords else None
        return Stimulus(values, space, coords, ids=ids)
    start = time = None
    if "time" in data.coords:
        if data["time"].dtype.kind not in "iuf":
            raise InputError(
                f"{WHO}: times of the stimulus must be numbers, seconds on the clock of the spikes, got dtype "
                f"{data['time'].dtype}.",
                code="bad-time",
            )
        start = time = np.asarray(data["time"].values, dtype=np.float64)
        if "bin" in data.attrs:  # times of bins are their middles
            start = start - float(data.attrs["bin"]) / 2
    return Stimulus(values, space, coords, start=start, time=time)


def _numbers(stimulus: Any) -> np.ndarray:
    values = to_numpy(as_array(stimulus, name="stimulus", who=WHO))
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{WHO}: stimulus must hold real numbers, got dtype {values.dtype}.", code="not-numeric"
        )
    if not values.ndim or not values.size:
        raise InputError(
            f"{WHO}: stimulus must be (frames, *space) and not empty, got shape {values.shape}.",
            code="too-few",
        )
    if values.dtype.kind == "f" and not all_finite(values):
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        raise InputError(
            f"{WHO}: stimulus has NaN or infinite values in {int(bad.sum())} of {len(values)} frames, first in frame "
            f"{int(np.argmax(bad))}; cut those frames out of stimulus and responses, and give the others their times, "
            "so that no lag reaches over the gap.",
            code="nan-values",
        )
    if len(values) > 1 and (values == values[:1]).all():
        raise InputError(
            f"{WHO}: all {len(values)} frames of the stimulus are alike; nothing can be said of what drives a unit.",
            code="no-structure",
        )
    return values


def _names_of(values: np.ndarray) -> tuple[str, ...]:
    if values.ndim == 4 and values.shape[3] in (1, 3, 4) and values.shape[1] > 4:
        return ("y", "x", "channel")
    return _SPACES.get(values.ndim - 1, tuple(f"dim_{k}" for k in range(1, values.ndim)))


def timeline(shown: Stimulus, start: np.ndarray | None) -> tuple[np.ndarray, float | None]:
    """Number of the stretch of each frame, and seconds between frames."""
    n = len(shown.values)
    if start is None or n < 2:
        return np.zeros(n, dtype=np.int64), None
    gaps = np.diff(start)
    if not np.isfinite(start).all() or not (gaps > 0).all():
        raise InputError(f"{WHO}: times of the stimulus must be finite and rise.", code="bad-time")
    step = float(f"{np.median(gaps):.10g}")  # without the rounding of the clock's numbers
    breaks = gaps >= _GAP * step
    odd = ~breaks & (np.abs(gaps - step) > _UNEVEN * step)
    if odd.any():
        first = int(np.flatnonzero(odd)[0])
        raise InputError(
            f"{WHO}: frames of the stimulus are not even: {int(odd.sum())} of {gaps.size} steps differ by more than a "
            f"tenth from the median ({step:.4g} s), first {gaps[first]:.4g} s after frame {first}, so that lags in "
            "frames mean nothing. Bring it onto an even grid, stimulus.interp(time=np.arange(start, stop, step)).",
            code="uneven-frames",
        )
    return np.r_[0, np.cumsum(breaks)], step
