"""How many different RDMs come of one by relabelling its stimuli: a permutation p cannot fall below one over that."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["distinct_relabellings"]

_PART = 16  # stimuli looked at first
_FIRST, _DRAWS = 400, 2000


def distinct_relabellings(rdm: np.ndarray, /, *, most: int = 100) -> int:
    """Number of distinct matrices among all relabellings of ``rdm`` (n, n), or ``most`` where there are as many or
    more.

    A relabelling that leaves the matrix as it is maps stimuli onto such with the same distances, so there are at least
    n! / prod(m!) distinct ones, m the numbers of stimuli with equal (sorted) distances. Below ``most``, relabellings
    are drawn and the different ones counted; all are equally likely, so that with 20 times as many draws as there
    are matrices the odds of missing one are below 1e-6.
    """
    d = np.asarray(rdm, dtype=np.float64)
    n = len(d)
    scale = float(np.abs(d).max()) or 1.0
    # those that move a few stimuli only are among them, and of most RDMs they are enough
    if n > _PART and _count(d[:_PART, :_PART] / scale, most) == most:
        return most
    return _count(d / scale, most)


def _count(d: np.ndarray, most: int) -> int:
    n = len(d)
    codes = np.unique(np.round(d, 9), return_inverse=True)[1].reshape(n, n)
    alike = np.unique(np.sort(codes, axis=1), axis=0, return_counts=True)[1]
    least = math.lgamma(n + 1) - sum(math.lgamma(m + 1) for m in alike)
    if least >= math.log(most) - 1e-9:
        return most
    rng = np.random.default_rng(0)
    for rows, draws in ((min(n, _PART), _FIRST), (n, _DRAWS)):
        seen: set[bytes] = set()
        for _ in range(draws):
            order = rng.permutation(n)[:rows]
            seen.add(codes[np.ix_(order, order)].tobytes())
            if len(seen) >= most:
                return most
    return len(seen)
