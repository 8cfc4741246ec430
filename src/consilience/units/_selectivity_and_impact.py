"""Selectivity of units against what their removal costs, each on its own half of the stimuli."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._arrays import Array, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.stats import p_value, permutations, two_factor_interval
from consilience.stats._split_correlation import SplitRanks, split_correlation, split_reliability
from consilience.units._class_selectivity import ClassIndex
from consilience.units._classes import highest, refuse_negative
from consilience.units._d_prime import two_samples
from consilience.units._eta_squared import between
from consilience.units._sparseness import sparseness

__all__ = ["IMPACTS", "SELECTIVITIES", "ImpactScores", "selectivity_and_impact"]

WHO = "cs.units.selectivity_and_impact"
IMPACTS = ("overall", "preferred", "others")
_LEAST = 4  # stimuli of a class: two in each half
_LEAST_UNITS = 5
_BLOCK = 1 << 23  # numbers that a block of draws may hold
_TOP = 1 - 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class ImpactScores:
    """What `selectivity_and_impact` returns. Rows are ``IMPACTS``: overall; on the preferred class; on the others.

    value, ci_low, ci_high, se_units, se_stimuli, p, null_low, null_high, partial, partial_low, partial_high, partial_p,
    reliability, ceiling : (3,).   reliability_selectivity : number.   difference, difference_low, difference_high :
    preferred less overall.   selectivity, stability, mean, sd : (units,); impacts : (3, units); preferred : (units,).
    kept : (units,) bool, units with a selectivity in every half.
    """

    value: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    se_units: np.ndarray
    se_stimuli: np.ndarray
    p: np.ndarray
    null_low: np.ndarray
    null_high: np.ndarray
    partial: np.ndarray
    partial_low: np.ndarray
    partial_high: np.ndarray
    partial_p: np.ndarray
    reliability: np.ndarray
    ceiling: np.ndarray
    reliability_selectivity: float
    difference: float
    difference_low: float
    difference_high: float
    selectivity: np.ndarray
    preferred: np.ndarray
    stability: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    impacts: np.ndarray
    kept: np.ndarray


def _class_selectivity(means: np.ndarray, squares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return ClassIndex(np.arange(counts.size)).raw(means)


def _d_prime(means: np.ndarray, squares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    gap, spread = two_samples(means, squares, highest(means), counts)
    return np.where(spread > 0, gap / np.where(spread > 0, spread, 1.0), np.nan)


def _eta_squared(means: np.ndarray, squares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    share = counts / counts.sum()
    every = np.einsum("k,...ku->...u", share, means)
    total = np.einsum("k,...ku->...u", share, squares) - every**2
    return np.where(total > 0, between(means, share) / np.where(total > 0, total, 1.0), np.nan)


def _lifetime_sparseness(means: np.ndarray, squares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return sparseness(means)


# name -> ((..., k, units) class means, of squares, (k,) stimuli) -> (..., units)
SELECTIVITIES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "class_selectivity": _class_selectivity,
    "d_prime": _d_prime,
    "eta_squared": _eta_squared,
    "lifetime_sparseness": _lifetime_sparseness,
}
_RATIOS = ("class_selectivity", "lifetime_sparseness")


def selectivity_and_impact(
    responses: Array,
    losses: Array,
    labels: Array,
    /,
    *,
    selectivity: str = "class_selectivity",
    n_splits: int = 5,
    n_boot: int = 300,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
) -> ImpactScores:
    """Spearman's correlation over units of selectivity with impact, each from its own half of the stimuli.

    With halves A and B of the stimuli of each class: s_A(u), and the preferred class c_A(u), from the responses to A;
    I_B(u) = mean over B of what is lost without u, over all stimuli (overall), over those of class c_A(u) (preferred),
    over all others (others). The value is the mean of r(s_A, I_B) and r(s_B, I_A) over ``n_splits`` splits. Numbers
    that are measured with noise correlate less: ``ceiling`` = sqrt(r(s_A, s_B) r(I_A, I_B)), the correlation that two
    perfectly related numbers would have at these reliabilities. ``partial`` takes out of both the rank of the unit's
    mean and standard deviation over the half of s: strongly driven units are often both.

    Parameters
    ----------
    responses : (n, units) of single stimuli.   losses : (n, units), what each stimulus loses without each unit (intact
        score less lesioned).   labels : (n,), at least 4 stimuli of each.
    selectivity : "class_selectivity", "d_prime", "eta_squared" (of the stimuli of a half) or "lifetime_sparseness" (of
        its class means), as published; see the functions of these names.
    n_boot : draws of each interval.   n_perm : permutations of units; 0 = no p.   level : of intervals.   rng : seed.

    Returns
    -------
    ImpactScores. Intervals are for other units *and* other stimuli like these: variance 2 (units + stimuli) - both of
        draws of units, of weights of stimuli (exponential, within halves, so that none is on both sides), and of both,
        on Fisher's scale, t. ``se_units``, ``se_stimuli``: of one of the two alone. p is two-sided, from units of
        the impact in random order (of what the covariates leave, for ``partial_p``).

    Raises
    ------
    InputError : a class with fewer than 4 stimuli (``too-few``), fewer than 5 units, negative responses where the
        index is a ratio (``negative-responses``), NaN.

    References
    ----------
    Morcos et al. (2018) for the overall, Zhou et al. (2018) for the class-specific correlation; Rubin (1981) for the
    weights.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng, labels = np.random.default_rng(0), np.repeat(np.arange(4), 20)
    >>> gain = rng.uniform(1, 5, 40)
    >>> own = labels[:, None] == np.arange(40) % 4
    >>> x = rng.poisson(1 + gain * own)
    >>> lost = 0.1 * gain * own + 0.2 * rng.normal(size=(80, 40))  # selective units matter, for their own class
    >>> found = cs.units.selectivity_and_impact(x, lost, labels, n_boot=50, n_perm=99)
    >>> bool(found.value[1] > 0.5), bool(abs(found.value[2]) < 0.3)
    (True, True)
    """
    x, lost, codes, names = _checked(responses, losses, labels, selectivity)
    n_splits = check_count(n_splits, name="n_splits", who=WHO, minimum=1)
    n_boot = check_count(n_boot, name="n_boot", who=WHO)
    n_perm = check_count(n_perm, name="n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    halves = _stratified_halves(codes, n_splits, seed.stream("splits"))
    data = _Data(x, lost, codes, SELECTIVITIES[selectivity])
    found = data.of(halves.astype(np.float64))
    kept = np.isfinite(found.s).all(axis=(0, 1)) & (found.sd > 0).all(axis=(0, 1))
    if kept.sum() < _LEAST_UNITS:
        raise InputError(
            f"{WHO}: {int(kept.sum())} of {kept.size} units respond in every half of the stimuli, and a correlation "
            f"needs {_LEAST_UNITS} or more.",
            code="too-few",
        )
    ranks = found.ranks(kept)
    plain = np.array([one.plain() for one in ranks])
    partial = np.array([one.partial() for one in ranks])
    s = found.s[..., kept]
    own = float(split_reliability(s[:, 0], s[:, 1]))
    reliability = np.array([float(split_reliability(i[:, 0], i[:, 1])) for i in found.impacts[..., kept]])
    with np.errstate(invalid="ignore"):
        ceiling = np.sqrt(np.where((own > 0) & (reliability > 0), own * reliability, np.nan))
    spread = _spread(data, found, halves, kept, n_boot, seed, level, plain, partial)
    p = _against_order(ranks, plain, partial, n_perm, seed.stream("permutations"), level)
    middle = found.impacts.mean(axis=(1, 2))
    best = highest(data.whole_means())
    return ImpactScores(
        value=plain,
        partial=partial,
        reliability=reliability,
        ceiling=ceiling,
        reliability_selectivity=own,
        difference=float(plain[1] - plain[0]),
        selectivity=np.where(kept, found.s.mean(axis=(0, 1)), np.nan),
        preferred=names[best],
        stability=(found.chosen[:, 0] == found.chosen[:, 1]).mean(axis=0),
        mean=found.mean.mean(axis=(0, 1)),
        sd=found.sd.mean(axis=(0, 1)),
        impacts=middle,
        kept=kept,
        **spread,
        **p,
    )


def _checked(
    responses: Any, losses: Any, labels: Any, selectivity: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    check_option(selectivity, list(SELECTIVITIES), name="selectivity", who=WHO)
    x, lost = (np.asarray(to_numpy(v), dtype=np.float64) for v in (responses, losses))
    given = np.asarray(to_numpy(labels))
    if x.ndim != 2 or lost.shape != x.shape or given.shape != x.shape[:1]:
        raise InputError(
            f"{WHO}: responses and losses must both be (stimuli, units) and labels (stimuli,), got {x.shape}, "
            f"{lost.shape} and {given.shape}.",
            code="shape-mismatch",
        )
    for name, v in (("responses", x), ("losses", lost)):
        if not np.isfinite(v).all():
            raise InputError(f"{WHO}: {name} hold NaN or infinity; leave those units out.", code="nan-values")
    if selectivity in _RATIOS:
        refuse_negative(x, who=WHO)
    names, codes, counts = np.unique(given, return_inverse=True, return_counts=True)
    if names.size < 2 or counts.min() < _LEAST:
        few = names[counts.argmin()]
        raise InputError(
            f"{WHO}: at least 2 classes with {_LEAST} stimuli each are needed (two in each half), got {names.size} "
            f"classes, {int(counts.min())} of {few!s:.40}; leave small classes out.",
            code="too-few",
        )
    if x.shape[1] < _LEAST_UNITS:
        raise InputError(
            f"{WHO}: a correlation over {x.shape[1]} units; at least {_LEAST_UNITS} are needed.",
            code="too-few",
        )
    return x, lost, codes, names


@dataclass(frozen=True, eq=False)
class _Halves:
    """s, mean, sd, chosen (..., splits, 2, units) of the half that they come from; impacts (3, ..., splits, 2, units)
    of the *other* half, for what was chosen on this one.
    """

    s: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    chosen: np.ndarray
    impacts: np.ndarray

    def ranks(self, kept: np.ndarray, take: np.ndarray | None = None) -> list[SplitRanks]:
        at = np.flatnonzero(kept) if take is None else take

        def rows(v: np.ndarray) -> np.ndarray:
            chosen = (
                v[..., at] if take is None or v.ndim == 3 else np.take_along_axis(v, take[:, None, None], -1)
            )
            if take is not None and v.ndim == 3:
                chosen = np.moveaxis(chosen, 2, 0)
            return chosen.reshape(*chosen.shape[:-3], -1, chosen.shape[-1])

        covariates = np.stack([rows(self.mean), rows(self.sd)], axis=-3)
        return [split_correlation(rows(self.s), rows(i), covariates) for i in self.impacts]


class _Data:
    """Class means of responses, of their squares and of losses, under weights of the stimuli."""

    def __init__(
        self, x: np.ndarray, lost: np.ndarray, codes: np.ndarray, index: Callable[..., np.ndarray]
    ) -> None:
        order = np.argsort(codes, kind="stable")
        self.order, self.index = order, index
        self.counts = np.bincount(codes)
        self.edges = np.concatenate([[0], np.cumsum(self.counts)])
        x = x[order]
        self.centre = x.mean(axis=0)
        c = x - self.centre
        self.columns = np.hstack([c, c * c, lost[order]])
        self.n, self.units = x.shape

    def whole_means(self) -> np.ndarray:
        return np.add.reduceat(self.columns[:, : self.units], self.edges[:-1], axis=0) / self.counts[:, None]

    def of(self, weights: np.ndarray) -> _Halves:
        """weights : (..., splits, 2, n), 0 outside the half."""
        lead, w = weights.shape[:-1], weights.reshape(-1, self.n)[:, self.order]
        means = np.empty((len(w), self.counts.size, 3 * self.units))
        for k, (a, b) in enumerate(zip(self.edges[:-1], self.edges[1:])):
            part = w[:, a:b]
            means[:, k] = (part / part.sum(axis=1, keepdims=True)) @ self.columns[a:b]
        m, squares, lost = (
            v.reshape(*lead, self.counts.size, self.units) for v in np.split(means, 3, axis=-1)
        )
        per_half = np.maximum(self.counts // 2, 2)
        chosen = highest(m)
        share = self.counts / self.n
        mean = np.einsum("k,...ku->...u", share, m)
        variance = np.einsum("k,...ku->...u", share, squares) - mean**2
        shifted = m + self.centre
        if self.index is _d_prime or self.index is _eta_squared:
            s = self.index(m, squares, per_half)
        else:
            s = self.index(shifted, squares, per_half)
        other = np.flip(lost, axis=-3)  # the losses of the other half
        every = np.einsum("k,...ku->...u", share, other)
        own = np.take_along_axis(other, chosen[..., None, :], axis=-2)[..., 0, :]
        part = share[chosen]
        return _Halves(
            s=s,
            mean=mean + self.centre,
            sd=np.sqrt(np.maximum(variance, 0.0)),
            chosen=chosen,
            impacts=np.stack([every, own, (every - part * own) / (1 - part)]),
        )


def _stratified_halves(codes: np.ndarray, n_splits: int, rng: np.random.Generator) -> np.ndarray:
    """(splits, 2, n) bool: halves of the stimuli of each class; of an odd one the larger half by chance."""
    out = np.zeros((n_splits, 2, codes.size), dtype=bool)
    for split in out:
        for k in range(int(codes.max()) + 1):
            own = rng.permutation(np.flatnonzero(codes == k))
            half = (own.size + int(rng.integers(2))) // 2
            split[0, own[:half]] = True
        split[1] = ~split[0]
    return out


def _spread(
    data: _Data,
    found: _Halves,
    halves: np.ndarray,
    kept: np.ndarray,
    n_boot: int,
    seed: Any,
    level: float,
    plain: np.ndarray,
    partial: np.ndarray,
) -> dict[str, Any]:
    """Intervals from draws of stimuli, of units, and of both."""
    nan = np.full(3, np.nan)
    if not n_boot:
        keys = ("ci_low", "ci_high", "se_units", "se_stimuli", "partial_low", "partial_high")
        return {**dict.fromkeys(keys, nan), "difference_low": np.nan, "difference_high": np.nan}
    at = np.flatnonzero(kept)
    stimuli, units, both = (np.empty((n_boot, 2, 3)) for _ in range(3))
    drawn, chosen = seed.stream("stimuli"), seed.stream("units")
    for some in _blocks(n_boot, halves.shape[0] * 2 * data.counts.size * 3 * data.units):
        size = some.stop - some.start
        weights = drawn.exponential(size=(size, 1, 1, data.n)) * halves
        take = at[chosen.integers(at.size, size=(size, at.size))]
        one = data.of(weights)
        for out, of, rows in ((stimuli, one, None), (units, found, take), (both, one, take)):
            ranks = of.ranks(kept, rows)
            out[some, 0] = np.stack([r.plain() for r in ranks], axis=-1)
            out[some, 1] = np.stack([r.partial() for r in ranks], axis=-1)
    sizes = {"n_stimuli": data.n, "n_subjects": at.size, "level": level}

    def interval(which: int, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scaled = [np.arctanh(np.clip(v[:, which], -_TOP, _TOP)) for v in (stimuli, units, both)]
        low, high = two_factor_interval(np.arctanh(np.clip(value, -_TOP, _TOP)), *scaled, **sizes)
        return np.tanh(low), np.tanh(high)

    low, high = interval(0, plain)
    partial_low, partial_high = interval(1, partial)
    apart = two_factor_interval(
        plain[1] - plain[0], *(v[:, 0, 1] - v[:, 0, 0] for v in (stimuli, units, both)), **sizes
    )
    return {
        "ci_low": low,
        "ci_high": high,
        "partial_low": partial_low,
        "partial_high": partial_high,
        "se_units": units[:, 0].std(axis=0, ddof=1),
        "se_stimuli": stimuli[:, 0].std(axis=0, ddof=1),
        "difference_low": float(apart[0]),
        "difference_high": float(apart[1]),
    }


def _blocks(count: int, each: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, each))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _against_order(
    ranks: list[SplitRanks],
    plain: np.ndarray,
    partial: np.ndarray,
    n_perm: int,
    rng: np.random.Generator,
    level: float,
) -> dict[str, Any]:
    """Two-sided p, and the middle of what units in random order give."""
    if not n_perm:
        return dict.fromkeys(("p", "partial_p", "null_low", "null_high"), np.full(3, np.nan))
    orders = permutations(ranks[0].x.shape[-1], n_perm, rng)
    nulls = [one.permuted(orders) for one in ranks]
    null = np.stack([a for a, _ in nulls], axis=-1)
    left = np.stack([b for _, b in nulls], axis=-1)
    tail = (1 - level) / 2
    low, high = np.quantile(null, [tail, 1 - tail], axis=0)
    return {
        "p": p_value(np.abs(plain), np.abs(null)),
        "partial_p": p_value(np.abs(partial), np.abs(left)),
        "null_low": low,
        "null_high": high,
    }
