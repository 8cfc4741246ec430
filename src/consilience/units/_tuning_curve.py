"""Tuning to a variable that was measured while the animal did as it liked: heading, speed, place on a track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2, norm, t

from consilience._core._angles import say_turns
from consilience._core._arrays import to_numpy
from consilience._core._counts import say_rates
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.stats import autocorrelation_time, circular_shifts, slow_changes
from consilience.units._seconds import say_long_bins

__all__ = ["TuningCurves", "tuning_curve"]

_STRETCHES = 20  # of time, left out one by one
_LONG = 5.0  # s


@dataclass(frozen=True, kw_only=True, eq=False)
class TuningCurves:
    """edges : (bins + 1,) of the variable.   occupancy : (bins,) s spent in each.
    rate, low, high : (units, bins) spikes/s with an interval for each bin.
    value : (units,) mean vector length in [0, 1] (of a variable with a period) or information in bits per spike.
    ci_low, ci_high : its interval.   null_mean, p : of circular shifts.   preferred : (units,) direction of the mean
    vector, or the middle of the bin with the highest rate.   measure : what value is.   dispersion : (units, bins)
    variance of a count over that of Poisson counts, as in the intervals.   least : s, the smallest shift.   level : of
    the intervals.
    """

    edges: np.ndarray
    occupancy: np.ndarray
    rate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    value: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    null_mean: np.ndarray
    p: np.ndarray
    preferred: np.ndarray
    dispersion: np.ndarray
    measure: str
    least: float
    level: float

    @property
    def centres(self) -> np.ndarray:
        """(bins,) middles of the bins."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    def __repr__(self) -> str:
        units, bins = self.rate.shape
        return (
            f"<TuningCurves> {units} units x {bins} bins; {self.measure}, median {np.median(self.value):.3g}"
        )


