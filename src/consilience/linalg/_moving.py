"""Moving averages and percentiles along one axis: plain arrays."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, special

__all__ = ["KERNELS", "moving_percentile", "smooth_known", "smoothing_kernel"]

KERNELS = ("gaussian", "causal", "boxcar")
_REACH = 4.0  # standard deviations at which a kernel ends


def smoothing_kernel(kernel: str, sd: float) -> np.ndarray:
    """Weights (2 h + 1,) at lags -h ... h samples, sum 1; weight k is the share of the kernel between k - 1/2 and
    k + 1/2, so that narrow kernels keep their width.

    ``sd`` in samples. gaussian: normal density, to 4 sd. causal: its later half, lags >= 0 only, so that a value hangs
    on nothing after it (for which its mean lag is sd sqrt(2/pi) = 0.8 sd). boxcar: flat, of width sd sqrt(12), whose
    standard deviation is sd.
    """
    if kernel == "boxcar":
        half = np.sqrt(3.0) * sd
        h = int(np.ceil(half + 0.5 - 1e-6))
        edges = np.clip(np.arange(-h, h + 2) - 0.5, -half, half)
        weights = np.diff(edges)
    else:
        h = max(1, int(np.ceil(_REACH * sd - 1e-6)))  # rounding of sd adds no weight
        edges = np.arange(-h, h + 2) - 0.5
        if kernel == "causal":
            # bin k holds the lags from k to k + 1 samples: what is in the present bin is not after it
            edges = np.maximum(edges + 0.5, 0.0)
        weights = np.diff(special.ndtr(edges / sd))
    return weights / weights.sum()


def smooth_known(values: np.ndarray, weights: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Weighted means along axis 0: y(t) = sum_k w(k) x(t - k) / sum of those w(k) whose sample is there and known.

    values : (n, ...).   weights : (2 h + 1,) at lags -h ... h.   known : bool, broadcast against values (with size 1
    along axes that it does not tell apart). Unknown samples, and those on which no weight falls, are NaN.
    """
    x = np.asarray(values, dtype=np.float64)
    there = np.ones((x.shape[0],) + (1,) * (x.ndim - 1), dtype=bool) if known is None else np.asarray(known)
    total = ndimage.convolve1d(np.where(there, x, 0.0), weights, axis=0, mode="constant")
    share = ndimage.convolve1d(there.astype(np.float64), weights, axis=0, mode="constant")
    usable = there & (share > 1e-12)
    return np.where(usable, total / np.where(usable, share, 1.0), np.nan)


def moving_percentile(values: np.ndarray, width: int, percentile: float) -> np.ndarray:
    """Percentile of windows of ``width`` samples along axis 0, (n, p) float64.

    It is taken in windows whose middles are width / 20 apart (those at the ends are shorter), and is linear in
    between: a baseline that is slow against the window.
    """
    x = np.asarray(values)
    n = x.shape[0]
    step = max(1, width // 20)
    middles = np.unique(np.r_[np.arange(0, n, step), n - 1])
    half = max(1, width // 2)
    each = np.stack([np.percentile(x[max(0, m - half) : m + half + 1], percentile, axis=0) for m in middles])
    t = np.arange(n)
    right = np.clip(np.searchsorted(middles, t), 1, max(1, middles.size - 1))
    if middles.size == 1:
        return np.broadcast_to(each, x.shape).astype(np.float64)
    left = right - 1
    share = ((t - middles[left]) / (middles[right] - middles[left]))[:, None]
    return np.asarray(each[left] * (1 - share) + each[right] * share, dtype=np.float64)
