"""Patterns times a noise precision where residuals are fewer than units: nothing of size units x units is made."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from consilience._core._params import check_option
from consilience.linalg._noise import (
    NOISE_METHODS,
    Residuals,
    estimated_covariance,
    identity_shrinkage,
    lower_factor,
    refuse_silent,
    towards_diagonal,
)

__all__ = ["times_precision"]

_TRUSTED = 1e7  # condition up to which what the identity below loses is under 1e-8


def times_precision(x: np.ndarray, residuals: Residuals, /, *, method: str) -> np.ndarray:
    """``x`` (k, p) times P = the inverse of `noise_covariance` of the residuals R (n, p) by ``method``.

    With n < p a shrunk covariance is D (a R'R + b I) D, D diagonal, so that (Woodbury)
    P = D^-1 (I - R' (b/a I + R R')^-1 R) D^-1 / b takes an n x n solution in the place of a p x p one.
    """
    check_option(method, NOISE_METHODS, name="method", who="noise_covariance")
    r, dof = residuals.values, float(residuals.dof)
    n, p = r.shape
    if n < p and method in ("shrinkage", "shrinkage_diagonal"):
        found = _by_rows(x, r, dof, method)
        if found is not None:
            return found
    covariance = estimated_covariance(residuals, method, None).covariance
    if covariance.ndim == 1:
        return x / covariance
    lower = lower_factor(covariance)
    half = solve_triangular(lower, x.T, lower=True, check_finite=False)
    return solve_triangular(lower, half, lower=True, trans="T", check_finite=False).T


def _by_rows(x: np.ndarray, r: np.ndarray, dof: float, method: str) -> np.ndarray | None:
    """The same; None where the covariance is too near singular to be found this way."""
    n, p = r.shape
    if method == "shrinkage":
        scale = np.ones(p)
        product = r @ r.T
        rows = float(n) if dof >= n - 1 else dof  # of centred data S = R'R / n, grown to n / dof at the end
        shrinkage, mean = identity_shrinkage(product, np.diagonal(product), rows, p)
        slope, floor = (1 - shrinkage) / dof, shrinkage * mean * rows / dof
    else:
        variances = np.einsum("ij,ij->j", r, r) / dof
        refuse_silent(variances, method)
        scale = np.sqrt(variances)
        r = r / scale
        product = r @ r.T
        shrinkage = towards_diagonal(r, dof)
        slope, floor = (1 - shrinkage) / dof, shrinkage
    top = float(np.trace(product)) if slope else 0.0  # at least the largest eigenvalue
    if floor <= 0 or slope * top > _TRUSTED * floor:
        return None
    x = x / scale
    if slope:
        product = slope * product
        product[np.diag_indices(n)] += floor
        x = x - (slope * np.linalg.solve(product, r @ x.T)).T @ r
    return x / (floor * scale)
