"""Regression of RDMs on model RDMs: every subset of the models at once, from small matrices of moments.

The fit of a subset needs only the covariances of the RDMs over pairs. Those of all draws of stimuli are one
product, so that no draw touches the RDMs again. With weights >= 0 the optimum is the ordinary fit on some
smaller subset whose weights all come out >= 0; the best such subset is found by comparing all of them, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience.stats._pairs import weighted_sums

__all__ = ["MOST_MODELS", "Moments", "commonalities", "fit_subsets", "held_out_r2", "moments"]

MOST_MODELS = 6  # 2^6 subsets
_RANK = 1e-10  # directions of the models' covariance below this share of the largest are no directions


@dataclass(frozen=True)
class Moments:
    """Weighted means over pairs, of k models and s data RDMs; the leading dimension counts draws.

    total : (m,) sum of the weights.   models : (m, k) means.   data : (m, s) means.
    gram : (m, k, k), cross : (m, k, s), square : (m, s): means of products, not centred.
    """

    total: np.ndarray
    models: np.ndarray
    data: np.ndarray
    gram: np.ndarray
    cross: np.ndarray
    square: np.ndarray

    def centred(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Covariances (m, k, k), (m, k, s) and variances (m, s)."""
        gram = self.gram - self.models[:, :, None] * self.models[:, None, :]
        cross = self.cross - self.models[:, :, None] * self.data[:, None, :]
        return gram, cross, self.square - self.data**2


def moments(models: np.ndarray, data: np.ndarray, weights: np.ndarray) -> Moments:
    """`Moments` of condensed RDMs ``models`` (k, P) and ``data`` (s, P) under stimulus weights (m, n); a pair
    weighs w_i w_j.
    """
    k, s = len(models), len(data)
    rows, columns = np.triu_indices(k)
    terms = np.concatenate(
        [
            np.ones((1, models.shape[1])),
            models,
            data,
            models[rows] * models[columns],
            (models[:, None] * data[None]).reshape(k * s, -1),
            data**2,
        ]
    )
    sums = weighted_sums(terms, weights)
    means = sums[:, 1:] / sums[:, :1]
    x, y, upper, cross, square = np.split(means, np.cumsum([k, s, rows.size, k * s]), axis=1)
    gram = np.empty((len(weights), k, k))
    gram[:, rows, columns] = gram[:, columns, rows] = upper
    return Moments(sums[:, 0], x, y, gram, cross.reshape(-1, k, s), square)


def fit_subsets(
    gram: np.ndarray, cross: np.ndarray, variance: np.ndarray, *, nonnegative: bool
) -> tuple[np.ndarray, np.ndarray]:
    """R^2 (m, s, 2^k) and weights (m, s, 2^k, k) of the least-squares fit of each subset of the models.

    gram : (m, k, k) and cross : (m, k, s) covariances.   variance : (m, s).   Subset S is the number whose bit j
    says whether model j is in it; weights of models outside are 0.   nonnegative : weights >= 0.
    """
    m, k, s = cross.shape
    r2, weights = np.zeros((m, s, 1 << k)), np.zeros((m, s, 1 << k, k))
    for subset in range(1, 1 << k):
        inside = [j for j in range(k) if subset >> j & 1]
        inverse = np.linalg.pinv(gram[:, inside][:, :, inside], rcond=_RANK, hermitian=True)
        beta = np.swapaxes(inverse @ cross[:, inside], 1, 2)
        weights[:, :, subset, inside] = beta
        r2[:, :, subset] = np.einsum("msk,mks->ms", beta, cross[:, inside]) / variance
        if nonnegative:
            r2[:, :, subset][(beta < 0).any(axis=2)] = -np.inf
    if nonnegative:
        for j in range(k):
            for subset in range(1 << k):
                if subset >> j & 1:
                    other = subset ^ (1 << j)
                    better = r2[:, :, other] > r2[:, :, subset]
                    r2[:, :, subset] = np.where(better, r2[:, :, other], r2[:, :, subset])
                    weights[:, :, subset] = np.where(
                        better[..., None], weights[:, :, other], weights[:, :, subset]
                    )
    return r2, weights


def held_out_r2(
    models: np.ndarray, data: np.ndarray, folds: list[np.ndarray], *, n: int, nonnegative: bool
) -> np.ndarray:
    """R^2 (s, 2^k) on pairs of which both stimuli were left out: 1 - sum of squared errors over that around the
    mean of the training pairs, summed over ``folds`` (test stimuli of each).
    """
    masks = np.ones((len(folds), n))
    for row, left_out in zip(masks, folds):
        row[left_out] = 0
    train, test = moments(models, data, masks), moments(models, data, 1 - masks)
    _, weights = fit_subsets(*train.centred(), nonnegative=nonnegative)

    def errors(beta: np.ndarray) -> np.ndarray:
        """Sum over folds of squared errors (s, 2^k), beta (folds, s, 2^k, k)."""
        offset = train.data[:, :, None] - np.einsum("fsuk,fk->fsu", beta, train.models)
        squares = (
            test.square[:, :, None]
            + np.einsum("fsuj,fjk,fsuk->fsu", beta, test.gram, beta)
            + offset**2
            - 2 * np.einsum("fsuk,fks->fsu", beta, test.cross)
            - 2 * offset * test.data[:, :, None]
            + 2 * offset * np.einsum("fsuk,fk->fsu", beta, test.models)
        )
        return np.asarray((squares * test.total[:, None, None]).sum(axis=0))

    return np.asarray(1 - errors(weights) / errors(np.zeros_like(weights)))


def commonalities(k: int) -> np.ndarray:
    """Matrix (2^k - 1, 2^k) that makes of R^2 of all subsets the part of each: row S - 1 is what the models of S
    share and no other model has (one model: its unique part). The parts sum to R^2 of all models.

    C(S) = sum over T within S of (-1)^(|T| + 1) R^2(T and all models outside S), T = {} included (Nimon et al.
    2008).
    """
    full = (1 << k) - 1
    out = np.zeros((full, full + 1))
    for s in range(1, full + 1):
        for t in range(full + 1):
            if t & ~s == 0:
                out[s - 1, t | (full ^ s)] += (-1.0) ** (t.bit_count() + 1)
    return out
