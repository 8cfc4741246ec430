"""Subspaces and variances of subsets of trials, corrected for noise where conditions repeat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience._core._arrays import Array, to_numpy
from consilience._core._errors import InputError
from consilience.linalg._noise import labelled

__all__ = ["Sampled", "as_sampled"]


@dataclass(frozen=True, eq=False)
class Sampled:
    """Trials of one set of responses.

    x : (trials, time, units).   number : (trials,) condition of each, or None: every row (trial and time) is a sample,
    and noise is part of the covariance.
    """

    x: np.ndarray
    number: np.ndarray | None

    @property
    def strata(self) -> np.ndarray:
        """(trials,) what halves are balanced over."""
        return np.zeros(len(self.x), dtype=np.int64) if self.number is None else self.number

    @property
    def fewest(self) -> int:
        return int(np.bincount(self.strata).min())

    def covariance(self, rows: np.ndarray) -> np.ndarray:
        """(units, units) of some trials: of the conditions' means (each time a sample of its own) less what noise adds,
        or of the rows.
        """
        x = self.x[rows]
        if self.number is None:
            flat = x.reshape(-1, x.shape[2])
            flat = flat - flat.mean(axis=0)
            return np.asarray(flat.T @ flat / max(1, len(flat) - 1))
        own = self.number[rows]
        counts = np.bincount(own).astype(np.float64)
        member = (own == np.flatnonzero(counts)[:, None]).astype(np.float64)
        counts = counts[counts > 0]
        means = (member @ x.reshape(len(x), -1) / counts[:, None]).reshape(-1, x.shape[2])
        weight = 1.0 / (counts * np.maximum(counts - 1, 1))  # sum_i w (x_i - m)(x_i - m)' = X' w X - n w m m'
        flat = x.reshape(-1, x.shape[2])
        noise = flat.T @ (flat * np.repeat(weight @ member, x.shape[1])[:, None])
        noise -= means.T @ (means * np.repeat(weight * counts, x.shape[1])[:, None])
        centred = means - means.mean(axis=0)
        return np.asarray(centred.T @ centred / (len(means) - 1) - noise / len(means))

    def plain_means(self) -> np.ndarray:
        """(samples, units): means of conditions at each time, or all rows."""
        if self.number is None:
            return np.asarray(self.x.reshape(-1, self.x.shape[2]))
        counts = np.bincount(self.number).astype(np.float64)
        sums = np.zeros((counts.size, *self.x.shape[1:]))
        np.add.at(sums, self.number, self.x)
        return np.asarray((sums / counts[:, None, None]).reshape(-1, self.x.shape[2]))


def as_sampled(x: Array, condition: Array | None, *, name: str, who: str) -> Sampled:
    """Checks trials (trials, units) or (trials, time, units), and the conditions of the trials."""
    values = np.asarray(to_numpy(x), dtype=np.float64)
    if values.ndim == 2:
        values = values[:, None, :]
    if values.ndim != 3 or values.shape[0] < 4 or values.shape[2] < 2:
        raise InputError(
            f"{who}: {name} must be (trials, units) or (trials, time, units) with at least 4 trials and 2 units, got "
            f"shape {np.shape(x)}.",
            code="bad-shape",
        )
    if not np.isfinite(values).all():
        raise InputError(
            f"{who}: {name} has {int((~np.isfinite(values)).sum())} values that are NaN or infinite; leave those "
            "trials or times out.",
            code="nan-values",
        )
    if condition is None:
        return Sampled(values, None)
    names, number = labelled(condition, len(values), name=f"condition of {name}", who=who)
    counts = np.bincount(number, minlength=names.size)
    if counts.min() < 4:
        raise InputError(
            f"{who}: {name} needs >= 4 repeats of every condition, two in each half; "
            f"{int((counts < 4).sum())} of {names.size} have fewer. Leave those out, or give no condition (then noise "
            "is part of the covariance).",
            code="no-repeats",
        )
    if names.size * values.shape[1] < 3:
        raise InputError(f"{who}: {name} has fewer than 3 conditions and times.", code="too-few")
    return Sampled(values, np.asarray(number))
