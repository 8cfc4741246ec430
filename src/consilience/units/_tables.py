"""Tables of how often each value of a unit comes with each label, and the information in them, all units at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma

__all__ = ["Tables", "bayesian_count", "levels", "lookups", "ranked"]

_BLOCK = 1 << 23  # entries of tables at a time
_LN2 = float(np.log(2.0))


def levels(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of ``x`` (n, units) as numbers 0, 1, ... in order of size, and how many different ones (units,)."""
    order = np.argsort(x, axis=0, kind="stable")
    ordered = np.take_along_axis(x, order, axis=0)
    number = np.zeros(x.shape, dtype=np.int64)
    number[1:] = np.cumsum(ordered[1:] != ordered[:-1], axis=0)
    out = np.empty_like(number)
    np.put_along_axis(out, order, number, axis=0)
    return out, number[-1] + 1


def ranked(x: np.ndarray, bins: int) -> np.ndarray:
    """(n, units) bin of each value, as equally filled as ties allow: equal values share a bin, that of their middle
    rank."""
    n = len(x)
    number, _ = levels(x)
    out = np.empty(x.shape, dtype=np.int64)
    for u in range(x.shape[1]):
        count = np.bincount(number[:, u])
        middle = np.cumsum(count) - (count + 1) / 2
        out[:, u] = (middle * bins / n).astype(np.int64)[number[:, u]]
    return out


