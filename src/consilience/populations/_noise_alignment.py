"""Whether noise lies along the directions in which conditions differ."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from consilience._core._arrays import Array
from consilience._core._errors import warn
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.populations._manifolds import as_manifolds, centres_of, in_span
from consilience.populations._population_score import PopulationScore

__all__ = ["noise_alignment"]

WHO = "cs.populations.noise_alignment"
_GROUPS = 10
_UNITS = 1024  # shuffled at a time, so that they stay near the processor


def noise_alignment(
    trials: Array,
    condition: Array,
    /,
    *,
    n_null: int = 200,
    level: float = 0.95,
    rng: int = 0,
) -> PopulationScore:
    """Noise variance along the differences of conditions, over that of a mean direction.

    tr(C S) N / (tr C tr S), C the covariance of the condition means (of the signal), S the mean covariance within
    conditions, N units. 1 where noise has nothing to do with the signal; above where noise moves the population as the
    conditions do, which no number of units averages out; below where noise lies beside the signal. `noise_geometry` is
    the same of two stimuli, with what it does to information.

    C of few trials holds noise, C + h S with h = mean 1 / trials; both it and tr S^2 are corrected (exactly for
    Gaussian noise). No inverse is needed, so units may be more than trials.

    Parameters
    ----------
    trials : (n_trials, units).   condition : (n_trials,); 2 or more with 3 trials or more each.
    n_null : shuffles of each unit's trials within conditions, which leaves its variance and takes the correlations; 0 =
        none.   level : of the interval.   rng : seed.

    Returns
    -------
    PopulationScore : NaN where the conditions do not differ beyond noise, or there is none. p is two-sided. The
        interval is a jackknife over 10 groups of trials (fewer where a condition has fewer trials; NaN below 4).

    Raises
    ------
    InputError : fewer than 2 conditions or 3 trials of one (``too-few``), NaN.
    ConsilienceWarning : ``no-signal``: conditions that do not differ beyond noise.

    References
    ----------
    Moreno-Bote et al. (2014).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> condition = np.repeat(np.arange(6), 40)
    >>> x = rng.normal(size=(6, 20))[condition] + rng.normal(size=(240, 20))
    >>> found = cs.populations.noise_alignment(x, condition, n_null=50)
    >>> found.ci_low < 1 < found.ci_high, found.p > 0.05
    (True, True)
    """
    n_null = check_count(n_null, name="n_null", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    x, number, names = as_manifolds(trials, condition, who=WHO, points=3)
    units, counts = x.shape[1], np.bincount(number)
    narrow = in_span(x)
    value = _aligned(narrow, number, names.size, units)
    low = high = float("nan")
    groups = int(min(_GROUPS, counts.min()))
    if groups >= 4:
        place = _places(number, counts, seed.stream("groups")) % groups
        left = np.array(
            [_aligned(narrow[place != g], number[place != g], names.size, units) for g in range(groups)]
        )
        spread = float(np.sqrt((groups - 1) / groups * ((left - left.mean()) ** 2).sum()))
        half = float(student.ppf((1 + level) / 2, groups - 1)) * spread
        low, high = value - half, value + half
    lacking = "" if np.isfinite(value) else "value"
    if not lacking and groups >= 4 and not np.isfinite(low):
        lacking = "interval"
    away = narrow - centres_of(narrow, number, names.size)[number]
    if lacking and (away * away).sum() > 1e-20 * (narrow * narrow).sum():  # else there is no noise
        where = " in some nine tenths of the trials" if lacking == "interval" else ""
        warn(
            "no-signal",
            f"{WHO}: conditions do not differ beyond noise{where}, so the alignment has no {lacking}.",
            "Conditions further apart, or more trials; without a signal an alignment says nothing.",
        )
    null = _shuffled(x, number, names.size, n_null, seed.stream("shuffles"))
    tails = np.quantile(null, [(1 - level) / 2, (1 + level) / 2]) if n_null else (np.nan, np.nan)
    side = min(int(np.sum(null >= value)), int(np.sum(null <= value)))
    return PopulationScore(
        value=value,
        ci_low=low,
        ci_high=high,
        resampled=f"jackknife over {groups} groups of trials" if groups >= 4 else "",
        null_mean=float(null.mean()) if n_null else float("nan"),
        null_low=float(tails[0]),
        null_high=float(tails[1]),
        p=min(2 * (1 + side) / (n_null + 1), 1.0) if n_null and value == value else float("nan"),
        level=level,
        n_trials=len(x),
        n_units=units,
        n_conditions=names.size,
    )


def _places(number: np.ndarray, counts: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """0, 1, ... of each trial within its condition, at random."""
    order = np.lexsort((stream.random(len(number)), number))
    place = np.empty(len(number), dtype=np.int64)
    place[order] = np.arange(len(number)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place


def _aligned(x: np.ndarray, number: np.ndarray, conditions: int, units: int) -> float:
    counts = np.bincount(number, minlength=conditions)
    means = centres_of(x, number, conditions)
    away = x - means[number]
    means = means - means.mean(axis=0)
    small = away.T @ away if away.shape[1] < len(away) else away @ away.T
    size = float((x * x).sum()) / len(x)
    return _ratio(means @ away.T, (means * means).sum(), small, counts, units, size)


def _shuffled(
    x: np.ndarray, number: np.ndarray, conditions: int, n: int, stream: np.random.Generator
) -> np.ndarray:
    """(n,) with each unit's trials in an order of their own within every condition, which leaves the means."""
    x = x - x.mean(axis=0)
    counts = np.bincount(number, minlength=conditions)
    means = centres_of(x, number, conditions)
    order = np.argsort(number, kind="stable")
    x, number = x[order], number[order]
    size = float((x * x).sum()) / len(x)
    away = np.ascontiguousarray((x - means[number]).T)  # (units, trials)
    means = means - means.mean(axis=0)
    signal, units = (means * means).sum(), len(away)
    ends = np.cumsum(counts)
    wide = units > len(x)
    step = _UNITS if wide else units  # shuffled units are kept no longer than it takes to multiply them
    mixed, out = np.empty((min(step, units), len(x))), np.empty(n)
    for k in range(n):
        small = np.zeros((len(x),) * 2 if wide else (units,) * 2)
        across = np.zeros((conditions, len(x)))
        for first in range(0, units, step):
            some = away[first : first + step]
            new = mixed[: len(some)]
            for start, end in zip(ends - counts, ends, strict=True):
                new[:, start:end] = stream.permuted(some[:, start:end], axis=1)
            small += new.T @ new if wide else new @ new.T
            across += means[:, first : first + step] @ new
        out[k] = _ratio(across, signal, small, counts, units, size)
    return out


def _ratio(
    across: np.ndarray, signal: float, small: np.ndarray, counts: np.ndarray, units: int, size: float
) -> float:
    """across : (C, trials) products of the centred means with the trials around their means.   signal : sum of squares
    of those means.   small : Gram matrix of the trials, on its smaller side.   size : mean square of a trial.
    """
    free = float(counts.sum() - counts.size)
    trace = float(np.trace(small)) / free
    plain = float((small * small).sum()) / free**2
    square = free**2 / ((free - 1) * (free + 2)) * (plain - trace**2 / free)
    h = float(np.mean(1.0 / counts))
    both = float((across * across).sum()) / free / (counts.size - 1) - h * square
    apart = float(signal) / (counts.size - 1) - h * trace
    noisy = trace > 1e-20 * size  # rounding is not noise
    return units * both / (apart * trace) if apart > 0 and noisy else float("nan")
