"""Tests of changes of the same items, many at once: by flips of signs, and against control changes of each item."""

from __future__ import annotations

import numpy as np

from consilience.stats._multiple import max_statistic
from consilience.stats._permutation import p_value

__all__ = ["above_controls_p", "beyond_draws", "draws_for_q", "sign_flip_p"]


def sign_flip_p(changes: np.ndarray, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p that mean changes are not 0, and family-wise p over all of them, by flips of the items' signs.

    Statistic |sum_i c_i| / sqrt(sum_i c_i^2), the same flips for all rows; p = (b + 1) / (draws + 1). Valid where the
    changes of a row are symmetric around 0 under the null. Changes that are all exactly 0 have p 1.

    changes : (k, n), k numbers of n items each.   draws : flips; 0: NaN.

    References
    ----------
    Fisher (1935); Westfall & Young (1993) for the family.

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import sign_flip_p
    >>> changes = np.array([[1.0, 1.2, 0.9, 1.1, 1.3, 1.0, 0.8, 1.2], [0.0] * 8])
    >>> p, family = sign_flip_p(changes, 999, np.random.default_rng(0))
    >>> bool(p[0] < 0.02), float(p[1])
    (True, 1.0)
    """
    changes = np.asarray(changes, dtype=np.float64)
    blank = np.full(len(changes), np.nan)
    if not draws or not changes.size:
        return blank, blank.copy()
    size = np.sqrt((changes**2).sum(axis=1))
    unit = changes / np.where(size > 0, size, 1.0)[:, None]
    statistic = np.abs(unit.sum(axis=1))
    flips = rng.integers(0, 2, (draws, changes.shape[1])) * 2.0 - 1.0
    null = np.abs(flips @ unit.T)
    return p_value(statistic, null), max_statistic(_rounded(statistic), _rounded(null))


def above_controls_p(
    scores: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p that the first of each item's scores differs from its controls, and family-wise p over all rows.

    Under the null the first and the controls of an item are exchangeable: each draw picks one of them for every item,
    the same for all rows. Statistic: the mean over items of what was picked, from its expectation, over its standard
    deviation. p = (b + 1) / (draws + 1).

    scores : (k, 1 + controls, n).   draws : 0: NaN.

    References
    ----------
    Edgington & Onghena (2007); Westfall & Young (1993) for the family.

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import above_controls_p
    >>> scores = np.random.default_rng(0).normal(size=(2, 4, 12))
    >>> scores[0, 0] += 3
    >>> p, family = above_controls_p(scores, 999, np.random.default_rng(0))
    >>> bool(p[0] < 0.01), bool(family[1] > 0.05)
    (True, True)
    """
    scores = np.asarray(scores, dtype=np.float64)
    k, count, n = scores.shape
    blank = np.full(k, np.nan)
    if not draws or count < 2 or not k:
        return blank, blank.copy()
    sd = np.sqrt(scores.var(axis=1).sum(axis=1)) / n
    usable = sd > 1e-12 * np.abs(scores).max(axis=(1, 2), initial=0.0)
    away = (scores - scores.mean(axis=1, keepdims=True)) / np.where(usable, sd, np.inf)[:, None, None]
    picks = rng.integers(0, count, (draws, n))
    null = sum((picks == c).astype(np.float64) @ away[:, c].T for c in range(count)) / n
    statistic = np.abs(away[:, 0].mean(axis=1))
    null = np.abs(null)
    return p_value(statistic, null), max_statistic(_rounded(statistic), _rounded(null))


def beyond_draws(p: np.ndarray, draws: int) -> np.ndarray:
    """Which p are the smallest that so many draws can give, 1 / (draws + 1)."""
    return np.asarray(p <= (1 + 1e-9) / (draws + 1))


def draws_for_q(tests: int, alpha: float) -> int:
    """So many draws, in thousands, that the smallest p of one of ``tests`` has a q of half of ``alpha``."""
    return int(np.ceil(2 * tests / alpha / 1000)) * 1000


def _rounded(x: np.ndarray) -> np.ndarray:
    """Equal up to rounding becomes equal, so that ties count."""
    return np.asarray(np.round(x, 10))
