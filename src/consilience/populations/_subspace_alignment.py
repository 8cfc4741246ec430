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
from consilience.populations._halves import Sampled, as_sampled
from consilience.populations._principal_angles import angles_between
from consilience.populations._trial_groups import groups_kept

__all__ = ["SubspaceAlignment", "subspace_alignment"]

_SHARE = 0.8


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
    one, two, axes = _same_space(one, two)
    work = _Work(one, two, axes, paired, n_splits, seed.stream("splits"))
    most = work.most()
    if k is None:
        k = work.enough(most, who)
    k = check_count(k, name="k", who=who, minimum=1, maximum=most)
    return _inferred(work, k, max(k, min(most, 2 * k + 2)), n_null, level, seed, units, who)


def _same_space(one: Sampled, two: Sampled) -> tuple[Sampled, Sampled, np.ndarray | None]:
    """Both rotated into the space that their rows span, where units are more than rows, and the axes (units, r) of it;
    of one common size.
    """
    rows = np.concatenate([s.x.reshape(-1, s.x.shape[2]) for s in (one, two)])
    size = np.abs(rows).max() or 1.0
    if rows.shape[1] <= len(rows):
        return Sampled(one.x / size, one.number), Sampled(two.x / size, two.number), None
    rows = rows / size
    value, left = np.linalg.eigh(rows @ rows.T)
    kept = value > value[-1] * len(rows) * np.finfo(np.float64).eps
    axes = rows.T @ (left[:, kept] / np.sqrt(value[kept]))
    return Sampled(one.x / size @ axes, one.number), Sampled(two.x / size @ axes, two.number), axes


