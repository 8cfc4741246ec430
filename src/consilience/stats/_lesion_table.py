"""Shapley values from a table of lesions in which few coalitions were seen: a regression fills in the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience.stats._shapley import shapley_interactions, shapley_values

__all__ = [
    "FittedGame",
    "PairwiseGame",
    "inflation",
    "jackknife_games",
    "left_out_errors",
    "observed_game",
    "observed_interactions",
    "pairs_seen",
]

PENALTIES = np.concatenate([np.logspace(-3, 3, 13), [np.inf]])


@dataclass(frozen=True)
class FittedGame:
    """shapley (P, k) of k columns of scores; single (P, k) v(all) - v(all but i); ends (2, k) v(nobody), v(all);
    products (P, P, k); penalty (k,).
    """

    shapley: np.ndarray
    single: np.ndarray
    ends: np.ndarray
    products: np.ndarray
    penalty: np.ndarray

    @property
    def alone(self) -> np.ndarray:
        """(P, k) v(i) - v(nobody): of v(all) - v(all but i), what is left without the products."""
        return np.asarray(self.single - self.products.sum(axis=1))


class PairwiseGame:
    """Games v(x) = b0 + sum b_i x_i + sum_{i<j} b_ij x_i x_j fitted to scores; x (n, P) in [0, 1], 1 = intact.

    Main effects by least squares; products of centred x, scaled to one size, under a ridge penalty chosen by the error
    of left-out groups (closed form). The Shapley value of i in such a game is b_i + 1/2 sum_j b_ij and its interaction
    index with j is b_ij (Grabisch & Roubens 1999).

    groups : (n,) whole numbers: rows that are left out together.   penalties : choices; inf: no products.
    seen : products that vary beyond the main effects; the others are not in the model.
    """

    def __init__(self, x: np.ndarray, groups: np.ndarray, penalties: np.ndarray = PENALTIES) -> None:
        n, self.p = x.shape
        self.groups = groups
        self.pairs = np.triu_indices(self.p, 1)
        self.mean = x.mean(axis=0)
        away = x - self.mean
        self.main = np.column_stack([np.ones(n), away])
        products = away[:, self.pairs[0]] * away[:, self.pairs[1]]
        self.q, self.r = np.linalg.qr(self.main)
        if not np.isfinite(penalties).any() or not products.shape[1]:
            self.penalties = np.array([np.inf])
            rest = np.zeros((n, 0))
            self.scale = np.zeros(0)
        else:
            self.penalties = penalties
            self.cross = self.q.T @ products
            rest = products - self.q @ self.cross
            size = np.sqrt((rest**2).mean(axis=0))
            self.scale = np.where(size > 1e-9, 1 / np.maximum(size, 1e-9), 0.0)
            rest = rest * self.scale
        self.products = products if rest.shape[1] else np.zeros((n, 0))
        if rest.shape[1]:
            u, s, vt = np.linalg.svd(rest, full_matrices=False)
            keep = s > 1e-8 * max(s.max(initial=0.0), 1e-300)
            self.u, self.s, self.vt = u[:, keep], s[keep], vt[keep]
        else:
            self.u, self.s, self.vt = np.zeros((n, 0)), np.zeros(0), np.zeros((0, 0))
        self.seen = int((self.scale > 0).sum())
        self.n = n

    def fit(self, y: np.ndarray, penalty: np.ndarray | None = None) -> FittedGame:
        """y : (n, k) columns of scores.   penalty : (k,), else chosen for each column."""
        y = np.asarray(y, dtype=np.float64)
        if penalty is None:
            penalty = self.penalties[np.argmin(self.errors(y), axis=0)]
        inner = self.u.T @ y
        shrunk = self.s[:, None] / (self.s[:, None] ** 2 + self.n * penalty[None]) * inner
        k = y.shape[1]
        of_products = np.zeros((self.pairs[0].size, k))
        right = self.q.T @ y
        if self.s.size:
            of_products = self.scale[:, None] * (self.vt.T @ shrunk)
            right = right - self.cross @ of_products
        main = np.linalg.lstsq(self.r, right, rcond=1e-10)[0]
        full = np.zeros((self.p, self.p, k))
        full[self.pairs] = of_products
        full = full + np.swapaxes(full, 0, 1)
        mean = self.mean[:, None]
        slope = main[1:] - (full * self.mean[None, :, None]).sum(axis=1)  # of x as it is, not centred
        level = main[0] - (main[1:] * mean).sum(axis=0)
        level = level + 0.5 * np.einsum("i,ijk,j->k", self.mean, full, self.mean)
        together = full.sum(axis=1)
        top = level + slope.sum(axis=0) + 0.5 * together.sum(axis=0)
        return FittedGame(slope + 0.5 * together, slope + together, np.stack([level, top]), full, penalty)

    def errors(self, y: np.ndarray) -> np.ndarray:
        """(penalties, k) mean squared error of left-out groups, nothing refitted: e_g = (I - H_gg)^-1 (y - Hy)_g."""
        out = np.empty((self.penalties.size, y.shape[1]))
        inner, base = self.u.T @ y, y - self.q @ (self.q.T @ y)
        single = np.unique(self.groups).size == self.n
        for a, penalty in enumerate(self.penalties):
            share = self.s**2 / (self.s**2 + self.n * penalty)
            left = base - self.u @ (share[:, None] * inner)
            if single:
                own = (self.q**2).sum(axis=1) + (self.u**2) @ share
                left = left / np.maximum(1 - own, 1e-6)[:, None]
            else:
                for g in np.unique(self.groups):
                    rows = self.groups == g
                    hat = self.q[rows] @ self.q[rows].T + (self.u[rows] * share) @ self.u[rows].T
                    left[rows] = np.linalg.lstsq(np.eye(len(hat)) - hat, left[rows], rcond=1e-8)[0]
            out[a] = (left**2).mean(axis=0)
        return out

    def predict(self, fitted: FittedGame, x: np.ndarray) -> np.ndarray:
        """(rows, k)"""
        return np.asarray(
            fitted.ends[0] + x @ fitted.alone + 0.5 * np.einsum("ni,ijk,nj->nk", x, fitted.products, x)
        )


def jackknife_games(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, penalties: np.ndarray, most: int = 200
) -> tuple[list[FittedGame], int]:
    """Games fitted without each group (or, past ``most``, without each of ``most`` blocks of groups), the penalty
    chosen anew; and how many there are.
    """
    block = groups % min(most, int(groups.max()) + 1)
    fits = []
    for b in np.unique(block):
        rest = block != b
        fits.append(PairwiseGame(x[rest], groups[rest], penalties).fit(y[rest][:, None]))
    return fits, len(fits)


def left_out_errors(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, folds: np.ndarray, penalties: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) squared errors of rows of left-out folds: of the prediction (penalty chosen on the other folds), and of the
    mean of the other folds. folds : (n,) whole numbers.
    """
    error, spread = np.empty(len(y)), np.empty(len(y))
    for f in np.unique(folds):
        out = folds == f
        game = PairwiseGame(x[~out], groups[~out], penalties)
        fitted = game.fit(y[~out][:, None])
        error[out] = (y[out] - game.predict(fitted, x[out])[:, 0]) ** 2
        spread[out] = (y[out] - y[~out].mean()) ** 2
    return error, spread


