"""Split-half reliability over stimuli, mean over many random halves of the repeats."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import warn
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.stats import jackknife_interval, p_value, spearman_brown
from consilience.units._scores import UnitScores
from consilience.units._trials import Repeats, as_repeats, powers, say_silent

__all__ = ["split_half"]

_NULL_SPLITS = 4  # p compares the mean over so many splits with as many of each relabelling


def split_half(
    trials: Array,
    stimulus: Array,
    /,
    *,
    n_splits: int = 100,
    corrected: bool = True,
    groups: Array | None = None,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int = 0,
) -> UnitScores:
    """Correlation over stimuli of a unit's mean responses in two halves of the repeats, for all repeats.

    r = mean over random splits of corr_s(a_s, b_s), a_s and b_s means of floor(k_s / 2) repeats each (of an odd number
    one is left out). Spearman-Brown: reliability = f r / (1 + (f - 1) r), f = mean(1 / floor(k_s / 2)) / mean(1 / k_s),
    2 for even equal numbers. It holds for r > 0 only: elsewhere the corrected value is NaN, and that is said.

    Its root is the highest correlation a perfect model can have with the means. Estimates the same as
    `explainable_variance(of="mean")`, which is more precise; not to be confused with the uncorrected r of half the
    data.

    Parameters
    ----------
    trials : (n_trials, units).   stimulus : (n_trials,), at least 3 stimuli of at least 2 trials; numbers may differ.
    n_splits : random halves.   corrected : False = r itself, of half of the repeats.
    groups : (n_trials,) runs, sessions or blocks whose means are taken out: an additive effect of each is fitted with
        the means of the stimuli. Each must share stimuli with others. Halves have these fits in common, so r is a
        little high (by 0.01 to 0.10 in simulations, most where each group has few of the stimuli; null_mean too).
    n_perm : relabellings of the trials; 0 = no p.   level : of the interval for other stimuli: jackknife on Fisher's
        scale, t; an end of the corrected value below 0 is given as 0.   rng : seed.

    Returns
    -------
    UnitScores : null_mean and p are of r (p over the first 4 splits, as in each relabelling).
        counted["r"] : r, uncorrected.

    In simulations (10 to 100 stimuli, 2 to 10 repeats) intervals at 95 % held the truth in 0.92 to 0.98, with
    exponential signals as large as the noise in 0.86 to 0.93. Where a unit hardly repeats, the corrected values that
    exist are those that are high by chance: use r, or `explainable_variance`, for means over units.

    Raises
    ------
    InputError : a stimulus with one trial (``no-repeats``), fewer than 3 stimuli, NaN, groups that share no
        stimuli (``groups-confounded``).
    ConsilienceWarning : ``silent-units``, ``no-agreement`` (r <= 0, so no Spearman-Brown).

    References
    ----------
    Spearman (1910); Brown (1910).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> stimulus = np.repeat(np.arange(100), 4)
    >>> signal = rng.normal(size=(100, 1))[stimulus]
    >>> found = cs.units.split_half(signal + rng.normal(size=(400, 1)), stimulus, n_perm=100)  # truth 0.8
    >>> bool(found.ci_low[0] < 0.8 < found.ci_high[0])
    True
    """
    who = "cs.units.split_half"
    n_splits = check_count(n_splits, name="n_splits", who=who, minimum=1)
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    repeats = as_repeats(trials, stimulus, who=who, few=3, groups=groups)
    say_silent(repeats.silent, who=who)
    x = repeats.x / powers(repeats.x)
    x = x - x.mean(axis=0)
    n = repeats.counts.size
    splitter = seed.stream("splits")
    r, left = np.zeros(x.shape[1]), np.zeros((n, x.shape[1]))
    each: list[np.ndarray] = []
    for _ in range(n_splits):
        whole, without = _correlations(*_halves(x, repeats, splitter), left_out=True)
        r, left = r + whole / n_splits, left + without / n_splits
        if len(each) < _NULL_SPLITS:
            each.append(whole)
    r[repeats.silent] = np.nan
    top = 1 - 1e-12
    known = np.isfinite(r) & np.isfinite(left).all(axis=0)
    scaled = np.arctanh(np.clip(np.where(known, left, 0.0), -top, top))
    ends = jackknife_interval(
        np.arctanh(np.clip(np.where(known, r, 0.0), -top, top)),
        scaled,
        n=n,
        left_out=1,
        level=level,
        exhaustive=True,
    )
    low, high = (np.where(known, np.tanh(end), np.nan) for end in ends)
    null, p = np.full(r.size, np.nan), np.full(r.size, np.nan)
    if n_perm:
        drawn, dealer = np.empty((n_perm, r.size)), seed.stream("permutations")
        for k in range(n_perm):
            mixed = repeats.dealt(x, dealer)
            halves = (_correlations(*_halves(mixed, repeats, dealer))[0] for _ in each)
            drawn[k] = np.mean(list(halves), axis=0)
        some = known & np.isfinite(drawn).all(axis=0)
        filled = np.where(some, drawn, 0.0)
        null = np.where(some, filled.mean(axis=0), np.nan)
        p = np.where(some, p_value(np.where(some, np.mean(each, axis=0), 0.0), filled), np.nan)
    if not corrected:
        return UnitScores(
            value=r, ci_low=low, ci_high=high, null_mean=null, p=p, level=level, counted={"r": r}
        )
    below = np.isfinite(r) & (r <= 0)
    if below.any():
        warn(
            "no-agreement",
            f"{who}: halves of {int(below.sum())} of {r.size} units do not agree (r <= 0).",
            "Spearman-Brown is not defined there, and their value is NaN; corrected=False gives r itself, and "
            "explainable_variance(of='mean') has a value for every unit.",
        )
    half, every = float(np.mean(1.0 / (repeats.counts // 2))), float(np.mean(1.0 / repeats.counts))
    value, low, high = (spearman_brown(v, half / every) for v in (r, low, high))
    low, high = (np.where(np.isnan(end) & known & ~below, 0.0, end) for end in (low, high))
    low, high = (np.where(below, np.nan, end) for end in (low, high))
    return UnitScores(
        value=value, ci_low=low, ci_high=high, null_mean=null, p=p, level=level, counted={"r": r}
    )


def _halves(x: np.ndarray, repeats: Repeats, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Means (n, units) of two random halves of each stimulus's rows of ``x``, of equal size."""
    order = np.lexsort((rng.random(len(x)), repeats.stimulus))
    half = repeats.counts // 2
    rest = repeats.counts - 2 * half
    starts = np.stack([repeats.starts, repeats.starts + half, repeats.starts + 2 * half], axis=1)
    sizes = np.stack([half, half, rest], axis=1).ravel()
    sums = np.add.reduceat(x[order], starts.ravel()[sizes > 0], axis=0)
    part = np.tile([0, 1, 2], half.size)[sizes > 0]
    return sums[part == 0] / half[:, None], sums[part == 1] / half[:, None]


def _correlations(a: np.ndarray, b: np.ndarray, *, left_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Correlation (units,) of the columns, and (n, units) without each row; 0 where a column does not vary."""
    n = len(a)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    top, aa, bb = (a * b).sum(axis=0), (a * a).sum(axis=0), (b * b).sum(axis=0)

    def ratio(top: np.ndarray, aa: np.ndarray, bb: np.ndarray) -> np.ndarray:
        below = np.sqrt(np.maximum(aa, 0.0) * np.maximum(bb, 0.0))
        tiny = below <= 1e-14 * np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
        return np.clip(np.where(tiny, 0.0, top / np.where(tiny, 1.0, below)), -1.0, 1.0)

    whole = ratio(top, aa, bb)
    if not left_out:
        return whole, whole
    share = n / (n - 1)
    return whole, ratio(top - share * a * b, aa - share * a * a, bb - share * b * b)
