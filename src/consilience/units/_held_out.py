"""Scores of predictions that were made for held-out frames, with intervals over stretches of time."""

from __future__ import annotations

import numpy as np

from consilience.stats import held_out_interval, likelihood_gain, multinomial_weights
from consilience.units._scores import UnitScores, nothing

__all__ = ["held_out_bits", "held_out_correlation"]

_MOST = 400  # blocks


def held_out_correlation(
    y: np.ndarray,
    predicted: np.ndarray,
    fold: np.ndarray,
    *,
    block: int,
    n_draws: int,
    level: float,
    rng: np.random.Generator,
) -> UnitScores:
    """Correlation of y (n, units) and predictions about the mean of each fold: r = sum ab / sqrt(sum a^2 sum b^2).

    fold : (n,) which fold each frame was held out in.   block : frames that are taken together when stretches are drawn
    with replacement; the interval is `cs.stats.held_out_interval`. NaN for what does not vary.
    """
    a, b = y.astype(np.float64), predicted.astype(np.float64)
    for k in np.unique(fold):
        rows = fold == k
        a[rows] -= a[rows].mean(axis=0)
        b[rows] -= b[rows].mean(axis=0)
    flat = (np.abs(a).max(axis=0) <= 1e-12 * np.abs(y).max(axis=0)) | (
        np.abs(b).max(axis=0) <= 1e-12 * np.abs(predicted).max(axis=0)
    )
    top, left, right = (_in_blocks(x, block) for x in (a * b, a * a, b * b))

    def ratio(weights: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (weights @ top) / np.sqrt((weights @ left) * (weights @ right))
        return np.where(flat, np.nan, found)

    value = ratio(np.ones((1, len(top))))[0]
    low, high = _interval(ratio, value, len(top), n_draws, level, rng, correlation=True)
    return UnitScores(
        value=value,
        ci_low=low,
        ci_high=high,
        null_mean=nothing(value.size),
        p=nothing(value.size),
        level=level,
    )


def held_out_bits(
    y: np.ndarray,
    rate: np.ndarray,
    base: np.ndarray,
    *,
    block: int,
    n_draws: int,
    level: float,
    rng: np.random.Generator,
) -> UnitScores:
    """Poisson log likelihood of counts y (n, units) that a predicted rate gains over a constant one, bits per spike.

    sum_t [log p(y_t | rate_t) - log p(y_t | base_t)] / (log 2 sum_t y_t); base : (n, units) the mean of the training
    frames. Otherwise as `held_out_correlation`.
    """
    gain, _ = likelihood_gain(y, np.maximum(rate, 1e-12), np.maximum(base, 1e-12), "poisson")
    gain, spikes = _in_blocks(gain / np.log(2), block), _in_blocks(y, block)

    def ratio(weights: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (weights @ gain) / (weights @ spikes)

    value = ratio(np.ones((1, len(gain))))[0]
    low, high = _interval(ratio, value, len(gain), n_draws, level, rng, correlation=False)
    return UnitScores(
        value=value,
        ci_low=low,
        ci_high=high,
        null_mean=np.zeros(value.size),
        p=nothing(value.size),
        level=level,
    )


def _in_blocks(x: np.ndarray, block: int) -> np.ndarray:
    """(blocks, units) sums of consecutive frames, blocks of equal length up to one frame."""
    count = max(2, min(_MOST, len(x) // max(block, 1)))
    return np.add.reduceat(x, np.arange(count) * len(x) // count, axis=0)


def _interval(
    ratio: object,
    value: np.ndarray,
    blocks: int,
    n_draws: int,
    level: float,
    rng: np.random.Generator,
    *,
    correlation: bool,
) -> tuple[np.ndarray, np.ndarray]:
    if not n_draws or blocks < 3:
        return nothing(value.size), nothing(value.size)
    draws = ratio(multinomial_weights(blocks, n_draws, rng))  # type: ignore[operator]
    return held_out_interval(
        np.where(np.isfinite(draws), draws, np.nan),
        value,
        level=level,
        blocks=blocks,
        correlation=correlation,
    )
