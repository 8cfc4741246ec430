"""`Selectivity`, and what indices of mean responses share: held-out value, interval, relabellings, untuned floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from consilience._core._params import check_count, check_number
from consilience._core._seeds import Seed, resolve_seed
from consilience.units._classes import Classes, highest
from consilience.units._scores import UnitScores
from consilience.units._spread import steady
from consilience.units._untuned import untuned_means

__all__ = [
    "Index",
    "Options",
    "Selectivity",
    "best_and_stable",
    "check_options",
    "put_together",
    "scores_of_index",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class Selectivity(UnitScores):
    """An index of selectivity of each unit. All arrays are (units,), NaN where there is none.

    value : as published, from all trials: biased up where a unit is untuned or trials are few.   corrected : without
    that bias (the function says how); can be below 0.   ci_low, ci_high : interval of the true index, for other
    trials.   null_mean, p : mean over relabellings of the trials, and one-sided p, of ``value``.   floor : the mean of
    ``value`` for an untuned unit with this mean, spread and number of trials.   preferred : label, or angle, with the
    highest response over all trials.   stability : share of splits whose two halves prefer the same.
    """

    corrected: np.ndarray
    floor: np.ndarray
    preferred: np.ndarray
    stability: np.ndarray

    def __repr__(self) -> str:
        known = np.isfinite(self.value) & np.isfinite(self.corrected)
        middle = ""
        if known.any():
            raw, right, floor = (
                np.median(v[known]) if np.isfinite(v[known]).any() else np.nan
                for v in (self.value, self.corrected, self.floor)
            )
            middle = f", median {raw:.3g} (corrected {right:.3g}, untuned {floor:.3g})"
        return f"<Selectivity> {int(known.sum())} of {self.value.size} units with a value{middle}"


class Index(Protocol):
    """An index that is a ratio of two sums over class means, once the preferred class or angle is chosen."""

    def raw(self, means: np.ndarray, /) -> np.ndarray:
        """(..., units) from means (..., k, units): chosen and scored on the same."""
        ...

    def choose(self, means: np.ndarray, /) -> np.ndarray:
        """(..., units) what is preferred."""
        ...

    def terms(self, chosen: np.ndarray, means: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]:
        """(numerator, denominator), each (..., units), of the index of what was chosen."""
        ...

    def agree(self, one: np.ndarray, other: np.ndarray, /) -> np.ndarray:
        """Bool (..., units): the two choices are the same."""
        ...

    def named(self, chosen: np.ndarray, /) -> np.ndarray:
        """(units,) choices as labels or angles."""
        ...

    def interval(
        self, means: np.ndarray, variance: np.ndarray, middle: np.ndarray, classes: Classes, level: float, /
    ) -> tuple[np.ndarray, np.ndarray]:
        """(low, high) from the ``variance`` (k, units) of means, around the corrected value ``middle``."""
        ...


@dataclass(frozen=True)
class Options:
    n_splits: int
    n_perm: int
    n_floor: int
    level: float
    seed: Seed


def check_options(*, n_splits: Any, n_perm: Any, n_floor: Any, level: Any, rng: Any, who: str) -> Options:
    return Options(
        check_count(n_splits, name="n_splits", who=who, minimum=1),
        check_count(n_perm, name="n_perm", who=who),
        check_count(n_floor, name="n_floor", who=who),
        check_number(level, name="level", who=who, low=0.0, high=1.0),
        resolve_seed(rng, who=who),
    )


def put_together(found: list[dict[str, np.ndarray]], level: float) -> Selectivity:
    """Parts of the units, side by side."""
    made = {key: np.concatenate([part[key] for part in found]) for key in found[0]}
    fields = Selectivity.__dataclass_fields__
    counted = {key: made.pop(key) for key in list(made) if key not in fields}
    return Selectivity(**made, level=level, counted=counted)


def scores_of_index(classes: Classes, index: Index, options: Options) -> Selectivity:
    """All of `Selectivity` for an `Index`.

    corrected : what is preferred is chosen on one half of the rows of each class and scored on the other, both ways;
    sum of numerators over sum of denominators over ``n_splits`` splits. Numerators of an untuned unit are 0 on average.
    """
    orders = classes.dealt(options.n_perm, options.seed.stream("permutations"))
    halves = classes.halves(options.n_splits, options.seed.stream("splits"))
    drawer = options.seed.stream("floor")
    found = []
    for _, part in classes.parts():
        means, variances = part.moments()
        known = ~part.silent
        raw = np.where(known, index.raw(means), np.nan)
        chosen = index.choose(means)
        corrected, stability = _held_out(part, index, halves)
        if getattr(index, "fixed", None) is not None:
            corrected = raw  # nothing was chosen
        corrected, stability = (np.where(known, v, np.nan) for v in (corrected, stability))
        low, high = index.interval(means, steady(means, variances, part), corrected, part, options.level)
        null, p = dealt(part, index, raw, orders)
        floor = _floor(part, index, means, variances, options.n_floor, drawer)
        found.append(
            {
                "value": raw,
                "corrected": corrected,
                "ci_low": np.where(known, np.fmin(low, corrected), np.nan),
                "ci_high": np.where(known, np.fmax(high, corrected), np.nan),
                "null_mean": null,
                "p": p,
                "floor": np.where(known, floor, np.nan),
                "preferred": index.named(chosen),
                "stability": stability,
            }
        )
    return put_together(found, options.level)


def dealt(part: Classes, index: Index, raw: np.ndarray, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(null mean, p): two-sided, around 0, where the class was fixed beforehand."""
    if getattr(index, "fixed", None) is None:
        return part.against_dealt(raw, orders, part.on_means(index.raw))
    size = part.against_dealt(np.abs(raw), orders, part.on_means(lambda means: np.abs(index.raw(means))))
    return np.where(np.isfinite(size[0]), 0.0, np.nan), size[1]


def best_and_stable(part: Classes, means: np.ndarray, halves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((units,) label with the highest mean, (units,) share of splits whose halves agree on it)."""
    half, same = part.counts // 2, np.zeros(part.x.shape[1])
    total = np.add.reduceat(part.x, part.starts, axis=0)
    for some in part.chunks(halves):
        first = part.means_of(some, half)
        second = (total - first * half[:, None]) / (part.counts - half)[:, None]
        same += (highest(first) == highest(second)).sum(axis=0)
    return part.names[means.argmax(axis=0)], np.where(part.silent, np.nan, same / max(1, len(halves)))


def _held_out(part: Classes, index: Index, halves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half = part.counts // 2
    units = part.x.shape[1]
    total = np.add.reduceat(part.x, part.starts, axis=0)
    top, below, same = np.zeros(units), np.zeros(units), np.zeros(units)
    for some in part.chunks(halves):
        first = part.means_of(some, half)
        second = (total - first * half[:, None]) / (part.counts - half)[:, None]
        choices = index.choose(first), index.choose(second)
        for chosen, means in ((choices[0], second), (choices[1], first)):
            num, den = index.terms(chosen, means)
            top += num.sum(axis=0)
            below += den.sum(axis=0)
        same += index.agree(*choices).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below != 0, top / np.where(below != 0, below, 1.0), np.nan), same / len(halves)


def _floor(
    part: Classes,
    index: Index,
    means: np.ndarray,
    variances: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    if not count:
        return np.full(means.shape[1], np.nan)
    drawn = untuned_means(part, means, variances, count, rng)
    return np.asarray(np.nanmean([np.nan_to_num(index.raw(m)) for m in drawn], axis=0))
