"""Values of trials in bins: spikes counted, signals reduced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._memory import check_fits, gigabytes
from consilience._core._params import check_option, shorten
from consilience._recording._angles import full_turn, looks_like_a_turn, wraps
from consilience._recording._binning import (
    count_in_bins,
    count_in_windows,
    on_edge,
    reduce_in_windows,
)
from consilience._recording._signal import Signal

if TYPE_CHECKING:
    from consilience._recording._recording import Recording

__all__ = ["SPIKE_RULES", "check_room_for", "sampled", "signal_rule", "values_of"]

SPIKE_RULES = ("count", "rate")
_SIGNAL_RULES = ("mean", "circular_mean", "min", "max", "sum", "std", "interpolate")


def values_of(
    recording: Recording,
    source: Signal | None,
    start: np.ndarray,
    stop: np.ndarray,
    bins: np.ndarray,
    width: np.ndarray,
    bin: float | None,
    reduce: str | None,
    who: str,
) -> tuple[np.ndarray, str, str]:
    """(k, bins, units), the kind, and the rule."""
    most = int(bins.max())
    if source is None:
        assert recording.spikes is not None
        unequal = bin is None and np.ptp((stop - start)[stop > start]) > on_edge(start, stop)
        rule = check_option(
            ("rate" if unequal else "count") if reduce is None else reduce,
            SPIKE_RULES,
            name="reduce (of spikes)",
            who=who,
        )
        check_room_for(start.size * most * len(recording.spikes) * 4, who)
        if bin is None:
            out = count_in_windows(recording.spikes, start, stop)[:, None]
        else:
            out = np.zeros((start.size, most, len(recording.spikes)), dtype=np.float32)
            rows = out.reshape(-1, len(recording.spikes))
            count_in_bins(recording.spikes, start, bins, float(bin), np.arange(start.size) * most, rows)
        if rule == "rate":
            out /= np.where(width > 0, width, 1.0)[:, None, None].astype(np.float32)
        return out, rule, rule
    rule = signal_rule(source, reduce, who)
    return sampled(source, start, bins, width, rule, who), source.kind, rule


def sampled(
    source: Signal, start: np.ndarray, bins: np.ndarray, width: np.ndarray, rule: str, who: str
) -> np.ndarray:
    most = int(bins.max())
    check_room_for(start.size * most * source.channels.size * 8, who)
    out = np.full((start.size, most, source.channels.size), np.nan)
    reduce_in_windows(source, start, bins, width, rule, out)
    return out


def signal_rule(source: Signal, reduce: str | None, who: str, *, width: float | None = None) -> str:
    """``width`` of the bins, s: bins that hold one sample each join nothing."""
    angles = wraps(source)
    rule = str(
        check_option(
            ("circular_mean" if angles else "mean") if reduce is None else reduce,
            _SIGNAL_RULES,
            name="reduce (of a signal)",
            who=who,
        )
    )
    if angles and rule in ("mean", "interpolate", "std"):
        warn(
            "mean-of-angles",
            f"{who}: {rule} of a signal in {source.unit} joins the two ends of the circle wrongly.",
            "reduce='circular_mean' does not.",
            stacklevel=5,
        )
    alone = (
        width is not None and source.time.size > 1 and width <= 1.01 * float(np.median(np.diff(source.time)))
    )
    turn = looks_like_a_turn(source) if not alone and rule in ("mean", "interpolate", "std") else None
    if turn is not None:
        warn(
            "mean-of-angles",
            f"{who}: {rule} of a signal that has no unit and jumps between the ends of a turn of {turn:.4g}, as angles "
            "do, joins the two ends wrongly.",
            f"If it is an angle, Signal(..., unit={'radian' if turn < 7 else 'degree'!r}) says so.",
            stacklevel=5,
        )
    if rule == "circular_mean" and full_turn(source.unit) is None:
        what = f"is in {shorten(source.unit, 40)}" if source.unit else "has no unit"
        raise InputError(
            f"{who}: circular_mean is for angles, and the signal {what}; say of angles what they are: "
            "Signal(..., unit='radians') or 'degrees'.",
            code="not-angles",
        )
    return rule


def check_room_for(size: int, who: str) -> None:
    free = check_fits(size)
    if free is not None:
        raise InputError(
            f"{who}: the responses would take {gigabytes(size)}, and {free} is free; fewer bins, trials or units.",
            code="too-large",
        )
