"""Rank correlation over units of two numbers that come from the two halves of the stimuli: value, partial, p."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

__all__ = ["SplitRanks", "split_correlation", "split_reliability"]

_TINY = 1e-9  # of the length of a vector: what is left of one covariate after the other


@dataclass(frozen=True, eq=False)
class SplitRanks:
    """Ranks over units, centred and of length 1 in each row: x, y (..., r, P), and what is left of them after the
    covariates, x_left, y_left (of length 1 too, 0 where nothing is left). The correlation of a row is x . y.
    """

    x: np.ndarray
    y: np.ndarray
    x_left: np.ndarray
    y_left: np.ndarray

    def plain(self) -> np.ndarray:
        """(...) Spearman's correlation, the mean over the r rows."""
        return np.asarray(np.einsum("...rp,...rp->...r", self.x, self.y).mean(axis=-1))

    def partial(self) -> np.ndarray:
        """(...) the same of what covariates leave."""
        return np.asarray(np.einsum("...rp,...rp->...r", self.x_left, self.y_left).mean(axis=-1))

    def permuted(self, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """((m,) plain, (m,) partial) with the units of y in each of the ``orders`` (m, P), the same in all rows."""
        plain, partial = np.zeros(len(orders)), np.zeros(len(orders))
        for out, x, y in ((plain, self.x, self.y), (partial, self.x_left, self.y_left)):
            for a, b in zip(x, y):
                out += b[orders] @ a
            out /= len(x)
        return plain, partial


def split_correlation(x: np.ndarray, y: np.ndarray, covariates: np.ndarray | None = None) -> SplitRanks:
    """Ranks of ``x`` and ``y`` (..., r, P) over P units, of which x and the covariates come from one half of the
    stimuli and y from the other: r rows are the halves of each split, both ways round.

    covariates : (..., c, r, P). Their ranks are taken out of the ranks of both by least squares, so ``partial`` is
    Spearman's partial correlation. They come from the half of x: a covariate from all stimuli would share its noise
    with both sides.
    """
    a, b = _ranked(x), _ranked(y)
    left = a, b
    if covariates is not None:
        basis: list[np.ndarray] = []
        for c in np.moveaxis(covariates, -3, 0):
            c = _unit_length(_without(_ranked(c), basis), least=_TINY)
            basis.append(c)
        left = _unit_length(_without(a, basis), least=_TINY), _unit_length(_without(b, basis), least=_TINY)
    return SplitRanks(a, b, *left)


def split_reliability(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(...) Spearman's correlation over P units of one number in both halves (..., r, P), the mean over r splits: its
    reliability at half of the stimuli, not stepped up.
    """
    return np.asarray(np.einsum("...rp,...rp->...r", _ranked(first), _ranked(second)).mean(axis=-1))


def _ranked(x: np.ndarray) -> np.ndarray:
    ranks = rankdata(x, axis=-1)
    return _unit_length(ranks - ranks.mean(axis=-1, keepdims=True))


def _unit_length(x: np.ndarray, least: float = 0.0) -> np.ndarray:
    size = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.where(size > least, x / np.where(size > least, size, 1.0), 0.0)


def _without(x: np.ndarray, basis: list[np.ndarray]) -> np.ndarray:
    for b in basis:  # orthonormal rows
        x = x - (x * b).sum(axis=-1, keepdims=True) * b
    return x
