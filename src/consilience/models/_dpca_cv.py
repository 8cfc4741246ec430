"""dPCA on held-out trials: the choice of its penalty, and what it explains of trials that it was not fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.linalg._demixed import Demixer, Marginals, penalised_losses
from consilience.models._dpca_data import Crossed
from consilience.models._dpca_noise import noise_of
from consilience.stats import jackknife_interval

__all__ = ["GRID", "HeldOut", "choose_penalty", "criterion_of", "explained_held_out", "regression_noise"]

GRID = tuple(10.0 ** (np.arange(-24, 9) / 4))  # times the mean over units of sums of squares
_STEP = 8  # every eighth penalty first, then half as far from the best, and so on


def regression_noise(covariance: np.ndarray | None, kind: str, cells: int) -> np.ndarray | None:
    """What single trials add to the Gram matrix of ``cells`` condition means."""
    if kind == "none" or covariance is None:
        return None
    return cells * (np.diag(np.diag(covariance)) if kind == "diagonal" else covariance)


def criterion_of(asked: str | None, data: Crossed, who: str) -> str:
    """The criterion: "trials" where every condition has three, else "units"."""
    least = int(data.counts.min())
    c, b = (int(v) for v in np.unravel_index(int(data.counts.argmin()), data.counts.shape))
    needed = 3 if asked == "trials" else 2
    if least < needed:
        of = "" if len(data.blocks) == 1 else f" in session {b}"
        raise InputError(
            f"{who}: the penalty is chosen on held-out trials, which takes {needed} trials of every condition; "
            f"{data.named(c)} has {least}{of}. Give a number as regularisation"
            f"{', or criterion=' + repr('units') if asked == 'trials' and least == 2 else ''}.",
            code="too-few",
        )
    return asked or ("trials" if least >= 3 else "units")


class _Splitter:
    """Means of training trials and held-out trials, without going through the trials that stay."""

    def __init__(self, data: Crossed, noise: str) -> None:
        self.data, self.noise = data, noise
        self.cells = data.size * data.times
        if data.complete:
            self.sums = [b.sums(b.codes, data.size) for b in data.blocks]
            if noise != "none":
                self.rest = data.residuals()
                self.scatter = [r.reshape(-1, r.shape[2]).T @ r.reshape(-1, r.shape[2]) for r in self.rest]

    def train(self, held: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
        """(means (conditions, times, units), noise of the regression) of trials that are not ``held``."""
        if not self.data.complete:
            left = self.data.without(held)
            made = None if self.noise == "none" else noise_of(left) or noise_of(self.data)
            return _filled(left), regression_noise(made.covariance if made else None, self.noise, self.cells)
        means, noise, start = [], np.zeros((self.data.units,) * 2), 0
        for b, (block, rows) in enumerate(zip(self.data.blocks, held)):
            many, h = self.data.counts[:, b].astype(np.float64)[:, None, None], rows.shape[1]
            means.append((self.sums[b] - block.values[rows].sum(axis=1)) / (many - h))
            at = slice(start, start + block.values.shape[2])
            start = at.stop
            if self.noise == "none":
                continue
            gone = self.rest[b][rows]  # (conditions, held, times, units)
            shift = h * np.sqrt(1 / (many - h)) * gone.mean(axis=1)
            scatter = self.scatter[b] - sum(
                v.reshape(-1, v.shape[-1]).T @ v.reshape(-1, v.shape[-1]) for v in (gone, shift)
            )
            degrees = float((many - h - 1).sum()) * self.data.times
            if degrees <= 0:  # single trials are left: the noise of all of them
                scatter, degrees = self.scatter[b], float((many - 1).sum()) * self.data.times
            noise[at, at] = scatter / degrees
        return np.concatenate(means, axis=2), regression_noise(noise, self.noise, self.cells)

    def test(self, held: Sequence[np.ndarray], j: int, train: np.ndarray) -> np.ndarray:
        """(conditions, times, units) the j-th held-out trial of every condition; what was not seen of it is the mean
        over conditions of the training trials, which tells nothing of the labels.
        """
        parts, start = [], 0
        for block, rows in zip(self.data.blocks, held):
            values = block.values[rows[:, j]]
            if block.seen is not None:
                at = slice(start, start + values.shape[2])
                values = np.where(block.seen[rows[:, j]], values, train[:, :, at].mean(axis=0))
            start += values.shape[2]
            parts.append(values)
        return np.concatenate(parts, axis=2)


def _filled(data: Crossed) -> np.ndarray:
    """Means of conditions; cells that were not seen in these trials: the mean over conditions."""
    out = data.means()
    start = 0
    for block in data.blocks:
        stop = start + block.values.shape[2]
        many = np.broadcast_to(block.counts(block.codes, data.size), out[:, :, start:stop].shape)
        if not many.all():
            part = out[:, :, start:stop]
            over = np.where(many > 0, part, 0.0).sum(axis=0) / np.maximum((many > 0).sum(axis=0), 1)
            part[...] = np.where(many > 0, part, over)
        start = stop
    return out


def choose_penalty(
    data: Crossed,
    marginals: Marginals,
    counts: Sequence[int],
    grid: np.ndarray,
    *,
    splits: int,
    criterion: str,
    noise: str,
    rng: np.random.Generator,
) -> tuple[int, np.ndarray]:
    """(index of the best penalty, errors (grid,) of those that were looked at, the rest NaN).

    ``grid`` is relative to the mean over units of sums of squares of the training means. Errors are over the sums of
    squares of the test trials.
    """
    held_count = 2 if criterion == "trials" else 1
    splitter = _Splitter(data, noise)
    shape = (*marginals.sizes, data.units)
    parts: list[tuple[Demixer, list[np.ndarray], np.ndarray]] = []
    for held in data.deal(splits, held_count, rng):
        train, between = splitter.train(held)
        demixer = Demixer(marginals.factors(train.reshape(shape)), between)
        tests = [splitter.test(held, j, train).reshape(shape) for j in range(held_count)]
        if criterion == "units":
            target = marginals.grams(tests[0])
            parts.append((demixer, target, np.sum(target, axis=0)))
        else:  # both trials predict, and each is the target of the other
            source = sum(np.sum(marginals.grams(test), axis=0) for test in tests) / 2
            parts.append((demixer, marginals.grams(*tests), source))
    scale = sum(float(np.trace(source)) for _, _, source in parts)
    errors = np.full(len(grid), np.nan)

    def look(at: np.ndarray) -> None:
        at = at[np.isnan(errors[at])]
        if not at.size:
            return
        total = np.zeros(at.size)
        for demixer, targets, source in parts:
            for k, count in enumerate(counts):
                if count:
                    total += penalised_losses(
                        demixer,
                        k,
                        count,
                        grid[at] * demixer.size,
                        target=targets[k],
                        source=source,
                        others=criterion == "units",
                    )
                else:
                    total += np.trace(targets[k])
        with np.errstate(invalid="ignore", divide="ignore"):
            found = total / scale
        if np.isnan(found).any():
            raise InputError(
                "DPCA: held-out errors of penalties are not numbers, so that none can be chosen; look for units or "
                "conditions that hardly vary, or give regularisation= a number.",
                code="score-not-finite",
            )
        errors[at] = found

    last, step = len(grid) - 1, _STEP
    look(np.unique([*range(0, last, step), last]))
    while step > 1:
        step //= 2
        best = int(np.nanargmin(errors))
        look(np.unique(np.clip([best - step, best + step], 0, last)))
    best = int(np.nanargmin(errors))
    while np.isnan(errors[max(best - 1, 0) : best + 2]).any():
        look(np.unique(np.clip([best - 1, best + 1], 0, last)))
        best = int(np.nanargmin(errors))
    return best, errors


@dataclass(frozen=True)
class HeldOut:
    """What the denoised means of a dPCA explain of trials that it was not fitted to, as a share of the signal.

    marginalizations : names, the last one "all".   value, ci_low, ci_high : (marginalizations + 1,).
    level : of the interval.   n_folds : groups of trials.
    regularisation : (folds,) chosen without each of them.
    """

    marginalizations: tuple[str, ...]
    value: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    level: float
    n_folds: int
    regularisation: np.ndarray


def explained_held_out(
    data: Crossed,
    marginals: Marginals,
    counts: Sequence[int],
    penalty_of: Any,
    *,
    folds: int,
    noise: str,
    level: float,
    rng: np.random.Generator,
) -> HeldOut:
    """Folds of trials, every condition in each. ``penalty_of(data)``: relative penalty, chosen on these trials.

    Of part k: sum over folds of ||Y_k||^2 - ||Y_k - X_k D F'||^2, Y the means of the fold, X of the others, over the
    signal variance, the sum of <X, Y>. Interval: jackknife over folds.
    """
    groups = _groups(data, folds, rng)
    sums, many = [], []
    for g in range(folds):
        own = [np.flatnonzero(group == g) for group in groups]
        taken = [b.take(rows) for b, rows in zip(data.blocks, own)]
        sums.append(np.concatenate([t.sums(t.codes, data.size) for t in taken], axis=2))
        many.append(
            np.concatenate(
                [
                    np.broadcast_to(t.counts(t.codes, data.size), (data.size, *t.values.shape[1:]))
                    for t in taken
                ],
                axis=2,
            )
        )
    total, number = np.stack(sums), np.stack(many)
    penalties, between = [], []
    for g in range(folds):
        left = data.pick(groups, [h for h in range(folds) if h != g])
        penalties.append(penalty_of(left))
        made = None if noise == "none" else noise_of(left) or noise_of(data)
        between.append(regression_noise(made.covariance if made else None, noise, data.size * data.times))
    shape = (*marginals.sizes, data.units)

    def value(use: list[int]) -> np.ndarray:
        gained, signal = np.zeros(len(counts) + 1), 0.0
        for g in use:
            rest = [h for h in use if h != g]
            train = _mean(total[rest].sum(axis=0), number[rest].sum(axis=0)).reshape(shape)
            test = _mean(total[g], number[g], train.reshape(total[g].shape)).reshape(shape)
            grams = marginals.grams(train)
            demixer = Demixer(marginals.factors(train), between[g], grams)
            cross = marginals.grams(train, test)
            signal += float(sum(np.trace(c) for c in cross))
            joint = np.zeros((data.units,) * 2)
            for k, count in enumerate(counts):
                if count:
                    f, d = demixer.axes(k, penalties[g] * demixer.size, count)
                    gained[k] += 2 * (f * (cross[k] @ d)).sum() - (d * (grams[k] @ d)).sum()
                    joint += f @ d.T
            own = np.sum(grams, axis=0)
            gained[-1] += 2 * (joint * np.sum(cross, axis=0)).sum() - ((joint @ own) * joint).sum()
        return gained / signal if signal > 0 else np.full(len(gained), np.nan)

    everyone = list(range(folds))
    found = value(everyone)
    if folds > 2:
        subsets = np.stack([value([h for h in everyone if h != g]) for g in everyone])
        low, high = jackknife_interval(found, subsets, n=folds, left_out=1, level=level, exhaustive=True)
    else:
        low = high = np.full(len(found), np.nan)
    return HeldOut(
        marginalizations=(*(part.name for part in marginals.parts), "all"),
        value=found,
        ci_low=low,
        ci_high=high,
        level=level,
        n_folds=folds,
        regularisation=np.array(penalties),
    )


def _mean(sums: np.ndarray, many: np.ndarray, fallback: np.ndarray | None = None) -> np.ndarray:
    out = sums / np.maximum(many, 1)
    if not many.all():
        over = sums.sum(axis=0) / np.maximum(many.sum(axis=0), 1)
        if fallback is not None:
            over = fallback.mean(axis=0)
        out = np.where(many > 0, out, over)
    return out


def _groups(data: Crossed, folds: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Of each block (trials,) fold; the trials of each condition are dealt evenly."""
    out = []
    for block in data.blocks:
        fold = np.empty(len(block.codes), np.int64)
        for c in range(data.size):
            rows = rng.permutation(np.flatnonzero(block.codes == c))
            fold[rows] = (np.arange(rows.size) + rng.integers(folds)) % folds
        out.append(fold)
    return out
