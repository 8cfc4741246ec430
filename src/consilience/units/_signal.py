"""Signal and noise of each unit, from repeats: what explainable variance, reliability and signal to noise share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience.stats import explainable, p_value, signal_ratio_interval
from consilience.units._trials import Repeats, powers

__all__ = ["Signal", "f_interval", "permuted_f", "signal_of", "signal_scores"]


@dataclass(frozen=True, eq=False)
class Signal:
    """Of n stimuli and t units, in the units' own scale over a power of two.

    means : (n, t).   noise : (n, t) variance of each mean, v / k.   between, within : (t,) V = variance of the means,
    N = mean of ``noise``.   single : (t,) W = mean over stimuli of the variance v of single trials.
    """

    means: np.ndarray
    noise: np.ndarray
    between: np.ndarray
    within: np.ndarray
    single: np.ndarray

    @property
    def power(self) -> np.ndarray:
        """(t,) signal variance, V - N; unbiased, so it can be negative."""
        return self.between - self.within

    @property
    def f(self) -> np.ndarray:
        """(t,) V / N: 1 on average without signal, inf without noise, NaN without either."""
        return _ratio(self.between, self.within)

    @property
    def repeats(self) -> np.ndarray:
        """(t,) W / N: the number of repeats, their harmonic mean where numbers differ."""
        return np.where(self.within > 0, _ratio(self.single, self.within), 1.0)


def _ratio(top: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(top + below > 0, top / below, np.nan)


def signal_of(repeats: Repeats) -> Signal:
    x = repeats.x / powers(repeats.x)
    x = x - x.mean(axis=0)
    means, noise = explainable(x, repeats.stimulus)
    if repeats.groups is not None:
        noise = noise * repeats.groups.single
    single = (noise * repeats.counts[:, None]).mean(axis=0)
    if repeats.groups is not None:
        noise = noise * repeats.groups.means
    still = repeats.silent
    return Signal(
        means,
        noise,
        np.where(still, 0.0, means.var(axis=0, ddof=1)),
        np.where(still, 0.0, noise.mean(axis=0)),
        np.where(still, 0.0, single),
    )


def f_interval(signal: Signal, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Interval of V / N for other stimuli, `signal_ratio_interval`. (nan, nan) below 3 stimuli, and where a unit has
    neither signal nor noise; (inf, inf) without noise.
    """
    f = signal.f
    ends = signal_ratio_interval(signal.means, signal.noise, level=level)
    if len(signal.means) < 3:
        return ends
    known = np.isfinite(f) & (f > 0)
    return tuple(np.where(known, end, np.where(np.isinf(f), np.inf, np.nan)) for end in ends)  # type: ignore[return-value]


def permuted_f(repeats: Repeats, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, t) V / N with the trials dealt anew to the stimuli (within groups, if there are any): what is left when
    no unit cares which it is.
    """
    x = repeats.x / powers(repeats.x)
    x = x - x.mean(axis=0)
    n, counts = repeats.counts.size, repeats.counts[:, None].astype(np.float64)
    share = 1.0 / (n * counts * (counts - 1))  # of sum_s share_s (sum of squares_s - sum_s^2 / k_s) = N
    trial_share = np.repeat(share[:, 0], repeats.counts)
    squares = x * x
    equal = np.ptp(repeats.counts) == 0
    out = np.empty((count, x.shape[1]))
    for k in range(count):
        if (groups := repeats.groups) is not None:
            dealt = repeats.dealt(x, rng)
            sums = repeats.sums(dealt)
            total = (share * repeats.sums(dealt * dealt)).sum(axis=0)
            within = groups.single * groups.means * (total - (share / counts * sums * sums).sum(axis=0))
            out[k] = _ratio((sums / counts).var(axis=0, ddof=1), np.maximum(within, 0.0))
            continue
        order = rng.permutation(len(x))
        sums = np.add.reduceat(x[order], repeats.starts, axis=0)
        if equal:
            total = share[0, 0] * squares.sum(axis=0)
        else:
            weight = np.empty(len(x))
            weight[order] = trial_share
            total = weight @ squares
        within = total - (share / counts * sums * sums).sum(axis=0)
        out[k] = _ratio((sums / counts).var(axis=0, ddof=1), np.maximum(within, 0.0))
    out[:, repeats.silent] = np.nan
    return out


def signal_scores(
    repeats: Repeats,
    rule: str,
    *,
    n_perm: int,
    level: float,
    rng: np.random.Generator,
    null: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(value, low, high, null mean, p) of a rising function of V / N, for the number k of repeats.

    rule : "trial" (F - 1) / (F - 1 + k), "mean" 1 - 1 / F, "snr" (F - 1) / k.   null : `permuted_f`, if drawn before.
    """
    signal = signal_of(repeats)
    k = signal.repeats

    def of(f: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            if rule == "trial":
                return np.where(np.isinf(f), 1.0, (f - 1) / (f - 1 + k))
            return 1 - 1 / f if rule == "mean" else (f - 1) / k

    low, high = f_interval(signal, level)
    missing = np.full(k.size, np.nan)
    if null is None and n_perm:
        null = permuted_f(repeats, n_perm, rng)
    if null is None:
        return of(signal.f), of(low), of(high), missing, missing
    drawn = of(null)
    known = np.isfinite(drawn).any(axis=0)
    average = np.where(known, np.nanmean(np.where(known, drawn, 0.0), axis=0), np.nan)
    with np.errstate(invalid="ignore"):
        p = np.where(
            np.isnan(signal.f),
            np.nan,
            p_value(np.nan_to_num(signal.f, posinf=1e300), np.nan_to_num(null, posinf=1e300)),
        )
    return of(signal.f), of(low), of(high), average, p
