"""Canonical directions fitted on training stimuli and scored on the others: what the held-out forms share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from consilience.linalg import ledoit_wolf
from consilience.measures._canonical import check_regularization, warn_cut
from consilience.measures._contract import Predictions
from consilience.measures._held_out import deviations

__all__ = ["CanonicalPlan", "Side", "Variates", "Whitener", "joined", "shrunk_whitener", "whitened"]

# deviations of the training stimuli (n_train, p) -> matrix (p, r) that whitens them
Whitener: TypeAlias = Callable[[np.ndarray], np.ndarray]
# training and test rows of one fold, whitened by the training rows
Side: TypeAlias = tuple[np.ndarray, np.ndarray]


def shrunk_whitener(regularization: float | None, who: str) -> Whitener:
    """Whitens by the covariance, shrunk by Ledoit-Wolf (None) or as much as is said (see `cca`)."""
    if regularization is not None:
        check_regularization(regularization, who)

    def whitener(z: np.ndarray) -> np.ndarray:
        if regularization is None:
            covariance = ledoit_wolf(z)[0]
        else:
            covariance = z.T @ z / z.shape[0]
            mean = np.trace(covariance) / max(1, min(z.shape[1], z.shape[0] - 1))
            covariance = (1 - regularization) * covariance + regularization * mean * np.eye(z.shape[1])
        values, vectors = np.linalg.eigh(covariance)
        keep = values > values[-1] * 1e-12
        return vectors[:, keep] / np.sqrt(values[keep])

    return whitener


def whitened(z: np.ndarray, folds: Sequence[np.ndarray], whitener: Whitener) -> Iterator[Side]:
    """Scores ``z`` (n, r) as the `Side` of each fold, with no column where its training rows do not vary; ``folds``:
    its test rows.
    """
    for test in folds:
        inside, outside = deviations(z, test)
        w = whitener(inside) if inside.any() else np.zeros((z.shape[1], 0))
        yield inside @ w, outside @ w


@dataclass(frozen=True)
class Variates:
    """Pairs of canonical variates of one fold, the best fit first, in units of their training spread, so that folds
    can be pooled.

    x, y : (n_train, k), length 1.   x_out, y_out : (n_test, k).
    tied : how many of the first fit equally well (perfectly, once components outnumber the training stimuli): the
        data do not tell them apart, so each counts as their mean.
    """

    x: np.ndarray
    y: np.ndarray
    x_out: np.ndarray
    y_out: np.ndarray
    tied: int

    @classmethod
    def of(cls, x: Side, y: Side, most: int) -> Variates:
        """``most``: pairs at most."""
        if not min(x[0].shape[1], y[0].shape[1]):  # a system does not vary over the training stimuli
            (n, m), none = (len(x[0]), len(x[1])), np.zeros
            return cls(none((n, 0)), none((n, 0)), none((m, 0)), none((m, 0)), 0)
        u, size, vt = np.linalg.svd(x[0].T @ y[0], full_matrices=False)
        k = min(most, size.size, x[0].shape[0] - 1)
        one, two = x[0] @ u[:, :k], y[0] @ vt[:k].T
        of_x, of_y = (np.linalg.norm(z, axis=0) for z in (one, two))
        # a direction in which the training stimuli of a side differ by rounding only predicts nothing
        known = (of_x > 1e-12 * of_x.max(initial=0.0)) & (of_y > 1e-12 * of_y.max(initial=0.0))
        per_x, per_y = (np.where(known, 1 / np.where(known, z, 1.0), 0.0) for z in (of_x, of_y))
        tied = int(np.sum(size[:k] > size[0] * (1 - 1e-9)))
        return cls(one * per_x, two * per_y, x[1] @ u[:, :k] * per_x, y[1] @ vt[:k].T * per_y, tied)

    def terms(self) -> np.ndarray:
        """What each held-out stimulus adds to top, left and right of `Predictions`: (3, n_test, k)."""
        a, b = self.x_out, self.y_out
        out = np.stack([a * b, a * a, b * b])
        if self.tied:
            out[:, :, : self.tied] = out[:, :, : self.tied].mean(axis=2, keepdims=True)
        return out


def joined(terms: Sequence[np.ndarray], folds: Sequence[np.ndarray]) -> np.ndarray:
    """`Variates.terms` of all folds in the places of their stimuli, (3, n, k): as many pairs as every fold has. A fold
    that has none, as its training stimuli do not vary, predicts 0.
    """
    k = min((piece.shape[2] for piece in terms if piece.shape[2]), default=1)
    out = np.zeros((3, sum(map(len, folds)), k))
    for test, piece in zip(folds, terms):
        if piece.shape[2]:
            out[:, test] = piece[:, :, :k]
    return out


class CanonicalPlan:
    """Canonical directions fitted on the training stimuli of each fold, both sides projected on the others.

    ``components``: how many of the directions, those that fit best; None = all.   ``kept``: how many components of a
    system the whitener keeps, where that number was asked for.
    """

    def __init__(
        self,
        x: np.ndarray,
        folds: list[np.ndarray],
        whitener: Whitener,
        *,
        components: int | None = None,
        kept: int | None = None,
    ) -> None:
        self.rank, self.folds, self.whitener = x.shape[1], folds, whitener
        self.components, self.kept = components, kept
        self.sides = list(whitened(x, folds, whitener))

    def predict(self, y: np.ndarray) -> Predictions:
        most = min(self.rank, y.shape[1])
        if self.components is not None:
            warn_cut(self.components, most, "components")
            most = min(most, self.components)
        if self.kept is not None:
            warn_cut(self.kept, max(self.rank, y.shape[1]), "k")
        sides = zip(self.sides, whitened(y, self.folds, self.whitener))
        return Predictions(*joined([Variates.of(*pair, most).terms() for pair in sides], self.folds))
