"""Linear discriminants with a shrunk covariance: one eigendecomposition serves all labellings of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Discriminant", "DiscriminantPlan"]


@dataclass(frozen=True)
class Discriminant:
    """weights : (m, r, classes), offsets : (m, classes) of the scores.   shrinkage : (m,)."""

    weights: np.ndarray
    offsets: np.ndarray
    shrinkage: np.ndarray


class DiscriminantPlan:
    """Rows (n, p), rotated onto the r eigenvectors of their total covariance S_t that are not null.

    With class means m_c and shares q_c, the covariance within classes is S_w = S_t - sum_c q_c (m_c - m)(m_c - m)',
    and its shrunk form (1 - g) S_w + g tr(S_w)/p I is a diagonal matrix less a matrix of rank C in these coordinates,
    whatever the labels. So a labelling costs its class means and a C x C system. In the null space of S_t no mean
    differs, so it leaves the scores.

    Notes
    -----
    The intensity g of Ledoit & Wolf (2004) for rows centred by class is made of ||S_w||^2, tr(S_w) and sum_i ||x_i -
    m_c(i)||^4, all known from the same numbers.
    """

    def __init__(self, x: np.ndarray) -> None:
        self.n, self.p = x.shape
        self.mean = x.mean(axis=0)
        z = x - self.mean
        if self.p <= self.n:
            values, vectors = np.linalg.eigh(z.T @ z / self.n)
        else:
            values, left = np.linalg.eigh(z @ z.T / self.n)
        top = max(float(values[-1]), 0.0)
        keep = values > top * max(self.n, self.p) * np.finfo(np.float64).eps
        self.values = values[keep]
        if self.p <= self.n:
            self.axes = vectors[:, keep]
        else:
            self.axes = z.T @ (left[:, keep] / np.sqrt(self.values * self.n))
        self.rows = z @ self.axes  # (n, r)
        self._norms = (z * z).sum(axis=1)

    @property
    def rank(self) -> int:
        return int(self.values.size)

    def learn(
        self, means: np.ndarray, count: np.ndarray, codes: np.ndarray, shrinkage: float | None
    ) -> Discriminant:
        """Discriminants of m labellings.

        means : (m, classes, r) of ``rows``.   count : (m, classes).   codes : (m, n).   shrinkage : in [0, 1]; None =
        Ledoit & Wolf's for each labelling.
        """
        m, classes, _ = means.shape
        share = count / self.n
        inner = means @ np.swapaxes(means, 1, 2)  # (m, C, C)
        size = np.einsum("mcc->mc", inner)
        trace = self.values.sum() - (share * size).sum(axis=1)
        if shrinkage is None:
            g = self._intensity(means, share, inner, size, trace, codes)
        else:
            g = np.full(m, float(shrinkage))
        total = self.values.sum()
        exact = trace <= 1e-12 * total  # rows of a class are all alike: nearest mean
        g = np.where(exact, 1.0, g)
        ridge = np.where(exact, total, g * np.maximum(trace, 0.0)) / self.p
        diagonal = (1 - g)[:, None] * self.values + ridge[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            solved = np.where(diagonal[:, None] > 0, means / diagonal[:, None], 0.0)
        overlap = solved @ np.swapaxes(means, 1, 2)  # M A^-1 M'
        system = np.eye(classes) - ((1 - g)[:, None] * share)[:, :, None] * overlap
        mixing = _solve(system)
        weights = np.swapaxes(solved, 1, 2) @ mixing
        offsets = -0.5 * np.einsum("mcd,mdc->mc", overlap, mixing)
        return Discriminant(weights, offsets, g)

    def _intensity(
        self,
        means: np.ndarray,
        share: np.ndarray,
        inner: np.ndarray,
        size: np.ndarray,
        trace: np.ndarray,
        codes: np.ndarray,
    ) -> np.ndarray:
        crossed = ((means * means) @ self.values) * share  # q_c m_c' S_t m_c
        squared = (self.values**2).sum() - 2 * crossed.sum(axis=1)
        squared = squared + np.einsum("mc,mcd,md->m", share, inner**2, share)
        own = np.take_along_axis(
            np.swapaxes(self.rows @ np.swapaxes(means, 1, 2), 1, 2), codes[:, None], axis=1
        )
        lengths = self._norms - 2 * own[:, 0] + np.take_along_axis(size, codes, axis=1)
        spread = squared - trace**2 / self.p
        noise = ((lengths**2).mean(axis=1) - squared) / self.n
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(spread > 0, np.clip(noise / np.where(spread > 0, spread, 1.0), 0.0, 1.0), 1.0)

    def coordinates(self, x: np.ndarray) -> np.ndarray:
        """(k, r) of new rows (k, p)."""
        return (x - self.mean) @ self.axes


def _solve(system: np.ndarray) -> np.ndarray:
    """Inverses (m, C, C); singular only where classes are apart without any variance inside them."""
    eye = np.eye(system.shape[1])
    try:
        return np.linalg.solve(system, np.broadcast_to(eye, system.shape))
    except np.linalg.LinAlgError:
        return np.linalg.pinv(system)
