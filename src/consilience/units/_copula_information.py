"""Mutual information of continuous responses with a variable or a label, through a Gaussian copula."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma
from scipy.stats import norm, rankdata
from scipy.stats import t as student

from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.units._scores import UnitScores
from consilience.units._targets import Target, chance, target_of
from consilience.units._trials import say_silent

__all__ = ["copula_information"]

_PARTS = 20  # left out one by one
_LN2 = float(np.log(2.0))


def copula_information(
    responses: Array,
    target: Array,
    /,
    *,
    period: float | None = None,
    series: bool = False,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int = 0,
) -> UnitScores:
    """Information in bits that a Gaussian with the ranks of the data would have: a lower bound, fast, of little error.

    Values are replaced by the normal quantiles of their ranks, z = Phi^-1(rank / (n + 1)). With a variable,
    I = log2(|C_zz| |C_yy| / |C|) / 2, for one dimension -log2(1 - r^2) / 2; with a label, the entropy of a Gaussian for
    all less the mean of those within labels. Each entropy has the bias of a Gaussian of its number of samples taken off
    (Ince et al. 2017). It sees a relation that rises or falls: of one that goes up and down again it sees a part, and
    `neighbour_information` all. With a label it sees differences of means and of variances.

    Parameters
    ----------
    responses : (n, units).   target : (n,) or (n, d). Text, whole numbers and True/False are labels, floats a variable.
    period : of the variable, an angle, taken as cosine and sine: 2 pi or 360.
    series : samples follow each other in time. Then the null is of circular shifts and its mean is taken off, and the
        jackknife leaves out stretches.
    n_perm : shuffles or shifts; 0 = no p, and nothing taken off.   level : of the interval: jackknife over 20 parts of
        the samples.   rng : seed.

    Returns
    -------
    UnitScores : counted: ``plain``, with nothing taken off.

    In simulations of Gaussians (60 to 1000 samples, 0 to 1.2 bits with a variable, 0 to 2.1 with 2 to 8 labels) the
    value was off by at most 0.015 bits below 0.6, and low by 0.05 to 0.09 above 1 (60 samples, labels). Intervals at
    95 % held the truth in 0.83 to 1.00, of series with fewer than 10 autocorrelation times in 0.77 to 0.99; without
    information p was at most 0.05 in 0.01 to 0.09, and of such short series in 0.10 to 0.13.

    Raises
    ------
    InputError : other lengths, NaN, fewer than 40 samples or 4 of a label (``too-few``).
    ConsilienceWarning : ``silent-units``.

    References
    ----------
    Ince, Giordano, Kayser, Rousselet, Gross & Schyns (2017).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(1000, 2))
    >>> y = 0.8 * x[:, 0] + 0.6 * rng.normal(size=1000)  # -log2(0.6) = 0.737 bits, and 0
    >>> found = cs.units.copula_information(np.exp(x), y**3, n_perm=200)
    >>> bool(abs(found.value[0] - 0.737) < 0.08), bool(abs(found.value[1]) < 0.02)
    (True, True)
    """
    who = "cs.units.copula_information"
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    x, goal = target_of(responses, target, period, who=who, few=2 * _PARTS)
    if goal.labels is not None and (rare := int(np.bincount(goal.labels).min())) < 4:
        raise InputError(
            f"{who}: every label needs at least 4 samples, the rarest has {rare}; fewer labels.",
            code="too-few",
        )
    silent = np.ptp(x, axis=0) == 0
    say_silent(silent, who=who, given="they tell nothing, and their value is 0")
    z = _normal(x)
    y = None if goal.labels is not None else _normal(goal.circle)

    def measure(rows: np.ndarray, given: Target, other: np.ndarray | None) -> np.ndarray:
        if given.labels is not None:
            return _of_label(z[rows], given.labels)
        return _of_variable(z[rows], other)

    every = np.arange(len(x))
    plain = measure(every, goal, y)
    order = every if series else seed.stream("parts").permutation(len(x))
    parts = np.array_split(order, _PARTS)
    left = []
    for part in parts:
        rows = np.setdiff1d(every, part)
        left.append(measure(rows, goal.rows(rows), None if y is None else y[rows]))
    away = np.stack(left) - np.mean(left, axis=0)
    own = (_PARTS - 1) / _PARTS * (away**2).sum(axis=0)

    def under(given: Target) -> np.ndarray:
        return measure(every, given, None if given.labels is not None else _normal(given.circle))

    null, variance, p = chance(
        plain, under, goal, n_perm, series=series, x=x, rng=seed.stream("permutations")
    )
    off = np.nan_to_num(null) if series else np.zeros_like(plain)
    half = student.ppf((1 + level) / 2, _PARTS - 1) * np.sqrt(np.maximum(own, np.nan_to_num(variance)))
    value, zero = plain - off, np.where(silent, 0.0, 1.0)
    return UnitScores(
        value=value * zero,
        ci_low=(value - half) * zero,
        ci_high=(value + half) * zero,
        null_mean=(null - off) * zero,
        p=np.where(silent & np.isfinite(p), 1.0, p),
        level=level,
        counted={"plain": plain * zero},
    )


def _normal(x: np.ndarray) -> np.ndarray:
    """(n, m) normal quantiles of the ranks of each column."""
    return np.asarray(norm.ppf(rankdata(x, axis=0) / (len(x) + 1)))


def _bias(n: int, d: int) -> float:
    """What the entropy (nats) of a d-dimensional Gaussian comes out too low from n samples."""
    terms = digamma((n - np.arange(1, d + 1)) / 2)
    return float((d * (np.log(2) - np.log(n - 1)) + terms.sum()) / 2)


def _of_variable(z: np.ndarray, y: np.ndarray | None) -> np.ndarray:
    """(units,) bits: of one dimension against d, by the share of variance that d leave."""
    if y is None:
        raise TypeError
    n, d = y.shape
    basis, _ = np.linalg.qr(y - y.mean(axis=0))
    z = z - z.mean(axis=0)
    power = (z**2).sum(axis=0)
    told = ((basis.T @ z) ** 2).sum(axis=0)
    rest = np.where(power > 0, 1 - told / np.where(power > 0, power, 1.0), 1.0)
    nats = -0.5 * np.log(np.maximum(rest, 1e-15)) - _bias(n, 1) - _bias(n, d) + _bias(n, d + 1)
    return np.asarray(nats / _LN2)


def _of_label(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(units,) bits."""
    n = len(z)
    nats = 0.5 * np.log(np.maximum(z.var(axis=0, ddof=1), 1e-15)) - _bias(n, 1)
    for c in np.unique(labels):
        some = z[labels == c]
        own = 0.5 * np.log(np.maximum(some.var(axis=0, ddof=1), 1e-15)) - _bias(len(some), 1)
        nats = nats - len(some) / n * own
    return np.asarray(nats / _LN2)
