"""Linear readouts of dichotomies of conditions: all of them at once, on trials held out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import lapack, solve_triangular

from consilience.linalg import ledoit_wolf
from consilience.populations._dichotomies import Cells, Splits
from consilience.stats._folds import stratified_folds

__all__ = ["ConditionReadout"]

_DEALS = 2


class ConditionReadout:
    """Fisher's discriminant w = S^-1 (m+ - m-), b = -w (m+ + m-) / 2 of dichotomies of conditions.

    m+ and m- are means over the conditions of a side, each counting the same, S is the covariance within a side: noise
    within conditions (shrunk, Ledoit & Wolf) and the spread of the side's conditions. Noise covariance and means are
    those of training trials, x is whitened by the noise. As both sides have as many conditions, w is that of the
    covariance around the mean of both sides, but for its length, and all dichotomies of the same conditions share one
    C x C system in the Gram matrix of the condition means. The folds are dealt twice.
    """

    def __init__(self, cells: Cells, folds: int, rng: np.random.Generator) -> None:
        self.cells = cells
        self._known: tuple[Splits, _Discriminants] | None = None
        rows = np.arange(len(cells.x))
        self.folds: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        folds = min(folds, int(cells.counts.min()))
        for _ in range(_DEALS):
            for test in stratified_folds(cells.number, rows, folds, rng):
                held = np.zeros(rows.size, dtype=bool)
                held[test] = True
                whitener = _whitener(cells.x[~held], cells.number[~held])
                self.folds.append((held, whitener, cells.x @ whitener))

    def accuracy(
        self, splits: Splits, *, keep: np.ndarray | None = None, moved: np.ndarray | None = None
    ) -> np.ndarray:
        """(n,) of each dichotomy: share of held-out trials on the right side, mean over tested conditions and splits.

        keep : bool (trials,), those to use.   moved : (C, units) what is added to the trials of each condition.
        """
        c = self.cells.counts.size
        right, count = np.zeros((len(splits.train), c)), np.zeros(c)
        for rows, up in self._told(splits, keep, moved):
            of = self.cells.number[rows]
            sums = up.T @ (of[:, None] == np.arange(c)).astype(np.float64)  # (m, C) on the side +1
            tests = np.bincount(of, minlength=c)
            right += np.where(splits.test > 0, sums, tests - sums)
            count += tests
        if not count.any():
            return np.full(splits.n, np.nan)
        used = splits.test != 0
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(used, right / count, 0.0).sum(axis=1) / used.sum(axis=1)
        total = np.bincount(splits.owner, weights=share, minlength=splits.n)
        return np.asarray(total / np.bincount(splits.owner, minlength=splits.n))

    def variance_of_tests(self, splits: Splits, dichotomy: int | None = None) -> float:
        """Variance of the accuracy of a dichotomy (None: of the mean over all) from the trials that are tested, with
        the readouts as they are: sum over conditions of the variance of a trial's share right, over their number.
        """
        number, c = self.cells.number, self.cells.counts.size
        chosen = np.ones(splits.n) / splits.n if dichotomy is None else np.eye(splits.n)[dichotomy]
        used = splits.test != 0
        weight = chosen[splits.owner] / np.bincount(splits.owner, minlength=splits.n)[splits.owner]
        weight = weight[:, None] * used / used.sum(axis=1, keepdims=True)  # (m, C)
        share = np.zeros(number.size)
        for rows, up in self._told(splits, None, None):
            of = number[rows]
            right = np.where(splits.test.T[of] > 0, up, 1 - up)
            share[rows] += (right * weight.T[of]).sum(axis=1) / _DEALS
        mean = np.bincount(number, weights=share, minlength=c) / self.cells.counts
        square = np.bincount(number, weights=(share - mean[number]) ** 2, minlength=c)
        return float((square / np.maximum(self.cells.counts - 1, 1) / self.cells.counts).sum())

    def _shared(self, splits: Splits) -> _Discriminants:
        """Those of ``splits``, which are asked for again and again."""
        if self._known is None or self._known[0] is not splits:
            self._known = splits, _Discriminants(splits.train)
        return self._known[1]

    def _told(
        self, splits: Splits, keep: np.ndarray | None, moved: np.ndarray | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Of each fold the trials that are tested, and whether each is put on the side +1 (tests, m), 0.5 for neither;
        none where a condition has no trial to train on.
        """
        number, c = self.cells.number, self.cells.counts.size
        found = []
        discriminants = self._shared(splits)
        for held, whitener, z in self.folds:
            train, test = ~held, held
            if keep is not None:
                train, test = train & keep, test & keep
                whitener = _whitener(self.cells.x[train], number[train])
                z = self.cells.x @ whitener
            own = number[train]
            size = np.bincount(own, minlength=c).astype(np.float64)
            if (size == 0).any():
                return iter(())
            means = ((own == np.arange(c)[:, None]) / size[:, None]) @ z[train]
            tested, of = z[test], number[test]
            if moved is not None:
                shift = moved @ whitener
                means, tested = means + shift, tested + shift[of]
            weights, offsets = discriminants.of(means @ means.T)
            score = (tested @ means.T) @ weights.T + offsets  # (tests, m)
            found.append((np.flatnonzero(test), np.where(score > 0, 1.0, np.where(score == 0, 0.5, 0.0))))
        return iter(found)


