"""What a game fitted to a table of lesions is worth: errors of its values, R2 on groups left out, p, free products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience.stats._crossed import jackknife_variance
from consilience.stats._grouped import group_permutations
from consilience.stats._intervals import held_out_interval
from consilience.stats._lesion_table import PENALTIES, FittedGame, PairwiseGame, jackknife_games
from consilience.stats._permutation import p_value, permutations
from consilience.stats._weights import multinomial_weights

__all__ = [
    "FittedValues",
    "fitted_values",
    "free_interactions",
    "left_out_r2",
    "permuted_fit_p",
    "products_told",
]


@dataclass(frozen=True)
class FittedValues:
    """value, variance, df : (P,) Shapley values with their jackknife variance over groups.   fit : the game."""

    value: np.ndarray
    variance: np.ndarray
    df: np.ndarray
    fit: FittedGame


def fitted_values(game: PairwiseGame, x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> FittedValues:
    """Shapley values of the game fitted to scores y (n,), jackknifed over groups with the penalty chosen anew.

    df = number of groups (or of the blocks of them that were left out) - 1 - P, at least 1.
    """
    n, p = int(groups.max()) + 1, x.shape[1]
    fit = game.fit(y[:, None])
    fits, count = jackknife_games(x, y, groups, PENALTIES)
    variance = jackknife_variance(np.stack([f.shapley[:, 0] for f in fits]))
    df = np.full(p, float(max(1, min(count, n) - 1 - p)))
    return FittedValues(fit.shapley[:, 0], variance, df, fit)


def products_told(x: np.ndarray, groups: np.ndarray) -> bool:
    """Do the rows tell the products of all pairs of columns, and the columns, from each other (full rank)?"""
    whole = PairwiseGame(x, groups, np.array([0.0]))
    together = np.column_stack([whole.main[:, 1:], whole.products])
    rank = np.linalg.matrix_rank(together - together.mean(axis=0), tol=1e-8 * np.sqrt(len(x)))
    return bool(rank >= together.shape[1])


def free_interactions(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Products of all pairs of columns, fitted without a penalty, which would draw them to 0; with their jackknife
    variance over groups and df = groups - terms, at least 1.

    -> value, variance, df of the pairs i < j in the order of ``np.triu_indices``
    """
    n, p = int(groups.max()) + 1, x.shape[1]
    pairs, free = np.triu_indices(p, 1), np.array([0.0])
    fits, count = jackknife_games(x, y, groups, free)
    value = PairwiseGame(x, groups, free).fit(y[:, None]).products[(*pairs, 0)]
    variance = jackknife_variance(np.stack([f.products[(*pairs, 0)] for f in fits]))
    return value, variance, np.full(value.size, float(max(1, min(n, count) - 1 - p - value.size)))


def left_out_r2(
    error: np.ndarray,
    spread: np.ndarray,
    groups: np.ndarray,
    *,
    level: float,
    rng: np.random.Generator,
    draws: int = 1000,
) -> tuple[float, float, float]:
    """R2 = 1 - sum of squared errors / sum of squared distances from the mean, of rows left out, with the interval of
    `held_out_interval` over groups drawn anew; at most 1. NaN where nothing varies.

    error, spread : (n,) as `left_out_errors` gives them.
    """
    n = int(groups.max()) + 1
    e, s = (np.bincount(groups, weights=v, minlength=n) for v in (error, spread))
    weights = multinomial_weights(n, draws, rng)
    value = 1 - e.sum() / s.sum() if s.sum() > 0 else np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = 1 - (weights @ e) / (weights @ s)
    low, high = held_out_interval(drawn, value, level=level, blocks=n)
    return float(value), float(low), min(float(high), 1.0)


def permuted_fit_p(
    game: PairwiseGame, y: np.ndarray, groups: np.ndarray, *, rng: np.random.Generator, draws: int = 999
) -> float:
    """p of the smallest error of left-out groups over penalties, against that of scores dealt to other groups.

    NaN where blocks of equal size can be dealt in too few ways.
    """
    if int(groups.max()) + 1 == len(y):
        orders = permutations(len(y), draws, rng)
    else:
        orders, distinct = group_permutations(groups, draws, rng)
        if distinct < 2:  # fewer than 100 ways of dealing blocks of equal size
            return float("nan")
    best = -game.errors(np.column_stack([y, y[orders].T])).min(axis=0)
    return float(p_value(best[0], best[1:]))
