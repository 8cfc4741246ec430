"""Changes of held-out scores by lesions: intervals and p of paired draws, areas under curves."""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = ["area_under", "held_out_change", "placement", "settled_to_first", "unchanged", "without_rounding"]

ROUNDING = 1e-12


def held_out_change(
    draws: np.ndarray,
    value: np.ndarray,
    *,
    level: float,
    blocks: int,
    deals: np.ndarray | None = None,
    factor: float = 2.0,
    orders: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(low, high, p) of a change (...) between two scores of the same held-out rows.

    value +- t s with s^2 = factor b / (b - 1) var(draws) + var(deals), t with b - 1 degrees of freedom, and the
    two-sided p of t = value / s. Where the change is from a mean over K random orders, var(orders) / K is added, and t
    has Satterthwaite's degrees of freedom of the two, b - 1 and K - 1, but no more than b - 1. A change that is the
    same in every draw and deal, 0 included, has s = 0: its ends are the value, and p is 1 where it is 0. Scores are of
    order 1: what is below 1e-12 is rounding, and counts as 0.

    draws : (m, ...) the change under bootstrap weights, the same for both scores.   blocks : b, independent items that
    were drawn.   deals : (k, ...) the change with the folds dealt again.   factor : 2 for the training rows' part
    (`cross_validated_draws`).   orders : (K, ...) what each random order gives.
    """
    df: np.ndarray = np.full(np.shape(value), float(max(1, blocks - 1)))
    value = without_rounding(value)
    variance = factor * max(blocks, 2) / max(1, blocks - 1) * np.var(draws, axis=0, ddof=1)
    if deals is not None and len(deals):
        variance = variance + np.var(np.concatenate([value[None], deals]), axis=0, ddof=1)
    if orders is not None and len(orders) > 1:
        own = np.var(orders, axis=0, ddof=1) / len(orders)
        total = variance + own
        parts = variance**2 / df + own**2 / (len(orders) - 1)
        df = np.minimum(df, np.where(parts > 0, total**2 / np.where(parts > 0, parts, 1.0), df))
        variance = total
    error = np.sqrt(variance)
    error = np.where(error <= ROUNDING, 0.0, error)
    away = stats.t.ppf((1 + level) / 2, df) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(
            error > 0, np.abs(value) / np.where(error > 0, error, 1.0), np.where(value == 0, 0, np.inf)
        )
    return value - away, value + away, 2 * stats.t.sf(ratio, df)


def area_under(curve: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """(...) area under curves (..., steps) against the share that was removed, 0 to 1, by trapezia."""
    width = np.diff(fraction)
    return np.asarray(((curve[..., 1:] + curve[..., :-1]) / 2 * width).sum(axis=-1))


def placement(value: float, null: np.ndarray) -> float:
    """The share of ``null`` (K,) below ``value``; equal ones count half."""
    return float(np.mean((null < value - ROUNDING) + 0.5 * (np.abs(null - value) <= ROUNDING)))


def without_rounding(values: np.ndarray) -> np.ndarray:
    """Values with those up to 1e-12 set to 0."""
    return np.where(np.abs(values) <= ROUNDING, 0.0, values)


def settled_to_first(values: np.ndarray, axis: int) -> np.ndarray:
    """``values`` of lesions along ``axis``, no lesion first, with those that differ from it by rounding set to it."""
    first = np.take(values, [0], axis=axis)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.abs(values - first) <= ROUNDING, first, values))


def unchanged(terms: np.ndarray) -> np.ndarray:
    """(m - 1,) which lesions leave every term of a score as it is without one, up to rounding (1e-12 of the largest).

    terms : (segments, m, k), no lesion first.
    """
    apart = np.abs(terms[:, 1:] - terms[:, :1]).max(axis=(0, 2))
    return np.asarray(apart <= ROUNDING * max(1.0, float(np.abs(terms[:, 0]).max())))
