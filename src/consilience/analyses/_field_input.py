"""From what was given to `receptive_field` to frames and responses, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import as_array, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import shorten
from consilience._recording import Recording, SpikeTrains
from consilience._recording._binning import count_in_windows, on_edge
from consilience._recording._doubts import doubt_spikes
from consilience._recording._rarely import SLOW
from consilience._responses import average, check_responses
from consilience._responses._check import refuse_result
from consilience.analyses._field_stimulus import WHO, Stimulus, read_stimulus, timeline

__all__ = ["WHO", "Shown", "given"]

_OUTSIDE, _MOST = 0.95, 0.5  # shares of spikes outside of the frames


@dataclass(frozen=True)
class Shown:
    """Frames (n, *space) and responses (n, units) to them, row by row.

    series : frames follow each other in time; else they are single stimuli in no order.
    stretch : (n,) number of the stretch without a gap.   step : s between frames, or None.
    spikes : (units,) of all trials, of counts that were averaged.
    repeats : (responses of all trials, number of the stimulus of each), where stimuli were repeated.
    space : names of the dims of a frame, coords : their coordinates.
    """

    frames: np.ndarray
    responses: np.ndarray
    names: np.ndarray
    kind: str
    system: str
    series: bool
    space: tuple[str, ...]
    coords: dict[str, np.ndarray] = field(default_factory=dict)
    stretch: np.ndarray = field(default_factory=lambda: np.empty(0))
    step: float | None = None
    repeats: tuple[np.ndarray, np.ndarray] | None = None
    spikes: np.ndarray | None = None


def given(responses: Any, stimulus: Any, *, crop: bool = True) -> Shown:
    """What the verb was given, whatever it is."""
    refuse_result(responses, who=WHO, name="responses", expected="responses")
    if _is_units(responses):
        return _of_network(responses, stimulus, crop=crop)
    shown = read_stimulus(stimulus)
    if isinstance(responses, Recording):
        if responses.spikes is None:
            raise InputError(
                f"{WHO}: the recording has no spikes; bin one of its signals and pass that, rec.bin(width, of=...).",
                code="too-few",
            )
        return _of_spikes(responses.spikes, shown, responses)
    if isinstance(responses, SpikeTrains) or _is_trains(responses):
        trains = responses if isinstance(responses, SpikeTrains) else SpikeTrains.from_list(list(responses))
        return _of_spikes(trains, shown, None)
    if isinstance(responses, xr.DataArray) and "trial" in responses.dims:
        return _of_trials(responses, shown)
    if isinstance(responses, xr.DataArray) and responses.dims == ("time", "unit"):
        data = check_responses(responses, who=WHO, name="responses")
        _same_times(data, shown)
        names = data["unit"].values if "unit" in data.coords else np.arange(data.sizes["unit"])
        return _rows(
            data.values.astype(np.float64),
            np.asarray(names),
            str(data.attrs.get("kind", "activation")),
            str(data.attrs.get("system", "")),
            shown,
            data["time"].values if "time" in data.coords and shown.start is None else None,
        )
    return _of_array(responses, shown)


def _of_spikes(spikes: SpikeTrains, shown: Stimulus, recording: Recording | None) -> Shown:
    if shown.start is None:
        raise InputError(
            f"{WHO}: spike times need a stimulus with times of its frames, "
            "xr.DataArray(frames, dims=('time', ...), coords={'time': seconds}); or pass counts, one per frame.",
            code="bad-time",
        )
    stretch, step = timeline(shown, shown.start)
    if step is None:
        raise InputError(f"{WHO}: the stimulus has {len(shown.values)} frame.", code="too-few")
    end = np.r_[shown.start[1:], shown.start[-1] + step]
    end = np.where(np.r_[np.diff(stretch) > 0, False], shown.start + step, end)
    counts = count_in_windows(spikes, shown.start, end).astype(np.float64)
    kept = np.ones(len(end), dtype=bool)
    names: np.ndarray = np.arange(len(spikes))
    system = ""
    if recording is not None:
        names, system = recording.unit_names, recording.name
        if recording.observed is not None:
            slack = on_edge(shown.start)
            whole = recording.observed.merged()
            at = np.clip(
                np.searchsorted(whole.start, shown.start + slack, side="right") - 1, 0, len(whole) - 1
            )
            kept = (whole.start[at] <= shown.start + slack) & (end <= whole.stop[at] + slack)
        for caution in doubt_spikes(recording):
            warn(caution.code, f"{WHO}: {caution.message}", caution.remedy)
    if not kept.any() or not counts[kept].any():
        span = f"{spikes.times.min():g} to {spikes.times.max():g} s" if spikes.times.size else "none"
        raise InputError(
            f"{WHO}: no spike falls into a frame: frames from {shown.start[0]:g} to {end[-1]:g} s, spikes {span}"
            f"{'' if kept.any() else ', and no frame lies within what was observed'}; both must be in seconds on one "
            "clock.",
            code="outside-recording",
        )
    _say_outside(spikes, counts, float(shown.start[0]), float(end[-1]), float(end[kept].size * step))
    if not kept.all():
        stretch = np.cumsum(np.r_[0, (np.diff(stretch) > 0) | (kept[1:] != kept[:-1])])
    return Shown(
        shown.values[kept],
        counts[kept],
        np.asarray(names),
        "count",
        system,
        series=True,
        space=shown.space,
        coords=shown.coords,
        stretch=stretch[kept],
        step=step,
    )


def _say_outside(spikes: SpikeTrains, counts: np.ndarray, first: float, last: float, seconds: float) -> None:
    """Warns where nearly all spikes lie outside of the frames, or most of them and units hardly fire within. A stimulus
    that was shown in a part of a recording leaves many outside, too.
    """
    within = counts.sum(axis=0)
    share = 1 - within.sum() / spikes.times.size
    if share > _OUTSIDE or (share > _MOST and np.median(within) < SLOW * seconds):
        warn(
            "spikes-outside",
            f"{WHO}: {share:.3g} of the spikes lie outside of the frames, and are not counted: frames from {first:g} "
            f"to {last:g} s, spikes from {spikes.times.min():g} to {spikes.times.max():g}.",
            "Look whether both are in seconds (milliseconds divided by 1000) and of one clock; of a stimulus that was "
            "shown in a small part of a recording it is to be expected.",
        )


def _of_array(responses: Any, shown: Stimulus) -> Shown:
    values = to_numpy(as_array(responses, name="responses", who=WHO))
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{WHO}: responses must hold real numbers, got dtype {values.dtype}.", code="not-numeric"
        )
    if values.ndim not in (1, 2) or not values.size:
        raise InputError(
            f"{WHO}: responses must be (frames, units) or (frames,), got shape {values.shape}.", code="not-2d"
        )
    n = len(shown.values)
    if len(values) != n:
        more = ""
        if shown.start is not None and values.ndim == 1 and (np.diff(values) >= 0).all():
            more = " Spike times come as a list, one array for each unit: [times]."
        elif values.ndim == 2 and values.shape[1] == n:
            more = " They look transposed: pass responses.T."
        raise InputError(
            f"{WHO}: responses must have a row for each of the {n} frames of the stimulus, got shape {values.shape}."
            f"{more}",
            code="rows-differ",
        )
    values = values.astype(np.float64).reshape(n, -1)
    whole = bool((values >= 0).all() and (values == np.round(values)).all())
    return _rows(values, np.arange(values.shape[1]), "count" if whole else "rate", "", shown, None)


def _rows(
    values: np.ndarray, names: np.ndarray, kind: str, system: str, shown: Stimulus, time: np.ndarray | None
) -> Shown:
    """One response for each frame, in their order."""
    if len(values) != len(shown.values):
        raise InputError(
            f"{WHO}: responses have {len(values)} times, the stimulus {len(shown.values)} frames; bin both alike.",
            code="rows-differ",
        )
    bad = ~np.isfinite(values)
    if bad.any():
        raise InputError(
            f"{WHO}: responses have {int(bad.sum())} NaN or infinite values, first in frame "
            f"{int(np.argwhere(bad)[0][0])}; cut those frames out of both, and give times so that gaps are seen.",
            code="nan-values",
        )
    series = shown.ids is None
    start = shown.start if shown.start is not None else time
    stretch, step = timeline(shown, start) if series else (np.zeros(len(values), dtype=np.int64), None)
    return Shown(shown.values, values, names, kind, system, series, shown.space, shown.coords, stretch, step)


def _same_times(data: xr.DataArray, shown: Stimulus) -> None:
    if shown.ids is not None:
        raise InputError(
            f"{WHO}: responses over time, and stimuli that have no time; pass a stimulus (time, ...), or responses "
            "(trial, unit) with the ids of the stimuli.",
            code="bad-dims",
        )
    if shown.start is None or "time" not in data.coords or data.sizes["time"] != len(shown.values):
        return
    start = data["time"].values - float(data.attrs.get("bin", 0.0)) / 2
    step = float(np.median(np.diff(shown.start))) if shown.start.size > 1 else 1.0
    away = np.abs(start - shown.start)
    if shown.time is not None:  # the very same times, whatever part of a frame they are
        away = min(away, np.abs(data["time"].values - shown.time), key=np.max)
    if "bin" not in data.attrs:
        away = np.minimum(away, np.abs(start - shown.start - step / 2))  # the middles of the frames
    if away.max() > 0.05 * step:
        raise InputError(
            f"{WHO}: times of the responses are not those of the frames: {start[0]:.6g} s and {shown.start[0]:.6g} s "
            f"at first, up to {away.max():.3g} s apart; bin both on one grid.",
            code="rows-differ",
        )


def _of_trials(data: xr.DataArray, shown: Stimulus) -> Shown:
    if data.dims != ("trial", "unit"):
        raise InputError(
            f"{WHO}: responses of trials must be (trial, unit), got dims {data.dims}; average or sum over time "
            "first, or pass responses (time, unit) with a stimulus over time.",
            code="bad-dims",
        )
    if shown.ids is None:
        raise InputError(
            f"{WHO}: responses of trials need stimuli with ids, cs.stimuli(images, ids=...), to be matched by them.",
            code="bad-dims",
        )
    data = check_responses(data, who=WHO, name="responses")
    if "valid" in data.coords:
        data = data.isel(trial=data["valid"].values).drop_vars("valid")
    mean = average(data)
    place = {key: i for i, key in enumerate(shown.ids.tolist())}
    ids = mean["stimulus"].values.tolist()
    lacking = [key for key in ids if key not in place]
    if lacking:
        raise InputError(
            f"{WHO}: {len(lacking)} of {len(ids)} stimulus ids of the responses are not among the "
            f"{len(place)} of the stimuli, e.g. {shorten(lacking[0])}; give stimuli with the same ids.",
            code="ids-differ",
        )
    rows = np.array([place[key] for key in ids], dtype=np.int64)
    number = {key: i for i, key in enumerate(ids)}
    codes = np.array([number[key] for key in data["stimulus"].values.tolist()])
    repeated = np.bincount(codes).min() >= 2
    kind = str(data.attrs.get("kind", "activation"))
    names = data["unit"].values if "unit" in data.coords else np.arange(data.sizes["unit"])
    return Shown(
        shown.values[rows],
        mean.values.astype(np.float64),
        np.asarray(names),
        kind,
        str(data.attrs.get("system", "")),
        series=False,
        space=shown.space,
        coords=shown.coords,
        stretch=np.zeros(rows.size, dtype=np.int64),
        repeats=(data.values.astype(np.float64), codes) if repeated else None,
        spikes=data.values.sum(axis=0, dtype=np.float64) if kind == "count" else None,
    )


# -- units of networks


def _is_units(given: Any) -> bool:
    many = given if isinstance(given, (list, tuple)) and given else [given]
    return all(hasattr(unit, "respond") and hasattr(unit, "network") for unit in many)


def _is_trains(given: Any) -> bool:
    """A list with one array of spike times for each unit."""
    if not isinstance(given, (list, tuple)) or not given:
        return False
    return all(
        isinstance(one, np.ndarray) or (isinstance(one, Sequence) and not isinstance(one, (str, bytes)))
        for one in given
    )


def _of_network(units: Any, stimulus: Any, *, crop: bool) -> Shown:
    from consilience._stimuli import check_stimuli, stimuli
    from consilience.networks import respond
    from consilience.networks._input_field import crop_of

    many = list(units) if isinstance(units, (list, tuple)) else [units]
    if isinstance(stimulus, xr.DataArray) and stimulus.dims and stimulus.dims[0] == "stimulus":
        shown = check_stimuli(stimulus, who=WHO)
    else:
        frames = read_stimulus(stimulus)
        shown = stimuli(frames.values, ids=[f"frame{k}" for k in range(len(frames.values))])
        if frames.space:
            shown = shown.rename(dict(zip(shown.dims[1:], frames.space))).assign_coords(frames.coords)
    values = respond(many, shown)
    inside = crop_of(many, shown) if crop else None
    if inside is not None:
        for dim, part in zip(("y", "x"), inside):
            if dim not in shown.coords:
                shown = shown.assign_coords({dim: np.arange(shown.sizes[dim])})
            shown = shown.isel({dim: part})
    known = read_stimulus(shown)
    names = [unit.name for unit in many]
    twice = len(set(names)) < len(names)
    return Shown(
        known.values,
        values,
        np.array([f"{name} ({k})" for k, name in enumerate(names)] if twice else names),
        "activation",
        str(many[0].network.name),
        series=False,
        space=known.space,
        coords=known.coords,
        stretch=np.zeros(len(values), dtype=np.int64),
    )
