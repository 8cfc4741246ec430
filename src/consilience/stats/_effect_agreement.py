"""Do two ways of removing parts say the same of them?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from consilience.stats._held_out_change import held_out_change
from consilience.stats._intervals import percentile_interval
from consilience.stats._lesion_effects import paired_effect
from consilience.stats._multiple import fdr
from consilience.stats._rank_agreement import spearman_rho
from consilience.stats._weights import multinomial_weights

__all__ = ["EffectAgreement", "effect_agreement", "held_out_agreement"]

_APART = 0.5  # of the larger of two effects


@dataclass(frozen=True, eq=False)
class EffectAgreement:
    """correlation : Spearman's, over parts, of the effects, with low and high (NaN where all effects of a side are
    equal).   n_parts, n_apart : parts, and those whose two effects differ by more than half the larger one, at a false
    discovery rate of 0.05 over parts.   difference : of the mean effects (first - second), with its interval.
    """

    correlation: float
    low: float
    high: float
    n_parts: int
    n_apart: int
    difference: float
    difference_low: float
    difference_high: float


def effect_agreement(
    a: np.ndarray, b: np.ndarray, *, n_boot: int = 1000, level: float = 0.95, rng: np.random.Generator
) -> EffectAgreement:
    """Agreement of effects of the same parts on the same stimuli, under two ways of removing them.

    The correlation's interval is percentiles over stimuli drawn anew, the same for both sides; effects of parts are
    otherwise as they are. Parts differ by the t test of the paired difference.

    a, b : (parts, n) paired differences per stimulus (intact - lesioned).

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import effect_agreement
    >>> rng = np.random.default_rng(0)
    >>> a = np.arange(5.0)[:, None] + rng.normal(size=(5, 100))
    >>> found = effect_agreement(a, a[::-1], n_boot=200, rng=rng)
    >>> round(found.correlation, 2), found.n_apart
    (-1.0, 4)
    """
    m, n = a.shape
    one, two = a.mean(axis=1), b.mean(axis=1)
    correlation = float(spearman_rho(one, two)) if m > 1 else np.nan
    low = high = np.nan
    if n_boot and n > 1 and np.isfinite(correlation):
        weights = multinomial_weights(n, n_boot, rng) / n
        draws = spearman_rho(weights @ a.T, weights @ b.T)
        ends = percentile_interval(draws[:, None], np.array([correlation]), level)
        low, high = (float(end[0]) for end in ends)
    apart = 0
    if n > 1:
        gap = a - b
        error = gap.std(axis=1, ddof=1) / np.sqrt(n)
        middle = gap.mean(axis=1)
        away = np.abs(middle)
        p = np.where(
            error > 0, 2 * stats.t.sf(away / np.where(error > 0, error, 1.0), n - 1), 1.0 * (away == 0)
        )
        larger = np.maximum(np.abs(one), np.abs(two))
        apart = int(((fdr(p) < 0.05) & (away > _APART * larger)).sum())
    value, least, most = (float(v) for v in paired_effect((a - b).mean(axis=0), level=level))
    return EffectAgreement(correlation, low, high, m, apart, value, least, most)


def held_out_agreement(
    a: np.ndarray,
    b: np.ndarray,
    drawn_a: np.ndarray | None,
    drawn_b: np.ndarray | None,
    *,
    level: float,
    blocks: int,
    factor: float,
) -> EffectAgreement:
    """As `effect_agreement`, of effects on held-out scores of models fitted to data.

    The correlation's interval is percentiles of the draws; parts differ, and the mean difference has an interval, by
    `held_out_change`. Without draws there are neither.

    a, b : (P,) effects.   drawn_a, drawn_b : (m, P) the same under bootstrap weights of rows, the same for both.
    blocks, factor : as in `held_out_change`.
    """
    gap = a - b
    correlation, value = float(spearman_rho(a, b)), float(gap.mean())
    if drawn_a is None or drawn_b is None:
        return EffectAgreement(correlation, np.nan, np.nan, a.size, 0, value, np.nan, np.nan)
    low, high = np.quantile(spearman_rho(drawn_a, drawn_b), [(1 - level) / 2, (1 + level) / 2])
    drawn = drawn_a - drawn_b
    p = held_out_change(drawn, gap, level=level, blocks=blocks, factor=factor)[2]
    larger = np.maximum(np.abs(a), np.abs(b))
    apart = int(((fdr(p) < 0.05) & (np.abs(gap) > _APART * larger)).sum())
    least, most, _ = held_out_change(
        drawn.mean(axis=1), np.asarray(gap.mean()), level=level, blocks=blocks, factor=factor
    )
    return EffectAgreement(
        correlation, float(low), float(high), a.size, apart, value, float(least), float(most)
    )
