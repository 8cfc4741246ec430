"""Trials of crossed conditions: means of unbalanced trials, sums under any labels, splits of whole trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.models._dpca_conditions import condition_table, levels_of
from consilience.models._trials import as_trials

__all__ = ["Block", "Crossed", "read_trials"]


@dataclass(frozen=True)
class Block:
    """Trials of units that were recorded together.

    values : (trials, times, units), 0 where nothing was seen.   seen : bool, like values, or None = all.
    codes : (trials,) int, the condition.
    """

    values: np.ndarray
    seen: np.ndarray | None
    codes: np.ndarray

    def sums(self, codes: np.ndarray, size: int, values: np.ndarray | None = None) -> np.ndarray:
        """(size, times, units) sums of the trials of each condition, under any labelling of them."""
        values = self.values if values is None else values
        flat = values.reshape(len(values), -1)
        return (_indicator(codes, size) @ flat).reshape(size, *values.shape[1:])

    def counts(self, codes: np.ndarray, size: int) -> np.ndarray:
        """Number of trials behind each of `sums`, of a shape that broadcasts against it."""
        if self.seen is None:
            return np.bincount(codes, minlength=size).astype(np.float64)[:, None, None]
        return self.sums(codes, size, self.seen.astype(np.float64))

    def take(self, trials: np.ndarray) -> Block:
        seen = None if self.seen is None else self.seen[trials]
        return Block(self.values[trials], seen, self.codes[trials])


def _indicator(codes: np.ndarray, size: int) -> np.ndarray:
    out = np.zeros((size, codes.size))
    out[codes, np.arange(codes.size)] = 1.0
    return out


@dataclass(frozen=True)
class Crossed:
    """Blocks of trials of the same crossed conditions.

    levels : {label: (levels,)}; conditions are their combinations, the last label fastest.
    """

    blocks: tuple[Block, ...]
    levels: dict[str, np.ndarray]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(v) for v in self.levels.values())

    @property
    def size(self) -> int:
        """Number of conditions."""
        return int(np.prod(self.shape))

    @property
    def times(self) -> int:
        return int(self.blocks[0].values.shape[1])

    @property
    def units(self) -> int:
        return sum(block.values.shape[2] for block in self.blocks)

    @property
    def complete(self) -> bool:
        return all(block.seen is None for block in self.blocks)

    @cached_property
    def counts(self) -> np.ndarray:
        """(conditions, blocks) trials."""
        return np.stack([np.bincount(b.codes, minlength=self.size) for b in self.blocks], axis=1)

    def named(self, condition: int) -> str:
        """The labels of a condition, in words."""
        at = np.unravel_index(condition, self.shape)
        return ", ".join(f"{k}={v[i].item()!r}" for (k, v), i in zip(self.levels.items(), at))

    def means(self) -> np.ndarray:
        """(conditions, times, units): the mean of every condition over what was seen of it."""
        parts = []
        for block in self.blocks:
            many = block.counts(block.codes, self.size)
            parts.append(block.sums(block.codes, self.size) / np.maximum(many, 1))
        return np.concatenate(parts, axis=2)

    def check(self, who: str) -> None:
        """Refuses conditions that some unit was never seen in."""
        start = 0
        for b, block in enumerate(self.blocks):
            many = np.broadcast_to(block.counts(block.codes, self.size), (self.size, *block.values.shape[1:]))
            if not many.all():
                c, t, u = (int(v) for v in np.argwhere(many == 0)[0])
                empty = self.counts[:, b] == 0
                if empty[c]:
                    of = "" if len(self.blocks) == 1 else f" in session {b}"
                    raise InputError(
                        f"{who}: no trial of {self.named(c)}{of} ({int(empty.sum())} of {self.size} conditions are "
                        "missing); leave a level or a label out, so that every combination was shown.",
                        code="class-missing",
                    )
                raise InputError(
                    f"{who}: unit {start + u} was never seen in {self.named(c)} at bin {t} "
                    f"({int((many == 0).sum())} of {many.size} cells of condition, bin and unit are empty); leave out "
                    "these bins (cut trials to the length that every condition has), or the unit.",
                    code="nan-values",
                )
            start += block.values.shape[2]

    def deal(self, splits: int, held: int, rng: np.random.Generator) -> list[list[np.ndarray]]:
        """For each split and block (conditions, held): trials that are held out, each condition's dealt in turn, so
        that none comes a second time before all have come.
        """
        out: list[list[np.ndarray]] = [[] for _ in range(splits)]
        for block in self.blocks:
            chosen = np.empty((splits, self.size, held), np.int64)
            for c in range(self.size):
                rows = np.flatnonzero(block.codes == c)
                each = max(len(rows) // held, 1)
                rounds = -(-splits // each)
                order = np.stack([rng.permutation(rows)[: each * held] for _ in range(rounds)])
                chosen[:, c] = order.reshape(-1, held)[:splits]
            for s in range(splits):
                out[s].append(chosen[s])
        return out

    def without(self, held: Sequence[np.ndarray]) -> Crossed:
        """The same less the trials ``held`` (conditions, k) of every block."""
        blocks = []
        for block, rows in zip(self.blocks, held):
            keep = np.ones(len(block.codes), bool)
            keep[rows.ravel()] = False
            blocks.append(block.take(np.flatnonzero(keep)))
        return replace(self, blocks=tuple(blocks))

    def pick(self, groups: Sequence[np.ndarray], wanted: Sequence[int]) -> Crossed:
        """The trials whose group, of each block (trials,), is one of ``wanted``."""
        blocks = [b.take(np.flatnonzero(np.isin(g, wanted))) for b, g in zip(self.blocks, groups)]
        return replace(self, blocks=tuple(blocks))

    def residuals(self) -> list[np.ndarray]:
        """Of each block (trials, times, units) deviations from the means of the conditions; 0 where not seen."""
        means, out, start = self.means(), [], 0
        for block in self.blocks:
            stop = start + block.values.shape[2]
            rest = block.values - means[block.codes, :, start:stop]
            if block.seen is not None:
                rest *= block.seen
            out.append(rest)
            start = stop
        return out


def read_trials(
    X: Any, y: Any, *, labels: Any, missing: str, who: str, estimator: Any = None, reset: bool = True
) -> Crossed:
    """Trials and their conditions, of arrays or of a pseudo-population."""
    if hasattr(X, "sessions") and hasattr(X, "condition"):
        return _pseudo(X, y, labels, who, estimator, reset, missing)
    trials = as_trials(X, who=who, missing=missing, estimator=estimator, reset=reset)
    n, span = len(trials), int(trials.lengths.max())
    if trials.mask is None and (trials.lengths == span).all():
        values, seen = trials.data.reshape(n, span, trials.units), None
    else:
        values = np.zeros((n, span, trials.units))
        seen = np.zeros(values.shape, bool)
        inside = np.arange(span) < trials.lengths[:, None]
        values[inside] = trials.data
        seen[inside] = True if trials.mask is None else trials.mask
    table = condition_table(y, labels, n, who)
    levels, codes = levels_of(table, who)
    return Crossed((Block(values, seen, codes),), levels)


def _pseudo(X: Any, y: Any, labels: Any, who: str, estimator: Any, reset: bool, missing: str) -> Crossed:
    if y is not None:
        raise InputError(f"{who}: a pseudo-population brings its labels; leave y out.", code="bad-parameter")
    size = len(next(iter(X.labels.values())))
    levels, codes = levels_of(condition_table(X.labels, labels, size, who), who)
    blocks = []
    for values, condition in zip(X.values, X.condition):
        seen = ~np.isnan(values)
        if missing != "mask" and not seen.all():
            raise InputError(
                f"{who}: values of the pseudo-population are missing; leave out the trials that have some, or pass "
                "missing='mask' to take means over what is there.",
                code="nan-values",
            )
        table = np.where(seen, values, 0.0)
        if not np.isfinite(table).all():
            raise InputError(
                f"{who}: the pseudo-population holds infinite values; leave out the trials that have them.",
                code="nan-values",
            )
        blocks.append(Block(table, None if seen.all() else seen, codes[condition]))
    out = Crossed(tuple(blocks), levels)
    if estimator is not None:
        if reset:
            estimator.n_features_in_ = out.units
        elif out.units != estimator.n_features_in_:
            raise InputError(
                f"{who}: X has {out.units} units, expected {estimator.n_features_in_}.", code="units-differ"
            )
    return out
