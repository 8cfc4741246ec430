"""Scores of decoded labels and angles, as means of what each row adds, so that draws and relabellings are products."""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = [
    "angular_error",
    "class_weights",
    "pair_counts",
    "placements",
    "proportion_interval",
]


def class_weights(
    codes: np.ndarray, classes: int, *, balanced: bool, draws: np.ndarray | None = None
) -> np.ndarray:
    """What each row weighs in a score, (m, n), rows of the result sum to 1.

    Balanced: 1 / (C n_c), the mean over the classes of their mean (Brodersen et al. 2010); else 1 / n. With ``draws``
    (m, n), bootstrap weights, n_c is the weight that class c has in the draw; classes that a draw left out are left
    out of its mean.

    codes : (n,) or, without draws, (m, n), 0 ... classes - 1.
    """
    codes = np.atleast_2d(codes)
    count = np.ones(codes.shape) if draws is None else draws
    if not balanced:
        return count / count.sum(axis=1, keepdims=True)
    out = np.zeros(count.shape)
    present = np.zeros((len(count), 1))
    for c in range(classes):
        own = np.where(codes == c, count, 0.0)
        total = own.sum(axis=1, keepdims=True)
        out += own / np.where(total > 0, total, 1.0)
        present += total > 0
    return out / np.maximum(present, 1)


def pair_counts(codes: np.ndarray, folds: list[np.ndarray], classes: int) -> np.ndarray:
    """(m, C, C) how many pairs of a row of class a and one of class b stand in one test fold; 0 where a = b.

    codes : (m, n).   folds : arrays of test rows.
    """
    out = np.zeros((len(codes), classes, classes))
    for rows in folds:
        member = (codes[:, rows, None] == np.arange(classes)).sum(axis=1).astype(np.float64)
        out += member[:, :, None] * member[:, None, :]
    out[:, np.arange(classes), np.arange(classes)] = 0.0
    return out


def placements(scores: np.ndarray, codes: np.ndarray, pairs: np.ndarray, count: np.ndarray) -> np.ndarray:
    """What each test row of a fold adds to the area under the ROC curve, (m, k).

    For classes a, b the area is P(d(row of a) > d(row of b)) + P(=) / 2, d the score of a less that of b, over pairs
    of rows in one fold; it is averaged over pairs of classes (Hand & Till 2001). A row's placement is the share of the
    other class that it is on the right side of, scaled so that the mean over a class is its mean area with the others;
    the score is the mean over classes of these means.

    scores : (m, k, C).   codes : (m, k).   pairs : (m, C, C) of all folds, see `pair_counts`.   count : (m, C) rows of
        each class in all folds.
    """
    m, k, classes = scores.shape
    out = np.zeros((m, k))
    for a in range(classes):
        for b in range(a + 1, classes):
            with np.errstate(invalid="ignore"):
                d = scores[:, :, a] - scores[:, :, b]
            d = np.nan_to_num(d, nan=0.0, posinf=1e300, neginf=-1e300)  # a class that was ruled out
            in_a, in_b = codes == a, codes == b
            wins = np.sign(d[:, :, None] - d[:, None, :]) / 2 + 0.5  # row i over row j
            wins = wins * (in_a[:, :, None] & in_b[:, None, :])
            total = pairs[:, a, b][:, None]
            known = total > 0
            scale = 1.0 / np.where(known, total, 1.0) / (classes - 1)
            out += np.where(known, wins.sum(axis=2) * count[:, a][:, None] * scale, 0.0)
            out += np.where(known, wins.sum(axis=1) * count[:, b][:, None] * scale, 0.0)
    return out


def angular_error(predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """|predicted - actual| the short way round, in 0 ... pi (radians)."""
    return np.abs((np.asarray(predicted) - actual + np.pi) % (2 * np.pi) - np.pi)


def proportion_interval(
    value: np.ndarray, variance: np.ndarray, *, items: np.ndarray | float, level: float, df: float
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a proportion of which the variance is known: Wilson's, with n = value (1 - value) / variance.

    The number of independent trials that would have this variance takes the place of n (Korn & Graubard 1998), a
    quantile of t that of the normal. Where draws do not vary, as at 0 and 1, n is ``items``. (Wilson 1927.)

    Parameters
    ----------
    value : (...), in 0 ... 1.   variance : (...).   items : independent items.   level : of the interval.   df : of t.

    Returns
    -------
    low, high : (...)

    Examples
    --------
    >>> import numpy as np
    >>> low, high = proportion_interval(np.array(0.8), np.array(0.8 * 0.2 / 50), items=50, level=0.95, df=49)
    >>> round(float(low), 3), round(float(high), 3)
    (0.666, 0.889)
    """
    value = np.asarray(value, dtype=np.float64)
    q = stats.t.ppf((1 + level) / 2, df)
    inside = value * (1 - value)
    inside = np.where(inside > 1e-12, inside, 0.0)  # a sum of weights may miss 1 by its rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.where((variance > 0) & (inside > 0), inside / variance, items)
    n = np.maximum(n, 1.0)
    shrink = 1 + q * q / n
    middle = (value + q * q / (2 * n)) / shrink
    away = q / shrink * np.sqrt(np.maximum(inside, 0.0) / n + q * q / (4 * n * n))
    return np.fmin(middle - away, value), np.fmax(middle + away, value)
