"""Participation ratio, corrected for noise and for finite numbers of stimuli and of units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError, warn
from consilience._core._memory import check_fits, gigabytes
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.populations._dimension import (
    Dimension,
    groups_left_out,
    inverse_interval,
)
from consilience.populations._moments import Moments, own_squares, products, same_of_units, traces
from consilience.populations._repeats import as_samples
from consilience.populations._shuffled import shuffled_units

__all__ = ["inverse_of", "participation_ratio", "with_more_units"]

_GROUPS = 20
FINITE = ("both", "stimuli", "none")


def participation_ratio(
    trials: Array,
    stimulus: Array | None = None,
    /,
    *,
    correct: Literal["both", "stimuli", "none"] = "both",
    n_perm: int = 100,
    level: float = 0.95,
    rng: int = 0,
) -> Dimension:
    """How many dimensions share the variance of a population over stimuli: PR = (tr C)^2 / tr C^2.

    C (units, units) is the covariance of the responses over stimuli, l_k its eigenvalues: PR = (sum l)^2 / sum l^2, n
    for n equal ones. The plug-in value is too low: 1 / PR rises by about 1 / stimuli + 1 / units, whatever the truth;
    noise bends it either way. Here above and below are unbiased each:

    ``"both"``     the PR of infinitely many units like these, over infinitely many stimuli like these. (tr C)^2 is the
                   mean of C_aa C_bb, and tr C^2 that of C_ab^2, over pairs of different units a, b
    ``"stimuli"``  the PR of exactly these units, over infinitely many stimuli: all a, b
    ``"none"``     the plug-in value of the means over repeats; with noise it counts that too

    C_ab C_cd is the mean over distinct stimuli i, j, k, l of h_ij h_kl, h_ij = (x_ia - x_ja)(x_ib - x_jb) / 2, so that
    no term has a response twice; products of a response with itself are those of two of its trials. A mean over
    distinct stimuli is unbiased for any distribution (with one trial the estimator of Himeno & Yamada 2014); noise
    needs to be independent between trials, not between units. Their ratio is biased a little where stimuli are few.

    Parameters
    ----------
    trials : (n_trials, units).   stimulus : (n_trials,) of each trial, at least 2 trials each; None: every row is a
        stimulus and is free of noise (activations of a network). At least 5 stimuli, and 2 units for "both".
    n_perm : of the null, each unit's stimuli in an order of their own; 0 = none.   level : of the interval.
    rng : seed.

    Returns
    -------
    Dimension : value; inf where the data have no shared variance beyond noise (tr C^2 at most 0). The interval is a
        jackknife over 20 groups of stimuli, and for "both" over 20 groups of units beside it (their variances are
        added), of arsinh(2 / (PR s)), s the standard error of 1 / PR, less its bias unless "none"; inf above: the data
        give no upper bound. ``null``: unrelated units of the same variances, of which "both" has no bound and "stimuli"
        gives (sum v)^2 / sum v^2. ``details``: n_trials; own, sum_a C_aa^2 over (tr C)^2, of which `with_more_units`
        makes the value for other numbers of units.

    It is not the number of latent variables: unequal variances lower it, curved manifolds raise it (`two_nn` counts
    those). With few stimuli its upper end is what matters.

    Raises
    ------
    InputError : a stimulus with one trial (``no-repeats``), fewer than 5 stimuli or 2 units, NaN, no unit that varies,
        too many trials for memory.
    ConsilienceWarning : ``no-signal``: no variance that repeats, so no value or no interval.

    References
    ----------
    Chun et al. (2026); Gao et al. (2017); Himeno & Yamada (2014).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 10)) @ rng.normal(size=(10, 60))  # 10 dimensions of equal variance
    >>> round(cs.populations.participation_ratio(x, correct="none").value, 1)
    7.4
    >>> round(cs.populations.participation_ratio(x).value, 1)
    10.0
    """
    who = "cs.populations.participation_ratio"
    correct = check_option(correct, FINITE, name="correct", who=who)
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    x, counts, _ = as_samples(trials, stimulus, who=who, repeats=2 if correct != "none" else 1, few=5)
    if x.shape[1] < 2:
        raise InputError(f"{who}: at least 2 units are needed, got {x.shape[1]}.", code="too-few")
    lacking = check_fits(8 * 5 * len(x) ** 2)
    if lacking is not None:
        raise InputError(
            f"{who}: {len(x)} trials need {gigabytes(8 * 5 * len(x) ** 2)} of memory and {lacking} is free; use fewer "
            "stimuli (it is corrected for their number).",
            code="too-large",
        )
    rule = inverse_of(correct)
    value, by_stimuli, by_units = _jackknifed(x, counts, correct, seed.stream("groups"))
    own = _own(x, counts) / traces(products(x @ x.T, counts))[0] if correct == "both" else float("nan")
    without = (by_stimuli, by_units) if correct == "both" else (by_stimuli,)
    low, high = inverse_interval(value, without, level, centred=correct != "none")
    if np.isnan(low):
        warn(
            "no-signal",
            f"{who}: the variance over stimuli that repeats is not above 0, or not without some stimuli or units; "
            "there is no interval" + ("." if np.isfinite(value) else ", and no value."),
            "Give more trials or stimuli, or look whether units respond to them at all.",
        )
    null = np.array(
        [rule(*shuffled) for shuffled in shuffled_units(x, counts, n_perm, seed.stream("shuffles"))]
    )
    return Dimension(
        value=_ratio(value),
        ci_low=low,
        ci_high=high,
        resampled=f"jackknife over stimuli{' and units' if correct == 'both' else ''}",
        level=level,
        n_samples=counts.size,
        n_units=x.shape[1],
        details={"n_trials": float(len(x)), "own": own},
        **null_of(null, value, level),
    )


def with_more_units(found: Dimension, n_units: int, /) -> tuple[float, float, float]:
    """(value, ci_low, ci_high) of the PR of ``n_units`` units like those of which ``found`` is the PR for both.

    1 / PR(N) = own p / N + (1 - 1 / N) / PR(inf), ``own`` p the mean C_aa^2 over the squared mean variance: exact where
    the further units are drawn from where these came (another layer or area is not). The interval is that of PR(inf).

    Parameters
    ----------
    found : `participation_ratio` with correct="both".   n_units : at least 2.

    Raises
    ------
    InputError : ``found`` is corrected otherwise, fewer than 2 units.

    References
    ----------
    Gao et al. (2017); Chun et al. (2026).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(80, 10)) @ np.random.default_rng(1).normal(size=(10, 40))
    >>> found = cs.populations.participation_ratio(x, n_perm=0)
    >>> [round(cs.populations.with_more_units(found, n)[0], 1) for n in (40, 400)]
    [7.1, 8.7]
    """
    who = "cs.populations.with_more_units"
    n_units = check_count(n_units, name="n_units", who=who, minimum=2)
    own = found.details.get("own", float("nan")) if isinstance(found, Dimension) else float("nan")
    if not np.isfinite(own):
        raise InputError(
            f"{who}: needs a result of participation_ratio(correct='both'), which knows how units differ.",
            code="bad-parameter",
        )
    part = own * found.n_units / n_units

    def at(value: float) -> float:
        inverse = part + (1 - 1 / n_units) / value
        return float(1 / inverse)

    return at(found.value), at(found.ci_low), at(found.ci_high)


def _ratio(inverse: float) -> float:
    return float("nan") if np.isnan(inverse) else (1.0 / inverse if inverse > 0 else float("inf"))


def null_of(null: np.ndarray, value: float, level: float) -> dict[str, Any]:
    """Fields of the null from its inverse values; the dimension is low where the inverse is high."""
    if not null.size:
        return {}
    low, high = np.quantile(null, [(1 + level) / 2, (1 - level) / 2])
    return {
        "null_mean": _ratio(float(null.mean())) if abs(null.mean()) > 2 * _error(null) else float("inf"),
        "null_low": _ratio(float(low)),
        "null_high": _ratio(float(high)),
        "p": float((1 + np.sum(null >= value)) / (null.size + 1)),
    }


def _error(null: np.ndarray) -> float:
    return float(null.std(ddof=1) / np.sqrt(null.size)) if null.size > 1 else 0.0


def inverse_of(correct: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """The rule that gives 1 / PR of centred trials (trials, units), those of a stimulus side by side."""

    def rule(x: np.ndarray, counts: np.ndarray) -> float:
        if correct == "none":
            return _plug_in(_means(x, counts))
        own = _own(x, counts) if correct == "both" else 0.0
        return Moments(*traces(products(x @ x.T, counts)), own).inverse_ratio(finite_units=correct == "both")

    return rule


def _means(x: np.ndarray, counts: np.ndarray) -> np.ndarray:
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    return np.asarray(np.add.reduceat(x, starts, axis=0) / counts[:, None])


def _own(x: np.ndarray, counts: np.ndarray) -> float:
    return float(own_squares(_means(x, counts), same_of_units(x, counts)).sum())


def _plug_in(m: np.ndarray) -> float:
    m = m - m.mean(axis=0)
    product = m @ m.T if len(m) <= m.shape[1] else m.T @ m
    trace = float(np.trace(product))
    return float(np.sum(product * product)) / trace**2 if trace > 0 else float("nan")


def _jackknifed(
    x: np.ndarray, counts: np.ndarray, correct: str, rng: np.random.Generator
) -> tuple[float, np.ndarray, np.ndarray]:
    """(1 / PR, its values without each group of stimuli, and without each group of units)."""
    n, p = counts.size, x.shape[1]
    stimuli = groups_left_out(n, _GROUPS if n >= 2 * _GROUPS or correct == "none" else n, rng)
    stimuli = [group for group in stimuli if n - group.size >= 4]
    if correct == "none":
        m = _means(x, counts)
        without = [_plug_in(np.delete(m, group, axis=0)) for group in stimuli]
        return _plug_in(m), np.array(without), np.empty(0)
    gram = x @ x.T
    made = products(gram, counts)
    both = correct == "both"
    means, same = _means(x, counts), same_of_units(x, counts)
    own = own_squares(means, same) if both else np.zeros(1)  # of each unit
    value = Moments(*traces(made), float(own.sum())).inverse_ratio(finite_units=both)
    by_stimuli = []
    for group in stimuli:
        keep = np.ones(n, dtype=bool)
        keep[group] = False
        left = float(own_squares(means[keep], same[keep]).sum()) if both else 0.0
        by_stimuli.append(Moments(*traces(made, keep), left).inverse_ratio(finite_units=both))
    by_units = []
    for group in groups_left_out(p, _GROUPS, rng) if both else []:
        if p - group.size < 2:
            continue
        keep = np.ones(p, dtype=bool)
        keep[group] = False
        short = gram - x[:, group] @ x[:, group].T
        rest = Moments(*traces(products(short, counts)), float(own[keep].sum()))
        by_units.append(rest.inverse_ratio(finite_units=True))
    return value, np.array(by_stimuli), np.array(by_units)
