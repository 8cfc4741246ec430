"""What each stimulus adds to a sum over pairs of stimuli, tested over the other stimuli."""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = ["held_out_shares", "row_sums", "row_tests"]


def row_sums(terms: np.ndarray) -> np.ndarray:
    """Sums over the last axis of terms (..., n, n): half of each pair's term stands on either side, so that the
    n sums add up to the whole.
    """
    return np.asarray(terms.sum(axis=-1))


def row_tests(terms: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interval and two-sided p (against 0) of each row's sum, over the n - 1 other stimuli.

    Given stimulus i, its terms with other stimuli are a sample over these: sum_i +- t sqrt((n - 1) var_j), n - 2
    degrees of freedom. The diagonal is taken as it is.

    terms : (n, n) -> low, high, p, each (n,)
    """
    n = terms.shape[0]
    others = terms[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    total = row_sums(terms)
    se = np.sqrt((n - 1) * others.var(axis=1, ddof=1))
    width = stats.t.ppf((1 + level) / 2, n - 2) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(se > 0, 2 * stats.t.sf(np.abs(total / se), n - 2), 1.0)
    return total - width, total + width, p


def held_out_shares(terms: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Share of the sum of ``terms`` that the k largest rows carry, k = 0 ... n, chosen and scored on other columns.

    Rows are ranked by their terms with the stimuli of one half, and what they carry is summed over the stimuli of
    the other, both ways, over all splits; no stimulus meets itself. NaN where the whole sum is not above 0.

    terms : (n, n), symmetric.   halves : (splits, n) bool -> (n + 1,)
    """
    n = terms.shape[0]
    bare = terms - np.diag(np.diag(terms))
    carried = np.zeros(n + 1)
    for half in np.concatenate([halves, ~halves]):
        order = np.argsort(-bare[:, half].sum(axis=1), kind="stable")
        carried[1:] += np.cumsum(bare[:, ~half].sum(axis=1)[order])
    return carried / carried[-1] if carried[-1] > 0 else np.full(n + 1, np.nan)
