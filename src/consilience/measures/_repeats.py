"""What cross-validated distances share: means of stimuli within folds, and distances over pairs of folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience.linalg._noise import labelled

__all__ = [
    "MOST_FOLDS",
    "Trials",
    "as_trials",
    "cross_distances",
    "dealt_folds",
    "fold_means",
    "in_range",
    "safe_means",
    "safe_trials",
]

MOST_FOLDS = 10  # the variance of a distance falls as M / (M - 1): beyond this it is work for nothing


@dataclass(frozen=True, eq=False)
class Trials:
    """x : (trials, p) float64.   stimuli : the n distinct ids, sorted.   stimulus, fold : (trials,) numbers of each
    trial's stimulus and fold.   names : of the M folds.   dealt : folds were dealt at random, not given.
    deals : further deals (trials,), for means over them.
    """

    x: np.ndarray
    stimuli: np.ndarray
    stimulus: np.ndarray
    fold: np.ndarray
    names: np.ndarray
    dealt: bool = False
    deals: tuple[np.ndarray, ...] = ()

    @property
    def present(self) -> np.ndarray:
        """Which stimuli have a trial in which fold: bool (M, n)."""
        out = np.zeros((len(self.names), len(self.stimuli)), dtype=bool)
        out[self.fold, self.stimulus] = True
        return out


def dealt_folds(stimulus: np.ndarray, rng: np.random.Generator, *, who: str) -> np.ndarray:
    """Deals the trials of each stimulus at random into as many folds as the rarest has trials (at most 10).

    stimulus : (trials,) numbers. Returns the fold (trials,) of each trial; folds of a stimulus differ by one trial.
    """
    counts = np.bincount(stimulus)
    if counts.min() < 2:
        raise InputError(
            f"{who}: {int((counts < 2).sum())} of {counts.size} stimuli have a single trial, and a cross-validated "
            "distance needs at least 2 of each; drop them, or use a plain distance (cs.measures.rdm).",
            code="no-repeats",
        )
    folds = min(int(counts.min()), MOST_FOLDS)
    order = np.lexsort((rng.random(stimulus.size), stimulus))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.empty(stimulus.size, dtype=np.int64)
    rank[order] = np.arange(stimulus.size) - np.repeat(starts, counts)
    # where trials do not divide evenly, the surplus starts at another fold for each stimulus
    return (rank + rng.integers(0, folds, counts.size)[stimulus]) % folds


def as_trials(
    trials: Array, stimulus: Array, folds: Array | None, *, who: str, rng: int = 0, few: int = 2
) -> Trials:
    """Checks trials (trials, p) with their stimulus and fold labels; ``folds=None`` deals them out."""
    x = np.asarray(to_numpy(as_matrix(trials, name="trials", who=who, min_rows=4)), dtype=np.float64)
    stimuli, number = labelled(stimulus, len(x), name="stimulus", who=who)
    if stimuli.size < few:
        raise InputError(f"{who}: at least {few} stimuli are needed, got {stimuli.size}.", code="too-few")
    if folds is None:
        seed = check_count(rng, name="rng", who=who)
        owner = dealt_folds(number, np.random.default_rng(seed), who=who)
        names = np.arange(owner.max() + 1)
    else:
        names, owner = labelled(folds, len(x), name="folds", who=who)
        if names.size < 2:
            raise InputError(
                f"{who}: all trials are in one fold ({shorten(names[0].item())}); give at least 2, such as runs, or "
                "folds=None to deal repeats out.",
                code="bad-parameter",
            )
    return Trials(x, stimuli, number, owner, names)


def fold_means(trials: Trials, *, centre: bool = True) -> np.ndarray:
    """Mean pattern of each stimulus in each fold, (M, n, p), minus the mean over the stimuli of the fold; 0 where a
    fold lacks the stimulus. Distances are differences within a fold, so what is taken off does not matter to them.
    """
    m, n = len(trials.names), len(trials.stimuli)
    cell = trials.fold * n + trials.stimulus
    counts = np.bincount(cell, minlength=m * n)
    order = np.argsort(cell, kind="stable")
    out = np.zeros((m * n, trials.x.shape[1]))
    filled = np.flatnonzero(counts)
    if len(filled) == len(cell):
        out[filled] = trials.x[order]
    else:
        starts = np.concatenate([[0], np.cumsum(counts[filled])[:-1]])
        out[filled] = np.add.reduceat(trials.x[order], starts, axis=0) / counts[filled, None]
    means = out.reshape(m, n, -1)
    for fold, has in zip(means, counts.reshape(m, n) > 0):
        if centre and has.any():
            fold[has] -= fold[has].mean(axis=0)
    return means


def safe_means(trials: Trials) -> tuple[np.ndarray, float]:
    """`fold_means` over a power of two so that squares neither overflow nor vanish, and that power: 1 for most."""
    x, size = safe_trials(trials.x)
    return fold_means(replace(trials, x=x)), size


def safe_trials(x: np.ndarray) -> tuple[np.ndarray, float]:
    """``x`` over a power of two as in `safe_means`, and that power."""
    top = max(float(x.max()), -float(x.min()))
    if top == 0 or 2.0**-100 < top < 2.0**100:
        return x, 1.0
    size = math.ldexp(1.0, min(math.frexp(top)[1], 1023))
    return x / size, size


def in_range(d: np.ndarray, size: float, *, who: str) -> np.ndarray:
    """Distances of patterns that were divided by ``size``, in the units that came; refused where a float cannot hold
    them.
    """
    if size == 1.0:
        return d
    with np.errstate(over="ignore", under="ignore"):
        out = d * size * size
    largest = float(np.abs(d).max(initial=0.0))
    if not np.isfinite(out).all() or (largest > 0 and np.abs(out).max() < np.finfo(np.float64).tiny * 1e16):
        raise InputError(
            f"{who}: values around {size:.0e} have squared distances that a float64 cannot hold; give the responses in "
            "another unit (multiply them by a power of ten).",
            code="out-of-range",
        )
    return out


def cross_distances(
    a: np.ndarray,
    present: np.ndarray,
    *,
    b: np.ndarray | None = None,
    who: str,
    stimuli: Sequence[object] = (),
) -> np.ndarray:
    """Mean over pairs of folds m != l in which both stimuli exist of (b_im - b_jm) . (a_il - a_jl), (n, n).

    Each pair of folds counts alike. Stimuli with trials in the same folds form a block, and a block of distances is
    one sum over folds: sum_{m != l} b_m . a_l = sum_m b_m . (sum_l a_l - a_m).

    Parameters
    ----------
    a : (M, n, p), 0 where absent.   present : bool (M, n).
    b : as a, or None for a itself.   stimuli : their names, for errors.
    """
    n = a.shape[1]
    patterns, owner = np.unique(present.T, axis=0, return_inverse=True)
    owner = owner.reshape(-1)
    rows = [np.flatnonzero(owner == u) for u in range(len(patterns))]
    out = np.zeros((n, n))
    for u, one in enumerate(rows):
        for v in range(u, len(rows)):
            two = rows[v]
            if u == v and one.size == 1:
                continue
            common = np.flatnonzero(patterns[u] & patterns[v])
            if common.size < 2:
                _refuse(stimuli, one[0], two[-1], common.size, who)
            block = _block(a, b, one, two, common) / (common.size * (common.size - 1))
            out[np.ix_(one, two)] = block
            out[np.ix_(two, one)] = block.T
    np.fill_diagonal(out, 0.0)
    return out


def _block(
    a: np.ndarray, b: np.ndarray | None, one: np.ndarray, two: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    """Sums over ordered pairs of ``folds`` of the distances of stimuli ``one`` to stimuli ``two``."""
    whole = one.size == a.shape[1]  # nothing is missing: no copies

    def of(x: np.ndarray, fold: int, rows: np.ndarray) -> np.ndarray:
        return x[fold] if whole else x[fold][rows]

    same = whole or (one.size == two.size and bool((one == two).all()))
    if same and b is None:
        if folds.size == 2:
            half = of(a, folds[0], one) @ of(a, folds[1], one).T
            k = half + half.T
        else:
            total = _sum(a, folds, one, whole)
            k = total @ total.T
            for m in folds:
                each = of(a, m, one)
                k -= each @ each.T
        d = np.diag(k)
        return d[:, None] + d[None, :] - 2 * k
    left = a if b is None else b
    total_one, total_two = (_sum(a, folds, rows, whole) for rows in (one, two))
    d_one, d_two = np.zeros(one.size), np.zeros(two.size)
    k = np.zeros((one.size, two.size))
    for m in folds:
        rest_one, rest_two = total_one - of(a, m, one), total_two - of(a, m, two)
        b_one, b_two = of(left, m, one), of(left, m, two)
        d_one += np.einsum("ij,ij->i", b_one, rest_one)
        d_two += np.einsum("ij,ij->i", b_two, rest_two)
        k += b_one @ rest_two.T
        if not same:
            k += rest_one @ b_two.T
    if same:
        k = k + k.T
    return d_one[:, None] + d_two[None, :] - k


def _sum(a: np.ndarray, folds: np.ndarray, rows: np.ndarray, whole: bool) -> np.ndarray:
    total = a[folds].sum(axis=0)
    return total if whole else total[rows]


def _refuse(stimuli: Sequence[object], i: int, j: int, common: int, who: str) -> None:
    names = [shorten(stimuli[k], 40) if len(stimuli) else str(k) for k in (i, j)]
    what = f"stimulus {names[0]} has" if i == j else f"stimuli {names[0]} and {names[1]} have"
    raise InputError(
        f"{who}: {what} trials in {common} common fold{'s' * (common != 1)}, and a cross-validated distance needs 2; "
        "merge folds, or drop stimuli that were rarely shown.",
        code="no-common-folds",
    )
