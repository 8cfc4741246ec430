"""Variance of indices of class means: ratios of sums, ratios of squares, by the delta method."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from consilience.units._classes import Classes

__all__ = ["degrees", "form_interval", "ratio_interval", "steady"]

_CHOICE = 0.5


def degrees(terms: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(units,) degrees of freedom of a sum of variances (k, units) of classes (Welch-Satterthwaite)."""
    below = (terms**2 / (counts - 1)[:, None]).sum(axis=0)
    return np.where(below > 0, terms.sum(axis=0) ** 2 / np.where(below > 0, below, 1.0), (counts - 1).sum())


def ratio_interval(
    a: np.ndarray,
    b: np.ndarray,
    means: np.ndarray,
    variance: np.ndarray,
    middle: np.ndarray,
    raw: np.ndarray,
    classes: Classes,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Interval around ``middle``, f, of sum(a m) / sum(b m): variance sum_c (a_c - f b_c)^2 v_c / (sum b m)^2, t, and
    half of (raw - f)^2 for not knowing what is preferred.

    a, b, means : (k, units).   variance : (k, units) v_c of each mean.   raw : (units,), chosen and scored on the same.
    """
    below = (b * means).sum(axis=0)
    terms = np.nan_to_num((a - middle * b) ** 2 * variance)
    t = student.ppf((1 + level) / 2, np.maximum(degrees(terms, classes.counts), 1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        away = t * np.sqrt(terms.sum(axis=0) / below**2 + _CHOICE * (raw - middle) ** 2)
    return middle - away, middle + away


def form_interval(
    q: np.ndarray,
    below: np.ndarray,
    size: np.ndarray,
    gradient: np.ndarray,
    trace: np.ndarray,
    variance: np.ndarray,
    classes: Classes,
    level: float,
    gamma: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of q = (m'Am - sum_c A_cc v_c) / D, whose variance is (4 kappa q D + 2 tr(QVQV)) / D^2.

    The variance grows with q itself, so the ends are those q that the estimate does not contradict (a score interval):
    (q_hat - q)^2 = t^2 (alpha + beta q + gamma q^2), beta = 4 kappa / D, alpha = 2 tr(QVQV) / D^2, gamma the relative
    variance of D where that is not in Q.

    q, below : (units,) estimate, and D.   size : (units,) m'Am.   gradient : (k, units) Q m, Q = A - q B of a ratio.
    trace : (units,) tr(QVQV).   variance : (k, units) diagonal of V.
    """
    terms = gradient**2 * variance
    t = student.ppf((1 + level) / 2, np.maximum(degrees(np.nan_to_num(terms), classes.counts), 1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = np.where(size > 0, terms.sum(axis=0) / np.where(size > 0, size, 1.0), 0.0)
        alpha, beta = 2 * trace / below**2, 4 * kappa / below
        one = np.maximum(1 - t * t * gamma, 1e-3)
        middle = q + t * t * beta / 2
        away = np.sqrt(np.maximum(middle * middle - one * (q * q - t * t * alpha), 0.0))
        return (middle - away) / one, (middle + away) / one


def steady(means: np.ndarray, variances: np.ndarray, classes: Classes) -> np.ndarray:
    """(k, units) variance of each class mean, v_c / n_c. Of counts never below phi (m_c + 1 / n_c) / n_c, phi the
    variance within classes over the mean, drawn to 1 by 5 counts: few trials without a spike do not make a sure 0.
    """
    n = classes.counts[:, None]
    out = variances / n
    if not classes.whole:
        return np.asarray(out)
    one = 1.0 / classes.scale
    total = (means * n).sum(axis=0)
    phi = ((variances * (n - 1)).sum(axis=0) * n.sum() / (n - 1).sum() + 5 * one * one) / (
        total * one + 5 * one * one
    )
    return np.maximum(out, phi * one * (means + one / n) / n)
