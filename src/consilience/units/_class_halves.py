"""Numbers of units from halves of the stimuli: selectivity of one half, and what is lost on the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from consilience.stats._split_correlation import SplitRanks, split_correlation
from consilience.units._class_selectivity import ClassIndex
from consilience.units._classes import highest
from consilience.units._d_prime import two_samples
from consilience.units._eta_squared import between
from consilience.units._sparseness import sparseness

__all__ = ["RATIOS", "SELECTIVITIES", "ClassMeans", "Halves", "stratified_halves"]


def _class_selectivity(means: np.ndarray, squares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return ClassIndex(np.arange(counts.size)).raw(means)


def _d_prime(means: np.ndarray, squares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    gap, spread = two_samples(means, squares, highest(means), counts)
    return np.where(spread > 0, gap / np.where(spread > 0, spread, 1.0), np.nan)


def _eta_squared(means: np.ndarray, squares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    share = counts / counts.sum()
    every = np.einsum("k,...ku->...u", share, means)
    total = np.einsum("k,...ku->...u", share, squares) - every**2
    return np.where(total > 0, between(means, share) / np.where(total > 0, total, 1.0), np.nan)


def _lifetime_sparseness(means: np.ndarray, squares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return sparseness(means)


# name -> ((..., k, units) class means, of squares, (k,) stimuli) -> (..., units)
SELECTIVITIES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "class_selectivity": _class_selectivity,
    "d_prime": _d_prime,
    "eta_squared": _eta_squared,
    "lifetime_sparseness": _lifetime_sparseness,
}
RATIOS = ("class_selectivity", "lifetime_sparseness")


@dataclass(frozen=True, eq=False)
class Halves:
    """s, mean, sd, chosen (..., splits, 2, units) of the half that they come from; impacts (3, ..., splits, 2, units)
    of the *other* half, for what was chosen on this one.
    """

    s: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    chosen: np.ndarray
    impacts: np.ndarray

    def ranks(self, kept: np.ndarray, take: np.ndarray | None = None) -> list[SplitRanks]:
        at = np.flatnonzero(kept) if take is None else take

        def rows(v: np.ndarray) -> np.ndarray:
            chosen = (
                v[..., at] if take is None or v.ndim == 3 else np.take_along_axis(v, take[:, None, None], -1)
            )
            if take is not None and v.ndim == 3:
                chosen = np.moveaxis(chosen, 2, 0)
            return chosen.reshape(*chosen.shape[:-3], -1, chosen.shape[-1])

        covariates = np.stack([rows(self.mean), rows(self.sd)], axis=-3)
        return [split_correlation(rows(self.s), rows(i), covariates) for i in self.impacts]


class ClassMeans:
    """Class means of responses, of their squares and of losses, under weights of the stimuli."""

    def __init__(
        self, x: np.ndarray, lost: np.ndarray, codes: np.ndarray, index: Callable[..., np.ndarray]
    ) -> None:
        order = np.argsort(codes, kind="stable")
        self.order, self.index = order, index
        self.counts = np.bincount(codes)
        self.edges = np.concatenate([[0], np.cumsum(self.counts)])
        x = x[order]
        self.centre = x.mean(axis=0)
        c = x - self.centre
        self.columns = np.hstack([c, c * c, lost[order]])
        self.n, self.units = x.shape

    def whole_means(self) -> np.ndarray:
        return np.add.reduceat(self.columns[:, : self.units], self.edges[:-1], axis=0) / self.counts[:, None]

    def of(self, weights: np.ndarray) -> Halves:
        """weights : (..., splits, 2, n), 0 outside the half."""
        lead, w = weights.shape[:-1], weights.reshape(-1, self.n)[:, self.order]
        means = np.empty((len(w), self.counts.size, 3 * self.units))
        for k, (a, b) in enumerate(zip(self.edges[:-1], self.edges[1:])):
            part = w[:, a:b]
            means[:, k] = (part / part.sum(axis=1, keepdims=True)) @ self.columns[a:b]
        m, squares, lost = (
            v.reshape(*lead, self.counts.size, self.units) for v in np.split(means, 3, axis=-1)
        )
        per_half = np.maximum(self.counts // 2, 2)
        chosen = highest(m)
        share = self.counts / self.n
        mean = np.einsum("k,...ku->...u", share, m)
        variance = np.einsum("k,...ku->...u", share, squares) - mean**2
        shifted = m + self.centre
        if self.index is _d_prime or self.index is _eta_squared:
            s = self.index(m, squares, per_half)
        else:
            s = self.index(shifted, squares, per_half)
        other = np.flip(lost, axis=-3)  # the losses of the other half
        every = np.einsum("k,...ku->...u", share, other)
        own = np.take_along_axis(other, chosen[..., None, :], axis=-2)[..., 0, :]
        part = share[chosen]
        return Halves(
            s=s,
            mean=mean + self.centre,
            sd=np.sqrt(np.maximum(variance, 0.0)),
            chosen=chosen,
            impacts=np.stack([every, own, (every - part * own) / (1 - part)]),
        )


def stratified_halves(codes: np.ndarray, n_splits: int, rng: np.random.Generator) -> np.ndarray:
    """(splits, 2, n) bool: halves of the stimuli of each class; of an odd one the larger half by chance."""
    out = np.zeros((n_splits, 2, codes.size), dtype=bool)
    for split in out:
        for k in range(int(codes.max()) + 1):
            own = rng.permutation(np.flatnonzero(codes == k))
            half = (own.size + int(rng.integers(2))) // 2
            split[0, own[:half]] = True
        split[1] = ~split[0]
    return out