def tuning_curve(
    counts: Any,
    variable: Any,
    /,
    *,
    width: float,
    bins: int = 30,
    period: float | None = None,
    n_shift: int = 1000,
    least: float | None = None,
    level: float = 0.95,
    rng: int = 0,
) -> TuningCurves:
    """Rate as a function of a variable, r_k = spikes in bin k of the variable / seconds spent there.

    With a period, the mean vector length R = |sum_k r_k exp(i theta_k)| / sum_k r_k: 1 for spikes in one direction
    only, 0 for none preferred; rates, not spikes, so that directions taken often do not count more. Without, the
    information sum_k p_k (r_k / r) log2(r_k / r) in bits per spike, p_k the share of time. Both are above 0 by chance:
    read them against ``null_mean``.

    The interval of a rate is that of a Poisson count (Garwood) with counts divided by their dispersion: counts of a bin
    in 20 stretches of time vary by m + a m^2 around what is expected, m, with one a for each unit; and a gain common to
    all bins, which wanders between stretches, goes with its covariance, averaged over how slowly it may change
    (`stats.slow_changes`). None where it most likely changes as slowly as the recording is long. The interval of the
    value is a jackknife over those stretches. p: counts are shifted in time against the variable, on a circle, by at
    least ``least`` s, which keeps what both do in time and breaks what they have in common. Slow drift of both is
    common too, and no shift takes it away.

    Parameters
    ----------
    counts : (n, units) spikes in consecutive bins of time.   variable : (n,) its value in each.
    width : s, of these bins.   bins : of the variable, equal, over its period from 0 or from its least to its largest.
    period : 2 pi for radians, 360 for degrees; None: a line.
    n_shift : shifts; 0 = no p.   least : s; default 5 autocorrelation times of the variable, at most a quarter of all.
    level : of the intervals.   rng : seed.

    Returns
    -------
    TuningCurves

    Raises
    ------
    InputError : other lengths, NaN, negative counts, bins of the variable that were never visited (``too-few``).
    ConsilienceWarning : ``slow-changes``, ``angle-units`` (more than two periods: degrees?), ``rates-as-counts``,
        ``long-bins`` (a width of 5 s or more: milliseconds?).

    In simulations of 21 000 units (log-normal gains, 600 s, peaks of 3 to 20 spikes/s) intervals of rates at 95 % held
    the truth in 0.95 to 0.98 of bins with gains that were steady or correlated over up to 3 % of the recording, in 0.93
    to 0.98 over 6 % and in 0.90 to 0.97 over 10 % (none in 0.09 to 0.25 of those units). Slower gain is not always
    seen: over 20 to 30 % intervals, where given (in 0.39 to 0.80), held the truth in 0.72 to 0.94. Those of the value
    held it in 0.92 to 0.97 throughout.

    References
    ----------
    Batschelet (1981) for the mean vector; Skaggs, McNaughton, Gothard & Markus (1993) for the information; Harville
    (1974) for the likelihood of how slowly gain changes.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> heading = np.cumsum(rng.normal(0, 0.3, 6000)) % (2 * np.pi)  # 10 min in bins of 0.1 s
    >>> counts = rng.poisson(0.1 * 20 * np.exp(2 * np.cos(heading - 1) - 2))[:, None]
    >>> found = cs.units.tuning_curve(counts, heading, width=0.1, period=2 * np.pi, n_shift=200)
    >>> round(float(found.preferred[0]), 1), bool(found.p[0] < 0.01)
    (1.0, True)
    """
    who = "cs.units.tuning_curve"
    width = check_number(width, name="width", who=who, low=0.0)
    bins = check_count(bins, name="bins", who=who, minimum=3)
    n_shift = check_count(n_shift, name="n_shift", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    draw = resolve_seed(rng, who=who).stream("shifts")
    x, v = _checked(counts, variable, who)
    say_rates(x, who=who, then="rates come out in other units, and their intervals are those of counts")
    say_long_bins(width, who=who, what="a variable that is followed in time", longest=_LONG)
    edges, place = _placed(v, bins, period, who)
    seconds = width * np.bincount(place, minlength=bins)
    if not seconds.all():
        empty = int((seconds == 0).sum())
        raise InputError(
            f"{who}: {empty} of {bins} bins of the variable were never visited; fewer bins, or leave out rare values.",
            code="too-few",
        )
    total = _sums(x, place, bins)
    rate = total / seconds
    number = np.arange(len(x)) * _STRETCHES // len(x)  # of the stretch in which a sample lies
    cells = _sums(x, number * bins + place, _STRETCHES * bins).reshape(-1, _STRETCHES, bins)
    stays = width * np.bincount(number * bins + place, minlength=_STRETCHES * bins).reshape(_STRETCHES, bins)
    spread, slow = _dispersion(cells, rate[:, None] * stays, level)
    _say_slow(slow, who)
    low, high = _poisson(total / spread, level)
    scale = spread / seconds
    found, preferred = _value(rate, seconds, edges, period)
    ci = _jackknife(cells, stays, edges, period, found, level)
    shift = _least(v, period, width) if least is None else check_number(least, name="least", who=who, low=0.0)
    null, p = _shifted(x, place, seconds, edges, period, found, shift / width, n_shift, draw)
    return TuningCurves(
        edges=edges,
        occupancy=seconds,
        rate=rate,
        low=np.where(slow[:, None], np.nan, low * scale),
        high=np.where(slow[:, None], np.nan, high * scale),
        value=found,
        ci_low=ci[0],
        ci_high=ci[1],
        null_mean=null,
        p=p,
        preferred=preferred,
        dispersion=spread,
        measure="information" if period is None else "mean vector length",
        least=shift,
        level=level,
    )


def _checked(counts: Any, variable: Any, who: str) -> tuple[np.ndarray, np.ndarray]:
    x, v = (np.asarray(to_numpy(entry)) for entry in (counts, variable))
    if x.dtype.kind not in "biuf" or v.dtype.kind not in "iuf" or x.ndim != 2 or v.shape != x.shape[:1]:
        raise InputError(
            f"{who}: counts (n, units) and one value of the variable for each of n bins are expected, got {x.shape} of "
            f"{x.dtype} and {v.shape} of {v.dtype}.",
            code="rows-differ",
        )
    x, v = x.astype(np.float64), v.astype(np.float64)
    if not (np.isfinite(x).all() and np.isfinite(v).all()):
        raise InputError(
            f"{who}: NaN or infinite values; leave out bins without a known value.", code="nan-values"
        )
    if (x < 0).any():
        raise InputError(f"{who}: negative counts.", code="negative-counts")
    if len(x) < 2 * _STRETCHES:
        raise InputError(
            f"{who}: at least {2 * _STRETCHES} bins of time are needed, got {len(x)}.", code="too-few"
        )
    return x, v


def _placed(v: np.ndarray, bins: int, period: float | None, who: str) -> tuple[np.ndarray, np.ndarray]:
    """Edges (bins + 1,) and the bin of each sample (n,)."""
    if period is None:
        low, high = float(v.min()), float(v.max())
        if low == high:
            raise InputError(f"{who}: the variable never changes.", code="no-structure")
    else:
        low, high = 0.0, check_number(period, name="period", who=who, low=0.0)
        say_turns(v, high, who=who, given=f"period={high:.4g}", stacklevel=4)
        v = np.mod(v, high)
    edges = np.linspace(low, high, bins + 1)
    return edges, np.clip(np.searchsorted(edges, v, side="right") - 1, 0, bins - 1)


def _sums(x: np.ndarray, place: np.ndarray, bins: int) -> np.ndarray:
    """(units, bins) for (n, units)."""
    return np.stack([np.bincount(place, weights=column, minlength=bins) for column in x.T])


def _dispersion(counts: np.ndarray, expected: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """(units, bins) how many times the variance of Poisson counts the count of a bin has, for counts (units, stretches,
    bins) with gain g_s of a stretch: m + a sum_s m_s^2 + sum_(s != s') cov(g_s, g_s') m_s m_s'. And bool (units,), gain
    that changes as slowly as the recording is long.
    """
    cells, bins = int((expected.max(axis=0) > 0).sum()), expected.shape[-1]
    fitted = cells / max(1, cells - bins)  # the rates are fitted to the same counts
    square = (expected**2).sum(axis=1)
    over = (fitted * (counts - expected) ** 2 - expected).sum(axis=(1, 2))
    every = square.sum(axis=1)
    a = np.maximum(0.0, over / np.where(every > 0, every, 1.0))  # of single bins and stretches, by moments
    mean = expected.sum(axis=1)
    whole = expected.sum(axis=2)
    middle = np.where((level_of := whole.mean(axis=1)) > 0, level_of, 1.0)
    size = np.sqrt(whole / middle[:, None]).T  # (stretches, units)
    rest = (counts.sum(axis=2) - whole).T / np.where(size > 0, np.sqrt(middle) * size, 1.0)
    noise = slow_changes(rest, size[:, None], size=size)
    gain = noise.variance * noise.share[:, None] / middle  # (g, units) variance of what is slow
    apart = noise.correlation * (1 - np.eye(_STRETCHES))
    common = np.stack([np.einsum("usk,st,utk->uk", expected, one, expected, optimize=True) for one in apart])
    slow = gain[..., None] * common  # (g, units, bins)
    own = mean + np.maximum(a, gain)[..., None] * square
    df = noise.df * ((own + slow) / np.where(slow > 0, slow, 1.0)) ** 2
    half = noise.half_width(own + slow, level, np.where(slow > 0, df, 1e9))
    known = mean > 0
    spread = (half / norm.ppf((1 + level) / 2)) ** 2 / np.where(known, mean, 1.0)
    return np.where(known, np.maximum(spread, 1.0), 1.0), noise.too_slow & (mean.sum(axis=1) > 0)


def _say_slow(slow: np.ndarray, who: str) -> None:
    if slow.any():
        warn(
            "slow-changes",
            f"{who}: gains of {int(slow.sum())} of {slow.size} units change as slowly as the recording is long.",
            "What other times would give cannot be told: no intervals of their rates (unit "
            f"{int(np.flatnonzero(slow)[0])} first). Leave out unstable units or times, or record for longer.",
            stacklevel=3,
        )


def _poisson(counts: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    tail = (1 - level) / 2
    low = np.where(counts > 0, chi2.ppf(tail, 2 * np.maximum(counts, 1e-300)) / 2, 0.0)
    return low, chi2.ppf(1 - tail, 2 * (counts + 1)) / 2


def _value(
    rate: np.ndarray, seconds: np.ndarray, edges: np.ndarray, period: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """(...,) value and preferred of rates (..., bins); 0 and NaN for a silent unit."""
    middle = (edges[1:] + edges[:-1]) / 2
    if period is None:
        share = seconds / seconds.sum()
        mean = (rate * share).sum(axis=-1, keepdims=True)
        ratio = rate / np.where(mean > 0, mean, 1.0)
        bits = (share * ratio * np.log2(np.where(ratio > 0, ratio, 1.0))).sum(axis=-1)
        return bits, np.where(mean[..., 0] > 0, middle[rate.argmax(axis=-1)], np.nan)
    all_rates = rate.sum(axis=-1)
    vector = (rate * np.exp(2j * np.pi * middle / period)).sum(axis=-1)
    length = np.abs(vector) / np.where(all_rates > 0, all_rates, 1.0)
    angle = np.mod(np.angle(vector) * period / (2 * np.pi), period)
    return length, np.where(all_rates > 0, angle, np.nan)


def _jackknife(
    cells: np.ndarray,
    stays: np.ndarray,
    edges: np.ndarray,
    period: float | None,
    value: np.ndarray,
    level: float,
) -> np.ndarray:
    """(2, units): around the value less its bias, reaching to the value; NaN where one stretch is all that visits some
    bin."""
    rest = stays.sum(axis=0) - stays
    if (rest <= 1e-9 * stays.sum()).any():
        return np.full((2, value.size), np.nan)
    rates = (cells.sum(axis=1, keepdims=True) - cells) / rest
    each = np.stack([_value(rates[:, k], rest[k], edges, period)[0] for k in range(_STRETCHES)])
    mean = each.mean(axis=0)
    error = np.sqrt((_STRETCHES - 1) / _STRETCHES * ((each - mean) ** 2).sum(axis=0))
    half = t.ppf((1 + level) / 2, _STRETCHES - 1) * error
    centre = value - (_STRETCHES - 1) * (mean - value)
    low, high = np.minimum(value, centre - half), np.maximum(value, centre + half)
    return np.stack([np.maximum(0.0, low), high if period is None else np.minimum(1.0, high)])


def _least(v: np.ndarray, period: float | None, width: float) -> float:
    turns = (
        v[:, None]
        if period is None
        else np.stack([f(2 * np.pi * v / period) for f in (np.cos, np.sin)], axis=1)
    )
    return width * min(5 * float(autocorrelation_time(turns).max()), len(v) / 4)


def _shifted(
    x: np.ndarray,
    place: np.ndarray,
    seconds: np.ndarray,
    edges: np.ndarray,
    period: float | None,
    value: np.ndarray,
    least: float,
    n_shift: int,
    draw: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the value over shifts, and p = (1 + shifts at least as high) / (1 + shifts)."""
    n, units = x.shape
    shifts = circular_shifts(n, max(1, int(np.ceil(least))), n_shift, draw)
    if not shifts.size:
        return np.full(units, np.nan), np.full(units, np.nan)
    inside = np.fft.rfft(place == np.arange(seconds.size)[:, None], axis=1)  # all shifts at once
    null, p = np.empty(units), np.empty(units)
    for u in range(units):
        spikes = np.fft.irfft(inside.conj() * np.fft.rfft(x[:, u]), n, axis=1)[:, shifts]
        moved, _ = _value(np.maximum(spikes.T, 0.0) / seconds, seconds, edges, period)
        null[u] = moved.mean()
        p[u] = (1 + int((moved >= value[u] - 1e-9).sum())) / (1 + shifts.size)
    return null, p
