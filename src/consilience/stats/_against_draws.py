"""Values beside draws of their nulls: mean, band, p and how far away, for claims of either side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consilience.stats._permutation import p_value

__all__ = ["against_draws"]


def against_draws(value: np.ndarray, draws: np.ndarray, claims: Sequence[str]) -> dict[str, np.ndarray]:
    """What the null has of each value, and the p of a value that much greater, less, or either.

    p = (b + 1) / (n + 1); of "two-sided" claims twice the smaller of both sides, at most 1. effect = (value - mean) /
    sd, NaN where draws do not vary.

    Parameters
    ----------
    value : (S,).   draws : (S, N, n) of N nulls.   claims : (S,) "greater", "less" or "two-sided".

    Returns
    -------
    {"null_mean", "null_sd", "null_low", "null_high", "p", "effect", "difference"} : (S, N) each; the band is 95 %.

    Examples
    --------
    >>> import numpy as np
    >>> found = against_draws(np.array([3.0]), np.arange(19.0).reshape(1, 1, 19), ["greater"])
    >>> float(found["p"][0, 0]), float(found["null_mean"][0, 0])
    (0.85, 9.0)
    """
    mean = draws.mean(axis=2)
    spread = draws.std(axis=2, ddof=1) if draws.shape[2] > 1 else np.full(mean.shape, np.nan)
    low, high = np.quantile(draws, [0.025, 0.975], axis=2)
    p = np.empty(mean.shape)
    for row, claim in enumerate(claims):
        moved = np.moveaxis(draws[row], 1, 0)
        up = p_value(np.full(mean.shape[1], value[row]), moved)
        down = p_value(np.full(mean.shape[1], -value[row]), -moved)
        p[row] = {"greater": up, "less": down}.get(claim, np.minimum(1.0, 2 * np.minimum(up, down)))
    away = value[:, None] - mean
    tiny = spread <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
    effect = np.where(tiny, np.nan, away / np.where(tiny, 1.0, spread))
    return {
        "null_mean": mean,
        "null_sd": spread,
        "null_low": low,
        "null_high": high,
        "p": p,
        "effect": effect,
        "difference": away,
    }