def observed_game(
    row: np.ndarray, y: np.ndarray, n_players: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Shapley values of the mean score of each coalition, every one of which was seen at least twice.

    row : (n,) number of the coalition, as in `all_coalitions`. -> value, variance, degrees of freedom (each (P,)),
    and the means (2^P,)
    """
    count = np.bincount(row, minlength=2**n_players)
    mean = np.bincount(row, weights=y, minlength=2**n_players) / count
    spread = np.bincount(row, weights=(y - mean[row]) ** 2, minlength=2**n_players) / (count - 1) / count
    weight = shapley_values(np.eye(2**n_players))
    parts = weight**2 * spread
    variance = parts.sum(axis=1)
    below = (parts**2 / (count - 1)).sum(axis=1)
    df = np.divide(variance**2, below, out=np.full_like(variance, np.inf), where=below > 0)
    return shapley_values(mean), variance, df, mean


def observed_interactions(
    row: np.ndarray, y: np.ndarray, n_players: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shapley interactions of the mean score of each coalition, every one of which was seen at least twice.

    The index of a pair is a weighted sum of the means: its variance is the sum of w^2 s^2 / n over coalitions, with
    Satterthwaite's degrees of freedom.

    row : (n,) number of the coalition, as in `all_coalitions`. -> value, variance, degrees of freedom of the pairs
    i < j in the order of ``np.triu_indices``, each (P (P - 1) / 2,)
    """
    size = 2**n_players
    count = np.bincount(row, minlength=size)
    mean = np.bincount(row, weights=y, minlength=size) / count
    spread = np.bincount(row, weights=(y - mean[row]) ** 2, minlength=size) / (count - 1) / count
    weight = shapley_interactions(np.eye(size))[np.triu_indices(n_players, 1)]
    parts = weight**2 * spread
    variance = parts.sum(axis=1)
    df = variance**2 / np.maximum((parts**2 / (count - 1)).sum(axis=1), 1e-300)
    return weight @ mean, variance, df


def pairs_seen(x: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(4, P, P) groups in which a pair was seen with both lesioned, only the second, only the first, and none; of
    columns that are never 1 (intact), lesioned is below the middle of their range.
    """
    high = x.max(axis=0)
    lesioned = x < np.where(high == 1, high, (x.min(axis=0) + high) / 2)
    count = int(groups.max()) + 1
    ways = (lesioned, lesioned), (~lesioned, lesioned), (lesioned, ~lesioned), (~lesioned, ~lesioned)
    out = np.zeros((4, x.shape[1], x.shape[1]), dtype=np.int64)
    for way, (one, two) in enumerate(ways):
        for i in range(x.shape[1]):
            rows = one[:, i, None] & two
            by = np.zeros((count, x.shape[1]), dtype=bool)
            np.logical_or.at(by, groups, rows)
            out[way, i] = by.sum(axis=0)
    return out


def inflation(x: np.ndarray) -> np.ndarray:
    """(P,) variance inflation of each column by the others: 1 / (1 - R2). inf where the others tell it exactly."""
    centred = x - x.mean(axis=0)
    scaled = centred / np.sqrt((centred**2).sum(axis=0))
    value, vector = np.linalg.eigh(scaled.T @ scaled)
    if value[0] <= 1e-10 * value[-1]:
        loads = (vector[:, value <= 1e-10 * value[-1]] ** 2).sum(axis=1) > 1e-10
        inverse = np.linalg.pinv(scaled.T @ scaled, rcond=1e-10)
        return np.where(loads, np.inf, np.diag(inverse))
    return np.asarray(((vector**2) / value).sum(axis=1))
