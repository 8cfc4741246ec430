"""The measures of `quality`: which a recording, trials or a series allow, and how each is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from consilience import units
from consilience._core._errors import warn
from consilience._core._params import check_option
from consilience._core._seeds import Seed
from consilience._recording import Recording
from consilience._recording._doubts import doubt_outside, doubt_spikes
from consilience.linalg import constant_columns
from consilience.stats import in_stretches, neighbours_alike, order_matters
from consilience.units import UnitScores
from consilience.units._trials import Repeats, as_repeats

__all__ = ["OF_SERIES", "OF_SPIKES", "OF_TRIALS", "of_series", "of_spikes", "of_trials"]

WHO = "cs.quality"
OF_TRIALS = ("reliability", "split_half", "explainable_variance", "tuning_snr", "fano_factor")
OF_SERIES = ("noise_level", "trace_snr", "skewness")
OF_SPIKES = (
    "firing_rate",
    "cv",
    "cv2",
    "lv",
    "isi_violations",
    "contamination",
    "presence_ratio",
    "drift",
)
_LONGEST = 60.0  # s, a stretch of the presence ratio


def of_trials(
    data: xr.DataArray, by: str, seed: Seed, said: dict[str, Any]
) -> tuple[dict[str, Callable[[], UnitScores]], dict[str, Any]]:
    labels = {str(name) for name, coord in data.coords.items() if coord.dims == ("trial",)}
    check_option(by, sorted(labels), name="by", who=WHO)
    label = said["groups"]
    if label is not None:
        check_option(label, sorted(labels - {by}), name="groups", who=WHO)
    ids = data[by].values
    x = np.asarray(data.values, dtype=np.float64)
    groups = None if label is None else data[label].values
    repeats = as_repeats(x, ids, who=WHO, groups=groups)  # refused here, in the verb's name
    _say_blocks(repeats, seed)
    n_perm, level = said["n_perm"], said["level"]

    def of(function: Any, name: str, *given: np.ndarray, **options: Any) -> Callable[[], UnitScores]:
        return lambda: function(*given, level=level, n_perm=n_perm, rng=seed.child(name), **options)

    def of_all(function: Any, name: str, **options: Any) -> Callable[[], UnitScores]:
        return of(function, name, x, ids, groups=groups, **options)

    counts, cells = (x, ids) if groups is None else _inside(x, ids, groups)
    table = {
        "reliability": of_all(units.explainable_variance, "reliability", of="mean"),
        "split_half": of_all(units.split_half, "split_half", n_splits=said["n_splits"]),
        "explainable_variance": of_all(units.explainable_variance, "reliability"),
        "tuning_snr": of_all(units.tuning_snr, "reliability"),
        "fano_factor": of(units.fano_factor, "fano_factor", counts, cells),
    }
    if repeats.names.size < 3:
        del table["split_half"]
    if data.attrs.get("kind") != "count" or (x < 0).any() or (x != np.round(x)).any() or not len(counts):
        del table["fano_factor"]
    return table, {
        "system": str(data.attrs.get("system", "")),
        "kind": str(data.attrs.get("kind", "activation")),
        "n_trials": len(x),
        "n_stimuli": int(repeats.names.size),
        "repeats": [int(repeats.counts.min()), int(repeats.counts.max())],
        "n_groups": 1 if repeats.groups is None else int(repeats.groups.table.shape[1]),
        "silent": repeats.silent,
    }


def _say_blocks(repeats: Repeats, seed: Seed) -> None:
    """Warns where stimuli come in blocks and trials near in time are alike; not of trials that are sorted by stimulus,
    whose order tells nothing of time.
    """
    codes, x = np.empty(len(repeats.x), dtype=np.int64), np.empty_like(repeats.x)
    codes[repeats.order], x[repeats.order] = repeats.stimulus, repeats.x
    if (np.diff(codes) >= 0).all() or (np.diff(codes) <= 0).all():
        return
    mean, by_chance = in_stretches(codes)
    if mean <= 2 * by_chance:
        return
    within, _ = neighbours_alike(x, codes, rng=seed.stream("neighbours"))
    p = min(1.0, 2 * min(within, order_matters(x, codes, rng=seed.stream("stretches"))))
    if p <= 0.05:
        warn(
            "neighbours-alike",
            f"{WHO}: stimuli come in blocks, and trials near in time are alike (p = {p:.3f}).",
            f"Trials of a stimulus stand {mean:.1f} in a row; a slow drift then counts as signal, and reliability is "
            "too high. Average the trials of each block where stimuli have several, so that repeats are blocks; take "
            "runs out with groups=, or a baseline before each trial. With one block of each stimulus drift cannot be "
            "told from reliability. Look first whether rows are in the order of time, and whether stimuli were shown "
            "in an order of likeness.",
        )


def _inside(x: np.ndarray, ids: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Trials of which there are two or more of one stimulus in one group, and the number of that pair."""
    pair = np.stack([np.unique(label, return_inverse=True)[1] for label in (ids, groups)])
    _, number, count = np.unique(pair, axis=1, return_inverse=True, return_counts=True)
    number = number.reshape(-1)
    kept = count[number] > 1
    return x[kept], number[kept]


def of_series(data: xr.DataArray, level: float) -> tuple[dict[str, Callable[[], UnitScores]], dict[str, Any]]:
    x = np.asarray(data.values, dtype=np.float64)
    time = data["time"].values if "time" in data.coords else np.arange(len(x), dtype=np.float64)

    def of(function: Any) -> Callable[[], UnitScores]:
        return lambda: function(x, time=time, level=level)

    table = {name: of(getattr(units, name)) for name in OF_SERIES}
    return table, {
        "system": str(data.attrs.get("system", "")),
        "kind": str(data.attrs.get("kind", "activation")),
        "n_samples": len(x),
        "seconds": float(len(x) * np.median(np.diff(time))),
        "silent": np.asarray(constant_columns(x), dtype=bool),
    }


def of_spikes(
    recording: Recording, seed: Seed, said: dict[str, Any]
) -> tuple[dict[str, Callable[[], UnitScores]], dict[str, Any]]:
    spikes, level = recording.spikes, said["level"]
    assert spikes is not None
    observed = recording.observed
    if observed is None:
        observed = recording.span()
        warn(
            "observed-guessed",
            f"{WHO}: the time observed is not known; {observed.start.min():g} to {observed.stop.max():g} s is taken.",
            "It is from the first to the last entry; say when spikes could be seen with cs.Recording(observed=...).",
        )
    for caution in (*doubt_outside(recording, gaps=True), *doubt_spikes(recording)):
        warn(caution.code, f"{WHO}: {caution.message}", caution.remedy)
    total = observed.total
    width = min(_LONGEST, total / 20)

    def of(function: Any, **options: Any) -> Callable[[], UnitScores]:
        return lambda: function(spikes, observed=observed, **options)

    table = {
        "firing_rate": of(units.firing_rate, level=level),
        "cv": of(units.cv, level=level),
        "cv2": of(units.cv2, level=level),
        "lv": of(units.lv, level=level),
        "isi_violations": of(units.isi_violations, level=level, refractory=said["refractory"]),
        "contamination": of(units.contamination, level=level, refractory=said["refractory"]),
        "presence_ratio": of(
            units.presence_ratio, width=width, n_perm=said["n_perm"], rng=seed.child("presence_ratio")
        ),
        "drift": of(units.drift, level=level),
    }
    return table, {"system": recording.name, "seconds": total, "presence_width": width}
