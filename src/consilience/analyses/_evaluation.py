"""Values of RDM models under resampled stimuli and subjects: everything from inner products, no object per draw.

All pair vectors (parts of models, RDMs of subjects, and for the correlation a vector of ones) enter one product
per set of stimulus weights. Values, ceilings and fits under those weights, and under any weights of the subjects,
follow from the (m, m) results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience.measures._compare_rdms import PREPARE, rdm_parts
from consilience.models._rdm import FixedRDM, RDMModel
from consilience.stats import crossed_components, permuted_cosines, weighted_grams
from consilience.stats._crossed import Components, sampled_components

__all__ = ["EXACT", "Folds", "Scores", "Table"]

EXACT = ("cosine", "pearson")  # centred anew in every draw; what may be fitted and cross-validated
_DRAWS = 256
_FLAT = 1e-10  # share of its squared length below which an RDM has no structure left in a draw


@dataclass(frozen=True)
class Scores:
    """models (..., models, subjects); low, high (..., subjects): each subject against the others', everyone's mean."""

    models: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Folds:
    """An assignment: stimuli (n,) and subjects (s,) to folds; -1 = in no fold (not drawn)."""

    stimuli: np.ndarray
    subjects: np.ndarray


class Table:
    """Pair vectors of models' parts and of subjects, ready for weighted products.

    models : estimators in the order of ``names``.   subjects : (s, P) condensed RDMs.
    """

    def __init__(self, models: Sequence[RDMModel], subjects: np.ndarray, n: int, method: str) -> None:
        self.models, self.method, self.n = models, method, n
        made = [model.components() for model in models]
        self.rows = np.cumsum([0, *(len(part) for part in made)])
        prepare = PREPARE["cosine" if method in EXACT else method]
        parts = np.stack([prepare(v) for part in made for v in part])
        self.people = np.stack([prepare(v) for v in subjects])
        self.parts = parts
        self.diagonal = method.startswith("whitened")
        self.centred = method == "pearson"
        rows = [parts, self.people, np.ones((1, parts.shape[1]))] if self.centred else [parts, self.people]
        vectors = np.concatenate(rows)
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * np.sqrt(vectors.shape[1])
        self.k, self.s = len(parts), len(subjects)
        self.sizes = np.linalg.norm(parts, axis=1)
        self._last: tuple[Any, Any] = (None, None)  # weights and what they gave: two factors ask for the same
        self.pairs = rdm_parts(method, lambda x: x, lambda d: d)

    @property
    def cosines(self) -> bool:
        """The values are cosines, whose ceilings are functions of inner products."""
        return self.method not in ("kendall", "rho_a")

    def grams(self, weights: np.ndarray) -> np.ndarray:
        """(draws, k + s, k + s) inner products, centred where the method is."""
        return self.centre(weighted_grams(self.vectors, weights, diagonal=self.diagonal))

    def centre(self, g: np.ndarray) -> np.ndarray:
        if not self.centred:
            return g
        ones = g[:, :-1, -1]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(g[:, :-1, :-1] - ones[:, :, None] * ones[:, None, :] / g[:, -1:, -1:])

    def plain(self, weights: np.ndarray, subject_weights: np.ndarray) -> Scores:
        """Fixed models under stimulus weights (draws, n) and subject weights (draws, s) (how often each is drawn)."""
        if not self.cosines:
            return self._by_parts(weights)
        g = self.grams(weights)
        flat = _FLAT * self.vectors.shape[1]
        return Scores(_cosines(g, self.k, flat), *_ceilings(g[:, self.k :, self.k :], subject_weights, flat))

    def components(self, weights: np.ndarray) -> Components:
        """Variance components of the values of models as fitted to all stimuli and subjects."""
        if not self.cosines:
            draws, left_out = (
                np.moveaxis(self._by_parts(w).models, 0, -1) for w in (weights, 1.0 - np.eye(self.n))
            )
            value = self._by_parts(np.ones((1, self.n))).models[0]
            return sampled_components(value, left_out, draws, n_stimuli=self.n)
        mix = np.zeros((len(self.models), self.k))
        gram = self.grams(np.ones((1, self.n)))[0]
        target = (gram[: self.k, self.k :] / np.sqrt(np.diagonal(gram)[self.k :])).sum(axis=1)
        for row, model, start, stop in zip(mix, self.models, self.rows[:-1], self.rows[1:]):
            at = slice(int(start), int(stop))
            row[at] = self._weights(model, at, gram[at, at], target[at])
        z = self.vectors[: self.k + self.s]
        z = z - z.mean(axis=1, keepdims=True) if self.centred else z
        with np.errstate(invalid="ignore", divide="ignore"):  # a fit may be 0
            made, people = (
                v / np.linalg.norm(v, axis=1, keepdims=True) for v in (mix @ z[: self.k], z[self.k :])
            )
            values, pairs = made @ people.T, self.n * (self.n - 1) / 2

            def influences() -> Iterator[np.ndarray]:
                for t, one in enumerate(people):
                    yield pairs * (made * one - values[:, t, None] / 2 * (made**2 + one**2))

            g = self.grams(1.0 - np.eye(self.n))
            own = np.einsum("ji,dik,jk->dj", mix, g[:, : self.k, : self.k], mix)
            size = np.sqrt(own[:, :, None] * np.einsum("dss->ds", g[:, self.k :, self.k :])[:, None, :])
            without = mix @ g[:, : self.k, self.k :] / size
            return crossed_components(values, np.moveaxis(without, 0, -1), influences(), n_stimuli=self.n)

    def _by_parts(self, weights: np.ndarray) -> Scores:
        """Kendall's tau-a and rho-a: the means of ranks that make the ceilings are those of all subjects."""
        everyone = np.stack([self.pairs.bound(self.people)])
        if weights is self._last[0]:
            return self._last[1]
        plain = bool((weights == 1).all())
        w = weights[:1] if plain else weights

        def of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return self.pairs.combine(a, b)[None] if plain else self.pairs.combine(a, b, w)

        high = of(everyone, self.people)[:, 0]
        low = np.full((len(high), self.s), np.nan)
        for t in range(self.s if self.s > 1 else 0):
            others = self.pairs.pool(np.delete(self.people, t, 0))[None]
            low[:, t] = of(others, self.people[t : t + 1])[:, 0, 0]
        size = len(weights)
        found = Scores(
            *(np.broadcast_to(v, (size, *v.shape[1:])) for v in (of(self.parts, self.people), low, high))
        )
        if not plain:
            self._last = (weights, found)
        return found

    def permuted(self, orders: np.ndarray) -> np.ndarray:
        """Means over subjects of fixed models with stimuli relabelled: (permutations, models)."""
        groups = np.zeros(self.s, dtype=np.int64)
        if self.method in EXACT:
            z = self.vectors[: self.k + self.s]
            z = z - z.mean(axis=1, keepdims=True) if self.centred else z
            z = z / np.linalg.norm(z, axis=1, keepdims=True)
            return permuted_cosines(z[: self.k], z[self.k :].mean(axis=0)[None], orders)[:, :, 0]
        return self.pairs.permute(self.parts, self.people, orders, groups=groups)[:, :, 0]

    # -- cross-validated ---------------------------------------------------------------------------------------

    def fold_grams(self, weights: np.ndarray, folds: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Products within the training and within the test stimuli of each fold: (draws, count, k + s, k + s) x 2.

        weights, folds : (draws, n).
        """
        inside = (folds[:, None, :] == np.arange(count)[None, :, None]) * weights[:, None, :]
        outside = (folds[:, None, :] != np.arange(count)[None, :, None]) * weights[:, None, :]
        shape = (len(weights), count)
        pair = []
        for w in (outside, inside):
            g = self.grams(w.reshape(-1, self.n))
            pair.append(g.reshape(*shape, *g.shape[1:]))
        return pair[0], pair[1]

    def cross_validated(
        self,
        train: np.ndarray,
        test: np.ndarray,
        subject_folds: np.ndarray,
        subject_count: int,
        subject_weights: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means over folds and test subjects: models (draws, models), lower and upper ceilings (draws,).

        train, test : (draws, folds, k + s, k + s).   subject_folds, subject_weights : (draws, s).
        """
        draws, count = train.shape[:2]
        k = self.k
        out = np.zeros((draws, len(self.models)))
        low, high = np.zeros(draws), np.zeros(draws)
        own = np.einsum("dfii->dfi", test)
        flat = _FLAT * self.vectors.shape[1]
        own_s = _lengths(own[..., k:], flat)
        norm = _lengths(np.einsum("dfii->dfi", train)[..., k:], flat)
        with np.errstate(invalid="ignore", divide="ignore"):
            between = test[..., k:, k:] / own_s[..., :, None] / own_s[..., None, :]
            for p in range(subject_count):
                held = (subject_folds == p) if subject_count > 1 else np.ones_like(subject_folds, dtype=bool)
                uses = subject_weights * (~held if subject_count > 1 else held)
                tests = subject_weights * held
                share = tests / tests.sum(axis=1, keepdims=True)
                target = np.einsum("dfks,ds->dfk", train[..., :k, k:] / norm[..., None, :], uses)
                for j, model in enumerate(self.models):
                    at = slice(int(self.rows[j]), int(self.rows[j + 1]))
                    w = self._weights(model, at, train[..., at, at], target[..., at])
                    top = np.einsum("dfk,dfks->dfs", w, test[..., at, k:])
                    below = np.sqrt(np.maximum(np.einsum("dfi,dfij,dfj->df", w, test[..., at, at], w), 0.0))
                    value = np.where(below[..., None] > 0, top / below[..., None] / own_s, 0.0)
                    out[:, j] += np.einsum("dfs,ds->d", value, share)
                for total, pool in ((low, uses), (high, subject_weights)):
                    each = np.einsum("dfst,dt->dfs", between, pool)
                    size = np.sqrt(np.einsum("dfst,ds,dt->df", between, pool, pool))
                    total += np.einsum("dfs,ds->d", each / size[..., None], share)
        scale = 1.0 / (count * subject_count)
        return out * scale, low * scale if subject_count > 1 else np.full(draws, np.nan), high * scale

    def _weights(self, model: RDMModel, at: slice, gram: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Weights of the table's (rescaled) vectors; a model states its own in terms of the RDMs as given."""
        if isinstance(model, FixedRDM):
            return np.ones(target.shape)
        size = self.sizes[at] / np.sqrt(self.parts.shape[1])
        found = model.weights(gram * size[:, None] * size[None, :], target * size)
        return np.asarray(found * size)

    def permuted_fold_grams(
        self, order: np.ndarray, folds: np.ndarray, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """`fold_grams` of weights 1 with the models' stimuli relabelled by ``order`` (n,): (1, count, m, m) x 2."""
        rows, columns = np.triu_indices(self.n, 1)
        one, two = order[rows], order[columns]
        first, second = np.minimum(one, two), np.maximum(one, two)
        index = first * (2 * self.n - first - 1) // 2 + second - first - 1
        z = np.concatenate([self.vectors[: self.k][:, index], self.vectors[self.k :]])
        pair = []
        for same in (False, True):
            in_fold = folds[None, :] == np.arange(count)[:, None]
            member = in_fold if same else ~in_fold
            grams = []
            for f in range(count):
                kept = np.flatnonzero(member[f][rows] & member[f][columns])
                block = z[:, kept]
                grams.append(block @ block.T)
            pair.append(self.centre(np.stack(grams))[None])
        return pair[0], pair[1]


def _lengths(own: np.ndarray, flat: float) -> np.ndarray:
    """Square roots; NaN where an RDM is flat: a draw without the stimuli that give it structure."""
    return np.sqrt(np.where(own > flat, own, np.nan))


def _cosines(g: np.ndarray, k: int, flat: float) -> np.ndarray:
    """(draws, models, subjects) from inner products; NaN where an RDM is flat."""
    own = np.einsum("dii->di", g)
    own = np.where(own > flat, own, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(g[:, :k, k:] / np.sqrt(own[:, :k, None] * own[:, None, k:]))


def _ceilings(g: np.ndarray, weights: np.ndarray, flat: float) -> tuple[np.ndarray, np.ndarray]:
    """(draws, s) x 2: cosine of each subject with the mean of the other, and of all, normalised RDMs.

    g : (draws, s, s).   weights : (draws, s), how often each subject was drawn; leaving one out leaves out all
    of its copies.
    """
    own = _lengths(np.einsum("dii->di", g), flat)
    with np.errstate(invalid="ignore", divide="ignore"):
        c = g / own[:, :, None] / own[:, None, :]
        w = weights
        each = np.einsum("dst,dt->ds", c, w)
        total = np.einsum("ds,ds->d", each, w)[:, None]
        high = each / np.sqrt(total)
        rest = np.maximum(total - 2 * w * each + w * w, 0.0)
        low = np.where(rest > 1e-12 * np.maximum(total, 1e-300), (each - w) / np.sqrt(rest), np.nan)
    return low, high
