"""`decode` of a series (time, unit): stretches of time held out with a gap, blocks drawn, the target shifted."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._seeds import Seed
from consilience.analyses._decode_design import Design, _checked
from consilience.analyses._decode_target import WHO, Target
from consilience.analyses._encode_design import _clock, _gap, _step
from consilience.stats import autocorrelation_time, block_weights, blocked_folds, circular_shifts

__all__ = ["from_series"]

FEWEST = 40


def from_series(
    data: xr.DataArray,
    x: np.ndarray,
    units: np.ndarray,
    target: Target,
    *,
    cv: int,
    gap: int | float | str,
    shuffle: bool,
    reach: int,
    seed: Seed,
) -> Design:
    """Rows are samples. ``reach`` : steps over which the model itself looks; added to the gap."""
    n = len(x)
    if n < FEWEST:
        raise InputError(f"{WHO}: at least {FEWEST} samples are needed, got {n}.", code="too-few")
    clock = _clock(data)
    columns = _columns(target)
    own = float(autocorrelation_time(columns).max())
    measured = max(own, float(np.quantile(autocorrelation_time(x[:, 0]), 0.9)))
    width = _gap(gap, measured, data, WHO) + reach
    length = max(width, int(np.ceil(2 * measured)), int(np.ceil(n ** (1 / 3))))
    least = max(1, width, int(np.ceil(2 * measured)))
    if n < 10 * length:
        warn(
            "few-blocks",
            f"{n} samples hold {n / length:.1f} stretches that are independent, so intervals are rough.",
            "A longer recording, or signals that are smoothed less.",
        )
    if shuffle:
        warn(
            "shuffled-series",
            f"samples were dealt into folds at random, although data and target stay alike over {measured:.3g} steps: "
            "neighbours of every test sample are in training, and even unrelated slow signals then score high.",
            "Leave shuffle out: folds are then stretches of time with a gap.",
        )
        order = seed.stream("folds").permutation(n)
        tests = [np.sort(part) for part in np.array_split(order, cv)]
        splits = [(np.setdiff1d(np.arange(n), test), test) for test in tests]
    else:
        splits = blocked_folds(clock, cv, width, who=WHO)
    if int((np.diff(clock) > 1).sum()):
        warn(
            "time-breaks",
            f"jumps in time: {int((np.diff(clock) > 1).sum())}; blocks and shifts run on over them.",
            "Expected of a recording in pieces; else look for lost samples.",
        )

    def orders(count: int, rng: np.random.Generator) -> np.ndarray:
        shifts = circular_shifts(n, least, count, rng)
        if shifts.size < 20 and count:
            if count < 20:
                raise InputError(
                    f"{WHO}: n_perm={count} circular shifts are too few for a p-value; ask for 20 or more (some "
                    "hundreds are usual), or 0 for none.",
                    code="too-few",
                )
            raise InputError(
                f"{WHO}: {n} samples allow {shifts.size} circular shifts of at least {least} steps, too few for a "
                "p-value; pass n_perm=0 or use a longer recording.",
                code="too-few",
            )
        if shifts.size < count:
            warn(
                "few-relabellings",
                f"{n} samples allow {shifts.size} circular shifts of at least {least} steps, {count} were asked for.",
                "A longer recording, or a smaller n_perm.",
            )
        return (np.arange(n) - shifts[:, None]) % n

    def relabel(count: int, rng: np.random.Generator) -> np.ndarray:
        found = orders(count, rng)
        return found if target.codes is None else target.codes[found]

    def inner(train: np.ndarray, count: int) -> list[Any]:
        return blocked_folds(clock[train], count, width, who=WHO)

    return Design(
        x=x,
        units=units,
        times=None,
        target=target,
        splits=_checked(splits, target),
        weights=lambda count, rng: block_weights(n, length, count, rng),
        relabel=relabel,
        blocks=max(2, n // length),
        factor=2.0,
        inner=inner,
        clock=clock,
        row_ids=("time", data["time"].values if "time" in data.coords else np.arange(n)),
        settings={
            "n_samples": n,
            "n_folds": len(splits),
            "gap_steps": 0 if shuffle else width,
            "autocorrelation_steps": round(measured, 2),
            "block_steps": length,
            "least_shift": least,
            "step": float(f"{_step(data):.6g}"),
            "shuffle": shuffle,
        },
    )


def _columns(target: Target) -> np.ndarray:
    """The target as columns whose autocorrelation tells how long it stays alike."""
    if target.codes is not None:
        assert target.classes is not None
        return (target.codes[:, None] == np.arange(target.classes.size)).astype(np.float64)
    assert target.values is not None
    if target.circular:
        return np.concatenate([np.cos(target.values), np.sin(target.values)], axis=1)
    return target.values
