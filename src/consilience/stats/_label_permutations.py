"""Relabellings for tests of decoding: labels change places inside strata, in units that keep together."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["label_permutations", "stretches"]


def label_permutations(
    codes: np.ndarray, unit: np.ndarray, strata: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """(labels (count, n), log10 of how many different ones there are).

    The labels of units (trials, stimuli, blocks) change places with those of units in the same stratum (fold, run):
    what the folds know of the labels, their numbers in each fold, stays as it is, so the test is exact.

    codes : (n,) int.   unit : (n,) int, 0 ... units - 1; rows of one unit have one label and one stratum.   strata :
        (n,) int.
    """
    _, first = np.unique(unit, return_index=True)
    labels, stratum = codes[first], strata[first]
    out = np.tile(labels, (count, 1))
    ways = 0.0
    for s in np.unique(stratum):
        rows = np.flatnonzero(stratum == s)
        order = np.argsort(rng.random((count, rows.size)), axis=1)
        out[:, rows] = labels[rows][order]
        ways += math.lgamma(rows.size + 1)
        ways -= sum(math.lgamma(k + 1) for k in np.unique(labels[rows], return_counts=True)[1])
    place = np.unique(unit, return_inverse=True)[1]
    return out[:, place], ways / math.log(10)


def stretches(codes: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """(n,) int: the stretch of rows in a row with one label and one stratum that each row is in."""
    new = (np.diff(codes) != 0) | (np.diff(strata) != 0)
    return np.concatenate([[0], np.cumsum(new)])
