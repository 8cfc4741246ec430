"""Smoothing of responses over time."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._params import check_number, check_option
from consilience._responses._check import check_responses
from consilience.linalg._moving import KERNELS, smooth_known, smoothing_kernel

__all__ = ["bin_width", "check_with_time", "smooth"]

_UNEVEN = 1e-3  # share of the usual step by which a step may differ
_GAP = 0.1  # share by which a step that is a pause is longer than the usual one
_WIDTH = 0.01  # share by which the width of bins may differ from the step of the times


def smooth(
    data: xr.DataArray,
    /,
    *,
    sd: float | None = None,
    kernel: Literal["gaussian", "causal", "boxcar"] = "gaussian",
) -> xr.DataArray:
    """Responses smoothed over time: y(t) = sum_k w(k) x(t - k) / sum_k w(k), over the k whose bin is there.

    At the ends, at gaps in time and where ``valid`` is False the weights that are left are scaled up to sum 1, so that
    a constant stays constant; no value is made up beyond the data. Kernels weight each bin by their share of it.

    Parameters
    ----------
    data : responses (trial, time, unit) or (time, unit), in even steps of time; (time, unit) may have gaps (as
        `Recording.bin` leaves between intervals), across which nothing is smoothed.
    sd : standard deviation of the kernel, in the unit of time of the data (s); must be given.
    kernel : "gaussian" (to 4 sd); "causal": its later half, lags >= 0 only, so that no value hangs on what comes after
        it (it lags by about 0.8 sd); "boxcar": flat, of width sd x sqrt(12), so that its sd is ``sd``.

    Returns
    -------
    DataArray like ``data``; counts become rates (spikes/s: divided by the width of the bins), since a smoothed count is
    none. Neighbouring bins are now correlated: tests over time must not take them as independent.

    Raises
    ------
    InputError : no time, uneven steps, an ``sd`` that is not positive or wider than the data, counts whose attribute
        ``bin`` is not the step of their times (``bin-differs``).
    ConsilienceWarning : ``bin-guessed``: counts without the attribute ``bin`` (s); the step of the times is taken.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.zeros((1, 5, 1)); x[0, 2] = 1
    >>> data = cs.responses(x, stimulus=["a"], time=np.arange(5) / 10, dims=("trial", "time", "unit"), kind="rate")
    >>> cs.smooth(data, sd=0.1).values[0, :, 0].round(2)
    array([0.09, 0.26, 0.39, 0.26, 0.09])
    """
    who = "cs.smooth"
    check_option(kernel, KERNELS, name="kernel", who=who)
    if sd is None:
        raise InputError(f"{who}: say how wide the kernel is, in seconds: sd=0.02.", code="bad-parameter")
    width = check_number(sd, name="sd", who=who, low=0.0)
    checked, known = check_with_time(data, who=who)
    time = checked["time"].values.astype(np.float64)
    if time.size < 2:
        raise InputError(f"{who}: there is one time only, and nothing to smooth over.", code="bad-time")
    steps = np.diff(time)
    step = float(np.median(steps))
    if width > (span := float(np.ptp(time)) + step):
        raise InputError(
            f"{who}: sd={width:g} s is wider than the data, {span:.4g} s, of which nothing but the mean would be left. "
            "Seconds are meant: divide milliseconds by 1000.",
            code="bad-parameter",
        )
    parts = _stretches(time, steps, step, "trial" in checked.dims, who)
    weights = smoothing_kernel(kernel, width / step)
    x = np.moveaxis(checked.values, checked.dims.index("time"), 0)
    there = None if known is None else np.moveaxis(known, 1, 0)
    out = np.empty(x.shape, dtype=np.float64)
    for part in parts:
        out[part] = smooth_known(x[part], weights, None if there is None else there[part][..., None])
    values = np.moveaxis(out, 0, checked.dims.index("time"))
    kind = str(checked.attrs.get("kind", "activation"))
    if kind == "count":
        values, kind = values / bin_width(checked, who=who), "rate"
    made = checked.copy(data=values.astype(x.dtype if x.dtype.kind == "f" else np.float64))
    made.attrs |= {"kind": kind, "smoothing": f"{kernel}, sd {width:g}"}
    return made


def check_with_time(data: xr.DataArray, *, who: str) -> tuple[xr.DataArray, np.ndarray | None]:
    """The checked responses, and which samples are known, (trial, time), or None where all are.

    Unlike `check_responses` this takes trials of unequal lengths (``valid`` over trial and time).
    """
    ragged = (
        isinstance(data, xr.DataArray)
        and "valid" in data.coords
        and data.dims == ("trial", "time", "unit")
        and data["valid"].dims == ("trial", "time")
    )
    if ragged:
        known = data["valid"].values.astype(bool)
        filled = data.drop_vars("valid")
        filled = filled.copy(
            data=np.where(known[..., None], filled.values, 0.0).astype(filled.dtype, copy=False)
        )
        checked = check_responses(filled, who=who, name="data")
        return checked.assign_coords(valid=(("trial", "time"), known)), known
    checked = check_responses(data, who=who, name="data")
    if "time" not in checked.dims:
        raise InputError(
            f"{who}: data must have a time axis, got dims {checked.dims}; epoch(..., bin=...) makes one.",
            code="bad-dims",
        )
    if "valid" not in checked.coords or checked["valid"].values.all():
        return checked, None
    known = np.broadcast_to(checked["valid"].values[:, None], checked.shape[:2])
    return checked, known


def bin_width(data: xr.DataArray, *, who: str) -> float:
    """Width (s) of the bins of counts: their attribute ``bin``, which must be the step of the times; where it is
    missing that step, said. A wider step between stretches is a pause."""
    steps = np.diff(data["time"].values.astype(np.float64))
    step = float(steps.min()) if steps.size else float("nan")
    said = data.attrs.get("bin")
    if said is None:
        warn(
            "bin-guessed",
            f"{who}: the data do not say how wide their bins are; the step of their times, {step:g} s, is taken.",
            "Say it with data.attrs['bin'] = width in s, or cut them with rec.epoch(..., bin=...).",
        )
        return step
    width = float(said)
    if steps.size and abs(width - step) > _WIDTH * step:
        raise InputError(
            f"{who}: data.attrs['bin'] says bins of {width:g} s, and the times go in steps of {step:g} s. If bins were "
            f"added up since, set data.attrs['bin'] = {step:g}; if some were left out, cut the trials again with "
            "rec.epoch(..., bin=...).",
            code="bin-differs",
        )
    return width


def _stretches(time: np.ndarray, steps: np.ndarray, step: float, trials: bool, who: str) -> list[slice]:
    """Even stretches of time; a larger step is a gap (not within trials)."""
    gap = steps > (1 + _GAP) * step
    if not step > 0 or (np.abs(steps[~gap] - step) > _UNEVEN * step).any() or (trials and gap.any()):
        raise InputError(
            f"{who}: times are not in even steps ({steps.min():g} to {steps.max():g}); bin them evenly first.",
            code="bad-time",
        )
    edges = np.r_[0, np.flatnonzero(gap) + 1, time.size]
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
