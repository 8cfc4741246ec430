"""Exponent of a spectrum that falls as a power of the rank."""

from __future__ import annotations

import itertools

import numpy as np

__all__ = ["NOTHING", "fitted_exponent", "rank_range"]

_RATIO = 1.25
_FEWEST = 3
NOTHING = 1e-10  # of the largest: rounding of a spectrum that has ended
_LARGE = 1500  # components from which the published range is used


def rank_range(components: int) -> tuple[int, int]:
    """The ranks that are fitted by default: 11 to 500 (Stringer et al. 2019) of populations of their size, 1 to a third
    of the components of smaller ones, where a start at 11 leaves too little.
    """
    return (11, 500) if components >= _LARGE else (1, max(1, components // 3))


def fitted_exponent(spectrum: np.ndarray, low: int, high: int) -> tuple[float, float, int]:
    """(exponent, log of the factor, last rank used): least squares of log means of the spectrum over ranks in bins that
    grow by a quarter, on the mean log rank, each bin weighted by its sum of 1 / rank. A noisy spectrum crosses 0, where
    a logarithm (or that of its absolute value) is nonsense; the fit ends before the first bin whose mean is 0 or less.

    NaN with fewer than 3 bins.
    """
    edges = [low]
    while edges[-1] <= high:
        edges.append(max(edges[-1] + 1, round(edges[-1] * _RATIO)))
    edges[-1] = high + 1
    x, y, w, last = [], [], [], 0
    for start, stop in itertools.pairwise(edges):
        rank = np.arange(start, stop)
        mean = float(spectrum[start - 1 : stop - 1].mean()) if rank.size else 0.0
        if not mean > NOTHING * float(spectrum.max()):
            break
        x.append(float(np.log(rank).mean()))
        y.append(np.log(mean))
        w.append(float((1.0 / rank).sum()))
        last = stop - 1
    if len(x) < _FEWEST:
        return float("nan"), float("nan"), last
    along, weight = np.array(x), np.array(w)
    middle = np.average(along, weights=weight)
    height = np.average(y, weights=weight)
    slope = float(weight * (along - middle) @ (np.array(y) - height) / (weight @ (along - middle) ** 2))
    return -slope, float(height - slope * middle), last
