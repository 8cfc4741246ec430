"""Systems made alike before they are compared: equal stimuli, bins, units, trials and signal to noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, collect_cautions, warn
from consilience._core._params import check_option, shorten
from consilience._core._seeds import Seed
from consilience._responses import check_responses
from consilience._responses._match import common_ids, iterate_systems, select_ids
from consilience._responses._pseudo import PseudoPopulation
from consilience.populations import add_noise, signal_to_noise
from consilience.populations._signal_to_noise import signal_z

__all__ = ["MATCHED", "NOISELESS", "check_match", "match_systems", "one_repeat_each"]

MATCHED = ("stimuli", "bins", "units", "trials", "snr")
NOISELESS = ("activation", "latent")
_LEAST_Z = 3.0
_ROUNDING = 1e-8  # of the variance: rows of a stimulus that differ by less are copies


def check_match(match: Any, *, who: str) -> tuple[str, ...]:
    """What is to be made equal, in the order in which it is done; None and () are nothing, ``"all"`` everything."""
    if match is None:
        return ()
    if isinstance(match, str):
        match = [match]
    if isinstance(match, Sequence) and "all" in match:
        match = MATCHED
    if not isinstance(match, Sequence):
        raise InputError(
            f"{who}: match must be names out of {', '.join(MATCHED)}, 'all' or None; got {shorten(match)}.",
            code="bad-parameter",
        )
    asked = {"stimuli" if name == "stimulus" else name for name in match}
    for name in asked:
        check_option(name, MATCHED, name="match", who=who)
    if "snr" in asked:  # noise goes to single trials, whose numbers must then agree
        asked.add("trials")
    return tuple(name for name in MATCHED if name in asked)


def match_systems(
    systems: Mapping[str, xr.DataArray],
    *,
    match: Any,
    seed: Seed,
    who: str,
    join: str = "inner",
) -> tuple[dict[str, xr.DataArray], dict[str, Any]]:
    """One draw of systems that are alike in what ``match`` names; other seeds give other draws.

    stimuli : those that all have; as many, drawn at random, where they share none (a warning).   bins : responses over
    time get as many bins as the one with the fewest (its first ones), or are averaged (counts: summed) where a system
    has no time.   units : as many as the smallest system has, drawn at random.   trials : as many repeats of every
    stimulus as the noisy system with the fewest, drawn at random;
    a noiseless system (activation, latent) repeats its response, as it would.   snr : noise is added to the cleaner
    systems until signal to noise (`cs.populations.signal_to_noise`) equals that of the noisiest.

    Returns
    -------
    ({name: responses}, notes): notes are plain values, {"stimuli": 92, "units": 50, "trials": 5, "snr": 0.3,
    "snr_before": {name: ...}}.

    Raises
    ------
    InputError : fewer than 2 systems; no repeats to take signal to noise from (``no-repeats``); a system whose signal
        to noise is not above 0 (``no-signal``).
    """
    asked = check_match(match, who=who)
    out = {
        name: check_responses(data, who=who, name=f"data[{name!r}]")
        for name, data in iterate_systems(systems, who=who, side="data")
    }
    notes: dict[str, Any] = {}
    if not asked:
        return out, notes
    if len(out) < 2:
        raise InputError(
            f"{who}: match= makes systems alike, and there is one; pass a mapping {{name: responses}}.",
            code="bad-parameter",
        )
    series = [name for name, data in out.items() if "trial" not in data.dims]
    if series:
        raise InputError(
            f"{who}: match= needs trials, and {shorten(series[0], 40)} is a series (time, unit); cut it into trials "
            "with rec.epoch(...).",
            code="bad-dims",
        )
    out = {name: _as_noisy(_valid(data)) for name, data in out.items()}
    if "stimuli" in asked:
        before = {name: np.unique(data["stimulus"].values).size for name, data in out.items()}
        out = _same_stimuli(out, seed, join, who)
        left = {name: np.unique(data["stimulus"].values).size for name, data in out.items()}
        notes["stimuli_left_out"] = {name: int(before[name] - left[name]) for name in out}
        notes["stimuli"] = int(min(left.values()))
    if "bins" in asked:
        out, notes["bins"] = _bins(out, who)
    if "units" in asked:
        fewest = min(data.sizes["unit"] for data in out.values())
        out = {
            name: _drawn(data, "unit", fewest, seed.child(name).stream("units")) for name, data in out.items()
        }
        notes["units"] = int(fewest)
    if "trials" in asked:
        out, notes["trials"] = _trials(out, seed, who)
    if "snr" in asked:
        out, more = _snr(out, seed, who)
        notes |= more
    return out, notes


def noiseless(data: xr.DataArray) -> bool:
    """Whether a trial says all of its stimulus: of such a kind, and rows of a stimulus are copies of each other.

    Rows that differ (exemplars of a category, units dropped at random) are repeats with scatter, whatever their kind.
    """
    return data.attrs.get("kind", "activation") in NOISELESS and not _scattered(data)


def _scattered(data: xr.DataArray) -> bool:
    number = np.unique(data["stimulus"].values, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(number)
    if counts.max(initial=0) < 2:
        return False
    x = np.asarray(data.values, dtype=np.float64).reshape(number.size, -1)
    order = np.argsort(number, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    means = np.add.reduceat(x[order], starts, axis=0) / counts[:, None]
    within, whole = (float(np.sum((x - m) ** 2)) for m in (means[number], x.mean(axis=0)))
    return within > _ROUNDING * whole


def repeats_of(data: xr.DataArray) -> tuple[int, int]:
    """The smallest and the largest number of trials of a stimulus."""
    counts = np.unique(data["stimulus"].values, return_counts=True)[1]
    return int(counts.min()), int(counts.max())


def one_repeat_each(data: xr.DataArray, count: int, rng: np.random.Generator) -> xr.DataArray:
    """``count`` trials of every stimulus, drawn without replacement; ``repeat`` counts anew."""
    rows = []
    ids = data["stimulus"].values
    for name in np.unique(ids):
        own = np.flatnonzero(ids == name)
        rows.append(rng.permutation(own)[:count])
    chosen = data.isel(trial=np.concatenate(rows))
    repeat = np.tile(np.arange(count), len(rows))
    return chosen.assign_coords(repeat=("trial", repeat))


def each_system(data: Any, *, who: str) -> Iterator[tuple[str, Any]]:
    """(name, responses or pseudo-population) of one of them, or of a mapping."""
    if isinstance(data, PseudoPopulation):
        yield data.system, data
    elif isinstance(data, Mapping) and any(isinstance(one, PseudoPopulation) for one in data.values()):
        yield from ((str(name), one) for name, one in data.items())
    else:
        yield from iterate_systems(data, who=who, side="data")


def _same_stimuli(
    systems: dict[str, xr.DataArray], seed: Seed, join: str, who: str
) -> dict[str, xr.DataArray]:
    """The stimuli that all have; where systems share none, as many of each as the one with the fewest has."""
    try:
        with collect_cautions():  # asked for by name, and said in the notes
            ids = common_ids(systems, join=join, who=who)
    except InputError as error:
        if error.code not in ("ids-disjoint", "ids-of-two-types"):
            raise
        own = {name: np.unique(data["stimulus"].values) for name, data in systems.items()}
        fewest = min(names.size for names in own.values())
        warn(
            "stimuli-not-shared",
            f"{who}: {str(error).split(': ', 1)[-1].split(';')[0]}; {fewest} of each system were drawn instead.",
            "If they are the same stimuli, give both the same ids.",
        )
        return {
            name: select_ids(
                data, np.sort(seed.child(name).stream("stimuli").choice(own[name], fewest, replace=False))
            )
            for name, data in systems.items()
        }
    return {name: select_ids(data, ids) for name, data in systems.items()}


def _as_noisy(data: xr.DataArray) -> xr.DataArray:
    """Of kind rate where rows of a stimulus differ, so that fewer of them are not taken for noiseless later."""
    if data.attrs.get("kind", "activation") not in NOISELESS or noiseless(data):
        return data
    return data.assign_attrs(kind="rate")


def _valid(data: xr.DataArray) -> xr.DataArray:
    if "valid" not in data.coords:
        return data
    return data.isel(trial=data["valid"].values).drop_vars("valid")


def _bins(systems: dict[str, xr.DataArray], who: str) -> tuple[dict[str, xr.DataArray], int]:
    if not all("time" in data.dims for data in systems.values()):
        return {name: flat_over_time(data) for name, data in systems.items()}, 1
    fewest = min(data.sizes["time"] for data in systems.values())
    widths = {
        name: float(np.median(np.diff(data["time"].values)))
        for name, data in systems.items()
        if data.sizes["time"] > 1 and "time" in data.coords and data.attrs.get("time_units") != "step"
    }
    if len(widths) > 1 and np.ptp(list(widths.values())) > 1e-6 * max(widths.values()):
        said = ", ".join(f"{shorten(name, 30)} {width:g} s" for name, width in widths.items())
        warn(
            "bins-differ",
            f"{who}: bins of the systems differ in length ({said}); equal numbers of them are unequal times.",
            "Cut all with one bin=, or average over time.",
        )
    return {name: data.isel(time=slice(0, fewest)) for name, data in systems.items()}, int(fewest)


def flat_over_time(data: xr.DataArray) -> xr.DataArray:
    """(trial, unit): the mean over time, of counts the sum."""
    if "time" not in data.dims:
        return data
    if data.attrs.get("kind") == "count":
        return data.sum("time", keep_attrs=True)
    return data.mean("time", keep_attrs=True)


def _drawn(data: xr.DataArray, dim: str, count: int, rng: np.random.Generator) -> xr.DataArray:
    if data.sizes[dim] == count:
        return data
    return data.isel({dim: np.sort(rng.choice(data.sizes[dim], count, replace=False))})


def _trials(systems: dict[str, xr.DataArray], seed: Seed, who: str) -> tuple[dict[str, xr.DataArray], int]:
    noisy = {name: repeats_of(data)[0] for name, data in systems.items() if not noiseless(data)}
    fewest = min(noisy.values()) if noisy else min(repeats_of(data)[0] for data in systems.values())
    out = {}
    for name, data in systems.items():
        if noiseless(data) and repeats_of(data)[0] < fewest:
            first = one_repeat_each(data, 1, seed.child(name).stream("trials"))
            copies = first.isel(trial=np.repeat(np.arange(first.sizes["trial"]), fewest))
            out[name] = copies.assign_coords(
                repeat=("trial", np.tile(np.arange(fewest), first.sizes["trial"]))
            )
        else:
            out[name] = one_repeat_each(data, fewest, seed.child(name).stream("trials"))
    return out, int(fewest)


def _snr(
    systems: dict[str, xr.DataArray], seed: Seed, who: str
) -> tuple[dict[str, xr.DataArray], dict[str, Any]]:
    found: dict[str, float] = {}
    for name, data in systems.items():
        if noiseless(data):
            found[name] = float("inf")
            continue
        if repeats_of(data)[0] < 2:
            raise InputError(
                f"{who}: match='snr' needs >= 2 repeats of every stimulus, and {shorten(name, 40)} has one; pass "
                "single trials, or match only units and stimuli.",
                code="no-repeats",
            )
        found[name] = signal_to_noise(_rows(data), _conditions(data))
        if not signal_z(_rows(data), _conditions(data)) > _LEAST_Z:
            raise InputError(
                f"{who}: {shorten(name, 40)} has a signal to noise of {found[name]:.2g}, within 3 standard errors of "
                "0, so there is no signal that another system could be brought down to; leave it out, or do not match "
                "snr.",
                code="no-signal",
            )
    lowest = min(found.values())
    if not np.isfinite(lowest):
        return systems, {"snr": float("inf"), "snr_before": found}
    out = {}
    for name, data in systems.items():
        if found[name] <= lowest:
            out[name] = data
            continue
        noisy = add_noise(
            _rows(data),
            _conditions(data),
            snr=lowest,
            rng=seed.child(name).stream("noise"),
            noiseless=noiseless(data),
        )
        made = data.copy(data=_like(noisy, data))
        if noiseless(data):
            made.attrs = {**data.attrs, "kind": "rate"}  # it has noise now
        out[name] = made
    return out, {"snr": float(lowest), "snr_before": found}


def _rows(data: xr.DataArray) -> np.ndarray:
    """(trial x time, unit): each bin of a trial is one measurement."""
    return np.asarray(data.values, dtype=np.float64).reshape(-1, data.sizes["unit"])


def _conditions(data: xr.DataArray) -> np.ndarray:
    """(trial x time,) number of the stimulus, and of the bin."""
    number = np.unique(data["stimulus"].values, return_inverse=True)[1]
    bins = data.sizes.get("time", 1)
    return np.asarray((number[:, None] * bins + np.arange(bins)).reshape(-1))


def _like(rows: np.ndarray, data: xr.DataArray) -> np.ndarray:
    return rows.reshape(data.shape)