@dataclass(frozen=True, eq=False)
class Tables:
    """hot : (n, levels of all units side by side) float32 0 and 1.   starts : (units,) first column of each.
    sizes : (units,) number of levels.   labels : (n,) numbers of labels.   classes : (C,) trials of each.
    """

    hot: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    labels: np.ndarray
    classes: np.ndarray

    @classmethod
    def of(cls, number: np.ndarray, sizes: np.ndarray, labels: np.ndarray) -> Tables:
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        hot = np.zeros((len(number), int(sizes.sum())), dtype=np.float32)
        hot[np.arange(len(number))[:, None], number + starts] = 1.0
        return cls(hot, starts, sizes, labels, np.bincount(labels))

    @staticmethod
    def blocks(sizes: np.ndarray, n: int, classes: int) -> Iterator[slice]:
        """Units that are looked at together, so that their tables fit."""
        width = max(1, _BLOCK // max(n, classes))
        first = 0
        while first < sizes.size:
            last = first + max(1, int(np.searchsorted(np.cumsum(sizes[first:]), width, side="right")))
            yield slice(first, last)
            first = last

    def joint(self, labels: np.ndarray, kept: np.ndarray | None = None) -> np.ndarray:
        """(m, C, levels) counts for labels (m, n); of the trials with ``kept`` (m, n) where given."""
        hot = (labels[:, None, :] == np.arange(self.classes.size)[:, None]).astype(np.float32)
        if kept is not None:
            hot *= kept[:, None, :]
        flat = hot.reshape(-1, len(self.labels)) @ self.hot
        return flat.reshape(len(labels), self.classes.size, -1).astype(np.int32)

    def per_unit(self, values: np.ndarray) -> np.ndarray:
        """(..., units) sums over the levels of each unit of (..., levels)."""
        return np.add.reduceat(values, self.starts, axis=-1)

    def batches(self, count: int) -> Iterator[tuple[int, int]]:
        """(first, last) draws whose tables fit together."""
        widest = max(self.hot.shape[1], len(self.labels))
        step = max(1, _BLOCK // max(1, widest * self.classes.size))
        for first in range(0, count, step):
            yield first, min(count, first + step)

    def information(
        self, joint: np.ndarray, terms: np.ndarray, *, extra: float = 0.0, totals: np.ndarray | None = None
    ) -> np.ndarray:
        """(m, units) bits: the sum of terms over cells, less those over levels and over labels, per trial.

        terms : (n + 1,) what a count adds, k log2 k or a corrected form of it (`lookups`).   extra : to add, in bits x
        trials.   totals : (m, C) trials of each label, where not all are in the tables.
        """
        plain = lookups(len(self.labels))["none"]
        given = self.classes[None] if totals is None else totals
        n = given.sum(axis=1)
        fixed = plain[n] - plain[given].sum(axis=1) + extra
        cells = self.per_unit(terms[joint].sum(axis=1) - terms[joint.sum(axis=1)])
        return np.asarray((fixed[:, None] + cells) / n[:, None])

    def relevant(self, joint: np.ndarray) -> np.ndarray:
        """(m, units) sum over labels of (R_s - 1), less (R - 1): R_s by `bayesian_count`, R as seen."""
        keys = np.random.Generator(np.random.PCG64(0)).integers(1, 2**62, size=(3, len(self.labels) + 1))
        keys[0, 0] = 0  # a level that never came is the same as none
        key = self.per_unit(keys[0][joint])  # equal where counts are the same, in whatever order
        key = key + keys[1][self.sizes] + keys[2][self.classes][:, None]
        _, first, back = np.unique(key, return_index=True, return_inverse=True)
        draw, label, unit = np.unravel_index(first, key.shape)
        widest = int(self.sizes.max())
        column = self.starts[unit][:, None] + np.arange(widest)
        inside = np.arange(widest) < self.sizes[unit][:, None]
        counts = np.where(inside, joint[draw[:, None], label[:, None], np.where(inside, column, 0)], 0)
        found = bayesian_count(counts, self.sizes[unit])[back].reshape(key.shape)
        return np.asarray((found - 1).sum(axis=1) - (self.sizes - 1))

    def jackknife(self, joint: np.ndarray) -> np.ndarray:
        """(units,) variance of the information of one table (C, levels), corrected as by Miller and Madow, over trials
        within labels: sum_s (n_s - 1) / n_s sum_i (I_without_i - mean_s)^2."""
        n, known = len(self.labels), lookups(len(self.labels))
        plain, terms = known["none"], known["miller_madow"]
        less = np.concatenate([[0.0], np.diff(terms)])
        whole = (
            plain[n - 1]
            - plain[self.classes].sum()
            + self.per_unit(terms[joint].sum(axis=0) - terms[joint.sum(axis=0)])
        )
        of_class = np.concatenate([[0.0], np.diff(plain)])[self.classes]
        unit = np.repeat(np.arange(self.sizes.size), self.sizes)
        left = (whole[unit] + of_class[:, None] - less[joint] + less[joint.sum(axis=0)]) / (n - 1)
        mean = self.per_unit(joint * left) / self.classes[:, None]
        square = self.per_unit(joint * (left - mean[:, unit]) ** 2)
        return np.asarray((((self.classes - 1) / self.classes)[:, None] * square).sum(axis=0))


def lookups(n: int) -> dict[str, np.ndarray]:
    """(n + 1,) what a count k adds to n times a negative entropy in bits.

    none : k log2 k.   miller_madow : that less 1 / (2 ln 2) for each value that was seen.   grassberger : k G(k) / ln 2
    (Grassberger 2003), G(k) = psi(k) + (-1)^k (psi((k + 1) / 2) - psi(k / 2)) / 2.
    """
    k = np.arange(n + 1, dtype=np.float64)
    some = np.maximum(k, 1.0)
    none = k * np.log2(some)
    sign = np.where(k % 2, -1.0, 1.0)
    g = digamma(some) + sign * (digamma((some + 1) / 2) - digamma(some / 2)) / 2
    return {"none": none, "miller_madow": none - (k > 0) / (2 * _LN2), "grassberger": k * g / _LN2}


def bayesian_count(counts: np.ndarray, most: np.ndarray) -> np.ndarray:
    """(m,) how many values a response can take, from counts (m, levels) of those seen; at most ``most`` (m,).

    Values are added until as many are expected to be seen as were (Panzeri & Treves 1996): x unseen ones share the
    probability g = x (1 - (N / (N + R))^(1/N)) and those seen have (1 - g) (n_r + 1) / (N + R).
    """
    n = counts.sum(axis=1).astype(np.float64)
    seen = counts > 0
    naive = seen.sum(axis=1).astype(np.float64)
    trials = np.maximum(n, 1.0)
    missed = np.where(seen, (1 - counts / trials[:, None]) ** trials[:, None], 0.0).sum(axis=1)
    before, off = most.astype(np.float64), missed
    more = np.zeros_like(naive)
    on = np.flatnonzero((naive < most) & (off < before))
    while on.size:
        more[on] += 1
        t, r, x = trials[on], naive[on], more[on]
        share = x * (1 - (t / (t + r)) ** (1 / t))
        each = ((1 - share) / (t + r))[:, None] * (counts[on] + 1)
        expected = np.where(seen[on], 1 - (1 - each) ** t[:, None], 0.0).sum(axis=1)
        expected += x * (1 - (1 - share / x) ** t)
        before = before.copy()
        off = off.copy()
        before[on] = off[on]
        off[on] = np.abs(r - expected)
        on = on[(off[on] < before[on]) & (r + x < most[on])]
    return np.where(naive < most, naive + more - 1 + (off < before), naive)
