"""The door of numbers read off repeats: trials (n_trials, units) with the stimulus of each, and halves of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.linalg import constant_columns
from consilience.linalg._noise import labelled

__all__ = ["as_samples", "as_trials_of", "halves_of", "means_of"]


def as_trials_of(
    trials: Array, stimulus: Array, *, who: str, repeats: int = 2, few: int = 2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x, number, names): trials as float64 (n_trials, units), the number (n_trials,) of the stimulus of each, and the
    distinct stimuli, sorted; at least ``few`` of them with at least ``repeats`` trials each.
    """
    x = np.asarray(to_numpy(as_matrix(trials, name="trials", who=who, min_rows=2)), dtype=np.float64)
    names, number = labelled(stimulus, len(x), name="stimulus", who=who)
    counts = np.bincount(number, minlength=names.size)
    if names.size < few:
        raise InputError(f"{who}: at least {few} stimuli are needed, got {names.size}.", code="too-few")
    if counts.min() < repeats:
        lacking = int((counts < repeats).sum())
        raise InputError(
            f"{who}: needs >= {repeats} repeats of every stimulus; {lacking} of {counts.size} stimuli have fewer, e.g. "
            f"{shorten(names[counts.argmin()].item(), 40)} with {int(counts.min())}. Pass single trials, not averages, "
            "or leave those stimuli out.",
            code="no-repeats",
        )
    return x, np.asarray(number), names


def as_samples(
    trials: Array, stimulus: Array | None, *, who: str, repeats: int = 2, few: int = 5
) -> tuple[np.ndarray, np.ndarray, float]:
    """(x, counts, size): centred trials over ``size``, their largest value, those of a stimulus side by side, and the
    number of trials of each stimulus. ``stimulus=None``: every row is a stimulus, without noise.

    Units that never vary count for nothing and are left as zeros; refused where none varies.
    """
    if stimulus is None:
        x = np.asarray(to_numpy(as_matrix(trials, name="trials", who=who, min_rows=2)), dtype=np.float64)
        if len(x) < few:
            raise InputError(f"{who}: at least {few} stimuli are needed, got {len(x)}.", code="too-few")
        number = np.arange(len(x))
    else:
        x, number, _ = as_trials_of(trials, stimulus, who=who, repeats=repeats, few=few)
    still = np.asarray(constant_columns(x), dtype=bool)
    if still.all():
        raise InputError(
            f"{who}: none of the {still.size} units varies over trials, so there is no variance to have dimensions.",
            code="constant-units",
        )
    order = np.argsort(number, kind="stable")
    x = x[order] - x.mean(axis=0)
    x[:, still] = 0.0
    scale = float(np.abs(x).max())
    return x / scale, np.bincount(number), scale


def means_of(x: np.ndarray, number: np.ndarray) -> np.ndarray:
    """(n, units) mean over the trials of each stimulus."""
    counts = np.bincount(number)
    order = np.argsort(number, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    return np.asarray(np.add.reduceat(x[order], starts, axis=0) / counts[:, None])


def halves_of(
    x: np.ndarray, number: np.ndarray, splits: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Means over two disjoint halves of the trials of each stimulus, (n, units) twice, ``splits`` times anew; of an odd
    number of trials either half has one more.
    """
    counts = np.bincount(number)
    for _ in range(splits):
        key = rng.random(number.size)
        order = np.lexsort((key, number))
        rank = np.empty(number.size, dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        rank[order] = np.arange(number.size) - starts[number[order]]
        first = rank < (counts[number] + rng.integers(0, 2, counts.size)[number]) // 2
        yield means_of(x[first], number[first]), means_of(x[~first], number[~first])
