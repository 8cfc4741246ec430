"""Ridge regression, held out: one small decomposition per fold serves all penalties and all targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["RidgePlan"]


@dataclass(frozen=True)
class _Fold:
    train: np.ndarray  # rows
    test: np.ndarray
    u: np.ndarray  # (n_train, r) left singular vectors of the centred training predictors
    weights: np.ndarray  # (alphas, r) 1 / (eigenvalue + alpha)
    shrink: np.ndarray  # (alphas, r) eigenvalue / (eigenvalue + alpha)
    test_u: np.ndarray  # (n_test, r) test predictors times V times singular values
    groups: (
        tuple[np.ndarray, ...] | None
    )  # rows of each group inside the training set; None = every row its own


@dataclass(frozen=True)
class RidgePredictions:
    """predicted, actual : (n, q), deviations from the mean of the training stimuli of their fold.
    alpha : (folds, q) index of the penalty chosen.   spread : (folds, q) root mean square of the
        predictions for the training stimuli."""

    predicted: np.ndarray
    actual: np.ndarray
    alpha: np.ndarray
    spread: np.ndarray


class RidgePlan:
    """Everything of a held-out ridge regression that does not depend on the targets.

    Parameters
    ----------
    x : (n, r) predictors; pass principal scores, r <= n (a rotation of the predictors does not change ridge
        predictions)
    folds : list of test-row arrays; together they cover every row once
    alphas : penalties relative to the mean over stimuli of the squared length of a centred training
        predictor row, so that the scale of X
        does not matter
    groups : (n,) int, rows of one group are left out together when alpha is chosen; None = rows are
        independent

    Notes
    -----
    Within a training set alpha is chosen per target by the closed-form leave-one-group-out error
    e_G = (I - H_GG)^-1 (y_G - yhat_G), H the hat matrix including the intercept (Hoerl & Kennard 1970;
    Allen 1974).
    """

    def __init__(
        self, x: np.ndarray, folds: list[np.ndarray], alphas: np.ndarray, groups: np.ndarray | None = None
    ) -> None:
        self.n = x.shape[0]
        self.alphas = np.asarray(alphas, dtype=np.float64)
        self.folds = [self._fold(x, test, groups) for test in folds]

    def _fold(self, x: np.ndarray, test: np.ndarray, groups: np.ndarray | None) -> _Fold:
        train = np.setdiff1d(np.arange(self.n), test)
        mean = x[train].mean(axis=0)
        inside, outside = x[train] - mean, x[test] - mean
        if inside.shape[1] < train.size:
            values, v = np.linalg.eigh(inside.T @ inside)
            keep = values > max(values[-1], 0.0) * train.size * np.finfo(np.float64).eps * 4
            values, v = values[keep], v[:, keep]
            u, test_u = inside @ (v / np.sqrt(values)), outside @ (v * np.sqrt(values))
        else:
            values, u = np.linalg.eigh(inside @ inside.T)
            keep = values > max(values[-1], 0.0) * train.size * np.finfo(np.float64).eps * 4
            values, u = values[keep], u[:, keep]
            test_u = outside @ (inside.T @ u)
        scale = values.sum() / train.size if values.size else 1.0
        penalty = self.alphas[:, None] * scale
        members = None
        if groups is not None:
            own = groups[train]
            members = tuple(np.flatnonzero(own == g) for g in np.unique(own))
            if all(m.size == 1 for m in members):
                members = None
        return _Fold(train, test, u, 1.0 / (values + penalty), values / (values + penalty), test_u, members)

    def predict(self, y: np.ndarray) -> RidgePredictions:
        """Held-out predictions for ``y`` (n, q), each fold from the others."""
        predicted = np.empty(y.shape, dtype=np.float64)
        actual = np.empty(y.shape, dtype=np.float64)
        chosen = np.empty((len(self.folds), y.shape[1]), dtype=np.int64)
        spread = np.empty((len(self.folds), y.shape[1]))
        for f, fold in enumerate(self.folds):
            target = y[fold.train]
            mean = target.mean(axis=0)
            target = target - mean
            coordinates = fold.u.T @ target  # (r, q)
            best = self._choose(fold, target, coordinates)
            chosen[f] = best
            predicted[fold.test] = fold.test_u @ (fold.weights[best].T * coordinates)
            actual[fold.test] = y[fold.test] - mean
            spread[f] = np.linalg.norm(fold.shrink[best].T * coordinates, axis=0) / np.sqrt(fold.train.size)
        return RidgePredictions(predicted, actual, chosen, spread)

    def _choose(self, fold: _Fold, target: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
        n = fold.train.size
        errors = np.empty((self.alphas.size, target.shape[1]))
        squared = fold.u * fold.u
        for i in range(self.alphas.size):
            residual = target - fold.u @ (fold.shrink[i][:, None] * coordinates)
            if fold.groups is None:
                leverage = 1.0 - squared @ fold.shrink[i] - 1.0 / n
                residual /= np.maximum(leverage, 1e-10)[:, None]
                errors[i] = np.einsum("ij,ij->j", residual, residual)
                continue
            total = np.zeros(target.shape[1])
            for rows in fold.groups:
                hat = (fold.u[rows] * fold.shrink[i]) @ fold.u[rows].T + 1.0 / n
                left_out = np.linalg.lstsq(np.eye(rows.size) - hat, residual[rows], rcond=None)[0]
                total += np.einsum("ij,ij->j", left_out, left_out)
            errors[i] = total
        # ties (a constant target, no signal at all) go to the strongest penalty
        return self.alphas.size - 1 - np.argmin(errors[::-1], axis=0)
