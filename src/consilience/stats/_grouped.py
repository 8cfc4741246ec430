"""Resampling and relabelling where stimuli come in groups: whole groups, never single stimuli of one."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["group_permutations", "group_weights"]


def group_weights(owner: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Bootstrap weights (draws, n) of rows whose groups are drawn whole.

    owner : (n,) int, 0 ... groups - 1.
    """
    count = int(owner.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=draws)
    return drawn[:, owner].astype(np.float64)


def group_permutations(owner: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """(orders (count, n), log10 of how many there are): groups of equal size change places, rows in a group keep
    their order. A group whose size no other group has stays.
    """
    members = [np.flatnonzero(owner == g) for g in range(int(owner.max()) + 1)]
    sizes = np.array([m.size for m in members])
    out = np.tile(np.arange(owner.size), (count, 1))
    distinct = 0.0
    for size in np.unique(sizes):
        rows = np.stack([members[g] for g in np.flatnonzero(sizes == size)])  # (groups, size)
        distinct += math.lgamma(len(rows) + 1) / math.log(10)
        for k in range(count):
            out[k, rows.ravel()] = rows[rng.permutation(len(rows))].ravel()
    return out, distinct
