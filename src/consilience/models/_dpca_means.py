"""Means of conditions that are given in place of trials, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from consilience._core._errors import InputError

__all__ = ["read_covariance", "read_means"]

WHO = "DPCA"


def read_means(
    means: Any, levels: Mapping[str, Any] | None, labels: str | Sequence[str] | None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(*conditions, times, units), and {label: (levels,)}: ``levels``, or ``labels`` with levels 0, 1, ..."""
    table = np.array(means, dtype=np.float64)
    if levels is None:
        names = [labels] if isinstance(labels, str) else list(labels or ())
        known = {str(k): np.arange(size) for k, size in zip(names, table.shape)}
    else:
        known = {str(k): np.asarray(v) for k, v in levels.items()}
    axes = len(known)
    shape = tuple(len(v) for v in known.values())
    if not axes or table.ndim not in (axes + 1, axes + 2) or table.shape[:axes] != shape or min(shape) < 2:
        raise InputError(
            f"{WHO}: means must be (*conditions, time, unit) with one axis of at least 2 levels per label; got "
            f"shape {table.shape} for {dict(zip(known, shape))}; give labels=[...] or levels=.",
            code="bad-shape",
        )
    if table.ndim == axes + 1:
        table = table[..., None, :]
    if not np.isfinite(table).all():
        raise InputError(
            f"{WHO}: {int((~np.isfinite(table)).sum())} of {table.size} means are NaN or infinite; leave out the "
            "level, bin or unit, so that every condition has a mean.",
            code="nan-values",
        )
    return table, known


def read_covariance(given: Any, units: int) -> np.ndarray:
    """(units, units) of single trials; (units,) variances become a diagonal."""
    covariance = np.asarray(given, np.float64)
    covariance = np.diag(covariance) if covariance.ndim == 1 else covariance
    if covariance.shape != (units, units) or not np.isfinite(covariance).all():
        raise InputError(
            f"{WHO}: noise_covariance must be finite, ({units}, {units}) or ({units},), got shape {covariance.shape}.",
            code="bad-shape",
        )
    return covariance