class _Work:
    """Halves of both, fixed, so that the jackknife leaves trials out of the same halves."""

    def __init__(
        self,
        one: Sampled,
        two: Sampled,
        axes: np.ndarray | None,
        paired: bool,
        n_splits: int,
        rng: np.random.Generator,
    ) -> None:
        self.both = (one, two)
        self.axes = axes
        self.paired = paired
        per = max(2, min(one.fewest, two.fewest) // 2)
        self.halves = []
        for _ in range(n_splits):
            first = _half(one.strata, per, rng)
            other = first if paired else _half(two.strata, per, rng)
            self.halves += [(first, other), (first[::-1], other[::-1])]

    def most(self) -> int:
        """The highest k: dimensions that a half can have."""
        dims = []
        for side, s in enumerate(self.both):
            rows = self.halves[0][side][0]
            count = np.unique(s.number[rows]).size if s.number is not None else int(rows.sum())
            dims.append(count * s.x.shape[1] - 1)
        return max(1, min(*dims, self.both[0].x.shape[2] - 1))

    def covariances(
        self, split: int, keep: tuple[np.ndarray, np.ndarray] | None = None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """(of the first half, of the second half) of a and of b."""
        out = []
        for side, s in enumerate(self.both):
            pair = self.halves[split][side]
            rows = pair if keep is None else (pair[0] & keep[side], pair[1] & keep[side])
            out.append((s.covariance(rows[0]), s.covariance(rows[1])))
        return out

    def measured(self, most: int, keep: tuple[np.ndarray, np.ndarray] | None = None) -> dict[str, Any]:
        """Sums over splits: other, own (2, most): variance in each dimension; total (2,); plain index parts (2, most);
        angles need a k, so bases are kept.
        """
        other, own, total, sample = (
            np.zeros((2, most)),
            np.zeros((2, most)),
            np.zeros(2),
            np.zeros((2, most)),
        )
        bases = []
        n = len(self.halves)
        for split in range(n):
            covariances = self.covariances(split, keep)
            axes, second = [], []
            for first, last in covariances:
                axes.append(_leading(first, most)[1])
                second.append(last)
            for side in (0, 1):
                own[side] += _along(second[side], axes[side])
                other[side] += _along(second[side], axes[1 - side])
                total[side] += np.trace(second[side])
                if keep is None:
                    sample[side] += np.linalg.eigvalsh(second[side])[::-1][:most]
            bases.append(axes)
        return {"other": other / n, "own": own / n, "total": total / n, "sample": sample / n, "bases": bases}

    def angles(self, bases: list[list[np.ndarray]], k: int) -> tuple[np.ndarray, np.ndarray]:
        """((k,) between a half of a and the other half of b, (k,) between halves of the same), means over splits. Split
        2 s + 1 is split 2 s with its halves changed over.
        """
        between: list[np.ndarray] = []
        same: list[np.ndarray] = []
        for s in range(0, len(bases), 2):
            (a1, b1), (a2, b2) = bases[s], bases[s + 1]
            for x, y, into in ((a1, b2, between), (a2, b1, between), (a1, a2, same), (b1, b2, same)):
                into.append(angles_between(x[:, :k], y[:, :k]))
        return np.mean(between, axis=0), np.mean(same, axis=0)

    def enough(self, most: int, who: str) -> int:
        found = self.measured(most)
        _refuse_noise(found, who)
        share = np.cumsum(found["own"], axis=1) / found["total"][:, None]
        return int(max((share < _SHARE).sum(axis=1).max() + 1, 1)) if (share[:, -1] >= _SHARE).all() else most

    def groups(self, rng: np.random.Generator) -> list[list[tuple[np.ndarray, np.ndarray]]]:
        """Lists of (kept of a, kept of b): trials of a left out, and of b; together where they are paired."""
        one, two = self.both
        every = tuple(np.ones(len(s.x), dtype=bool) for s in self.both)
        if self.paired:
            return [[(keep, keep) for keep in groups_kept(one.strata, rng)]]
        return [
            [(keep, every[1]) for keep in groups_kept(one.strata, rng)],
            [(every[0], keep) for keep in groups_kept(two.strata, rng)],
        ]


def _half(strata: np.ndarray, per: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Two halves, bool (trials,): ``per`` trials of each condition in the first, all others in the second; where a
    condition has 2 per or 2 per + 1 trials they are halves, and of more the first stays as small, so that both sets
    find their subspaces from as many trials.
    """
    first, second = np.zeros(strata.size, dtype=bool), np.zeros(strata.size, dtype=bool)
    for c in range(int(strata.max()) + 1):
        own = rng.permutation(np.flatnonzero(strata == c))
        first[own[:per]], second[own[per : 2 * per]] = True, True
    return [first, second]


def _leading(covariance: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    value, vector = np.linalg.eigh(covariance)
    return value[::-1][:k], vector[:, ::-1][:, :k]


def _along(covariance: np.ndarray, axes: np.ndarray) -> np.ndarray:
    return np.einsum("uk,uv,vk->k", axes, covariance, axes, optimize=True)


def _refuse_noise(found: dict[str, Any], who: str) -> None:
    for side, name in enumerate("ab"):
        if not found["own"][side].sum() > 0 or not found["total"][side] > 0:
            raise InputError(
                f"{who}: {name} has no variance beyond noise that its halves share, so it has no subspace; use more "
                "trials, or give no conditions.",
                code="no-signal",
            )


def _ratio(found: dict[str, Any], k: int) -> np.ndarray:
    return np.asarray(found["other"][:, :k].sum(axis=1) / found["own"][:, :k].sum(axis=1))


def _inferred(
    work: _Work, k: int, most: int, n_null: int, level: float, seed: Seed, units: int, who: str
) -> SubspaceAlignment:
    found = work.measured(most)
    _refuse_noise({**found, "own": found["own"][:, :k]}, who)
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
    work: _Work, most: int, k: int, n_null: int, rng: np.random.Generator
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
        null[n] = [_along(c, one) for c in every]
        angles[n] = angles_between(one[:, :k], two[:, :k])
    return null, angles


def _changed_over(work: _Work, k: int, n_null: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 2) variance of each in the other's leading subspace, whose units are permuted."""
    every = [s.covariance(np.ones(len(s.x), dtype=bool)) for s in work.both]
    leading = [_leading(c, k)[1] for c in every]
    if work.axes is not None:
        leading = [work.axes @ d for d in leading]
    out = np.empty((n_null, 2))
    for n in range(n_null):
        order = rng.permutation(len(leading[0]))
        moved = [d[order] if work.axes is None else work.axes.T @ d[order] for d in leading]
        out[n] = [_along(every[side], moved[1 - side]).sum() for side in (0, 1)]
    return out


def _of_all(work: _Work, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(published index both ways, angles) of all trials' plain means."""
    means = [s.plain_means() for s in work.both]
    covariances = [np.cov(m, rowvar=False) for m in means]
    found = [_leading(c, k) for c in covariances]
    index = [_along(covariances[side], found[1 - side][1]).sum() / found[side][0].sum() for side in (0, 1)]
    return np.array(index), angles_between(found[0][1], found[1][1])
