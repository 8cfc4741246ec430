"""Where a neuron looks, before anything is fitted: the place whose pixels and contrast go with its responses."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ["first_places"]

_FINE, _POOL, _FLOOR = 2.0, 1.5, 0.01  # pixels; of the mean contrast
_RIDGE = 0.2  # of the variance
_NEAR = np.exp(-0.5 * np.array([2, 1, 2, 1, 0, 1, 2, 1, 2]))  # the middle counts most
_MOST = 3000  # stimuli that are looked at


def first_places(x: np.ndarray, y: np.ndarray, weight: np.ndarray, *, features: bool) -> np.ndarray:
    """(t, 2) as (x, y) from -1 to 1.

    Of images: where the 3 x 3 pixels around a place (mean over channels, the middle counting most) and the logarithm of
    its contrast (the square of what a blur of 2 pixels takes away, pooled over 1.5 pixels) explain most by ridge
    regression: pixels find simple cells, contrast complex ones. Of ``features`` of a trained network: where all
    channels of a place explain most.

    x : (n, c, h, w).   y, weight : (n, t).
    """
    x, y, weight = x[:_MOST], y[:_MOST], weight[:_MOST]
    h, w = x.shape[2:]
    if h * w == 1:
        return np.zeros((y.shape[1], 2), dtype=np.float32)
    known = weight > 0
    mean = np.where(known, weight * y, 0.0).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-300)
    up = np.where(known, weight * (y - mean), 0.0)
    length = np.sqrt((up**2).sum(axis=0))
    up /= np.where(length > 0, length, 1.0)
    if features:
        at_places = (_scaled(x[:, :, i, j].astype(np.float64)) for i in range(h) for j in range(w))
        score = _explained(at_places, up)
    else:
        score = _local(x.mean(axis=1, dtype=np.float64), up)
    rows, columns = np.divmod(score.argmax(axis=1), w)
    at = [columns / max(w - 1, 1), rows / max(h - 1, 1)]
    found = np.stack(at, axis=1) * 2 - 1
    found[:, [w == 1, h == 1]] = 0.0
    found[score.max(axis=1) <= 0] = 0.0
    return found.astype(np.float32)


def _local(x: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(t, h w) share of ``up`` (n, t) that pixels around each place and its contrast explain."""
    n, h, w = x.shape
    fine = x - gaussian_filter(x, (0, _FINE, _FINE))
    contrast = gaussian_filter(fine**2, (0, _POOL, _POOL))
    scale = contrast.mean()
    if not scale > 0:
        return np.zeros((up.shape[1], h * w))
    log = _scaled(np.log(contrast / scale + _FLOOR).reshape(n, -1)).reshape(n, h, w)
    x = x - x.mean(axis=0)
    around = np.pad(x / x.std(), ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(1, 2))
    at_places = (
        np.column_stack([windows[:, i, j].reshape(n, 9) * _NEAR, log[:, i, j]])
        for i in range(h)
        for j in range(w)
    )
    return _explained(at_places, up)


def _explained(at_places: Iterable[np.ndarray], up: np.ndarray) -> np.ndarray:
    """(t, places) share of ``up`` (n, t) that the predictors z (n, k) of each place explain by ridge regression:
    up' z (z'z + n ridge)^-1 z' up, from z'z or zz', the smaller one.
    """
    score = []
    for z in at_places:
        n, k = z.shape
        if k <= n:
            along = z.T @ up
            score.append((along * np.linalg.solve(z.T @ z + _RIDGE * n * np.eye(k), along)).sum(axis=0))
        else:
            gram = z @ z.T
            score.append((up * (gram @ np.linalg.solve(gram + _RIDGE * n * np.eye(n), up))).sum(axis=0))
    return np.stack(score, axis=1)


def _scaled(values: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and variance 1; those that do not vary are 0."""
    values = values - values.mean(axis=0)
    sd = np.sqrt((values**2).mean(axis=0))
    return values / np.where(sd > 1e-9 * max(float(sd.max()), 1e-300), sd, np.inf)
