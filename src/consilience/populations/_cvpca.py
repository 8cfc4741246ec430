"""Cross-validated PCA: the variance along each principal component that repeats, and its power law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from consilience._core._arrays import Array
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import resolve_seed
from consilience.populations._dimension import groups_left_out, jackknife_variance
from consilience.populations._power_law import NOTHING, fitted_exponent, rank_range
from consilience.populations._repeats import as_samples, halves_of

__all__ = ["Spectrum", "cvpca"]

_GROUPS = 20
_ALPHAS = np.arange(0.2, 3.3, 0.2)
_SPLITS_LEFT_OUT = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """Variance of principal components over stimuli.

    variance : (k,) that repeats, in squared units of the responses; noise leaves it unchanged on average at given axes,
    so it can be negative.   plain : (k,) of the means over repeats, signal and noise together.   ci_low, ci_high : (k,)
    of ``variance``.   exponent : of variance ~ rank^-exponent over the ranks ``fitted``, corrected by simulation; NaN
    where that fails.   exponent_low, exponent_high : its interval.   exponent_raw : of the fit itself, without the
    correction.   factor : log of the height of the fitted line at rank 1 (raw).   reliable : share of the variance of
    the means that repeats.   level, n_stimuli, n_units.
    """

    variance: np.ndarray
    plain: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    exponent: float
    exponent_low: float
    exponent_high: float
    exponent_raw: float
    factor: float
    fitted: tuple[int, int]
    reliable: float
    level: float
    n_stimuli: int
    n_units: int

    def __repr__(self) -> str:
        ends = f"[{self.exponent_low:.3g}, {self.exponent_high:.3g}]"
        return (
            f"<Spectrum> exponent {self.exponent:.3g} {ends} over ranks {self.fitted[0]} to {self.fitted[1]} "
            f"(raw {self.exponent_raw:.3g}); {self.n_stimuli} stimuli, {self.n_units} units"
        )


def cvpca(
    trials: Array,
    stimulus: Array | None = None,
    /,
    *,
    fit: tuple[int, int] | None = None,
    n_splits: int = 10,
    calibrate: int = 2,
    level: float = 0.95,
    rng: int = 0,
) -> Spectrum:
    """Spectrum of responses that repeats: principal axes of one half of the trials, variance shared with the other.

    With A, B (stimuli, units) the centred means over two halves of the trials of each stimulus, and u_k the k-th
    principal axis of A: variance_k = (A u_k) . (B u_k) / (n - 1), averaged over both directions and ``n_splits`` random
    halves (Stringer et al. 2019). Noise of B adds nothing on average; noise of A turns the axes, so small components
    are mixed and **the raw exponent is too low where there is noise** (planted 1.6 came out as 1.1 to 1.3 in ranks 11
    to 100 of 300 at equal signal and noise). ``exponent`` is corrected for that and for few stimuli: normal responses
    whose covariance has eigenvalues rank^-a (before the first rank of ``fit``: the variances found), with as many
    stimuli, units and trials and the same signal to noise (white noise), are analysed alike for a grid of a, and the a
    whose raw exponent is the one found is taken. It is the exponent of the covariance of these units; where no a gives
    it, NaN and a warning.

    Parameters
    ----------
    trials : (n_trials, units).   stimulus : (n_trials,), at least 2 trials each; None: rows are stimuli without noise,
        of which this is plain PCA. At least 20 stimuli for an exponent.
    fit : (first, last) rank of the fit, from 1. Default 11 to 500 for 1500 or more components, else 1 to a third of
        them. The fit ends before the spectrum reaches 0.
    n_splits : halves.   calibrate : simulated data sets for each a; 0: no correction, ``exponent`` is the raw one.
    level : of intervals.   rng : seed.

    Returns
    -------
    Spectrum : with min(stimuli - 1, units) components. Intervals are a jackknife over 20 groups of stimuli; the
        exponent's goes through the correction.

    Raises
    ------
    InputError : a stimulus with one trial (``no-repeats``), fewer than 5 stimuli, NaN, no unit that varies.
    ConsilienceWarning : ``no-exponent``: the spectrum ends, or is lost in noise, within the ranks, or no power law
        gives it.

    References
    ----------
    Stringer et al. (2019, Nature); Pospisil & Pillow (2025) for the bias.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(150, 100)) * np.arange(1, 101) ** -0.5  # variances fall as 1 / rank
    >>> ids = np.repeat(np.arange(150), 2)
    >>> found = cs.populations.cvpca(x[ids] + 0.2 * rng.normal(size=(300, 100)), ids, n_splits=2)
    >>> bool(found.exponent_low < 1 < found.exponent_high)
    True
    """
    who = "cs.populations.cvpca"
    n_splits = check_count(n_splits, name="n_splits", who=who, minimum=1)
    calibrate = check_count(calibrate, name="calibrate", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    x, counts, size = as_samples(trials, stimulus, who=who, repeats=2, few=5)
    number = np.repeat(np.arange(counts.size), counts)
    n, p = counts.size, x.shape[1]
    components = min(n - 1, p)
    low, high = _range(fit, components, who)
    if counts.max() == 1:
        halves = [(x, x)]
    else:
        halves = list(halves_of(x, number, n_splits, seed.stream("halves")))
    variance = np.mean([_both(a, b, components) for a, b in halves], axis=0)
    plain = _both(*2 * (np.mean([(a + b) / 2 for a, b in halves], axis=0),), components)
    without = []
    for group in groups_left_out(n, _GROUPS, seed.stream("groups")):
        keep = np.ones(n, dtype=bool)
        keep[group] = False
        if keep.sum() < 4:
            continue
        made = np.mean([_both(a[keep], b[keep], components) for a, b in halves[:_SPLITS_LEFT_OUT]], axis=0)
        without.append(made)
    leave = np.array(without)
    width = stats.t.ppf((1 + level) / 2, len(leave) - 1) * np.sqrt(
        (len(leave) - 1) / len(leave) * ((leave - leave.mean(axis=0)) ** 2).sum(axis=0)
    )
    raw, factor, last = fitted_exponent(variance, low, high)
    ended = 0  # where responses without noise have no further dimension, ranks up to it are no sample of a power law
    if counts.max() == 1 and not (variance[low - 1 : high] > NOTHING * variance.max()).all():
        ended = int(np.sum(variance > NOTHING * variance.max()))
        raw = factor = float("nan")
    reliable = float(variance.sum() / plain.sum())
    exponent, ends = raw, (float("nan"), float("nan"))
    if np.isfinite(raw):
        slopes = np.array([fitted_exponent(one, low, last)[0] for one in leave])
        ends = _interval(raw, slopes[np.isfinite(slopes)], level)
        if calibrate:
            share = 1.0 if counts.max() == 1 else _signal_share(halves)
            head = np.maximum(variance[: low - 1], 0.0) / max(float(variance.sum()), 1e-300)
            curve = _curve(n, p, share, head, last, calibrate, seed.stream("calibration"))
            exponent = _inverted(curve, raw)
            below, above = ends
            ends = (_inverted(curve, below, open_low=0.0), _inverted(curve, above, open_high=float("inf")))
    if not np.isfinite(exponent):
        warn(
            "no-exponent",
            f"{who}: no power law in ranks {low} to {high} ("
            + (
                f"a fitted exponent of {raw:.2g} is that of none in such data)."
                if np.isfinite(raw)
                else f"the spectrum ends at rank {ended})."
                if ended
                else "the spectrum reaches 0 within a few ranks)."
            ),
            (
                "Give other ranks (fit=)"
                if counts.max() == 1
                else "Give more trials or stimuli, or other ranks (fit=)"
            )
            + "; the spectrum itself stands.",
        )
    scale = size * size
    return Spectrum(
        variance=variance * scale,
        plain=plain * scale,
        ci_low=(variance - width) * scale,
        ci_high=(variance + width) * scale,
        exponent=exponent,
        exponent_low=ends[0],
        exponent_high=ends[1],
        exponent_raw=raw,
        factor=factor + float(np.log(scale)),
        fitted=(low, last if last else high),
        reliable=reliable,
        level=level,
        n_stimuli=n,
        n_units=p,
    )


def _range(fit: object, components: int, who: str) -> tuple[int, int]:
    if fit is None:
        return rank_range(components)
    try:
        low, high = (int(v) for v in fit)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        low = high = 0
    if not 1 <= low < high:
        raise InputError(
            f"{who}: fit must be (first, last) rank, 1 <= first < last, got {shorten(fit)}.",
            code="bad-parameter",
        )
    return low, min(high, components)


def _both(a: np.ndarray, b: np.ndarray, components: int) -> np.ndarray:
    """(components,) with axes of either half; zeros where there are fewer stimuli."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    one = _shared(a, b)
    found = one if a is b else (one + _shared(b, a)) / 2
    out = np.zeros(components)
    size = min(components, found.size)
    out[:size] = found[:size] / (len(a) - 1)
    return out


