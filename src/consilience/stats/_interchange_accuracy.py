"""How often answers under an interchange are the expected ones: of pairs, of pairs in which they change, by chance."""

from __future__ import annotations

import numpy as np

from consilience.stats._clustered import crossed_mean_variance
from consilience.stats._decoding import proportion_interval
from consilience.stats._permutation import p_value

__all__ = ["interchange_accuracy"]


def interchange_accuracy(
    answers: np.ndarray,
    plain: np.ndarray,
    expected: np.ndarray,
    random: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    level: float,
) -> dict[str, np.ndarray]:
    """Shares of n pairs in which answers are the expected ones, for each of v variables.

    accuracy with Wilson's interval (``ci_low``, ``ci_high``) of a variance in which pairs that share a member are
    dependent (`crossed_mean_variance`); ``unpatched``, the share without any interchange; ``changed``, the number of
    pairs whose expected answer is not the one without interchange, and ``accuracy_changed``, the share of those (NaN
    without any); ``random_mean``, ``random_low``, ``random_high``, mean and 2.5 and 97.5 % of the shares of k random
    parts, and p = (1 + number of them at or above) / (1 + k), NaN for k = 0.

    answers, expected : (v, n).   plain : (n,).   random : (v, k, n).   first, second : (n,) members of the pairs.
    """
    hits = (answers == expected).astype(np.float64)
    accuracy = hits.mean(axis=1)
    variance, df = crossed_mean_variance(hits, first, second)
    low, high = proportion_interval(accuracy, variance, items=df + 1, level=level, df=df)
    moved = expected != plain
    count = moved.sum(axis=1)
    shares = (random == expected[:, None]).mean(axis=2).T  # (k, v)
    blank = np.full(len(answers), np.nan)
    ends = np.quantile(shares, [0.025, 0.975], axis=0) if len(shares) else (blank, blank)
    return {
        "accuracy": accuracy,
        "ci_low": low,
        "ci_high": high,
        "unpatched": (expected == plain).mean(axis=1),
        "changed": count,
        "accuracy_changed": np.where(count > 0, (hits * moved).sum(axis=1) / np.maximum(count, 1), np.nan),
        "random_mean": shares.mean(axis=0) if len(shares) else blank,
        "random_low": ends[0],
        "random_high": ends[1],
        "p": p_value(accuracy, shares) if len(shares) else blank,
    }
