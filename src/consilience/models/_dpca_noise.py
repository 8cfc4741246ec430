"""Noise of trials about the means of their conditions, with its true degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience.linalg._demixed import Marginals
from consilience.models._dpca_data import Block, Crossed

__all__ = ["Noise", "noise_of"]


@dataclass(frozen=True)
class Noise:
    """Noise of trials about the means of their conditions; blocks are independent of each other.

    covariance : (units, units) of single trials, pooled over conditions and times.   variance : (times, units).
    about, level : (units, units): of the sum over conditions of the covariance of their means, what varies over time
        and what is common to all times, each summed over times.
    """

    covariance: np.ndarray
    variance: np.ndarray
    about: np.ndarray
    level: np.ndarray

    def gram(self, marginals: Marginals, k: int) -> np.ndarray:
        """(units, units) what noise adds to the Gram matrix of part ``k`` of the means, in expectation."""
        about, level = marginals.noise_shares(k)
        return about * self.about + level * self.level


def noise_of(data: Crossed) -> Noise | None:
    """None where some unit has no two trials of one condition.

    Degrees of freedom of a pair of units i, j in one cell: n_ij (1 - 1/n_i - 1/n_j + n_ij/(n_i n_j)), n_ij trials
    with both; n - 1 where nothing is missing.
    """
    n = data.units
    covariance, about, level = (np.zeros((n, n)) for _ in range(3))
    variance = np.zeros((data.times, n))
    start = 0
    for block, rest in zip(data.blocks, data.residuals()):
        at = slice(start, start + block.values.shape[2])
        start = at.stop
        many = block.counts(block.codes, data.size)
        spare = np.maximum(many - 1, 0)
        whole = np.broadcast_to(spare, (data.size, *block.values.shape[1:]))
        if not whole.sum(axis=(0, 1)).all():
            return None
        flat = rest.reshape(-1, rest.shape[2])
        scatter = flat.T @ flat
        if block.seen is None:
            degrees: Any = spare.sum() * data.times
        else:
            degrees = _pair_degrees(block, many, data.size)
        covariance[at, at] = _positive(scatter / np.maximum(degrees, 1e-12), block.seen is not None)
        with np.errstate(invalid="ignore", divide="ignore"):
            variance[:, at] = np.einsum("ijk,ijk->jk", rest, rest) / whole.sum(axis=0)
        # scaled so that squares sum, over trials, to the variance of the mean
        scale = np.where(spare > 0, 1 / np.sqrt(np.maximum(many * spare, 1)), 0.0)
        if block.seen is None and np.ptp(many) == 0:
            mean, scaled = rest.mean(axis=1) * scale.flat[0], scatter * scale.flat[0] ** 2
        else:
            own = np.broadcast_to(scale, whole.shape)[block.codes] * rest
            flat = own.reshape(-1, own.shape[2])
            mean, scaled = own.mean(axis=1), flat.T @ flat
        steady = data.times * (mean.T @ mean)
        # cells with one trial: as noisy as the others
        lacking = np.broadcast_to(1 / np.maximum(many, 1), whole.shape)
        known = np.where(whole > 0, lacking, 0.0).sum(axis=(0, 1))
        more = np.sqrt(lacking.sum(axis=(0, 1)) / known)
        level[at, at] = steady * np.outer(more, more)
        about[at, at] = (scaled - steady) * np.outer(more, more)
    return Noise(covariance, variance, about, level)


def _pair_degrees(block: Block, many: np.ndarray, size: int) -> np.ndarray:
    n = block.values.shape[2]
    out = np.zeros((n, n))
    assert block.seen is not None
    for c in range(size):
        seen = block.seen[block.codes == c].astype(np.float64)  # (trials, times, units)
        both = np.einsum("kti,ktj->tij", seen, seen, optimize=True)
        inverse = 1 / np.maximum(many[c], 1)  # (times, units)
        one, two = inverse[:, :, None], inverse[:, None, :]
        out += (both * (1 - one - two + both * one * two)).sum(axis=0)
    return out


def _positive(covariance: np.ndarray, repair: bool) -> np.ndarray:
    """The nearest covariance: entries of different trials need not make one."""
    if not repair:
        return covariance
    s, v = np.linalg.eigh((covariance + covariance.T) / 2)
    return (v * np.maximum(s, 0.0)) @ v.T
