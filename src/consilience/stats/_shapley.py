"""Shapley values and interactions of a game of which every coalition is known."""

from __future__ import annotations

import math

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count

__all__ = [
    "all_coalitions",
    "interaction_weights",
    "shapley_interaction",
    "shapley_interactions",
    "shapley_values",
    "single_contributions",
]

MOST = 20


def all_coalitions(n_players: int) -> np.ndarray:
    """(2^P, P) bool: row r holds the players whose bit is set in r, so row 0 is nobody and the last row everybody.

    Examples
    --------
    >>> from consilience.stats import all_coalitions
    >>> all_coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    check_count(n_players, name="n_players", who="all_coalitions", minimum=1, maximum=MOST)
    return ((np.arange(2**n_players)[:, None] >> np.arange(n_players)) & 1).astype(bool)


def shapley_values(values: np.ndarray) -> np.ndarray:
    """Shapley value of each player from the values of all coalitions.

    phi_i = sum over S without i of |S|! (P - |S| - 1)! / P! (v(S + i) - v(S)): what i adds to those before it, over
    all orders of the players. They add up to v(all) - v(nobody); a player that never adds anything has exactly 0.

    Not to be confused with the Banzhaf value, which weights all coalitions alike and adds up to nothing.

    values : (2^P, ...) v of the coalitions in the order of `all_coalitions`, P at most 20 -> (P, ...)

    References
    ----------
    Shapley (1953).

    Examples
    --------
    >>> from consilience.stats import all_coalitions, shapley_values
    >>> left, right, other = all_coalitions(3).T  # two left gloves are worth nothing without the right one
    >>> shapley_values(right & (left | other)).round(4).tolist()
    [0.1667, 0.6667, 0.1667]
    """
    values, n = _checked(values, "shapley_values")
    rows, size = _rows(n)
    weight = np.array([1 / (n * math.comb(n - 1, k)) for k in range(n)])
    out = np.empty((n, *values.shape[1:]))
    for i in range(n):
        without = rows[(rows >> i) & 1 == 0]
        gain = values[without | (1 << i)] - values[without]
        out[i] = np.tensordot(weight[size[without]], gain, axes=1)
    return out


def shapley_interactions(values: np.ndarray) -> np.ndarray:
    """Shapley interaction index of each pair of players from the values of all coalitions.

    I_ij = sum over S without i and j of |S|! (P - |S| - 2)! / (P - 1)! (v(S + i + j) - v(S + i) - v(S + j) + v(S)).
    Above 0: together they add more than apart. Below 0: one stands in for the other. In a game of main effects and
    products of two players it is the coefficient of the product.

    Not to be confused with the Shapley-Taylor index, whose entries add up to v(all) - v(nobody); these do not.

    values : (2^P, ...) v of the coalitions in the order of `all_coalitions` -> (P, P, ...), symmetric, NaN on the
        diagonal

    References
    ----------
    Grabisch & Roubens (1999).

    Examples
    --------
    >>> from consilience.stats import all_coalitions, shapley_interactions
    >>> a, b, c = all_coalitions(3).T.astype(float)
    >>> shapley_interactions(a + 2 * b + 3 * a * c)[0].round(12).tolist()
    [nan, 0.0, 3.0]
    """
    values, n = _checked(values, "shapley_interactions")
    rows, size = _rows(n)
    weight = interaction_weights(n)
    out = np.full((n, n, *values.shape[1:]), np.nan)
    for i in range(n):
        for j in range(i + 1, n):
            without = rows[((rows >> i) & 1 == 0) & ((rows >> j) & 1 == 0)]
            both = values[without | (1 << i) | (1 << j)] - values[without | (1 << i)]
            alone = values[without | (1 << j)] - values[without]
            out[i, j] = out[j, i] = np.tensordot(weight[size[without]], both - alone, axes=1)
    return out


def shapley_interaction(values: np.ndarray, first: int, second: int) -> np.ndarray:
    """(...) the interaction index of one pair, as in `shapley_interactions`, with memory for one pair.

    The change of the first player's Shapley value in the game of P - 1 players where the second is always there, from
    that where it never is.

    values : (2^P, ...) v of the coalitions in the order of `all_coalitions`.
    """
    there = (np.arange(len(values)) >> second) & 1 == 1
    left = first - (first > second)
    return np.asarray(shapley_values(values[there])[left] - shapley_values(values[~there])[left])


def single_contributions(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each player adds to all others, v(all) - v(all but i), and to nobody, v(i) - v(nobody): (P, ...) each.

    values : (2^P, ...) v of the coalitions in the order of `all_coalitions`.
    """
    bits = 1 << np.arange(len(values).bit_length() - 1)
    full = len(values) - 1
    return values[full] - values[full ^ bits], values[bits] - values[0]


def interaction_weights(n: int) -> np.ndarray:
    """(P - 1,) weight of a coalition of 0 ... P - 2 others in the index of a pair."""
    return np.array([1 / ((n - 1) * math.comb(n - 2, k)) for k in range(n - 1)])


def _rows(n: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(2**n)
    return rows, all_coalitions(n).sum(axis=1)


def _checked(values: np.ndarray, who: str) -> tuple[np.ndarray, int]:
    values = np.asarray(values, dtype=np.float64)
    n = values.shape[0].bit_length() - 1 if values.ndim else 0
    if n < 1 or n > MOST or values.shape[0] != 2**n:
        raise InputError(
            f"{who}: values must hold v of all 2^P coalitions, P from 1 to {MOST}; got shape {values.shape}.",
            code="bad-shape",
        )
    if not np.isfinite(values).all():
        raise InputError(
            f"{who}: {int((~np.isfinite(values)).sum())} values are NaN or infinite; every coalition needs one.",
            code="nan-values",
        )
    return values, n
