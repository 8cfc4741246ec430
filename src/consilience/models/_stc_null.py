"""Weighted moments of a whitened stimulus, and the tests of its average and, nested, of eigenvalues against shifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

__all__ = ["Moments", "Nested", "average_p", "nested_test", "weighted_moments"]

_ROWS = 2048


@dataclass(frozen=True)
class Moments:
    """mean : (k,).   matrix : (k, k), about the mean for counts."""

    mean: np.ndarray
    matrix: np.ndarray


def weighted_moments(z: np.ndarray, y: np.ndarray, *, counts: bool) -> Moments:
    """Of z (n, k) weighted by y (n,). Counts: mean sum y z / N, and sum y z z' / N less its square, from the frames
    with spikes alone. Values: both of y less its mean, over n.
    """
    k = z.shape[1]
    matrix, mean = np.zeros((k, k)), np.zeros(k)
    if counts:
        at = np.flatnonzero(y)
        total = float(y.sum())
        held = np.empty(
            (min(_ROWS, at.size), k), z.dtype
        )  # new memory for each block would cost more than products
        for start in range(0, at.size, _ROWS):
            rows = at[start : start + _ROWS]
            weight = y[rows].astype(np.float32)
            block = np.take(z, rows, axis=0, out=held[: rows.size], mode="clip")
            mean += weight @ block
            several = np.flatnonzero(weight != 1)
            block[several] *= np.sqrt(weight[several])[:, None]
            matrix += block.T @ block
        mean /= total
        return Moments(mean, matrix / total - np.outer(mean, mean))
    away = (y - y.mean()).astype(np.float32)
    for start in range(0, len(z), _ROWS):
        block = z[start : start + _ROWS]
        weighted = block * away[start : start + _ROWS, None]
        mean += weighted.sum(axis=0, dtype=np.float64)
        matrix += weighted.T @ block
    matrix = (matrix + matrix.T) / (2 * len(z))
    return Moments(mean / len(z), matrix)


def average_p(found: Moments, drawn: list[Moments], total: float, independent: float) -> float:
    """p of the mean of spikes of number ``total``: of m' S^-1 m, S the covariance (drawn to I, by as much as components
    are many beside spikes), against that of the shifts. A mean that is 0 is spread along the axes that drive a unit
    more than along others, which S takes back. Without shifts: chi-square, of so many ``independent`` spikes.
    """

    def size(one: Moments) -> float:
        k = one.mean.size
        share = k / (k + total)
        return float(one.mean @ np.linalg.solve((1 - share) * one.matrix + share * np.eye(k), one.mean))

    seen = size(found)
    if not drawn:
        return float(chi2.sf(independent * seen, found.mean.size))
    return (sum(size(one) >= seen for one in drawn) + 1) / (len(drawn) + 1)


@dataclass(frozen=True)
class Nested:
    """p_high, p_low : (axes,) of the ends in turn, NaN after the first that is not significant.   n_high, n_low :
    significant.   limits : (2,) quantiles of the largest and the smallest eigenvalue of the first test.
    """

    p_high: np.ndarray
    p_low: np.ndarray
    n_high: int
    n_low: int
    limits: np.ndarray


def nested_test(values: np.ndarray, vectors: np.ndarray, null: np.ndarray, axes: int, level: float) -> Nested:
    """Ends of ``values`` (k,), ascending, against those of each matrix of ``null`` (shifts, k, k). The end that is
    further beyond the null, in its standard deviations, is tested first; a significant axis is taken out of the null,
    then the next is tested; an end whose test failed is closed.
    """
    p = {"high": np.full(axes, np.nan), "low": np.full(axes, np.nan)}
    found, limits = {"high": 0, "low": 0}, np.full(2, np.nan)
    done: set[str] = set()
    first = True
    while len(done) < 2:
        kept = vectors[:, found["low"] : len(values) - found["high"]]
        if kept.shape[1] < 2:
            break
        ends = np.linalg.eigvalsh(kept.T @ null @ kept)
        extremes = {"high": ends[:, -1], "low": ends[:, 0]}
        seen = {"high": values[len(values) - 1 - found["high"]], "low": values[found["low"]]}
        if first:
            limits = np.array([np.quantile(ends[:, -1], 1 - level), np.quantile(ends[:, 0], level)])
            first = False
        sign = {"high": 1.0, "low": -1.0}
        away = {
            end: sign[end] * (seen[end] - extremes[end].mean()) / max(float(extremes[end].std()), 1e-300)
            for end in ("high", "low")
            if end not in done
        }
        end = max(away, key=lambda name: away[name])
        beyond = int((sign[end] * extremes[end] >= sign[end] * seen[end]).sum())
        value = (beyond + 1) / (len(null) + 1)
        p[end][found[end]] = value
        if value <= level:
            found[end] += 1
            if found[end] == axes:
                done.add(end)
        else:
            done.add(end)
    return Nested(p["high"], p["low"], found["high"], found["low"], limits)
