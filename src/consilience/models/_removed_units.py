"""Fitted models without some of their inputs: what is put in their place, and predictions for many lesions at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["HOWS", "Affine", "affine_part", "predictions_without", "replacements"]

HOWS = ("mean", "zero", "resample", "noise")
_SAME = 1e-7  # of the spread of predictions
_CELLS = 4_000_000  # of stacked rows at a time


@dataclass(frozen=True)
class Affine:
    """A model that is x @ weights + offset.   weights : (p, k).   offset : (k,)."""

    weights: np.ndarray
    offset: np.ndarray


def affine_part(
    predict: Callable[[np.ndarray], np.ndarray], x: np.ndarray, centre: np.ndarray, scale: np.ndarray
) -> Affine | None:
    """``predict`` as x @ W + b, told from its answers at ``centre`` (p,) and one ``scale`` (p,) away from it in each
    input; None where that does not say its answers at the rows of ``x`` (n, p) and with half of their inputs at 0.
    """
    scale = np.where(scale > 0, scale, 1.0)
    at = np.asarray(predict(np.concatenate([centre[None], centre + np.diag(scale)])), np.float64)
    if not np.isfinite(at).all():
        return None
    weights = (at[1:] - at[0]) / scale[:, None]
    found = Affine(weights, at[0] - centre @ weights)
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), 40)).astype(int))
    half = np.random.default_rng(0).random((rows.size, x.shape[1])) < 0.5
    tried = np.concatenate([x[rows], np.where(half, 0.0, x[rows])])
    asked = np.asarray(predict(tried), np.float64)
    size = max(float(np.ptp(asked)), float(np.abs(asked).max()) * 1e-6, 1e-300)
    away = np.abs(tried @ found.weights + found.offset - asked).max(initial=0.0)
    return found if away <= _SAME * size else None


def replacements(
    how: Any, x: np.ndarray, train: np.ndarray, rng: np.random.Generator, donors: np.ndarray | None = None
) -> np.ndarray:
    """What stands in place of each entry of ``x`` (n, p) when its unit is removed, (n, p).

    how : "mean" of the training rows ``train`` (m, p); "zero"; "resample": the values of another training row, one for
    each row of x whatever its target (``donors`` (n,), drawn where None); "noise": Gaussian of each unit's training
    mean and sd; a number; or f(x) -> (n, p).
    """
    if how == "mean":
        return np.broadcast_to(train.mean(axis=0, dtype=np.float64), x.shape)
    if how == "zero":
        return np.zeros(x.shape)
    if how == "resample":
        return np.asarray(
            train[rng.integers(0, len(train), len(x)) if donors is None else donors], np.float64
        )
    if how == "noise":
        return rng.normal(train.mean(axis=0), train.std(axis=0), x.shape)
    if callable(how):
        return np.asarray(how(x.copy()), dtype=np.float64)
    return np.full(x.shape, float(how))


def predictions_without(
    predict: Callable[[np.ndarray], np.ndarray],
    affine: Affine | None,
    x: np.ndarray,
    instead: np.ndarray,
    masks: np.ndarray,
    *,
    stacked: bool = True,
) -> np.ndarray:
    """Predictions (m, n, k) for x' = x + mask (instead - x), one for each of the masks (m, p), True = removed.

    Of an affine model, prediction' = prediction + sum_j mask_j (instead_j - x_j) w_j: one product for all masks.
    Others are asked with the rows of several lesions below each other, or, with ``stacked=False`` (models of series),
    one lesion after the other.
    """
    n, p = x.shape
    m = len(masks)
    if affine is not None:
        intact = x @ affine.weights + affine.offset
        out = np.empty((m, n, intact.shape[1]))
        change = np.asarray(instead, np.float64) - x
        weight = masks.astype(np.float64)
        for k, column in enumerate(affine.weights.T):
            used = np.flatnonzero(column)
            out[:, :, k] = intact[:, k] + weight[:, used] @ (change[:, used] * column[used]).T
        return out
    step = max(1, _CELLS // (n * p)) if stacked else 1
    parts = []
    for start in range(0, m, step):
        some = masks[start : start + step]
        made = np.where(some[:, None, :], instead[None], x[None]).reshape(-1, p)
        parts.append(np.asarray(predict(made), np.float64).reshape(len(some), n, -1))
    return np.concatenate(parts)
