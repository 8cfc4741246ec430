"""How many principal components data have beyond what units without relation to each other would show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from consilience.stats._permutation import p_value

__all__ = ["ParallelAnalysis", "parallel_analysis", "unrelated_units"]

_FEW = 6  # trials, below which their orders are too few


@dataclass(frozen=True)
class ParallelAnalysis:
    """p : (k,), never falling.   null_mean, null_high : (k,) shares of the variance, NaN where nothing was tested.

    ``null_high`` : the quantile ``level`` of the surrogates.
    """

    p: np.ndarray
    null_mean: np.ndarray
    null_high: np.ndarray


def parallel_analysis(
    x: np.ndarray,
    k: int,
    surrogate: Callable[[np.ndarray], np.ndarray],
    *,
    n: int,
    alpha: float = 0.05,
    level: float = 0.95,
) -> ParallelAnalysis:
    """Tests of principal components 1 .. k, one after the other, on what those before have left.

    Component j has the share s_j = lambda_j / sum_(i >= j) lambda_i of the variance that is left once the first j - 1
    are taken out. Of the residuals, surrogates are made (``surrogate``, an array like x in which units are unrelated),
    the same j - 1 axes are taken out of them, of units and of rows, and the share of their first component is compared:
    (b + 1) / (n + 1).
    Plain parallel analysis (Horn 1965) compares lambda_j itself, which a strong component pushes below the surrogates.
    Testing stops after the first p > alpha: a later component is none either, and has the same p.

    x : (..., p), rows (trials, times) on the leading axes; centred here.

    References
    ----------
    Horn (1965); Vitale et al. (2017).
    """
    p = x.shape[-1]
    flat = (x - x.reshape(-1, p).mean(axis=0)).reshape(-1, p)
    out = np.full((3, k), np.nan)
    before = 0.0
    axes, sides = np.zeros((0, p)), np.zeros((len(flat), 0))
    total = float((flat**2).sum())
    rest = flat
    for j in range(k):
        share, axis, left = _first(rest)
        if not left > 1e-12 * total:
            out[0, j:] = 1.0 if j == 0 else max(1.0, before)
            break
        drawn = np.empty(n)
        for i in range(n):
            made = surrogate(rest.reshape(x.shape)).reshape(-1, p)
            made = made - made.mean(axis=0)
            made = made - (made @ axes.T) @ axes
            made = made - sides @ (sides.T @ made)
            drawn[i] = _first(made, vector=False)[0]
        found = float(p_value(share, drawn))
        before = max(before, found)
        weight = left / total
        out[:, j] = before, drawn.mean() * weight, np.quantile(drawn, level) * weight
        if before > alpha:
            out[0, j + 1 :] = before
            break
        axes = np.concatenate([axes, axis[None]])
        side = rest @ axis
        rest = rest - np.outer(side, axis)
        sides = np.concatenate([sides, (side / np.linalg.norm(side))[:, None]], axis=1)
    return ParallelAnalysis(*out)


def _first(z: np.ndarray, *, vector: bool = True) -> tuple[float, np.ndarray, float]:
    """Share of the first principal component, its axis, and the sum of squares."""
    n, p = z.shape
    gram = z.T @ z if p <= n else z @ z.T
    total, size = float(np.trace(gram)), len(gram)
    if total <= 0:
        return 0.0, np.zeros(p), 0.0
    if not vector:
        top = eigh(gram, eigvals_only=True, subset_by_index=(size - 1, size - 1))[0]
        return float(top) / total, np.zeros(0), total
    value, side = eigh(gram, subset_by_index=(size - 1, size - 1))
    axis = side[:, 0] if p <= n else z.T @ side[:, 0]
    return float(value[0]) / total, axis / np.linalg.norm(axis), total


def unrelated_units(
    x: np.ndarray, rng: np.random.Generator, *, least: int = 1, moved: bool = False
) -> np.ndarray:
    """A surrogate of x in which units have nothing to do with each other, and each keeps its own values and course.

    (trial, unit): the trials of each unit in an order of its own. (trial, time, unit): of each unit the deviations of
    trials from their mean course, in an order of its own, on the mean course moved on a circle by a lag of its own; as
    deviations are not moved, their autocorrelation stays whole. With fewer than 6 trials (conditions) there are too few
    orders, and each is moved on a circle too: the seam then shortens the autocorrelation, and surrogates of courses
    that are hardly longer than it are too low. Trials that end in NaN stay where they are and are moved within their
    length; single values that are missing go along with their trial. (time, unit): each unit moved on a circle by at
    least ``least`` steps.

    moved : every value is one of the data (a count, for models of counts): whole trials are moved on a circle.
    """
    if x.ndim == 2 and least > 1:
        n = len(x)
        lag = rng.integers(least, max(n - least, least) + 1, size=x.shape[1])
        return np.take_along_axis(x, (np.arange(n)[:, None] - lag) % n, axis=0)
    if x.ndim == 2:
        return rng.permuted(x, axis=0)
    trials, times, units = x.shape
    at = np.arange(times)[:, None]
    gaps = np.isnan(x)
    long = times - np.argmin(gaps.all(axis=2)[:, ::-1], axis=1)
    if (long < times).any():
        shift = rng.integers(0, long[:, None], size=(trials, units))[:, None, :]
        size = long[:, None, None]
        return np.take_along_axis(x, np.where(at < size, (at - shift) % size, at), axis=1)
    mean = np.zeros(x.shape[1:])
    if not moved:
        known = np.where(gaps, 0.0, x) if gaps.any() else x
        mean = known.sum(axis=0) / np.maximum((~gaps).sum(axis=0), 1) if gaps.any() else x.mean(axis=0)
    order = np.argsort(rng.random((trials, 1, units)), axis=0)
    rest = np.take_along_axis(x - mean, np.broadcast_to(order, x.shape), axis=0)
    if trials < _FEW or moved:
        rest = np.take_along_axis(
            rest, (at - rng.integers(0, times, size=(trials, 1, units))) % times, axis=1
        )
    return rest + np.take_along_axis(mean, (at - rng.integers(0, times, size=units)) % times, axis=0)
