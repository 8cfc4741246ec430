"""What `encode` needs of its data: predictors and targets row by row, folds, resamples, relabellings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._memory import check_fits, gigabytes
from consilience._core._params import check_count, shorten
from consilience._core._seeds import Seed
from consilience._responses import check_responses, iterate_systems
from consilience.analyses._encode_order import order_given
from consilience.analyses._inputs import aligned_systems
from consilience.linalg import constant_columns
from consilience.stats import (
    autocorrelation_time,
    block_weights,
    blocked_folds,
    circular_shifts,
    group_folds,
    group_permutations,
    group_weights,
    multinomial_weights,
    permutations,
)

__all__ = ["EncodingData", "from_series", "from_trials"]

Split = tuple[np.ndarray, np.ndarray]
Inner = Callable[[np.ndarray, int], list[Split]]
FEWEST = 10


@dataclass
class EncodingData:
    """x : (n, p), bands side by side.   bands : {name: units}.   y : (n, t).   axis : ("stimulus" | "time",
    coordinate of rows).   trials : (single trials (m, t), stimulus of each) or None.
    """

    x: np.ndarray
    bands: dict[str, int]
    y: np.ndarray
    units: np.ndarray
    axis: tuple[str, np.ndarray]
    names: tuple[str, str]
    kinds: tuple[str, str]
    splits: list[Split]
    inner: Inner
    weights: Callable[[int, np.random.Generator], np.ndarray]  # draws of held-out rows
    orders: Callable[[int, np.random.Generator], np.ndarray]
    blocks: int  # independent items that are drawn
    groups: np.ndarray | None = None
    deal: Callable[[Seed], tuple[list[Split], Inner]] | None = (
        None  # folds again; None where there is one way
    )
    trials: tuple[np.ndarray, np.ndarray] | None = None
    order: np.ndarray | None = None  # rows in the order of time, where they may have been given so
    references: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


def from_trials(
    x: Any, y: xr.DataArray, *, by: str, join: str, cv: int, groups: str | None, seed: Seed, who: str
) -> EncodingData:
    """Rows are stimuli, matched by id; repeats averaged, and kept for ceilings."""
    found, ids, owner, references = aligned_systems(
        {"x": x, "y": y}, by=by, join=join, who=who, groups=groups
    )
    for system in [*found["x"], *found["y"]]:
        if system.responses is None:
            raise InputError(
                f"{who}: {shorten(system.name, 40)} is RDM data, which has no units to fit; use cs.compare.",
                code="not-responses",
            )
    target = found["y"][0]
    sizes = [s.responses.shape[1] for s in found["x"] if s.responses is not None]
    single = all(s.responses is not None and s.responses.matrix.dtype == np.float32 for s in found["x"])
    _check_memory(
        len(ids), sum(sizes), cv, 0 if target.trials is None else int(target.trials.size), who, single=single
    )
    n = len(ids)
    if n < FEWEST:
        raise InputError(f"{who}: at least {FEWEST} shared stimuli are needed, got {n}.", code="too-few")
    owners = np.arange(n) if owner is None else owner

    def deal(seed: Seed) -> tuple[list[Split], Inner]:
        def inner(train: np.ndarray, count: int) -> list[Split]:
            own = np.unique(owners[train], return_inverse=True)[1]
            count = min(count, int(own.max()) + 1)
            parts = group_folds(own, count, seed.stream(f"inner{train[0]}-{train.size}"), who=who)
            return [(np.setdiff1d(np.arange(train.size), test), test) for test in parts]

        tests = group_folds(owners, cv, seed.stream("folds"), who=who)
        return [(np.setdiff1d(np.arange(n), test), test) for test in tests], inner

    splits, inner = deal(seed)

    def weights(count: int, rng: np.random.Generator) -> np.ndarray:
        return multinomial_weights(n, count, rng) if owner is None else group_weights(owner, count, rng)

    def orders(count: int, rng: np.random.Generator) -> np.ndarray:
        if owner is None:
            return permutations(n, count, rng)
        drawn, distinct = group_permutations(owner, count, rng)
        if distinct < 2:
            warn(
                "few-relabellings",
                f"Groups of equal size can change places in only {10**distinct:.0f} ways, so p is not small.",
                "More groups, or groups of one size.",
            )
        return drawn

    assert target.responses is not None
    kept = target.responses.units
    names = _units(y)
    trials = None
    if target.trials is not None:
        codes = np.searchsorted(ids, target.trials["stimulus"].values)
        trials = (np.asarray(target.trials.values, dtype=np.float64), codes)
    return EncodingData(
        x=_floats([s.x for s in found["x"]]),
        bands={s.name: int(s.n_units) for s in found["x"]},
        y=_floats([target.x]),
        units=names if kept is None else names[kept],
        axis=("stimulus", ids),
        names=(" + ".join(s.name for s in found["x"]), target.name),
        kinds=(found["x"][0].kind, target.kind),
        splits=splits,
        inner=inner,
        weights=weights,
        orders=orders,
        blocks=n if owner is None else int(owner.max()) + 1,
        groups=owner,
        deal=deal if cv < int(owners.max()) + 1 else None,
        trials=trials,
        order=None
        if by != "stimulus"
        else order_given([*(s for _, s in iterate_systems(x, who=who, side="x")), y], ids),
        references=references,
        settings={
            "n_stimuli": n,
            "groups": groups,
            "n_groups": None if owner is None else int(owner.max()) + 1,
        },
    )


def from_series(
    x: Any, y: xr.DataArray, *, cv: int, gap: int | float | str, delays: Any, seed: Seed, who: str
) -> EncodingData:
    """Rows are samples of one time base; contiguous folds with a gap, blocks, circular shifts."""
    target = check_responses(y, who=who, name="y")
    y_name = str(target.attrs.get("system") or "y")
    bands: dict[str, np.ndarray] = {}
    for name, data in iterate_systems(x, who=who, side="x"):
        checked = check_responses(data, who=who, name=f"x {name!r}" if isinstance(x, Mapping) else "x")
        if checked.dims != ("time", "unit"):
            raise InputError(
                f"{who}: y is a series ('time', 'unit'), x {name!r} has dims {checked.dims}; both must be series.",
                code="bad-dims",
            )
        _same_times(checked, target, str(name), who)
        bands[str(name)] = _varying(checked, name, who)[0]
    y_values, kept = _varying(target, y_name, who)
    steps = _delays(delays, who)
    first, last = max(0, *steps), min(0, *steps)
    clock = _clock(target)
    rows = _whole(clock, steps)
    n = rows.size
    if n < 4 * FEWEST:
        raise InputError(
            f"{who}: at least {4 * FEWEST} samples with all of their delays are needed, got {n} of {len(clock)}.",
            code="too-few",
        )
    single = all(v.dtype == np.float32 for v in bands.values())
    width = sum(v.shape[1] for v in bands.values())
    _check_memory(n, len(steps) * width, cv, 0, who, delays=len(steps), single=single)
    parts = [np.concatenate([v[rows - d] for d in steps], axis=1) for v in bands.values()]
    y_rows = np.asarray(y_values[rows], dtype=np.float64)
    measured = max(float(np.quantile(autocorrelation_time(v), 0.9)) for v in (y_rows, *bands.values()))
    width = _gap(gap, measured, target, who) + (first - last)
    splits = blocked_folds(clock[rows], cv, width, who=who)
    length = max(width, int(np.ceil(2 * measured)), int(np.ceil(n ** (1 / 3))))
    if n < 10 * length:
        warn(
            "few-blocks",
            f"{n} samples hold {n / length:.1f} stretches that are independent, so intervals are rough.",
            "A longer recording, or signals that are smoothed less.",
        )
    least = max(1, width, int(np.ceil(2 * measured)))

    def inner(train: np.ndarray, count: int) -> list[Split]:
        return blocked_folds(clock[rows[train]], count, width, who=who)

    def orders(count: int, rng: np.random.Generator) -> np.ndarray:
        shifts = circular_shifts(n, least, count, rng)
        if shifts.size < 20 and count:
            if count < 20:
                raise InputError(
                    f"{who}: n_perm={count} circular shifts are too few for a p-value; ask for 20 or more (some "
                    "hundreds are usual), or 0 for none.",
                    code="too-few",
                )
            raise InputError(
                f"{who}: {n} samples allow {shifts.size} circular shifts of at least {least} steps, too few for a "
                "p-value; pass n_perm=0 or use a longer recording.",
                code="too-few",
            )
        return (np.arange(n) - shifts[:, None]) % n

    breaks = int((np.diff(clock) > 1).sum())
    if breaks:
        warn(
            "time-breaks",
            f"jumps in time: {breaks}; {len(clock) - n} of {len(clock)} samples are left out, whose delays would reach "
            "over a jump or an end.",
            "Expected of a recording in pieces; else look for lost samples. Blocks and shifts run on over jumps.",
        )
    return EncodingData(
        x=np.concatenate(parts, axis=1),
        bands={name: part.shape[1] for name, part in zip(bands, parts)},
        y=y_rows,
        units=_units(target)[kept],
        axis=("time", target["time"].values[rows] if "time" in target.coords else rows),
        names=(" + ".join(bands), y_name),
        kinds=("series", str(target.attrs.get("kind", "activation"))),
        splits=splits,
        inner=inner,
        weights=lambda count, rng: block_weights(n, length, count, rng),
        orders=orders,
        blocks=max(2, n // length),
        settings={
            "n_samples": n,
            "gap_steps": width,
            "autocorrelation_steps": round(measured, 2),
            "block_steps": length,
            "delays": steps,
            "least_shift": least,
            "step": float(f"{_step(target):.6g}"),
            "time_breaks": breaks,
        },
    )


def _check_memory(
    n: int, p: int, cv: int, trials: int, who: str, *, delays: int = 1, single: bool = False
) -> None:
    """Refuses before anything is loaded: x once, its training rows in every fold, and the trials of y."""
    needed = (4 if single else 8) * n * p * cv + 8 * trials
    free = check_fits(needed)
    if free is not None:
        what = f"{p} predictors" + (f" ({delays} delays)" if delays > 1 else "")
        kept = f" and {trials / 1e6:.2g} million values of single trials of y" if trials else ""
        raise InputError(
            f"{who}: {n} rows of {what}, in {cv} folds{kept}, take {gigabytes(needed)} in memory, and {free} is free; "
            "choose fewer units or delays, fewer folds (cv=), or give principal components of x.",
            code="too-large",
        )


def _step(y: xr.DataArray) -> float:
    return float(np.median(np.diff(y["time"].values))) if "time" in y.coords else 1.0


def _clock(y: xr.DataArray) -> np.ndarray:
    """(n,) int: the step of each sample, more than 1 after the last where time jumps by 1.5 steps or more."""
    if "time" not in y.coords:
        return np.arange(y.sizes["time"])
    steps = np.floor(np.diff(y["time"].values) / _step(y) + 0.5)
    return np.concatenate([[0], np.cumsum(np.maximum(steps, 1))]).astype(np.int64)


def _whole(clock: np.ndarray, delays: list[int]) -> np.ndarray:
    """Samples of which every delayed sample was recorded, exactly so many steps before."""
    rows = np.arange(max(0, *delays), len(clock) + min(0, *delays))
    for d in delays:
        rows = rows[clock[rows] - clock[rows - d] == d]
    return rows


def _same_times(x: xr.DataArray, y: xr.DataArray, name: str, who: str) -> None:
    """To a hundredth of a step: times made in float32, or by another sum, are the same."""
    n, m = x.sizes["time"], y.sizes["time"]
    if n == m:
        one, two = (np.asarray(v["time"].values, np.float64) for v in (x, y))
        away = float(np.abs(one - two).max())
        if away <= 0.01 * _step(y):
            return
        said = f"{n} samples each, up to {away:.3g} s apart"
    else:
        said = f"{n} and {m} samples"
    raise InputError(
        f"{who}: x {name!r} and y do not have the same times ({said}); bring them to one time base first, e.g. "
        "x.interp(time=y['time']) or means over the same bins.",
        code="bad-time",
    )


def _floats(parts: list[Any]) -> np.ndarray:
    values = [np.asarray(v) for v in parts]
    single = all(v.dtype == np.float32 for v in values)
    return np.concatenate(
        [v.astype(np.float32 if single else np.float64, copy=False) for v in values], axis=1
    )


def _units(data: xr.DataArray) -> np.ndarray:
    return np.asarray(data["unit"].values if "unit" in data.coords else np.arange(data.sizes["unit"]))


def _varying(data: xr.DataArray, name: str, who: str) -> tuple[np.ndarray, np.ndarray]:
    values, names = np.asarray(data.values), _units(data)
    values = values if values.dtype == np.float32 else values.astype(np.float64)
    kept = ~np.asarray(constant_columns(values))
    if not kept.any():
        raise InputError(
            f"{who}: every unit of {shorten(name, 60)} has the same value at all times.",
            code="constant-units",
        )
    if not kept.all():
        warn(
            "constant-units",
            f"{shorten(name, 60)}: {int((~kept).sum())} of {kept.size} units do not vary over time (unit "
            f"{shorten(names[~kept][0].item(), 24)}) and were dropped.",
            "Expected for dead or clipped units; else check the recording.",
        )
    return values[:, kept], kept


def _delays(delays: Any, who: str) -> list[int]:
    if delays is None:
        return [0]
    try:
        listed = [check_count(d, name="delays", who=who, minimum=-(10**6)) for d in delays]
    except (TypeError, InputError):
        listed = []
    if not listed or len(set(listed)) < len(listed):
        raise InputError(
            f"{who}: delays must be different whole numbers of steps, e.g. range(10); got {shorten(delays)}.",
            code="bad-parameter",
        )
    return listed


def _gap(gap: int | float | str, measured: float, y: xr.DataArray, who: str) -> int:
    steps: Any = int(np.ceil(measured)) if isinstance(gap, str) and gap == "auto" else gap
    if isinstance(gap, (float, np.floating)) and np.isfinite(gap):
        steps = int(np.ceil(gap / _step(y) - 1e-9))
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise InputError(
            f"{who}: gap must be 'auto', a number of steps (int, at least 0) or a time (float; a step is "
            f"{_step(y):.4g}); got {shorten(gap)}.",
            code="bad-parameter",
        )
    return int(steps)
