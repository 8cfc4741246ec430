"""Several tests at once: Holm, false discovery rate, and the maximum of correlated statistics."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import stats

from consilience._core._errors import InputError
from consilience._core._params import check_option, shorten

__all__ = ["adjust", "fdr", "holm", "max_statistic"]


def _checked(p: object, who: str) -> tuple[np.ndarray, np.ndarray]:
    array = np.asarray(p, dtype=np.float64)
    known = np.isfinite(array)
    if np.isinf(array).any() or ((array[known] < 0) | (array[known] > 1)).any():
        raise InputError(
            f"{who}: p-values must lie in [0, 1] (NaN = not tested), got {shorten(p)}.", code="bad-parameter"
        )
    return array, known


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down p-values: family-wise error held whatever the dependence.

    Sorted p_(1) <= ... <= p_(m): adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)).

    p : array of any shape, the family; NaN are left out and stay NaN.

    References
    ----------
    Holm (1979).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import holm
    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    array, known = _checked(p, "holm")
    flat, m = array[known], int(known.sum())
    order = np.argsort(flat, kind="stable")
    stepped = np.minimum(np.maximum.accumulate((m - np.arange(m)) * flat[order]), 1.0)
    return _placed(array, known, order, stepped)


def fdr(p: np.ndarray, *, method: Literal["bh", "by"] = "bh") -> np.ndarray:
    """p-values adjusted for the false discovery rate: the share of false ones among those called different.

    Adjusted p_(i) = min over j >= i of min(1, c m p_(j) / j); ``"bh"`` c = 1 (independent or positively
    dependent tests), ``"by"`` c = 1 + 1/2 + ... + 1/m (any dependence).

    p : array of any shape, the family; NaN are left out and stay NaN.

    References
    ----------
    Benjamini & Hochberg (1995); Benjamini & Yekutieli (2001).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import fdr
    >>> fdr(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.04, 0.04])
    """
    check_option(method, ("bh", "by"), name="method", who="fdr")
    array, known = _checked(p, "fdr")
    flat, m = array[known], int(known.sum())
    order = np.argsort(flat, kind="stable")
    factor = np.sum(1 / np.arange(1, m + 1)) if method == "by" else 1.0
    stepped = factor * m / np.arange(1, m + 1) * flat[order]
    return _placed(array, known, order, np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0))


def max_statistic(statistic: np.ndarray, null: np.ndarray, *, step_down: bool = True) -> np.ndarray:
    """Family-wise p-values from draws of all statistics together, which keep their dependence.

    Single step: p_i = (1 + #{draws: max_j null_j >= statistic_i}) / (m + 1). Step-down: the largest statistic is
    held against the maximum over all, the next against that over all but the largest, and so on, made
    monotone.

    Parameters
    ----------
    statistic : (k,), higher = more against the null (absolute values for two-sided tests); NaN = not tested
    null : (m, k) the same under the null, drawn jointly

    References
    ----------
    Westfall & Young (1993).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import max_statistic
    >>> null = np.abs(np.random.default_rng(0).normal(size=(999, 2)))
    >>> max_statistic(np.array([4.0, 0.5]), null).round(2)
    array([0. , 0.6])
    """
    statistic, null = np.asarray(statistic, dtype=np.float64), np.asarray(null, dtype=np.float64)
    if statistic.ndim != 1 or null.ndim != 2 or null.shape[1] != statistic.size:
        raise InputError(
            f"max_statistic: statistic must be (k,) and null (m, k), got {statistic.shape} and {null.shape}.",
            code="bad-parameter",
        )
    known = np.isfinite(statistic) & np.isfinite(null).any(axis=0)
    flat, draws = statistic[known], np.where(np.isfinite(null), null, -np.inf)[:, known]
    order = np.argsort(-flat, kind="stable")
    ranked = draws[:, order]
    top = (
        np.maximum.accumulate(ranked[:, ::-1], axis=1)[:, ::-1]
        if step_down
        else np.broadcast_to(ranked.max(axis=1, keepdims=True, initial=-np.inf), ranked.shape)
    )
    p = (1 + (top >= flat[order] - 1e-12 * np.abs(flat[order])).sum(axis=0)) / (len(null) + 1)
    return _placed(statistic, known, order, np.maximum.accumulate(p))


def adjust(
    p: np.ndarray,
    correction: Literal["holm", "fdr", "max", "none"],
    *,
    draws: np.ndarray | None = None,
) -> np.ndarray:
    """``p`` (k,) corrected for their number by Holm, FDR (Benjamini-Hochberg) or the maximum of ``draws``.

    draws : (m, k) for ``"max"``: differences under resampling. They are centred and brought to variance 1, so
        that their joint distribution, not their size, is what counts; p is read as a two-sided normal score.
    """
    check_option(correction, ("holm", "fdr", "max", "none"), name="correction", who="adjust")
    if correction == "holm":
        return holm(p)
    if correction == "fdr":
        return fdr(p)
    if correction == "none":
        return np.array(p, dtype=np.float64)
    if draws is None:
        raise InputError("adjust: correction='max' needs draws; use 'holm' or 'fdr'.", code="bad-parameter")
    score = stats.norm.isf(np.clip(p, 1e-300, 1.0) / 2)
    away = draws - np.nanmean(draws, axis=0)
    spread = np.nanstd(draws, axis=0, ddof=1)
    null = np.abs(away) / np.where(spread > 0, spread, np.nan)
    return np.fmax(max_statistic(score, null), p)


def _placed(array: np.ndarray, known: np.ndarray, order: np.ndarray, stepped: np.ndarray) -> np.ndarray:
    """Sorted values back in the places of ``array``."""
    flat = np.empty(order.size)
    flat[order] = stepped
    out = np.full(array.shape, np.nan)
    out[known] = flat
    return out
