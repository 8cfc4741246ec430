"""Blocks become labelled tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import warn
from consilience._core._params import shorten
from consilience.analyses._best import BestOf
from consilience.analyses._ceiling_gap import Gap
from consilience.analyses._design import Block, Design, both_interval
from consilience.analyses._inputs import System, people_of
from consilience.measures import Measure
from consilience.stats import max_statistic_p, p_value, percentile_interval

_ROUNDING = 1e-12  # of an end of an interval


def pair_table(
    measure: Measure, block: Block, a: list[System], b: list[System], design: Design
) -> xr.Dataset:
    shape = block.values.shape
    blank = np.full(shape, np.nan)
    people = np.array([[max(people_of(x), people_of(y)) for y in b] for x in a])
    low, high = block.interval or (blank, blank)
    both = both_interval(block, design, people) or (blank, blank)
    single = (
        percentile_interval(block.subject_draws, block.values, design.level)
        if block.subject_draws is not None
        else (blank, blank)
    )
    (low, high), both, single = (_in_range(measure, *ends) for ends in ((low, high), both, single))
    ceiling_low = block.ceiling_low if block.ceiling_low is not None else blank
    ceiling_high = block.ceiling_high if block.ceiling_high is not None else blank
    low_ceiling = np.isfinite(ceiling_low) & ~((ceiling_high >= 0.1) & (ceiling_low > 0.05))
    if low_ceiling.any():
        warn(
            "ceiling-too-low",
            f"{measure.key}: the noise ceiling of "
            f"{', '.join(shorten(b[j].name, 30) for j in np.flatnonzero(low_ceiling.any(axis=0))[:3])} is "
            "below 0.1, so no ratio is given.",
            "The data hold too little signal for this measure: more repeats, or other units.",
        )
    expected = [[_stated_null(measure, x, y, design.n) for y in b] for x in a]
    columns = {
        "value": block.values,
        "value_pooled": block.pooled if block.pooled is not None else blank,
        "ci_low": low,
        "ci_high": high,
        "ci_subjects_low": single[0],
        "ci_subjects_high": single[1],
        "ci_both_low": both[0],
        "ci_both_high": both[1],
        "p": p_value(block.values, block.null) if block.null is not None else blank,
        "p_fwer": max_statistic_p(block.values, block.null, axis=0) if block.null is not None else blank,
        "null_mean": block.null.mean(axis=0) if block.null is not None else blank,
        "null_expected": np.array(expected, dtype=np.float64),
        "ceiling_low": ceiling_low,
        "ceiling_high": ceiling_high,
        "ratio": np.divide(
            block.values, ceiling_high, out=blank.copy(), where=np.isfinite(ceiling_low) & ~low_ceiling
        ),
        "n_stimuli": np.full(shape, design.n),
        "n_subjects": people,
        "n_units_a": np.array([[x.n_units] * len(b) for x in a]),
        "n_units_b": np.array([[y.n_units for y in b]] * len(a)),
    }
    coords = {"measure": [measure.key], "a": [s.name for s in a], "b": [s.name for s in b]}
    return xr.Dataset(
        {name: (("measure", "a", "b"), np.asarray(v)[None]) for name, v in columns.items()}, coords=coords
    )


def _in_range(measure: Measure, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends that rounding took out of the range of the measure, back at its end; others as they are."""
    lowest, highest = measure.claims.range
    low = np.where((low < lowest) & (low >= lowest - _ROUNDING), lowest, low)
    return low, np.where((high > highest) & (high <= highest + _ROUNDING), highest, high)


def _stated_null(measure: Measure, x: System, y: System, n: int) -> float:
    """The closed-form null; where the number of units is not known, only if it does not depend on it."""
    null = measure.claims.null
    if x.responses is not None and y.responses is not None:
        return null(n, x.responses.shape[1], y.responses.shape[1])
    few, many = null(n, 10, 10), null(n, 1000, 1000)
    return few if few == many else float("nan")


def draws_array(
    measure: Measure,
    block: Block,
    systems: dict[str, list[System]],
    which: str = "draws",
    ids: np.ndarray | None = None,
) -> xr.DataArray:
    """``draws``, ``subject_draws``, ``both_draws`` of a block, or ``left_out`` with the stimuli's ids, labelled."""
    values, last = getattr(block, which), "draw" if ids is None else "stimulus"
    coords = {
        "measure": [measure.key],
        "a": [s.name for s in systems["a"]],
        "b": [s.name for s in systems["b"]],
        last: np.arange(len(values)) if ids is None else ids,
    }
    return xr.DataArray(np.moveaxis(values, 0, -1)[None], dims=("measure", "a", "b", last), coords=coords)


def gap_table(measure: Measure, block: Block, systems: dict[str, list[System]]) -> xr.Dataset:
    """Variances of value - ceiling_low, labelled; NaN where there is none."""
    gap = block.gap or Gap.blank(block.values.shape)
    coords = {
        "measure": [measure.key],
        "a": [s.name for s in systems["a"]],
        "b": [s.name for s in systems["b"]],
    }
    return xr.Dataset(
        {name: (("measure", "a", "b"), v[None]) for name, v in vars(gap).items()}, coords=coords
    )


def stack_seeds(parts: list[list[Any]], seeds: list[int]) -> Any:
    by_seed = [
        xr.concat([of_measure[i] for of_measure in parts], dim="measure", join="outer")
        for i in range(len(seeds))
    ]
    return xr.concat(by_seed, dim=xr.IndexVariable("seed", np.array(seeds)))


def best_table(
    measure: Measure, found: BestOf, side: list[System], others: list[System], dim: str
) -> xr.Dataset:
    names = np.array([s.name for s in side], dtype=object)
    blank = np.full(len(others), np.nan)
    low, high = found.interval or (blank, blank)
    both_low, both_high = found.both or (blank, blank)
    columns: dict[str, Any] = {
        "value": found.value,
        "ci_low": low,
        "ci_high": high,
        "ci_both_low": both_low,
        "ci_both_high": both_high,
        "chosen": names[found.chosen],
        "share": found.share,
        "naive": names[found.naive],
        "naive_value": found.naive_value,
        "p": found.p if found.p is not None else blank,
    }
    data: dict[str, Any] = {name: (("measure", dim), np.asarray(v)[None]) for name, v in columns.items()}
    coords: dict[str, Any] = {"measure": [measure.key], dim: [s.name for s in others]}
    if found.differences:
        coords["seed"] = list(found.differences)
        rows = list(found.differences.values())
        pairs = {
            "baseline_value": [r[0] for r in rows],
            "difference": [r[1] for r in rows],
            "difference_low": [r[2][0] if r[2] else blank for r in rows],
            "difference_high": [r[2][1] if r[2] else blank for r in rows],
            "difference_both_low": [r[3][0] if r[3] else blank for r in rows],
            "difference_both_high": [r[3][1] if r[3] else blank for r in rows],
        }
        data.update({name: (("seed", "measure", dim), np.array(v)[:, None]) for name, v in pairs.items()})
    return xr.Dataset(data, coords=coords)