def _whitener(x: np.ndarray, number: np.ndarray) -> np.ndarray:
    """(units, units) W with W W' the inverse of the shrunk covariance of trials around their condition's mean."""
    counts = np.bincount(number)
    sums = np.zeros((counts.size, x.shape[1]))
    np.add.at(sums, number, x)
    rest = x - (sums / np.maximum(counts, 1)[:, None])[number]
    dof = max(1, len(x) - int((counts > 0).sum()))
    covariance = ledoit_wolf(rest)[0] * (len(x) / dof)
    if covariance.trace() <= 1e-20 * float((x * x).mean() or 1.0):  # trials of a condition are all alike
        return np.eye(x.shape[1])
    lower, failed = lapack.dpotrf(covariance, lower=1, clean=1)
    if not failed and np.diag(lower).min() ** 2 > 1e-10 * covariance.trace():
        return np.asarray(solve_triangular(lower, np.eye(len(lower)), lower=True, check_finite=False).T)
    value, vector = np.linalg.eigh(covariance)
    floor = max(float(value[-1]), np.finfo(np.float64).tiny) * 1e-10
    return np.asarray(vector / np.sqrt(np.maximum(value, floor)))


class _Discriminants:
    """(weights (m, C) of the condition means, offsets (m,)) of signs (m, C), from the Gram matrix of the means.

    With T = 1 + sum_c (m_c - m)(m_c - m)' / k over the k conditions that take part, T^-1 (m+ - m-) is M' W d, M their
    means, d the signs over k / 2, W = (1 + H G / k)^-1 and H what takes the mean away.
    """

    def __init__(self, signs: np.ndarray) -> None:
        used = signs != 0
        assert (signs.sum(axis=1) == 0).all()
        self.near = used / used.sum(axis=1, keepdims=True)
        parts, owner = np.unique(used, axis=0, return_inverse=True)
        self.systems: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for size in np.unique(parts.sum(axis=1)).tolist():  # those of as many conditions, all at once
            which = np.flatnonzero(parts.sum(axis=1) == size)
            rows = [np.flatnonzero(owner.reshape(-1) == p) for p in which]
            at = np.array([np.flatnonzero(parts[p]) for p in which])  # (s, k)
            most = max(r.size for r in rows)
            index = np.array([np.r_[r, np.full(most - r.size, -1)] for r in rows])  # (s, most)
            d = np.zeros((len(rows), size, most))
            for k, own in enumerate(rows):
                d[k, :, : own.size] = signs[np.ix_(own, at[k])].T / (size / 2)
            self.systems.append((at, index, d))

    def of(self, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weights = np.zeros(self.near.shape)
        for at, index, d in self.systems:
            size = at.shape[1]
            inner = gram[at[:, :, None], at[:, None, :]]
            inner = (inner - inner.mean(axis=1, keepdims=True)) / size + np.eye(size)
            solved = np.swapaxes(np.linalg.solve(inner, d), 1, 2)  # (s, most, k)
            there = index >= 0
            weights[index[there][:, None], np.broadcast_to(at[:, None], solved.shape)[there]] = solved[there]
        return weights, -((weights @ gram) * self.near).sum(axis=1)
