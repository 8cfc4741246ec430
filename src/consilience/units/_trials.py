"""The door of everything that is read off repeats: trials (trials, units) with the stimulus of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import shorten
from consilience.linalg import constant_columns
from consilience.linalg._noise import labelled
from consilience.units._groups import Groups, groups_of

__all__ = ["Repeats", "as_repeats", "powers", "say_silent"]


@dataclass(frozen=True, eq=False)
class Repeats:
    """x : (trials, units) float64, trials of a stimulus side by side.   order : the rows as they came.
    names : the n distinct stimuli, sorted.   counts, starts : (n,) number of trials of each, and its first row.
    silent : bool (units,), no two trials differ.   groups : of trials, whose means ``x`` is without.
    """

    x: np.ndarray
    order: np.ndarray
    names: np.ndarray
    counts: np.ndarray
    starts: np.ndarray
    silent: np.ndarray
    groups: Groups | None = None

    @property
    def stimulus(self) -> np.ndarray:
        """(trials,) number of the stimulus of each row of ``x``."""
        return np.repeat(np.arange(self.counts.size), self.counts)

    def sums(self, x: np.ndarray | None = None) -> np.ndarray:
        """(n, units) sum over the trials of each stimulus."""
        return np.add.reduceat(self.x if x is None else x, self.starts, axis=0)

    def dealt(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Rows of ``x`` in new places: anywhere, or within their group, whose means are then taken out again."""
        if self.groups is None:
            return np.asarray(x[rng.permutation(len(x))])
        return self.groups.without(x[self.groups.dealt(rng)])

    def residuals(self) -> np.ndarray:
        """(trials, units) trials minus the mean of their stimulus."""
        means = self.sums() / self.counts[:, None]
        return self.x - np.repeat(means, self.counts, axis=0)


def as_repeats(
    trials: Array,
    stimulus: Array | None,
    *,
    who: str,
    few: int = 2,
    repeats: int = 2,
    groups: Array | None = None,
) -> Repeats:
    """Checks trials (trials, units) and their stimuli: at least ``few`` stimuli with at least ``repeats`` trials each.

    ``stimulus=None``: all trials are of one stimulus.   groups : (trials,), whose means are taken out.
    """
    x = np.asarray(to_numpy(as_matrix(trials, name="trials", who=who, min_rows=2)), dtype=np.float64)
    if stimulus is None:
        names, number = np.zeros(1, dtype=np.int64), np.zeros(len(x), dtype=np.int64)
    else:
        names, number = labelled(stimulus, len(x), name="stimulus", who=who)
    counts = np.bincount(number, minlength=names.size)
    if counts.min() < repeats:
        lacking = int((counts < repeats).sum())
        raise InputError(
            f"{who}: needs >= {repeats} repeats of every stimulus; {lacking} of {counts.size} stimuli have fewer, e.g. "
            f"{shorten(names[counts.argmin()].item(), 40)} with {int(counts.min())}. Leave those stimuli out, or pass "
            "single trials, not averages.",
            code="no-repeats",
        )
    if names.size < few:
        raise InputError(f"{who}: at least {few} stimuli are needed, got {names.size}.", code="too-few")
    order = np.argsort(number, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    silent = np.asarray(constant_columns(x), dtype=bool)
    x = x[order]
    found = None if groups is None else groups_of(groups, order, counts, starts, who=who)
    if found is not None:
        size = np.abs(x).max(axis=0)
        x = found.without(x)
        silent |= np.ptp(x, axis=0) <= 1e-12 * size  # they differ between groups alone
        x[:, silent] = 0.0
    return Repeats(x, order, names, counts, starts, silent, found)


def powers(x: np.ndarray) -> np.ndarray:
    """(units,) the power of two that brings each column to about 1, so that squares neither overflow nor vanish."""
    top = np.maximum(x.max(axis=0), -x.min(axis=0))
    return np.where(top > 0, np.ldexp(1.0, np.clip(np.frexp(top)[1], -1000, 1000)), 1.0)


def say_silent(silent: np.ndarray, *, who: str, given: str = "their values are NaN") -> None:
    """Warns of units without a spike, or that never vary; they stay where they are."""
    if silent.any():
        first = int(np.flatnonzero(silent)[0])
        warn(
            "silent-units",
            f"{who}: {int(silent.sum())} of {silent.size} units never fire or never vary; {given}.",
            f"They stay in the table (unit {first} first); leave them out, or look whether they were lost.",
            stacklevel=3,
        )
