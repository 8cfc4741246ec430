"""Random sets of units that are like a given one in a number such as the mean rate."""

from __future__ import annotations

import numpy as np

__all__ = ["matched_sets"]


def matched_sets(
    value: np.ndarray,
    members: np.ndarray,
    count: int,
    rng: np.random.Generator,
    *,
    nearest: int = 4,
    aside: np.ndarray | None = None,
) -> np.ndarray:
    """(count, p) bool: sets of as many units as ``members`` (p,) bool has, none of them a member, matched in ``value``
    (p,) such as the mean rate. (0, p) where fewer units are left than the set has.

    Members, in random order, each take one at random of the ``nearest`` units in value that are not taken, so that no
    unit stands twice in one set; different sets share units. Units of ``aside`` (p,) bool are in none.
    """
    value = np.asarray(value, dtype=np.float64)
    own, free = np.flatnonzero(members), np.flatnonzero(~members if aside is None else ~(members | aside))
    if own.size == 0 or free.size < own.size:
        return np.zeros((0, members.size), bool)
    out = np.zeros((count, members.size), bool)
    for k in range(count):
        left = np.ones(free.size, bool)
        for unit in rng.permutation(own):
            open_ = np.flatnonzero(left)
            near = open_[np.argsort(np.abs(value[free[open_]] - value[unit]), kind="stable")[:nearest]]
            chosen = near[rng.integers(near.size)]
            left[chosen] = False
            out[k, free[chosen]] = True
    return out
