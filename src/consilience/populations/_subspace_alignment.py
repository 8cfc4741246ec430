"""How far two sets of responses of the same units share their subspaces: with null, ceiling and interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import Seed, resolve_seed
from consilience.populations._dimension import jackknife_variance
from consilience.populations._halves import as_sampled
from consilience.populations._principal_angles import angles_between
from consilience.populations._subspace_halves import Halves, along, leading_axes, refuse_noise, same_space

__all__ = ["SubspaceAlignment", "subspace_alignment"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SubspaceAlignment:
    """Of arrays (2,), the first entry is the variance of a in the subspace of b, the second that of b in a's.

    value : the held-out alignment index; 1 is the ceiling.   ci_low, ci_high.   null_mean, null_low, null_high : of
    random subspaces drawn with the covariance of both.   p_aligned : more aligned than those; p_orthogonal : less.
    null_units_mean, p_units : of the other's subspace with its units changed over; more aligned than that.
    p_ceiling : less aligned than a and a again.   index : as published, of all trials.   index_ceiling : that index of
    two halves of the same responses, index_halves that of halves of different ones.
    angles : (k,) rad between halves of a and of b, smallest first, with ``angles_low``, ``angles_high``;
    angles_ceiling : between halves of the same; angles_null_mean, _low, _high : of pairs of random subspaces;
    angles_p : smaller than those.   angles_all : of all trials.
    captured, captured_own, captured_null_mean, _low, _high : (2, K) share of the variance, held out, in the first 1 to
    K dimensions of the other's subspace, of its own, of random ones.
    """

    k: int
    value: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    null_mean: np.ndarray
    null_low: np.ndarray
    null_high: np.ndarray
    p_aligned: np.ndarray
    p_orthogonal: np.ndarray
    null_units_mean: np.ndarray
    p_units: np.ndarray
    p_ceiling: np.ndarray
    index: np.ndarray
    index_halves: np.ndarray
    index_ceiling: np.ndarray
    angles: np.ndarray
    angles_low: np.ndarray
    angles_high: np.ndarray
    angles_ceiling: np.ndarray
    angles_null_mean: np.ndarray
    angles_null_low: np.ndarray
    angles_null_high: np.ndarray
    angles_p: np.ndarray
    angles_all: np.ndarray
    captured: np.ndarray
    captured_own: np.ndarray
    captured_null_mean: np.ndarray
    captured_null_low: np.ndarray
    captured_null_high: np.ndarray
    level: float
    n_units: int
    n_trials: tuple[int, int]


def subspace_alignment(
    a: Array,
    b: Array,
    /,
    *,
    condition_a: Array | None = None,
    condition_b: Array | None = None,
    paired: bool = False,
    k: int | None = None,
    n_splits: int = 10,
    n_null: int = 1000,
    level: float = 0.95,
    rng: int = 0,
) -> SubspaceAlignment:
    """Held-out alignment of the leading subspaces of two sets of responses of the same units, both ways.

    A = tr(D_b' S_a D_b) / tr(D_a' S_a D_a): the variance of a in the leading k dimensions of b over that in its own
    leading k dimensions, where D_a and D_b come from one half of the trials (as many trials of either) and S_a from the
    other half, averaged over splits. So a subspace found from few noisy trials misses as much above as below, and 1 is
    the ceiling: what another sample of a itself would give. It can exceed 1 by chance.

    With conditions, S is the covariance of the means of conditions (at each time) less what noise adds to it,
    C(means) - W / n, so that units that are noisy in both do not make them alike. Without, the rows themselves are the
    samples and noise is part of what is compared.

    Parameters
    ----------
    a, b : (trials, units) or (trials, time, units), the same units in the same order; at least 4 trials.
    condition_a, condition_b : (trials,) labels with at least 4 trials each, or None for both.
    paired : row i of a and of b are the same trial (two epochs of it); halves then never share a trial.
    k : dimensions; None: the fewest that hold 80 % of the variance of a and of b in their own subspaces, held out.
    n_splits : into halves.   n_null : random subspaces, 0 = none.   level : of intervals.   rng : seed.

    Returns
    -------
    SubspaceAlignment : intervals are a jackknife over 10 groups of trials (t, 9 degrees of freedom), for these
    conditions. The null draws the k directions of b anew, V = orth(C^(1/2) Z) with C the covariance of a and b
    together and Z standard normal (Elsayed et al. 2016), so that a random subspace keeps to where the population varies
    at all. That null is for claims of orthogonality: as C holds a itself, chance is high, and two sets with the same
    subspace may not be above it. ``p_units`` asks the weaker question whether the units matter: the subspace of b with
    its units permuted. ``p_ceiling`` is a t test of A < 1. Where
    the subspace is the same and the patterns in it differ, A is a hundredth or three below 1 (own axes are found best
    where own patterns are large), and p is at most 0.05 in 0.02 (4 trials a condition) to 0.10 (10) of data sets; with
    the same patterns in 0.01.
    Principal angles of noisy subspaces are too wide: their ceiling is that of two halves of the same responses, and
    ``angles`` are between halves as well, so that the two can be compared.

    Raises
    ------
    InputError : other numbers of units, too few trials (``no-repeats``), k above what the data have, responses without
        variance beyond noise (``no-signal``).

    References
    ----------
    Elsayed et al. (2016); Bjorck & Golub (1973).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> axes = np.linalg.qr(rng.normal(size=(40, 6)))[0].T
    >>> a = 3 * rng.normal(size=(200, 3)) @ axes[:3] + rng.normal(size=(200, 40))
    >>> b = 3 * rng.normal(size=(200, 3)) @ axes[3:] + rng.normal(size=(200, 40))
    >>> found = cs.populations.subspace_alignment(a, b, k=3, n_null=200)
    >>> found.value.round(1), (found.p_ceiling < 0.05).tolist()
    (array([0.1, 0.1]), [True, True])
    """
    who = "cs.populations.subspace_alignment"
    n_splits = check_count(n_splits, name="n_splits", who=who, minimum=1)
    n_null = check_count(n_null, name="n_null", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    if (condition_a is None) != (condition_b is None):
        raise InputError(f"{who}: give conditions of both, or of neither.", code="bad-parameter")
    one = as_sampled(a, condition_a, name="a", who=who)
    two = as_sampled(b, condition_b, name="b", who=who)
    if one.x.shape[2] != two.x.shape[2]:
        raise InputError(
            f"{who}: a has {one.x.shape[2]} units and b has {two.x.shape[2]}; both must be of the same units, in the "
            "same order.",
            code="units-differ",
        )
    if paired and len(one.x) != len(two.x):
        raise InputError(
            f"{who}: paired trials must be as many in a ({len(one.x)}) as in b ({len(two.x)}).",
            code="rows-differ",
        )
    units = one.x.shape[2]
    one, two, axes = same_space(one, two)
    work = Halves(one, two, axes, paired, n_splits, seed.stream("splits"))
    most = work.most()
    if k is None:
        k = work.enough(most, who)
    k = check_count(k, name="k", who=who, minimum=1, maximum=most)
    return _inferred(work, k, max(k, min(most, 2 * k + 2)), n_null, level, seed, units, who)


def _ratio(found: dict[str, Any], k: int) -> np.ndarray:
    return np.asarray(found["other"][:, :k].sum(axis=1) / found["own"][:, :k].sum(axis=1))


def _inferred(
    work: Halves, k: int, most: int, n_null: int, level: float, seed: Seed, units: int, who: str
) -> SubspaceAlignment:
    found = work.measured(most)
    refuse_noise({**found, "own": found["own"][:, :k]}, who)
    value = _ratio(found, k)
    between, same = work.angles(found["bases"], k)
    spread, spread_angles = np.zeros(2), np.zeros(k)
    for group in work.groups(seed.stream("groups")):
        left = [work.measured(k, keep) for keep in group]
        ratios = np.array([_ratio(one, k) for one in left])
        angles = np.array([work.angles(one["bases"], k)[0] for one in left])
        spread += [jackknife_variance(column) for column in ratios.T]
        spread_angles += [jackknife_variance(column) for column in angles.T]
    df = 9
    t = float(stats.t.ppf((1 + level) / 2, df))
    error = np.sqrt(spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_ceiling = stats.t.cdf((value - 1) / error, df)
    null, null_angles = _chance(work, most, k, n_null, seed.stream("null"))
    own = found["own"][:, :k].sum(axis=1)
    units_chance = _changed_over(work, k, n_null, seed.stream("units")) / own
    chance = null[:, :, :k].sum(axis=2) / own if n_null else np.full((1, 2), np.nan)
    curve = np.cumsum(null, axis=2) / found["total"][:, None] if n_null else np.full((1, 2, most), np.nan)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(chance, tails, axis=0)
    curve_low, curve_high = np.quantile(curve, tails, axis=0)
    angle_low, angle_high = np.quantile(null_angles, tails, axis=0)
    index, angles_all = _of_all(work, k)
    nan = np.full(2, np.nan)
    return SubspaceAlignment(
        k=k,
        value=value,
        ci_low=value - t * error,
        ci_high=value + t * error,
        null_mean=chance.mean(axis=0),
        null_low=low,
        null_high=high,
        p_aligned=(1 + (chance >= value).sum(axis=0)) / (n_null + 1) if n_null else nan,
        p_orthogonal=(1 + (chance <= value).sum(axis=0)) / (n_null + 1) if n_null else nan,
        null_units_mean=units_chance.mean(axis=0) if n_null else nan,
        p_units=(1 + (units_chance >= value).sum(axis=0)) / (n_null + 1) if n_null else nan,
        p_ceiling=p_ceiling,
        index=index,
        index_halves=found["other"][:, :k].sum(axis=1) / found["sample"][:, :k].sum(axis=1),
        index_ceiling=found["own"][:, :k].sum(axis=1) / found["sample"][:, :k].sum(axis=1),
        angles=between,
        angles_low=np.maximum(between - t * np.sqrt(spread_angles), 0),
        angles_high=np.minimum(between + t * np.sqrt(spread_angles), np.pi / 2),
        angles_ceiling=same,
        angles_null_mean=null_angles.mean(axis=0),
        angles_null_low=angle_low,
        angles_null_high=angle_high,
        angles_p=(1 + (null_angles <= between).sum(axis=0)) / (n_null + 1) if n_null else np.full(k, np.nan),
        angles_all=angles_all,
        captured=np.cumsum(found["other"], axis=1) / found["total"][:, None],
        captured_own=np.cumsum(found["own"], axis=1) / found["total"][:, None],
        captured_null_mean=curve.mean(axis=0),
        captured_null_low=curve_low,
        captured_null_high=curve_high,
        level=level,
        n_units=units,
        n_trials=(len(work.both[0].x), len(work.both[1].x)),
    )


def _chance(
    work: Halves, most: int, k: int, n_null: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """((n, 2, most) variance along random directions, (n, k) angles between pairs of random subspaces)."""
    if not n_null:
        return np.empty((0, 2, most)), np.full((1, k), np.nan)
    every = [s.covariance(np.ones(len(s.x), dtype=bool)) for s in work.both]
    pooled = sum(c / np.trace(c) for c in every)
    value, vector = np.linalg.eigh(pooled)
    root = vector * np.sqrt(np.maximum(value, 0.0))
    null, angles = np.empty((n_null, 2, most)), np.empty((n_null, k))
    for n in range(n_null):
        one, two = (np.linalg.qr(root @ rng.standard_normal((len(value), most)))[0] for _ in range(2))
        null[n] = [along(c, one) for c in every]
        angles[n] = angles_between(one[:, :k], two[:, :k])
    return null, angles


def _changed_over(work: Halves, k: int, n_null: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 2) variance of each in the other's leading subspace, whose units are permuted."""
    every = [s.covariance(np.ones(len(s.x), dtype=bool)) for s in work.both]
    leading = [leading_axes(c, k)[1] for c in every]
    if work.axes is not None:
        leading = [work.axes @ d for d in leading]
    out = np.empty((n_null, 2))
    for n in range(n_null):
        order = rng.permutation(len(leading[0]))
        moved = [d[order] if work.axes is None else work.axes.T @ d[order] for d in leading]
        out[n] = [along(every[side], moved[1 - side]).sum() for side in (0, 1)]
    return out


def _of_all(work: Halves, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(published index both ways, angles) of all trials' plain means."""
    means = [s.plain_means() for s in work.both]
    covariances = [np.cov(m, rowvar=False) for m in means]
    found = [leading_axes(c, k) for c in covariances]
    index = [along(covariances[side], found[1 - side][1]).sum() / found[side][0].sum() for side in (0, 1)]
    return np.array(index), angles_between(found[0][1], found[1][1])
