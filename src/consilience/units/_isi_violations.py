"""Spikes that follow too soon on another: refractory violations, and how many spikes of other cells they tell of."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy import stats

from consilience._core._errors import warn
from consilience._core._params import check_number, check_option
from consilience.units._scores import UnitScores
from consilience.units._seconds import check_refractory
from consilience.units._trains import Trains, as_trains
from consilience.units._trials import say_silent
from consilience.units._variability import FEWEST, say_few

__all__ = ["contamination", "isi_violations"]

_LEAST = (
    3.0  # pairs of unrelated spikes: with fewer, none at all is no evidence (Poisson: p = exp(-3) = 0.05)
)


def isi_violations(
    trains: Any, /, *, refractory: float = 0.0015, observed: Any = None, level: float = 0.95
) -> UnitScores:
    """Fraction of interspike intervals shorter than the refractory period.

    It rises with the rate at the same `contamination`: compare units by that.

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    refractory : in s, at most 0.1; an interval shorter than it counts.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s; no interval spans a gap. None = one piece.
    level : of the interval (Clopper & Pearson 1934, exact for independent intervals).

    Returns
    -------
    UnitScores : value in [0, 1], NaN with fewer than 10 intervals.   null_mean : of a Poisson process of the same mean
        interval, 1 - exp(-refractory / mean).   p : one-sided, that the fraction is not **below** that: a unit with a
        refractory period has a small p.   counted["n"], ["violations"].

    Raises
    ------
    InputError : refractory not above 0, or above 0.1 (milliseconds?), times that are no numbers, NaN.
    ConsilienceWarning : ``silent-units``, ``few-spikes``, ``unsorted-spikes``.

    References
    ----------
    Hill, Mehta & Kleinfeld (2011).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> found = cs.units.isi_violations([np.r_[0, 0.001, np.arange(1, 10) / 10]])
    >>> float(found.value[0]), int(found.counted["violations"][0])
    (0.1, 1)
    """
    who = "cs.units.isi_violations"
    refractory = check_refractory(refractory, who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    found = as_trains(trains, observed, who=who)
    say_silent(found.counts == 0, who=who)
    length, owner, _ = found.intervals()
    units = found.counts.size
    n = np.bincount(owner, minlength=units)
    short = np.bincount(owner[length < refractory], minlength=units)
    mean = np.bincount(owner, weights=length, minlength=units) / np.maximum(n, 1)
    say_few(n, found.counts, who)
    known = n >= FEWEST
    tail = (1 - level) / 2
    low = np.where(short > 0, stats.beta.ppf(tail, np.maximum(short, 1), n - short + 1), 0.0)
    high = np.where(short < n, stats.beta.ppf(1 - tail, short + 1, np.maximum(n - short, 1)), 1.0)
    expected = np.where(known & (mean > 0), -np.expm1(-refractory / np.where(mean > 0, mean, 1.0)), np.nan)
    p = np.where(known, stats.binom.cdf(short, n, np.nan_to_num(expected)), np.nan)
    return UnitScores(
        value=np.where(known, short / np.maximum(n, 1), np.nan),
        ci_low=np.where(known, low, np.nan),
        ci_high=np.where(known, high, np.nan),
        null_mean=expected,
        p=np.where(np.isfinite(expected), p, np.nan),
        level=level,
        counted={"n": n, "violations": short},
    )


def contamination(
    trains: Any,
    /,
    *,
    observed: Any,
    refractory: float = 0.0015,
    censored: float = 0.0,
    source: Literal["many", "one"] = "many",
    level: float = 0.95,
) -> UnitScores:
    """Fraction of a unit's spikes that are of other cells, from pairs of spikes within the refractory period.

    Of N spikes in T seconds, a fraction C of other cells at times of their own makes on average
    n = N^2 (R - c) / T (2 C - C^2) pairs of spikes closer than R (and not closer than c), if they are of many cells
    (Llobet et al. 2022: C = 1 - sqrt(1 - n T / (N^2 (R - c)))), and n = 2 N^2 (R - c) / T C (1 - C) if they are of one
    that has a refractory period too (Hill et al. 2011: C = (1 - sqrt(1 - 2 n T / (N^2 (R - c)))) / 2). All pairs count,
    not neighbours only. Rates that change together make more pairs and raise C.

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s: T.
    refractory, censored : R (at most 0.1) and c in s; c is what the sorter cannot separate.
    source : "many" or "one" other cell.   level : of the interval (n as a Poisson count, Garwood 1936).

    Returns
    -------
    UnitScores : value in [0, 1] (0.5 with "one"). NaN for a unit that cannot tell, since unrelated spikes would make
        fewer than 3 pairs: of N < sqrt(3 T / (R - c)) spikes (2684 in 1 h, with 1.5 ms). A unit with as many pairs as
        unrelated spikes would make, or more, is at that end, and is said.   null_mean : that end.   p : one-sided, that
        spikes have no refractory period at all (Poisson).   counted["pairs"], ["expected"] : n, and n of a Poisson
        process.

    In simulations (0.05 or 0.2, 1200 to 36000 spikes) intervals at 95 % held the truth in 0.94 to 1.0.

    Raises
    ------
    InputError : ``observed-missing``, refractory not above censored, or above 0.1, times that are no numbers, NaN.
    ConsilienceWarning : ``silent-units``, ``contamination-unknown``, ``contamination-at-end``, ``unsorted-spikes``.

    References
    ----------
    Hill, Mehta & Kleinfeld (2011); Llobet, Wyngaard & Barbour (2022).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> own = np.cumsum(0.003 + rng.exponential(0.04, 40_000))  # refractory
    >>> other = rng.uniform(0, own[-1], 10_000)  # a fifth of all spikes
    >>> found = cs.units.contamination([np.sort(np.r_[own, other])], observed=(0, own[-1]))
    >>> bool(found.ci_low[0] < 0.2 < found.ci_high[0])
    True
    """
    who = "cs.units.contamination"
    check_option(source, ("many", "one"), name="source", who=who)
    censored = check_number(censored, name="censored", who=who, low=0.0, closed=True)
    refractory = check_refractory(refractory, who=who, low=censored)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    found = as_trains(trains, observed, who=who, needed=True)
    say_silent(found.counts == 0, who=who)
    n = _close_pairs(found, refractory, censored).astype(np.float64)
    size = found.counts.astype(np.float64)
    expected = size**2 * (refractory - censored) / found.total
    known, factor = expected >= _LEAST, 1.0 if source == "many" else 2.0
    few = ~known & (found.counts > 0)
    if few.any():
        least = int(np.ceil(np.sqrt(_LEAST * found.total / (refractory - censored))))
        warn(
            "contamination-unknown",
            f"{who}: {int(few.sum())} of {few.size} units have too few spikes to tell (fewer than {least} in "
            f"{found.total:g} s): unrelated spikes would hardly make close pairs either.",
            f"Their values are NaN (unit {int(np.flatnonzero(few)[0])} first); a longer recording, or leave them out.",
        )

    def solved(pairs: np.ndarray) -> np.ndarray:
        inside = 1 - factor * pairs / np.where(known, expected, 1.0)
        return np.where(known, (1 - np.sqrt(np.maximum(inside, 0.0))) / factor, np.nan)

    tail = (1 - level) / 2
    low = np.where(n > 0, stats.chi2.ppf(tail, 2 * np.maximum(n, 1)) / 2, 0.0)
    high = stats.chi2.ppf(1 - tail, 2 * n + 2) / 2
    over = known & (factor * n >= expected) & (n > 0)
    if over.any():
        warn(
            "contamination-at-end",
            f"{who}: {int(over.sum())} of {over.size} units have as many close spikes as unrelated trains.",
            f"Their value is {1 / factor:g}, the first is unit {int(np.flatnonzero(over)[0])}: few spikes, bursts, "
            "spikes counted twice, or a refractory period shorter than the one that was given.",
        )
    return UnitScores(
        value=solved(n),
        ci_low=solved(low),
        ci_high=solved(high),
        null_mean=np.where(known, 1 / factor, np.nan),
        p=np.where(known, stats.poisson.cdf(n, np.where(known, expected, 1.0)), np.nan),
        level=level,
        counted={"pairs": n.astype(np.int64), "expected": expected},
    )


def _close_pairs(trains: Trains, refractory: float, censored: float) -> np.ndarray:
    """(units,) pairs of spikes, neighbours or not, with censored <= distance < refractory."""
    owner, out, step = trains.owner, np.zeros(trains.counts.size, dtype=np.int64), 1
    while step < trains.times.size:
        away = trains.times[step:] - trains.times[:-step]
        near = (
            (owner[step:] == owner[:-step])
            & (trains.piece[step:] == trains.piece[:-step])
            & (away < refractory)
        )
        if not near.any():
            break
        out += np.bincount(owner[:-step][near & (away >= censored)], minlength=out.size)
        step += 1
    return out
