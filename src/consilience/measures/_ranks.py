"""Comparison of RDMs by ranks: Kendall's tau-a and rho-a (Spearman's rho under random breaking of ties)."""

from __future__ import annotations

import numpy as np
from scipy import stats

from consilience.measures._contract import PairParts
from consilience.stats import permuted_concordance, weighted_concordance, weighted_cosines

__all__ = ["RhoParts", "TauParts", "rank", "tau_a", "untied_squares"]

_DRAWS = 512  # whose pair weights are made at a time


def rank(v: np.ndarray) -> np.ndarray:
    """Ranks minus their mean; distances that differ by rounding only (binary patterns make many) are ties, on
    every machine.
    """
    ranks = stats.rankdata(np.round(v / (np.max(np.abs(v)) or 1.0), 12))
    return np.asarray(ranks - (v.size + 1) / 2)


def tau_a(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-a of two vectors in O(P log P): tau-b sqrt((N - T_a)(N - T_b)) / N, N pairs, T ties
    (Kendall 1938).
    """
    n = a.size * (a.size - 1) / 2
    ties = [float(sum(c * (c - 1) / 2 for c in np.unique(v, return_counts=True)[1])) for v in (a, b)]
    if n in ties:
        return 0.0
    tau_b = float(stats.kendalltau(a, b, variant="b").statistic)
    return tau_b * np.sqrt((n - ties[0]) * (n - ties[1])) / n


class TauParts(PairParts):
    """Kendall's tau-a: the pair vectors are ranks, but a value is a sum of signs over pairs of pairs.

    No closed form gives the RDM with the highest mean tau-a; `bound` orders the pairs by their mean rank.
    """

    def combine(self, a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        if weights is None:
            return np.array([[tau_a(x, y) for y in b] for x in a])
        rows, columns = np.triu_indices(weights.shape[1], 1)
        out = np.empty((len(weights), len(a), len(b)))
        for start in range(0, len(weights), _DRAWS):
            part = weights[start : start + _DRAWS]
            v = part[:, rows] * part[:, columns]
            below = v.sum(axis=1) ** 2 - np.einsum("dp,dp->d", v, v)
            with np.errstate(invalid="ignore", divide="ignore"):
                out[start : start + _DRAWS] = weighted_concordance(a, b, v) / below[:, None, None]
        return out

    def bound(self, vectors: np.ndarray) -> np.ndarray:
        return rank(vectors.mean(axis=0))  # of sums of halves, so that equal means are ties

    def permute(
        self, a: np.ndarray, b: np.ndarray, orders: np.ndarray, groups: np.ndarray | None = None
    ) -> np.ndarray:
        pairs = a.shape[1]
        each = permuted_concordance(a, b, orders) / (pairs * (pairs - 1))
        if groups is None:
            return each
        return np.stack([each[:, :, groups == g].mean(axis=2) for g in range(groups.max() + 1)], axis=2)


def untied_squares(ranks: np.ndarray) -> np.ndarray:
    """Expected squares of centred ranks (k, P) once ties are broken at random: r^2 + (t^2 - 1)/12, t equal
    ones.
    """
    out = np.empty(ranks.shape)
    for row, r in zip(out, ranks):
        _, inverse, ties = np.unique(r, return_inverse=True, return_counts=True)
        row[:] = r * r + (ties[inverse] ** 2 - 1) / 12
    return out


class RhoParts(PairParts):
    """rho-a: mean ranks above, and below the root the squares that ranks have once ties are broken at random.

    Without weights sum a b / ((P^3 - P)/12) (Nili et al. 2014). `bound` ranks the mean of the ranks, which is
    the RDM with the highest mean rho-a.
    """

    def normalise(self, vectors: np.ndarray) -> np.ndarray:
        pairs = vectors.shape[1]
        return vectors / np.sqrt((pairs**3 - pairs) / 12)

    def combine(self, a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        if weights is None:
            return self.normalise(a) @ self.normalise(b).T
        return weighted_cosines(a, b, weights, squares=(untied_squares(a), untied_squares(b)))

    def bound(self, vectors: np.ndarray) -> np.ndarray:
        return rank(vectors.mean(axis=0))
