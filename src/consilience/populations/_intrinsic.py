"""What estimates of intrinsic dimension share: one value per point, its mean, blocks of points left out, the null."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience.linalg import constant_columns
from consilience.populations._dimension import Dimension, jackknife_variance, null_ends

__all__ = ["as_points", "blocks_of_space", "intrinsic", "shuffled_points"]

_SPLITS = 4  # halvings: 16 blocks


def as_points(points: Array, *, who: str) -> np.ndarray:
    x = np.asarray(to_numpy(as_matrix(points, name="points", who=who, min_rows=2)), dtype=np.float64)
    if np.asarray(constant_columns(x), dtype=bool).all():
        raise InputError(
            f"{who}: none of the {x.shape[1]} units varies over points, so there is nothing that has a dimension.",
            code="constant-units",
        )
    return x


def blocks_of_space(x: np.ndarray) -> np.ndarray:
    """(n,) number of the block of each point: halved at the median of the unit that varies most, four times. Neighbours
    share neighbours, so points are left out together with those around them.
    """
    owner = np.zeros(len(x), dtype=np.int64)
    for _ in range(_SPLITS):
        for block in range(int(owner.max()) + 1):
            rows = np.flatnonzero(owner == block)
            if rows.size < 8:
                continue
            along = x[rows, x[rows].var(axis=0).argmax()]
            owner[rows[np.argsort(along, kind="stable")[rows.size // 2 :]]] = owner.max() + 1
    return owner


def shuffled_points(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.permuted(x, axis=0))


def intrinsic(
    x: np.ndarray,
    each: np.ndarray,
    combine: Callable[[np.ndarray], float],
    *,
    null: Callable[[np.ndarray], float],
    n_perm: int,
    level: float,
    rng: np.random.Generator,
    details: dict[str, Any],
) -> Dimension:
    """A `Dimension` from what each point says (``each``), put together by ``combine``; ``null``: the whole estimate of
    points. The interval is a jackknife over blocks of space on the log scale, t; neighbours stay as they are.
    """
    value = combine(each)
    owner = blocks_of_space(x)
    without = np.array([combine(each[owner != block]) for block in range(int(owner.max()) + 1)])
    low = high = float("nan")
    if without.size > 3 and (without > 0).all() and value > 0:
        width = float(
            stats.t.ppf((1 + level) / 2, without.size - 1) * np.sqrt(jackknife_variance(np.log(without)))
        )
        low, high = value * np.exp(-width), value * np.exp(width)
    drawn = np.array([null(shuffled_points(x, rng)) for _ in range(n_perm)])
    return Dimension(
        value=float(value),
        ci_low=low,
        ci_high=high,
        resampled="jackknife over blocks of neighbouring points",
        level=level,
        n_samples=len(x),
        n_units=x.shape[1],
        details=details,
        **null_ends(drawn, float(value), level),
    )
