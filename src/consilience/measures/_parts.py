"""What inference is made of: a system is prepared once, and every draw is a product of what was prepared.

There are three kinds of parts, one per rule of resampling over stimuli:

pairs        `PairParts`: one vector over pairs of stimuli per system; every draw is a weighted cosine.
predictions  `PredictionParts`: held-out predictions per stimulus; every draw is a weighted mean of them.
subsample    `SubsampleParts`: in-sample alignments; values on subsets of stimuli (delete-d).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from consilience._core._arrays import Array
from consilience.stats import left_out_cosines, permuted_cosines, spearman_brown, weighted_cosines
from consilience.stats._pairs import square

__all__ = ["PairParts", "PredictionParts", "Predictions", "SubsampleParts", "halves_ceiling", "square_of"]


class PairParts:
    """Parts of a measure whose value is a cosine of pair vectors.

    prepare : x (n, p) -> pair vector (P,), float64, ranked and centred once.
    from_rdm : (condensed RDM (n(n-1)/2,), name of its distance) -> pair vector; None where RDMs cannot be
        used.
    rdm_distance : name of the distance of an RDM on the other side -> the distance by which responses
        become an RDM to match it.
    again : pair vector -> pair vector, applied to a mean of vectors before it is used as one (re-ranking);
        None = nothing to do.
    diagonal : the vectors carry the n diagonal entries.
    from_gram : (Gram matrix (n, n), float64; rounding of the dtype of the responses) -> pair vector, for responses
        that are read in blocks of units; None = they are read whole.
    gram : of which patterns that Gram matrix is: "columns" = less about the mean of each unit, "rows" = less the
        mean of each stimulus over units, "origin" = as they are; of "rows" and "origin" at length 1 and less one
        vector, so that half the squared distances are 1 - cosine.

    A class of its own overrides what a cosine does not give: ``channels`` numbers per pair, one channel after
    the other in the vector; ``has_ceiling``: the value between halves of the repeats says what noise allows.
    """

    rule = "pairs"
    channels = 1
    has_ceiling = True

    def __init__(
        self,
        prepare: Callable[[Array], Array],
        *,
        from_rdm: Callable[[np.ndarray, str], np.ndarray] | None = None,
        rdm_distance: Callable[[str], str] | None = None,
        again: Callable[[np.ndarray], np.ndarray] | None = None,
        diagonal: bool = False,
        from_gram: Callable[[np.ndarray, float], np.ndarray] | None = None,
        gram: Literal["columns", "rows", "origin"] = "columns",
    ) -> None:
        self.prepare = prepare
        self.from_gram = from_gram
        self.gram = gram
        self.from_rdm = from_rdm
        self.rdm_distance = rdm_distance
        self.again = again
        self.diagonal = diagonal

    def normalise(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors (k, P) at norm 1; a vector of zeros (all pairs equally far apart) has no direction and is
        refused by `combine`.
        """
        norm = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(norm > 0, norm, np.nan)

    def combine(self, a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Values (n_a, n_b) of pair vectors a (n_a, P) and b (n_b, P); with weights (draws, n): (draws,
        n_a, n_b).
        """
        if weights is None:
            return self.normalise(a) @ self.normalise(b).T
        return weighted_cosines(a, b, weights, diagonal=self.diagonal)

    def left_out(self, a: np.ndarray, b: np.ndarray, n: int) -> np.ndarray:
        """Values (n, n_a, n_b) without each of the n stimuli, ranked and centred as with all of them."""
        if type(self).combine is PairParts.combine:
            return left_out_cosines(a, b, n, diagonal=self.diagonal)
        return self.combine(a, b, 1.0 - np.eye(n))

    def permute(
        self, a: np.ndarray, b: np.ndarray, orders: np.ndarray, groups: np.ndarray | None = None
    ) -> np.ndarray:
        """Values (permutations, n_a, n_b') with the stimuli of a relabelled; columns of b with one group
        are averaged first.
        """
        return permuted_cosines(self.normalise(a), self.averaged(b, groups), orders, diagonal=self.diagonal)

    def averaged(self, vectors: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
        """Normalised vectors (k, P), those of one group averaged; None = each its own."""
        unit = self.normalise(vectors)
        if groups is None:
            return unit
        return np.stack([unit[groups == g].mean(axis=0) for g in range(groups.max() + 1)])

    def pool(self, vectors: np.ndarray) -> np.ndarray:
        """The mean of several subjects' vectors (k, P), each at norm 1 first, as a model: (P,)."""
        mean = self.normalise(vectors).mean(axis=0)
        return self.again(mean) if self.again is not None else mean

    def bound(self, vectors: np.ndarray) -> np.ndarray:
        """The vector (P,) with the highest mean value against ``vectors`` (k, P): the mean of the
        normalised ones, for a cosine.
        """
        return self.normalise(vectors).mean(axis=0)


@dataclass(frozen=True)
class Predictions:
    """What each held-out stimulus adds to a score: value of column k under weights w is sum w top /
    sqrt(sum w left . sum w right).

    top, left, right : (n, k).   share : (k,) of sum 1, what each column counts; None = all alike.
    """

    top: np.ndarray
    left: np.ndarray
    right: np.ndarray
    share: np.ndarray | None = None

    def score(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Mean over columns: () without weights, (draws,) with weights (draws, n). A column that does not
        vary scores 0.
        """
        each = self.columns(np.ones((1, self.top.shape[0])) if weights is None else weights)
        value = each.mean(axis=1) if self.share is None else each @ self.share
        return value[0] if weights is None else value

    def draws(self, weights: np.ndarray) -> np.ndarray:
        """Values (draws,) of resamples of the stimuli: `score`, unless more of the value hangs on who was drawn."""
        return self.score(weights)

    def columns(self, weights: np.ndarray) -> np.ndarray:
        """Value of each column, (draws, k), under weights (draws, n)."""
        below = np.sqrt((weights @ self.left) * (weights @ self.right))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(below > 0, (weights @ self.top) / below, 0.0)


class PredictionParts:
    """Parts of a measure whose value is a score of held-out predictions.

    prepare : x (n, p) -> what the fit needs of x, once per system (its lossless low-dimensional form).
    prepare_y : the same for y; None = as x.
    plan : (prepared x, folds, groups) -> object with ``predict(prepared y) -> Predictions``: everything
        that does not depend on y.
    ceiling : (half 1, half 2), each (n, q) -> (low, high); None = the measure itself on the halves.
    """

    rule = "predictions"

    def __init__(
        self,
        prepare: Callable[[Array], Any],
        plan: Callable[[Any, list[np.ndarray], np.ndarray | None], Any],
        *,
        prepare_y: Callable[[Array], Any] | None = None,
        ceiling: Callable[[np.ndarray, np.ndarray], tuple[float, float]] | None = None,
        folds: int = 5,
    ) -> None:
        self.prepare = prepare
        self.prepare_y = prepare_y or prepare
        self.plan = plan
        self.ceiling = ceiling
        self.folds = folds


class SubsampleParts:
    """Parts of an in-sample alignment: prepare(x) -> scores (n, r) with X X' kept; value(scores of x,
    scores of y) -> float.
    """

    rule = "subsample"

    def __init__(
        self, prepare: Callable[[Array], np.ndarray], value: Callable[[np.ndarray, np.ndarray], float]
    ) -> None:
        self.prepare = prepare
        self.value = value


def square_of(vector: np.ndarray, n: int) -> np.ndarray:
    return square(vector[None], n)[0]


def halves_ceiling(score: float) -> tuple[float, float]:
    """(low, high) from the value between two halves of the repeats: itself, and sqrt of its Spearman-Brown
    extrapolation.
    """
    return score, float(np.sqrt(spearman_brown(score)))
