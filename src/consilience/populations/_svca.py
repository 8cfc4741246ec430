"""Shared variance components: what one half of the units tells of the other at times that were held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.linalg import constant_columns
from consilience.stats import autocorrelation_time

__all__ = ["SharedComponents", "svca"]

_CHUNKS = 20
_LEAST = 10  # samples a chunk keeps, beside the gap


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedComponents:
    """value : number of shared components, median over random halves.   ci_low, ci_high : middle ``level`` of that
    number over the halves: how much it hangs on the split, not a sampling error.

    shared : (k,) covariance of the two halves along each component, held out; it can be negative.   total : (k,) mean
    variance of the halves along it.   reliability : (k,) shared / total.   null : (k,) the ``level`` quantile of the
    largest reliability of any component where one half is shifted in time.   p : of the first component against that
    largest one.   fraction : shared variance over all variance of the units, of the components counted.
    gap : samples left out between training and test.   level, n_samples, n_units.
    """

    value: float
    ci_low: float
    ci_high: float
    shared: np.ndarray
    total: np.ndarray
    reliability: np.ndarray
    null: float
    p: float
    fraction: float
    gap: int
    level: float
    n_samples: int
    n_units: int

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return (
            f"<SharedComponents> {self.value:.3g} [{self.ci_low:.3g}, {self.ci_high:.3g}] components, "
            f"{100 * self.fraction:.3g} % of the variance; {self.n_samples} samples, {self.n_units} units"
        )


def svca(
    series: Array,
    /,
    *,
    gap: int | None = None,
    n_splits: int = 20,
    n_shift: int = 100,
    level: float = 0.95,
    rng: int = 0,
) -> SharedComponents:
    """Number and size of the dimensions that two halves of a population share over time.

    Units are dealt to halves F, G, time in 20 stretches in turn to training and test with ``gap`` samples left out
    between. With U S V' = F_train' G_train, component k shares s_k = (F_test u_k) . (G_test v_k) / n of the mean
    variance (|F_test u_k|^2 + |G_test v_k|^2) / 2n (Stringer et al. 2019). Noise of single units is in no component;
    noise that units share (of a probe, of movement in the field of view) is in all, and is counted.

    A component counts while its reliability s_k / total is above what the best of all components reaches, in a share
    1 - ``level`` of cases, when G is shifted in time against F by more than ``gap`` (which keeps the course of both
    halves and breaks what they share); counting stops at the first that is not. So without anything shared the number
    is 0 in at least ``level`` of data sets, and small components are missed where time is short.

    Parameters
    ----------
    series : (n, units), samples in order of time, at least 4 units and 20 (10 + gap) samples.
    gap : samples; None = the autocorrelation time that 9 of 10 units stay below.
    n_splits : random halves of units.   n_shift : shifts of each kind of split, in all; at least 20.   rng : seed.

    Returns
    -------
    SharedComponents : with the components of half of the units, at most.

    Raises
    ------
    InputError : fewer than 4 units that vary, too few samples for the gap (``too-few``), NaN.
    ConsilienceWarning : ``constant-units``.

    References
    ----------
    Stringer et al. (2019, Science).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 3)) @ rng.normal(size=(3, 40)) + 2 * rng.normal(size=(2000, 40))
    >>> cs.populations.svca(x, n_splits=5).value
    3.0
    """
    who = "cs.populations.svca"
    n_splits = check_count(n_splits, name="n_splits", who=who, minimum=1)
    n_shift = check_count(n_shift, name="n_shift", who=who, minimum=20)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    x = np.asarray(to_numpy(as_matrix(series, name="series", who=who, min_rows=2)), dtype=np.float64)
    still = np.asarray(constant_columns(x), dtype=bool)
    if still.sum() and not still.all():
        warn(
            "constant-units",
            f"{who}: {int(still.sum())} of {still.size} units never vary, and share nothing; they are left out.",
            "Expected for silent units; else check the data.",
        )
    x = x[:, ~still]
    n, p = x.shape
    if p < 4:
        raise InputError(f"{who}: at least 4 units that vary are needed, got {p}.", code="too-few")
    x = x - x.mean(axis=0)
    x /= np.abs(x).max()
    if gap is None:
        gap = int(np.ceil(np.quantile(autocorrelation_time(x), 0.9))) if n > 3 else 0
    gap = check_count(gap, name="gap", who=who)
    if n < _CHUNKS * (_LEAST + gap):
        raise InputError(
            f"{who}: {_CHUNKS} stretches of at least {_LEAST} samples with gaps of {gap} need "
            f"{_CHUNKS * (_LEAST + gap)} samples, got {n}; give a longer recording, wider bins, or a shorter gap=.",
            code="too-few",
        )
    train, test = _times(n, gap)
    halves, shifts = seed.stream("halves"), seed.stream("shifts")
    found, nulls = [], []
    each = -(-n_shift // n_splits)
    for _ in range(n_splits):
        order = halves.permutation(p)
        f, g = x[:, order[: p // 2]], x[:, order[p // 2 :]]
        found.append(_components(f, g, train, test))
        for shift in shifts.integers(gap + 1, n - gap, each):
            moved = _components(f, np.roll(g, shift, axis=0), train, test)
            nulls.append(_reliability(*moved).max())
    edge = float(np.quantile(nulls, level))
    each_reliable = np.array([_reliability(*one) for one in found])
    counts = np.array([_leading(one > edge) for one in each_reliable])
    shared, total = (np.mean([one[k] for one in found], axis=0) for k in (0, 1))
    first = float(np.mean(each_reliable[:, 0]))
    low, high = np.quantile(counts, [(1 - level) / 2, (1 + level) / 2])
    whole = float(np.einsum("ij,ij->", x[test], x[test])) / test.size / 2  # of half of the units
    kept = [one[0][:count].sum() for one, count in zip(found, counts)]
    return SharedComponents(
        value=float(np.median(counts)),
        ci_low=float(low),
        ci_high=float(high),
        shared=shared,
        total=total,
        reliability=_reliability(shared, total),
        null=edge,
        p=float((1 + np.sum(np.array(nulls) >= first)) / (len(nulls) + 1)),
        fraction=float(np.mean(kept)) / whole,
        gap=gap,
        level=level,
        n_samples=n,
        n_units=p,
    )


def _times(n: int, gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples of training and of test: stretches in turn, each without its last ``gap`` samples."""
    parts = [part[: part.size - gap] for part in np.array_split(np.arange(n), _CHUNKS)]
    return np.concatenate(parts[::2]), np.concatenate(parts[1::2])


def _components(
    f: np.ndarray, g: np.ndarray, train: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(shared, total) of each component, at test times."""
    a, b = f[train] - f[train].mean(axis=0), g[train] - g[train].mean(axis=0)
    u, _, v = np.linalg.svd(a.T @ b, full_matrices=False)
    one, two = f[test] - f[test].mean(axis=0), g[test] - g[test].mean(axis=0)
    one, two = one @ u, two @ v.T
    return (
        np.asarray(np.einsum("tk,tk->k", one, two) / test.size),
        np.asarray((np.einsum("tk,tk->k", one, one) + np.einsum("tk,tk->k", two, two)) / (2 * test.size)),
    )


def _reliability(shared: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(total > 0, shared / np.where(total > 0, total, 1.0), 0.0))


def _leading(above: np.ndarray) -> int:
    return int(above.size if above.all() else above.argmin())
