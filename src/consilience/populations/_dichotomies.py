"""Ways to part conditions in two, what is trained and tested for each, and the door of trials with conditions."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.linalg import constant_columns
from consilience.linalg._noise import labelled
from consilience.populations._repeats import as_trials_of
from consilience.stats._folds import stratified_folds

__all__ = [
    "Cells",
    "Splits",
    "as_cells",
    "balanced_dichotomies",
    "best_elsewhere",
    "generalisation_splits",
    "halves_of_cells",
    "level_pairs",
]

MOST = 100  # dichotomies; of more, so many are drawn
_PAIRS = 36  # pairs of conditions left out of a dichotomy


@dataclass(frozen=True, eq=False)
class Cells:
    """Trials with their conditions.

    x : (trials, units), centred, constant units left out, rotated into the space that trials span where units are more.
    number : (trials,) condition of each.   names : of the C conditions.   counts : (C,) trials of each.
    variable, across : (C,) number of the level of each condition, None where conditions are not crossed.
    n_units : before that.
    """

    x: np.ndarray
    number: np.ndarray
    names: tuple[object, ...]
    counts: np.ndarray
    variable: np.ndarray | None
    across: np.ndarray | None
    n_units: int

    @property
    def means(self) -> np.ndarray:
        """(C, units)"""
        sums = np.zeros((self.counts.size, self.x.shape[1]))
        np.add.at(sums, self.number, self.x)
        return np.asarray(sums / self.counts[:, None])

    def some(self, rows: np.ndarray) -> Cells:
        """Of some of the trials, bool (trials,)."""
        number = self.number[rows]
        return replace(
            self, x=self.x[rows], number=number, counts=np.bincount(number, minlength=self.counts.size)
        )

    def sides(self, signs: np.ndarray) -> str:
        """``"a, b | c, d"`` of a dichotomy (C,)."""
        return " | ".join(
            ", ".join(
                _said(name) for name, sign in zip(self.names, signs.tolist(), strict=True) if sign == side
            )
            for side in (1, -1)
        )


@dataclass(frozen=True, eq=False)
class Splits:
    """What a readout learns and is tested on: of each of m splits the sign (+1, -1; 0 = left out) of every condition.

    train, test : (m, C).   owner : (m,) the dichotomy that a split is of.   n : number of dichotomies.
    """

    train: np.ndarray
    test: np.ndarray
    owner: np.ndarray
    n: int


def as_cells(
    trials: Array, condition: Array, across: Array | None, *, who: str, repeats: int = 2, few: int = 4
) -> Cells:
    """Checks trials (n_trials, units), the condition of each and, where conditions are crossed with it, the level of
    another label.
    """
    if across is None:
        x, number, names = as_trials_of(trials, condition, who=who, repeats=repeats, few=few)
        shown: tuple[object, ...] = tuple(names.tolist())
        variable = other = None
    else:
        n = len(trials)
        one, first = labelled(condition, n, name="condition", who=who)
        two, second = labelled(across, n, name="across", who=who)
        if one.size < 2 or two.size < 2:
            raise InputError(
                f"{who}: condition and across need at least 2 levels each, got {one.size} and {two.size}.",
                code="too-few",
            )
        joint = np.asarray(first) * two.size + np.asarray(second)
        x, number, names = as_trials_of(trials, joint, who=who, repeats=repeats, few=4)
        variable, other = names // two.size, names % two.size
        shown = tuple(
            (one[v].item(), two[o].item()) for v, o in zip(variable.tolist(), other.tolist(), strict=True)
        )
    still = np.asarray(constant_columns(x), dtype=bool)
    if still.all():
        raise InputError(
            f"{who}: none of the {still.size} units varies over trials, so conditions have no geometry.",
            code="constant-units",
        )
    z = x[:, ~still]
    z = z / np.abs(z).max()
    z = z - z.mean(axis=0)
    if z.shape[1] > len(z):
        value, left = np.linalg.eigh(z @ z.T)
        kept = value > value[-1] * len(z) * np.finfo(np.float64).eps
        z = left[:, kept] * np.sqrt(value[kept])
    counts = np.bincount(number, minlength=len(shown))
    return Cells(z, number, shown, counts, variable, other, x.shape[1])


def _said(name: object) -> str:
    return " ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def halves_of_cells(cells: Cells, rng: np.random.Generator) -> list[np.ndarray]:
    """Two halves of the trials of every condition, bool (trials,) each."""
    first = np.zeros(cells.number.size, dtype=bool)
    first[stratified_folds(cells.number, np.arange(cells.number.size), 2, rng)[0]] = True
    return [first, ~first]


def best_elsewhere(scores: np.ndarray) -> float:
    """Of scores of dichotomies on two halves (2, n): that of the best on one half, on the other; mean of both ways."""
    if not np.isfinite(scores).any(axis=1).all():
        return float("nan")
    best = np.nanargmax(scores, axis=1)
    return float((scores[1, best[0]] + scores[0, best[1]]) / 2)


def balanced_dichotomies(n: int, rng: np.random.Generator, most: int = MOST) -> np.ndarray:
    """(m, n) of +1, -1 and 0: all ways to part n conditions in two sides of n // 2 each, which side is which left
    open; of odd n one condition is left out in turn. Where they are more than ``most``, so many different ones at
    random.
    """
    half = n // 2
    total = math.comb(n, 2 * half) * math.comb(2 * half, half) // 2
    if total <= most:
        rows = []
        for out in [()] if n % 2 == 0 else [(k,) for k in range(n)]:
            rest = [k for k in range(n) if k not in out]
            for more in itertools.combinations(rest[1:], half - 1):
                row = np.zeros(n, dtype=np.int64)
                row[rest] = -1
                row[[rest[0], *more]] = 1
                rows.append(row)
        return np.array(rows)
    found: dict[bytes, np.ndarray] = {}
    while len(found) < most:
        order = rng.permutation(n)
        row = np.zeros(n, dtype=np.int64)
        row[order[:half]], row[order[half : 2 * half]] = 1, -1
        row *= row[np.flatnonzero(row)[0]]  # the first condition that takes part is on the side +1
        found.setdefault(row.tobytes(), row)
    return np.array(list(found.values()))


def generalisation_splits(dichotomies: np.ndarray) -> Splits:
    """One condition of either side is left out of training and tested: all pairs of them, of many some."""
    train, test, owner = [], [], []
    for number, signs in enumerate(dichotomies):
        up, down = np.flatnonzero(signs > 0), np.flatnonzero(signs < 0)
        pairs = list(itertools.product(range(up.size), range(down.size)))
        if len(pairs) > _PAIRS:  # every condition is tested as often as any other
            shifts = max(1, _PAIRS // up.size)
            pairs = [(i, (i + s) % down.size) for s in range(shifts) for i in range(up.size)]
        for i, j in pairs:
            kept, left = signs.copy(), np.zeros_like(signs)
            for place in (up[i], down[j]):
                left[place], kept[place] = signs[place], 0
            train.append(kept)
            test.append(left)
            owner.append(number)
    return Splits(np.array(train), np.array(test), np.array(owner), len(dichotomies))


def level_pairs(cells: Cells, *, who: str) -> tuple[Splits, list[list[tuple[int, int]]]]:
    """Of every two levels of the variable: splits that leave out a level of the other label each, and the pairs of
    conditions (one of either level) at the levels of the other label that both have.
    """
    assert cells.variable is not None
    assert cells.across is not None
    place = {
        (v, a): k for k, (v, a) in enumerate(zip(cells.variable.tolist(), cells.across.tolist(), strict=True))
    }
    levels, others = np.unique(cells.variable).tolist(), np.unique(cells.across).tolist()
    train, test, owner = [], [], []
    pairs: list[list[tuple[int, int]]] = []
    for u, v in itertools.combinations(levels, 2):
        both = [(place[u, a], place[v, a]) for a in others if (u, a) in place and (v, a) in place]
        if len(both) < 2:
            continue
        for left in range(len(both)):
            kept, out = np.zeros((2, len(cells.names)), dtype=np.int64)
            for k, (i, j) in enumerate(both):
                side = out if k == left else kept
                side[i], side[j] = 1, -1
            train.append(kept)
            test.append(out)
            owner.append(len(pairs))
        pairs.append(both)
    if not pairs:
        raise InputError(
            f"{who}: no two levels of condition, such as {shorten(cells.names[0], 40)}, share two levels of across, so "
            "that nothing is left to generalise to; cross the two labels.",
            code="class-missing",
        )
    return Splits(np.array(train), np.array(test), np.array(owner), len(pairs)), pairs
