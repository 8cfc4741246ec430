"""Splitters: whole groups, never single rows of one."""

from __future__ import annotations

import itertools

import numpy as np

from consilience._core._errors import InputError

__all__ = ["blocked_folds", "group_folds", "half_splits", "stratified_folds"]


def group_folds(
    groups: np.ndarray, folds: int, rng: np.random.Generator, *, who: str = "group_folds"
) -> list[np.ndarray]:
    """``folds`` arrays of test rows; rows of one group stay together; groups are dealt at random, sizes
    balanced.

    groups : (n,) group of each row.
    """
    names, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if folds < 2 or folds > names.size:
        what = "stimuli" if names.size == groups.size else "groups"
        raise InputError(
            f"{who}: folds must be between 2 and the number of {what} ({names.size}), got {folds}.",
            code="bad-parameter",
        )
    order = rng.permutation(names.size)
    order = order[np.argsort(-counts[order], kind="stable")]
    owner, load = np.empty(names.size, dtype=np.int64), np.zeros(folds)
    for g in order:
        owner[g] = int(np.argmin(load))
        load[owner[g]] += counts[g]
    return [np.flatnonzero(owner[inverse] == f) for f in range(folds)]


def stratified_folds(
    codes: np.ndarray, groups: np.ndarray, folds: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """``folds`` arrays of test rows: groups of each class are dealt in turn, so that folds hold as many of every class.

    codes : (n,) int class of each row.   groups : (n,) int; the rows of a group stay together, and have one class.
    """
    names, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    owner = np.empty(names.size, dtype=np.int64)
    start = 0
    for c in np.unique(codes):
        own = rng.permutation(np.flatnonzero(codes[first] == c))
        owner[own] = (start + np.arange(own.size)) % folds
        start += own.size  # the next class begins where this one ended, so that folds are of one size
    return [np.flatnonzero(owner[inverse] == f) for f in range(folds)]


def blocked_folds(
    times: np.ndarray, folds: int, gap: int, *, who: str = "blocked_folds"
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training rows, test rows) of ``folds`` contiguous stretches of a series; samples within ``gap`` steps of
    a test stretch are in neither.

    times : (n,) int, rising: the step of each row. Rows may be missing (an earlier split took them): a stretch
        holds as many rows as any other, and distance is counted in steps.
    """
    n = times.size
    if folds < 2 or folds > n // 2:
        raise InputError(
            f"{who}: folds must be between 2 and half of the samples ({n // 2}), got {folds}.",
            code="bad-parameter",
        )
    edges = np.arange(folds + 1) * n // folds
    out = []
    for low, high in itertools.pairwise(edges):
        test = np.arange(low, high)
        near = (times >= times[low] - gap) & (times <= times[high - 1] + gap)
        train = np.flatnonzero(~near)
        if train.size < 2:
            raise InputError(
                f"{who}: with {folds} folds and a gap of {gap} steps, {train.size} of {n} samples are left to "
                "train on; use a longer recording or a smaller gap.",
                code="too-few",
            )
        out.append((train, test))
    return out


def half_splits(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` random splits of ``n`` stimuli in two halves: bool (count, n), True = first half (n // 2 of
    them).
    """
    order = np.argsort(rng.random((count, n)), axis=1)
    return order < n // 2
