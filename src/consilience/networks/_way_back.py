"""The way back from a module's input to a stimulus: preprocessing that only scales, found by trying."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from consilience._core._arrays import to_numpy
from consilience._core._errors import ConsilienceError, collect_cautions
from consilience.networks._network import Network

__all__ = ["way_back"]

Turn = Callable[[np.ndarray], np.ndarray]


def way_back(net: Network | None, like: Any, sizes: tuple[int, ...], axis: int | None) -> Turn | None:
    """Inputs (n, *sizes) -> stimuli, where preprocess is input = a * stimulus + b per channel, the channels last, in
    their place, or (an only one) left out; which is tried with random stimuli. None where it is nothing of that.
    """
    if net is None or net.preprocess is None:
        return lambda values: values
    layouts: list[tuple[Turn, Turn]] = [(lambda x: x, lambda x: x)]  # input -> stimulus, and back
    if axis is not None:
        at = axis + 1
        layouts.insert(0, (lambda x: np.moveaxis(x, at, -1), lambda x: np.moveaxis(x, -1, at)))
        if sizes[axis] == 1:
            without = (lambda x: x.squeeze(at), lambda x: np.expand_dims(x, at))
            layouts.insert(0 if like is not None and like.ndim == len(sizes) else 2, without)
    ranges = [(0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)]
    if like is not None and like.dtype.kind in "biuf":
        ranges.insert(0, (float(like.values.min()), float(like.values.max())))
    for layout in layouts:
        for low, high in ranges:
            line = _line(net, layout, sizes, axis, low, high) if low < high else None
            if line is not None:
                return _inverse(layout[0], *line)
    return None


def _inverse(turn: Turn, a: np.ndarray, b: np.ndarray) -> Turn:
    return lambda values: np.ascontiguousarray(turn(((values.astype(np.float64) - b) / a).astype(np.float32)))


def _line(
    net: Network, layout: tuple[Turn, Turn], sizes: tuple[int, ...], axis: int | None, low: float, high: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """a, b of input = a * stimulus + b per channel, fitted with one block and right for another; None if none are."""
    rng = np.random.default_rng(0)
    gave = [rng.uniform(low, high, size=(2, *sizes)).astype(np.float32) for _ in range(2)]
    assert net.preprocess is not None
    try:
        with warnings.catch_warnings(), collect_cautions():
            warnings.simplefilter("ignore")
            got = [
                to_numpy(net.preprocess(np.ascontiguousarray(layout[0](x)))).astype(np.float64) for x in gave
            ]
    except (ConsilienceError, ValueError, TypeError, RuntimeError, IndexError, AttributeError):
        return None
    if any(one.shape != (2, *sizes) for one in got):
        return None
    over = tuple(i for i in range(len(sizes) + 1) if axis is None or i != axis + 1)
    x, y = gave[0].astype(np.float64), got[0]
    mx, my = x.mean(axis=over, keepdims=True), y.mean(axis=over, keepdims=True)
    variance = ((x - mx) ** 2).mean(axis=over, keepdims=True)
    a = ((x - mx) * (y - my)).mean(axis=over, keepdims=True) / np.where(variance > 0, variance, 1)
    b = my - a * mx
    error = np.abs(a * gave[1].astype(np.float64) + b - got[1]).max()
    right = error <= 1e-4 * (np.abs(got[1]).max() + 1e-12) and bool((np.abs(a) > 1e-12).all())
    return (a, b) if right else None
