"""How strongly each unit is tuned, as one number by which units are put in order: classes, numbers or angles."""

from __future__ import annotations

import numpy as np

from consilience._core._errors import InputError

__all__ = ["MEASURES", "tuning_strength"]

WHO = "tuning_strength"

MEASURES = {
    "classes": "share of variance between classes (eta squared)",
    "numbers": "share of variance that a linear fit to the target explains",
    "angles": "mean vector length of the rate over the angle",
    "units": "mean squared correlation with the units of the target",
}
_BINS = 24


def tuning_strength(
    x: np.ndarray,
    *,
    codes: np.ndarray | None = None,
    values: np.ndarray | None = None,
    circular: bool = False,
) -> np.ndarray:
    """(p,) in [0, 1] of each unit of ``x`` (n, p): for an order, not for an estimate (it is biased up by the same
    formula for all units).

    Classes ``codes`` (n,): sum_c n_c (m_c - m)^2 / sum_i (x_i - m)^2. Numbers ``values`` (n, k): R2 of the unit
    regressed on them. Angles ``values`` (n, k), rad: |sum_b r_b exp(i theta_b)| / sum_b r_b over visited bins b of 15
    degrees, the largest over columns; of units with negative responses R2 on cosine and sine.

    Raises
    ------
    InputError : neither codes nor values, other lengths, NaN.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> codes = np.repeat([0, 1], 50)
    >>> x = np.random.default_rng(0).normal(size=(100, 2)) + np.outer(codes, [2.0, 0.0])
    >>> cs.units.tuning_strength(x, codes=codes).round(1)
    array([0.5, 0. ])
    """
    if codes is None and values is None:
        raise InputError(
            f"{WHO}: give codes= of classes, or values= of numbers or angles.", code="bad-parameter"
        )
    x = np.asarray(x, dtype=np.float64)
    given = np.asarray(codes if codes is not None else values)
    if x.ndim != 2 or given.shape[:1] != (len(x),):
        raise InputError(
            f"{WHO}: x must be (n, units), and codes or values have n rows; got shapes {x.shape} and {given.shape}.",
            code="rows-differ",
        )
    if not np.isfinite(x).all() or (values is not None and not np.isfinite(given).all()):
        raise InputError(f"{WHO}: NaN or infinity; leave those rows out.", code="nan-values")
    values = None if values is None else given.reshape(len(x), -1).astype(np.float64)
    codes = None if codes is None else given
    centred = x - x.mean(axis=0)
    total = np.sum(centred**2, axis=0)
    safe = np.where(total > 0, total, 1.0)
    if codes is not None:
        onehot = (codes[:, None] == np.unique(codes)).astype(np.float64)
        sums = onehot.T @ centred
        return np.asarray(
            np.where(total > 0, (sums**2 / onehot.sum(axis=0)[:, None]).sum(axis=0) / safe, 0.0)
        )
    assert values is not None
    if not circular:
        return _explained(centred, values - values.mean(axis=0), total)
    if (x < 0).any():
        waves = np.concatenate([np.cos(values), np.sin(values)], axis=1)
        return _explained(centred, waves - waves.mean(axis=0), total)
    return np.max([_mean_vector(x, column) for column in values.T], axis=0)


def _explained(x: np.ndarray, y: np.ndarray, total: np.ndarray) -> np.ndarray:
    basis, size, _ = np.linalg.svd(y, full_matrices=False)
    basis = basis[:, size > 1e-10 * max(float(size.max(initial=0.0)), 1e-300)]
    return np.asarray(
        np.where(total > 0, np.sum((basis.T @ x) ** 2, axis=0) / np.where(total > 0, total, 1.0), 0.0)
    )


def _mean_vector(x: np.ndarray, angle: np.ndarray) -> np.ndarray:
    place = np.floor(angle % (2 * np.pi) / (2 * np.pi) * _BINS).astype(int) % _BINS
    count = np.bincount(place, minlength=_BINS)
    onehot = (place[:, None] == np.arange(_BINS)).astype(np.float64)
    rate = (onehot.T @ x)[count > 0] / count[count > 0][:, None]
    wave = np.exp(2j * np.pi * (np.flatnonzero(count > 0) + 0.5) / _BINS)
    size = rate.sum(axis=0)
    return np.asarray(np.where(size > 0, np.abs(wave @ rate) / np.where(size > 0, size, 1.0), 0.0))
