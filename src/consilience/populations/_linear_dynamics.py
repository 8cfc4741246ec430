"""States of a population, their steps, and the linear laws that lead from one to the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience.linalg._centre import safe_power
from consilience.linalg._skew import skew_least_squares

__all__ = ["LinearFit", "explained", "leading_axes", "linear_fit", "prepared", "soft_scale"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearFit:
    """Steps d = x A of states x, rows, by least squares: ``full`` (k, k) any A, ``skew`` a skew-symmetric one.

    r2, r2_skew : 1 - squared errors / squared steps, of the fitted steps.
    """

    full: np.ndarray
    skew: np.ndarray
    r2: float
    r2_skew: float

    @property
    def ratio(self) -> float:
        return self.r2_skew / self.r2 if self.r2 > 0 else float("nan")


def linear_fit(states: np.ndarray, steps: np.ndarray) -> LinearFit:
    """Both fits to the steps (n, k) that follow the states (n, k)."""
    inner, cross = states.T @ states, states.T @ steps
    total = float((steps * steps).sum())
    full = np.linalg.pinv(inner, hermitian=True) @ cross
    skew = skew_least_squares(inner, cross)
    if total <= 0:
        return LinearFit(full=full, skew=skew, r2=float("nan"), r2_skew=float("nan"))
    # both are projections: squared errors are total - <A, cross>
    return LinearFit(
        full=full,
        skew=skew,
        r2=float((full * cross).sum()) / total,
        r2_skew=float((skew * cross).sum()) / total,
    )


def explained(states: np.ndarray, steps: np.ndarray, a: np.ndarray) -> float:
    """1 - ||d - x A||^2 / ||d||^2 of steps that A was not fitted to; can be negative."""
    total = float((steps * steps).sum())
    rest = steps - states @ a
    return 1.0 - float((rest * rest).sum()) / total if total > 0 else float("nan")


def soft_scale(x: np.ndarray, soft: float) -> np.ndarray:
    """(units,) range of each unit over conditions and time, plus ``soft``: what its values are divided by."""
    scale = np.ptp(x.reshape(-1, x.shape[-1]), axis=0) + soft
    return np.where(scale > 0, scale, 1.0)


def prepared(x: np.ndarray, *, subtract_mean: bool, soft: float | None) -> np.ndarray:
    """(conditions, time, units): divided by the soft range, less the mean over conditions at each time (or, without
    that, the mean of all); divided by a power of two where no float can hold the squares. Zero where nothing but
    rounding errors is left.
    """
    if soft is not None:
        x = x / soft_scale(x, soft)
    x = x / safe_power(x)
    rest = np.asarray(x - x.mean(axis=0 if subtract_mean else (0, 1), keepdims=True))
    return np.zeros_like(rest) if np.abs(rest).max() <= 1e-14 * np.abs(x).max() else rest


def leading_axes(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Principal axes (units, k) of centred x (..., units), and the variances (min(n, units),) of all, summed over
    samples.
    """
    flat = x.reshape(-1, x.shape[-1])
    n, units = flat.shape
    if units <= n:
        value, vector = np.linalg.eigh(flat.T @ flat)
        return vector[:, ::-1][:, :k], np.maximum(value[::-1], 0.0)
    value, left = np.linalg.eigh(flat @ flat.T)
    value, left = np.maximum(value[::-1], 0.0), left[:, ::-1][:, :k]
    axes = flat.T @ left
    size = np.linalg.norm(axes, axis=0)
    return axes / np.where(size > 0, size, 1.0), value