def _shared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(A u_k) . (B u_k) for the principal axes u_k of a, from the smaller product: with A A' = V L V', that is
    v_k' A B' v_k.
    """
    if a.shape[1] < len(a):
        _, v = np.linalg.eigh(a.T @ a)
        cross = a.T @ b
    else:
        _, v = np.linalg.eigh(a @ a.T)
        cross = a @ b.T
    v = v[:, ::-1]
    return np.asarray(np.einsum("ik,ik->k", v, cross @ v))


def _signal_share(halves: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Signal variance over all variance of the mean of a half, of all units together."""
    cross = own = 0.0
    for a, b in halves:
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        cross += 2.0 * float(np.sum(a * b))
        own += float(np.sum(a * a) + np.sum(b * b))
    return cross / own if own > 0 else float("nan")


def _curve(
    n: int, p: int, share: float, head: np.ndarray, high: int, sets: int, rng: np.random.Generator
) -> np.ndarray:
    """Raw exponents of planted ones `_ALPHAS`, made to rise. ``head`` : shares of variance of the ranks before the
    fitted ones, which are planted as they are: a spectrum may bend there.
    """
    if not share > 0:
        return np.full(_ALPHAS.size, np.nan)
    out = np.zeros(_ALPHAS.size)
    noise = np.sqrt(max(1.0 / share - 1.0, 0.0) / p)
    components, low = min(n - 1, p), head.size + 1
    rest = max(1.0 - float(head.sum()), 1e-6)
    for _ in range(sets):
        signal, one, two = (rng.standard_normal((n, p)) for _ in range(3))  # the same for all exponents
        for k, alpha in enumerate(_ALPHAS):
            law = np.arange(low, p + 1.0) ** -alpha
            clean = signal * np.sqrt(np.concatenate([head, rest * law / law.sum()]))
            found = _both(clean + noise * one, clean + noise * two, components)
            out[k] += fitted_exponent(found, low, high)[0] / sets
    known = np.isfinite(out)
    rises = int(np.argmax(np.where(known, out, -np.inf)))
    out[rises + 1 :] = (
        np.nan
    )  # beyond its highest raw value a steeper spectrum is not told from a flatter one
    return np.asarray(
        np.where(np.isfinite(out), np.maximum.accumulate(np.where(known, out, -np.inf)), np.nan)
    )


def _inverted(
    curve: np.ndarray, raw: float, *, open_low: float = float("nan"), open_high: float = float("nan")
) -> float:
    """The planted exponent of which ``raw`` came out; ``open_low``, ``open_high`` where it is beyond the curve."""
    known = np.isfinite(curve)
    if known.sum() < 2 or not np.isfinite(raw):
        return float("nan")
    if raw < curve[known][0]:
        return open_low
    if raw > curve[known][-1]:
        return open_high
    return float(np.interp(raw, curve[known], _ALPHAS[known]))


def _interval(value: float, without: np.ndarray, level: float) -> tuple[float, float]:
    if without.size < 4:
        return float("nan"), float("nan")
    half = float(stats.t.ppf((1 + level) / 2, without.size - 1) * np.sqrt(jackknife_variance(without)))
    return value - half, value + half
