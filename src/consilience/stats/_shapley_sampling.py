"""Shapley values from random orders of the players, with what the sampling of orders and of stimuli leaves open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from consilience.stats._multiple import fdr
from consilience.stats._paired import t_test

__all__ = [
    "ORDERS",
    "Estimate",
    "ShapleySums",
    "chains",
    "coalitions_needed",
    "contributions",
    "look_sizes",
    "pair_coalitions",
    "pair_effects",
    "random_orders",
    "sampling_goal",
]

ORDERS = 4  # of a set: an order, the same with its halves exchanged, and both backwards
FIRST = 8  # sets before the first look


def random_orders(n: int, sets: int, rng: np.random.Generator) -> np.ndarray:
    """(sets, 4, P) orders of P players. Sets are independent; each single order is uniform, so every one is unbiased.

    Backwards, each player comes after exactly those that it came before, which takes out all that pairs of players do
    together; with the halves exchanged who came early comes late.
    """
    first = np.argsort(rng.random((sets, n)), axis=1)
    turned = np.roll(first, -(n // 2), axis=1)
    return np.stack([first, turned, first[:, ::-1], turned[:, ::-1]], axis=1)


def chains(orders: np.ndarray) -> np.ndarray:
    """(k, P - 1, P) bool: who is present after the first 1 ... P - 1 of each order (k, P)."""
    k, n = orders.shape
    place = np.empty((k, n), dtype=np.int64)
    np.put_along_axis(place, orders, np.arange(n)[None], axis=1)
    return np.asarray(place[:, None, :] < np.arange(1, n)[None, :, None])


def contributions(values: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """What each player adds when it comes. values : (k, P + 1, n) of the growing coalitions, nobody first.
    orders : (k, P) -> (k, P, n)
    """
    out = np.empty((orders.shape[0], orders.shape[1], values.shape[2]))
    out[np.arange(len(orders))[:, None], orders] = np.diff(values, axis=1)
    return out


def pair_coalitions(n: int, first: int, second: int, sets: int, rng: np.random.Generator) -> np.ndarray:
    """(sets, 2, 4, P) bool: a coalition of the others with both, the first, the second and none of the pair, and the
    same with all others exchanged for those who were left out. Its size is uniform on 0 ... P - 2.
    """
    others = np.setdiff1d(np.arange(n), [first, second])
    size = rng.integers(0, n - 1, sets)
    rank = np.argsort(np.argsort(rng.random((sets, n - 2)), axis=1), axis=1)
    out = np.zeros((sets, 2, 4, n), dtype=bool)
    chosen = rank < size[:, None]
    out[:, 0, :, others] = chosen.T[:, :, None]
    out[:, 1, :, others] = ~chosen.T[:, :, None]
    out[:, :, :2, first] = True
    out[:, :, [0, 2], second] = True
    return out


def pair_effects(values: np.ndarray) -> np.ndarray:
    """(sets, n) from the values (sets, 2, 4, n) of `pair_coalitions`: v(S + i + j) - v(S + i) - v(S + j) + v(S)."""
    return np.asarray((values[:, :, 0] - values[:, :, 1] - values[:, :, 2] + values[:, :, 3]).mean(axis=1))


def look_sizes(most: int) -> list[int]:
    """How many sets of orders there are at each look: 8, 16, 32 ... and ``most``."""
    out = []
    size = FIRST
    while size < most:
        out.append(size)
        size *= 2
    return [*out, most]


def sampling_goal(
    precision: float | None, nobody: np.ndarray, everybody: np.ndarray, single: np.ndarray, alone: np.ndarray
) -> float:
    """Half of the interval over orders at which sampling may stop: ``precision``, or a fiftieth of the largest of
    |v(all) - v(nobody)| and what single players change; never below rounding, 1e-12 of the largest value.

    nobody, everybody : values per stimulus.   single, alone : (P,)
    """
    if precision is None:
        total = abs(float(everybody.mean() - nobody.mean()))
        precision = 0.02 * max(total, float(np.abs(single).max()), float(np.abs(alone).max()))
    return max(precision, 1e-12 * float(max(np.abs(nobody).max(), np.abs(everybody).max())))


def coalitions_needed(played: int, half: float, goal: float) -> float:
    """How many coalitions make half an interval ``goal``, where ``played`` made it ``half``: it falls as 1 / sqrt."""
    return played * (half / goal) ** 2 if goal > 0 else np.inf


@dataclass(frozen=True)
class Estimate:
    """Of P players and C groups of stimuli, each (P, C): value; se_sampling (of orders) and se_stimuli; half_sampling:
    half of the interval over orders; half: over both; se: of both; df of both.
    """

    value: np.ndarray
    se_sampling: np.ndarray
    se_stimuli: np.ndarray
    half_sampling: np.ndarray
    half: np.ndarray
    se: np.ndarray
    df: np.ndarray

    def tested(self, level: float, *, stimuli: bool) -> tuple[np.ndarray, np.ndarray]:
        """p of the value being 0 over stimuli and orders, and q over players, (P, C) each; NaN without ``stimuli``."""
        if not stimuli:
            return np.full_like(self.value, np.nan), np.full_like(self.value, np.nan)
        found = t_test(self.value, self.se**2, df=self.df, level=level).p
        p = np.where(np.isfinite(self.se_stimuli), found, np.nan)
        return p, np.stack([fdr(column) for column in p.T], axis=1)

    def interval(self, *, stimuli: bool) -> tuple[np.ndarray, np.ndarray]:
        """low, high over stimuli and orders; without ``stimuli`` over orders, NaN where none were sampled."""
        known = np.isfinite(self.se_stimuli) if stimuli else self.half > 0
        half = np.where(known, self.half, np.nan)
        return self.value - half, self.value + half


class ShapleySums:
    """Running sums over sets of orders. ``members`` (C, n) bool: groups of stimuli whose means are wanted.

    The contributions z_ux of set u for stimulus x are a two-way table without repeats. Of its mean over all,
    variance = (MS_sets + MS_stimuli - MS_rest) / (m n), the estimate for both factors random (Searle, Casella &
    McCulloch 1992), never below either one alone.
    """

    def __init__(self, n_players: int, members: np.ndarray) -> None:
        self.members = np.asarray(members, dtype=bool)
        self.weight = self.members / np.maximum(self.members.sum(axis=1, keepdims=True), 1)
        n = self.members.shape[1]
        self.sets = 0
        self.centre: np.ndarray | None = None  # (P, n) of the first batch: sums of squares lose nothing
        self.total = np.zeros((n_players, n))
        self.squares = np.zeros((n_players, n))
        self.group_squares = np.zeros((n_players, len(self.members)))

    def add(self, one: np.ndarray) -> None:
        """one : (sets, P, n) contributions, each the mean over the orders of its set."""
        if self.centre is None:
            self.centre = one.mean(axis=0)
        away = one - self.centre
        self.sets += len(one)
        self.total += away.sum(axis=0)
        self.squares += (away**2).sum(axis=0)
        self.group_squares += ((away @ self.weight.T) ** 2).sum(axis=0)

    @property
    def each(self) -> np.ndarray:
        """(P, n) the value of each stimulus."""
        assert self.centre is not None
        return self.centre + self.total / self.sets

    def estimate(self, level: float, *, stopped: bool = False) -> Estimate:
        """``stopped``: sampling ends as soon as intervals are narrow, so that a spread that came out small ends it; the
        tails of the intervals over orders are then halved.
        """
        m, count = self.sets, self.members.sum(axis=1)
        away = self.total / m
        group_away = away @ self.weight.T
        of_sets = np.maximum(self.group_squares - m * group_away**2, 0.0) / max(m - 1, 1)
        each = self.each
        value = each @ self.weight.T
        of_stimuli = np.maximum((each**2) @ self.weight.T - value**2, 0.0)  # / n, per stimulus
        with np.errstate(invalid="ignore", divide="ignore"):
            of_stimuli = of_stimuli * count / (count - 1)
            rest = (
                self.squares @ self.members.T.astype(np.float64)
                - count * self.group_squares
                - m * ((away**2) @ self.members.T.astype(np.float64))
                + m * count * group_away**2
            ) / (max(m - 1, 1) * (count - 1))
            sets, stimuli = of_sets / m, of_stimuli / count
            rest = np.maximum(rest, 0.0) / (m * count)
        alone = count < 2
        stimuli, rest = np.where(alone, np.nan, stimuli), np.where(alone, 0.0, rest)
        return _combined(value, sets, stimuli, rest, m, count, level, stopped)


def _combined(
    value: np.ndarray,
    sets: np.ndarray,
    stimuli: np.ndarray,
    rest: np.ndarray,
    m: int,
    count: np.ndarray,
    level: float,
    stopped: bool,
) -> Estimate:
    """Standard errors and intervals from the variances of a mean over m sets and ``count`` stimuli."""
    known = np.where(np.isfinite(stimuli), stimuli, 0.0)
    variance = np.maximum(sets + known - rest, np.maximum(sets, known))
    t_sets = stats.t.ppf(1 - (1 - level) / (4 if stopped else 2), max(m - 1, 1)) if m > 1 else 0.0
    t_stimuli = stats.t.ppf((1 + level) / 2, np.maximum(count - 1, 1))
    both = sets + known
    share = np.divide(variance, both, out=np.ones_like(both), where=both > 0)
    half = np.sqrt((t_sets**2 * sets + t_stimuli**2 * known) * share)
    part = sets**2 / max(m - 1, 1) + known**2 / np.maximum(count - 1, 1)
    df = np.divide(both**2, part, out=np.full_like(both, np.inf), where=part > 0)
    return Estimate(
        value, np.sqrt(sets), np.sqrt(stimuli), t_sets * np.sqrt(sets), half, np.sqrt(variance), df
    )
