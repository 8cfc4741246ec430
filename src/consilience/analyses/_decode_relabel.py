"""The null of `decode`: what changes places with what when the target is relabelled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from consilience._core._errors import warn
from consilience.analyses._decode_target import Target
from consilience.stats import (
    group_permutations,
    in_stretches,
    label_permutations,
    neighbours_alike,
    permutations,
    stretches,
)
from consilience.stats._neighbours import alike_beyond

__all__ = ["constant_within", "depends_on", "doubt_order", "exchanged", "relabeller"]

_FEWEST = 20  # rows in whose order a drift is looked for
_VALUES = 200_000  # of which it is looked for


def constant_within(owner: np.ndarray, key: np.ndarray) -> bool:
    """Has every group one value of ``key``?"""
    return np.unique(np.stack([owner, key]), axis=1).shape[1] == np.unique(owner).size


def exchanged(
    x: np.ndarray,
    target: Target,
    drawn: np.ndarray,
    what: str,
    run: np.ndarray | None,
    strata: np.ndarray,
) -> np.ndarray | None:
    """(n,) int: what changes places as a whole in the null; None for numbers."""
    if target.codes is None:
        return None
    single = np.arange(target.codes.size)
    if what != "trial" and constant_within(drawn, target.codes) and constant_within(drawn, strata):
        return drawn
    within = strata if run is not None else np.zeros_like(strata)
    found = stretches(target.codes, within)
    mean, by_chance = in_stretches(target.codes, within)
    if mean <= 2 * by_chance:
        return single
    p, alike = neighbours_alike(x.mean(axis=1, dtype=np.float64), target.codes)
    if p > 0.005:
        return single  # trials that were only sorted by class
    said = (
        f"trials of one class come in stretches of {mean:.1f} in a row ({by_chance:.1f} by chance), and neighbours are "
        f"alike beyond their class (r = {alike:.2f}, p = {p:.3f})"
    )
    if run is not None:
        warn(
            "neighbours-alike",
            f"{said}: in the null whole stretches change places inside a run.",
            "Expected of block designs; else average the trials of a block first.",
        )
        return found
    warn(
        "neighbours-alike",
        f"{said}: they stand in training and test, so the score and its p are too good.",
        "Leave whole runs out with folds='label', or keep neighbours together with groups='label'.",
    )
    return single


def doubt_order(
    x: np.ndarray,
    target: Target,
    drawn: np.ndarray,
    stimulus: np.ndarray,
    run: np.ndarray | None,
    *,
    constant: bool,
) -> None:
    """Warns where numbers that follow each other are alike, and responses too beyond what goes with the numbers: rows
    (or groups that stay together) then do not change places freely. What repeats of a stimulus share is taken out.
    """
    if target.values is None:
        return
    v = target.values
    y = np.concatenate([np.cos(v), np.sin(v)], axis=1) if target.circular else v
    y = y / np.maximum(np.abs(y).max(axis=0), 1e-300)
    each = x.mean(axis=1, dtype=np.float64)
    together = drawn.max() + 1 < drawn.size
    if together and constant:
        place = _means(np.arange(drawn.size, dtype=np.float64)[:, None], drawn)[:, 0]
        order = np.argsort(place, kind="stable")
        y, each = _means(y, drawn)[order], _means(each, drawn)[order]
    else:
        for owner in (drawn, stimulus):
            if owner.max() + 1 < owner.size:
                y, each = (values - _means(values, owner)[owner] for values in (y, each))
    if len(y) < _FEWEST:
        return
    p, alike = neighbours_alike(y, np.zeros(len(y), np.int64))
    if p > 0.005:
        return
    each = each[:, :: max(1, each.shape[1] * len(each) // _VALUES)]
    p, beside = alike_beyond(each, y)
    if p > 0.005:
        return  # rows that were only sorted by the target
    said = (
        f"rows that follow each other are alike in {target.names[0]!r} (r = {alike:.2f}) and in the responses beyond "
        f"what goes with it (r = {beside:.2f}, p = {p:.3f})"
    )
    where = (
        "they stand in training and test, so the score and its p are too good"
        if run is None
        else "they change places one by one, so p is too small"
    )
    warn(
        "neighbours-alike",
        f"{said}: {where}.",
        "If rows are in the order of time, leave out whole runs with folds='label', or decode them as a series, "
        "dims=('time', 'unit'): stretches are held out with a gap, and p is by circular shifts. If they are sorted by "
        "kind, keep a kind together with groups='label'.",
    )


def _means(values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    out = np.zeros((int(owner.max()) + 1, values.shape[1]))
    np.add.at(out, owner, values)
    return out / np.bincount(owner)[:, None]


def depends_on(owner: np.ndarray, target: Target) -> bool:
    """Does the target vary more between groups than when rows change places (p <= 1 / 200)?"""
    if target.codes is not None:
        assert target.classes is not None
        y = (target.codes[:, None] == np.arange(target.classes.size)).astype(np.float64)
    else:
        assert target.values is not None
        v = target.values
        y = np.concatenate([np.cos(v), np.sin(v)], axis=1) if target.circular else v
    size = np.abs(y).max(axis=0)
    y = y / np.where(size > 0, size, 1.0)
    y = y - y.mean(axis=0)
    y = y / np.where((scale := y.std(axis=0)) > 0, scale, 1.0)
    order = np.argsort(owner, kind="stable")
    first = np.flatnonzero(np.diff(owner[order], prepend=owner.min() - 1))
    count = np.diff(np.append(first, owner.size))[:, None]

    def between(rows: np.ndarray) -> np.ndarray:
        return (np.add.reduceat(y[rows], first) ** 2 / count).sum(axis=0)

    rng = np.random.default_rng(0)
    null = np.max([between(rng.permutation(owner.size)) for _ in range(199)], axis=0)
    return bool((between(order) > null + 1e-9 * owner.size).any())


def relabeller(
    target: Target,
    exchange: np.ndarray | None,
    strata: np.ndarray,
    drawn: np.ndarray,
    *,
    constant: bool,
    apart: bool,
) -> Callable[[int, np.random.Generator], np.ndarray]:
    n = strata.size

    def relabel(count: int, rng: np.random.Generator) -> np.ndarray:
        if exchange is not None:
            assert target.codes is not None
            found, ways = label_permutations(target.codes, exchange, strata, count, rng)
        elif drawn.max() + 1 == n:
            return _inside(strata, count, rng) if apart else permutations(n, count, rng)
        elif constant and apart:
            found, ways = np.tile(np.arange(n), (count, 1)), 0.0
            for s in np.unique(strata):
                rows = np.flatnonzero(strata == s)
                own = np.unique(drawn[rows], return_inverse=True)[1]
                order, more = group_permutations(own, count, rng)
                found[:, rows] = rows[order]
                ways += more
        elif constant:
            found, ways = group_permutations(drawn, count, rng)
        else:  # numbers that differ inside a group change places there
            found, ways = _inside(drawn, count, rng), 9.0
        if ways < 2:
            warn(
                "few-relabellings",
                f"The labels can change places in only {10**ways:.0f} ways, so p is not small.",
                "More groups, or more trials in a run.",
            )
        return found

    return relabel


def _inside(owner: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Orders (count, n) in which rows change places with those of the same ``owner``."""
    order = np.argsort(owner[None] + rng.random((count, owner.size)), axis=1)
    found = np.empty_like(order)
    found[:, np.argsort(owner, kind="stable")] = order
    return found
