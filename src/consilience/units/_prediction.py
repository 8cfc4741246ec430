"""What scores of a prediction against noisy repeats share: products over stimuli, left out one by one, relabelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.stats import p_value
from consilience.units._scores import UnitScores
from consilience.units._signal import f_interval, signal_of
from consilience.units._trials import as_repeats, powers, say_silent

__all__ = ["Products", "prediction_scores"]

LOWEST_CEILING = 0.1  # of CC_max, as in compare and encode: no ratio below


@dataclass(frozen=True, eq=False)
class Products:
    """Over stimuli, of predictions p and means m, (t,) or (n, t) with each stimulus left out.

    cross : covariance of p and m.   predicted : variance of p.   signal : signal variance of m.
    error : mean (p - m)^2.   within : N, the mean variance of a mean.   leak : sum of (p - mean p)^2 v / k, what noise
    adds to the square of (n - 1) cross.   n : how many stimuli.
    """

    cross: np.ndarray
    predicted: np.ndarray
    signal: np.ndarray
    error: np.ndarray
    within: np.ndarray
    leak: np.ndarray
    n: int


def _products(p: np.ndarray, m: np.ndarray, noise: np.ndarray) -> tuple[Products, Products]:
    """Of all stimuli, and with each left out."""
    n = len(m)
    a, b, e = p - p.mean(axis=0), m - m.mean(axis=0), (p - m) ** 2
    ab, aa, bb = a * b, a * a, b * b

    def made(
        cross: np.ndarray,
        predicted: np.ndarray,
        between: np.ndarray,
        error: np.ndarray,
        within: np.ndarray,
        leak: np.ndarray,
        n: int,
    ) -> Products:
        return Products(
            cross / (n - 1),
            predicted / (n - 1),
            between / (n - 1) - within / n,
            error / n,
            within / n,
            leak,
            n,
        )

    leak = (aa * noise).sum(axis=0)
    whole = made(ab.sum(axis=0), aa.sum(axis=0), bb.sum(axis=0), e.sum(axis=0), noise.sum(axis=0), leak, n)
    share = n / (n - 1)
    # without stimulus i the mean of p moves by -a_i / (n - 1)
    shift = -a / (n - 1)
    rest = noise.sum(axis=0) - noise
    moved = leak - aa * noise - 2 * shift * ((a * noise).sum(axis=0) - a * noise) + shift**2 * rest
    left = made(
        ab.sum(axis=0) - share * ab,
        aa.sum(axis=0) - share * aa,
        bb.sum(axis=0) - share * bb,
        e.sum(axis=0) - e,
        rest,
        moved,
        n - 1,
    )
    return whole, left


def prediction_scores(
    prediction: Array,
    trials: Array,
    stimulus: Array,
    rule: Callable[[Products], tuple[np.ndarray, np.ndarray]],
    *,
    who: str,
    n_perm: int,
    level: float,
    rng: int,
) -> UnitScores:
    """A score, the ratio that ``rule`` gives as (top, below), with interval over stimuli and p."""
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    repeats = as_repeats(trials, stimulus, who=who, few=3)
    given = np.asarray(to_numpy(as_matrix(prediction, name="prediction", who=who)), dtype=np.float64)
    if given.shape != repeats.x.shape:
        raise InputError(
            f"{who}: prediction must have a row for each trial and a column for each unit, {repeats.x.shape}, got "
            f"{given.shape}; with a row for each of the sorted stimuli, pass prediction[np.unique(stimulus, "
            "return_inverse=True)[1]].",
            code="rows-differ",
        )
    rows = given[repeats.order]
    first = rows[repeats.starts]
    if not np.allclose(rows, np.repeat(first, repeats.counts, axis=0), rtol=1e-6, atol=0):
        raise InputError(
            f"{who}: prediction differs between trials of one stimulus; it must be one number per stimulus and unit. "
            "Are its rows in the order of the trials?",
            code="rows-differ",
        )
    say_silent(repeats.silent, who=who)
    signal = signal_of(repeats)
    size = powers(repeats.x)
    p = first / size - (repeats.x.mean(axis=0) / size)  # as in `signal_of`
    whole, left = _products(p, signal.means, signal.noise)
    flat = np.ptp(p, axis=0) <= 1e-12 * np.maximum(np.abs(p).max(axis=0), 1e-300)
    with np.errstate(invalid="ignore", divide="ignore"):
        usable = ~repeats.silent & (whole.signal >= LOWEST_CEILING**2 * signal.between) & (whole.signal > 0)
        value = np.where(usable, _divided(*rule(whole)), np.nan)
    if (~usable & ~repeats.silent).any():
        warn(
            "ceiling-too-low",
            f"{who}: {int((~usable & ~repeats.silent).sum())} of {usable.size} units hardly repeat (CC_max below "
            f"{LOWEST_CEILING}), and nothing can be divided by that; their value is NaN.",
            "More repeats, or leave them out; cs.units.explainable_variance says how reliable each is.",
            stacklevel=3,
        )
    low, high = _ratio_interval(*rule(whole), *rule(left), level)
    # where the signal itself may be none, anything may be the ratio
    open_end = ~(f_interval(signal, level)[0] > 1) | np.isnan(low)
    low, high = np.where(open_end, -np.inf, low), np.where(open_end, np.inf, high)
    low, high = (np.where(usable, end, np.nan) for end in (low, high))
    null, chance = np.full(value.size, np.nan), np.full(value.size, np.nan)
    if n_perm:
        dealer = seed.stream("permutations")
        drawn = np.empty((n_perm, value.size))
        with np.errstate(invalid="ignore", divide="ignore"):
            for k in range(n_perm):
                drawn[k] = _divided(
                    *rule(_products(p[dealer.permutation(len(p))], signal.means, signal.noise)[0])
                )
        some = usable & np.isfinite(value) & np.isfinite(drawn).all(axis=0)
        filled = np.where(some, drawn, 0.0)
        null = np.where(some, filled.mean(axis=0), np.nan)
        chance = np.where(some & ~flat, p_value(np.where(some, value, 0.0), filled), np.nan)
    return UnitScores(value=value, ci_low=low, ci_high=high, null_mean=null, p=chance, level=level)


def _divided(top: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.where(below > 0, top / np.where(below > 0, below, 1.0), np.nan)


def _ratio_interval(
    top: np.ndarray, below: np.ndarray, tops: np.ndarray, belows: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of top / below (t,) from both without each stimulus (n, t): all q for which top - q below is not far
    from 0 (Fieller 1954), with jackknife covariances; NaN where that is no interval, as ``below`` may be 0.
    """
    n = len(tops)
    known = np.isfinite(tops).all(axis=0) & np.isfinite(belows).all(axis=0)
    a, b = (np.where(known, v, 0.0) - np.where(known, v, 0.0).mean(axis=0) for v in (tops, belows))
    factor = stats.t.ppf((1 + level) / 2, n - 1) ** 2 * (n - 1) / n
    square = below**2 - factor * (b * b).sum(axis=0)
    mixed = top * below - factor * (a * b).sum(axis=0)
    alone = top**2 - factor * (a * a).sum(axis=0)
    root = mixed**2 - square * alone
    closed = known & (square > 0) & (root >= 0)
    square, root = np.where(closed, square, 1.0), np.sqrt(np.where(closed, root, 0.0))
    low, high = (mixed - root) / square, (mixed + root) / square
    return np.where(closed, low, np.nan), np.where(closed, high, np.nan)
