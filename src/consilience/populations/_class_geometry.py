"""Scatter within and between classes, unbiased for few points, and what it predicts for learning from few examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import t as student

from consilience._core._arrays import Array
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.populations._manifolds import as_manifolds, centres_of, in_span
from consilience.stats import proportion_interval

__all__ = ["ClassGeometry", "class_geometry"]

WHO = "cs.populations.class_geometry"


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassGeometry:
    """Numbers of classes of points, means over ordered pairs (a, b) of classes where a pair is needed.

    fraction, ci_low, ci_high : between / (between + within), the share of variance between classes; unbiased above and
    below, so it is below 0 as often as above where classes do not differ.   null_mean, null_low, null_high, p : the
    same with class labels shuffled.
    between, within : variances, summed over units (squared units of x).   collapse : within / between, 0 where classes
    have collapsed to points, inf where they do not differ.
    signal : |m_a - m_b|^2 / V_a, V the total variance of a class.   bias : V_b / V_a - 1.   dimension :
    V_a^2 / tr S_a^2, participation ratio of one class.   overlap : d' S_a d / (|d|^2 V_a) of d = m_a - m_b, the share
    of a class's variance that lies along the way to the other.   (Each unbiased above and below.)
    error_predicted : of two-class learning from ``shots`` examples each, from these numbers.   error, error_low,
    error_high : as measured on points left out; 0.5 = chance.
    each, each_error : (classes,) jackknife pseudo-values of fraction and error, what each class contributes.
    names : (classes,); n_points : (classes,); n_units.
    """

    fraction: float
    ci_low: float
    ci_high: float
    null_mean: float
    null_low: float
    null_high: float
    p: float
    between: float
    within: float
    collapse: float
    signal: float
    bias: float
    dimension: float
    overlap: float
    shots: int
    error_predicted: float
    error: float
    error_low: float
    error_high: float
    each: np.ndarray
    each_error: np.ndarray
    names: np.ndarray
    n_points: np.ndarray
    n_units: int
    level: float

    def __repr__(self) -> str:
        return (
            f"<ClassGeometry> between classes {self.fraction:.3g} [{self.ci_low:.3g}, {self.ci_high:.3g}] of the "
            f"variance; {self.shots}-shot error {self.error:.3g} (predicted {self.error_predicted:.3g}); "
            f"{self.names.size} classes, {self.n_units} units"
        )


@dataclass(frozen=True, eq=False)
class _Parts:
    """Unbiased parts of all classes and pairs.   within : (C,) tr S_a.   apart : (C, C) |m_a - m_b|^2.
    product : (C, C) tr S_a S_b.   along : (C, C) d' S_a d.
    """

    within: np.ndarray
    apart: np.ndarray
    product: np.ndarray
    along: np.ndarray


def class_geometry(
    x: Array,
    label: Array,
    /,
    *,
    shots: int = 5,
    n_draws: int = 20,
    n_perm: int = 100,
    level: float = 0.95,
    rng: int = 0,
) -> ClassGeometry:
    """How far classes lie apart against how far they spread, and what that predicts for learning from few examples.

    With means m_a and covariances S_a of the classes, between = mean |m_a - m_b|^2 / 2 over pairs, within = mean tr
    S_a. A new point of a is sorted to the nearer of two prototypes, each the mean of ``shots`` examples. For Gaussian
    clouds the difference of squared distances has mean |d|^2 / 2 + (V_b - V_a) / (2 k) and variance

        d' S_a d + d' S_b d / k + tr S_a^2 (1 / k + 1 / (2 k^2)) + tr S_a S_b / k + tr S_b^2 / (2 k^2),

    k = shots, whose ratio is the signal-to-noise of Sorscher et al. (who leave out the smaller terms), and
    error_predicted is the mean of H(ratio) over pairs, H the normal tail. Means and covariances of few points are
    biased in each of these terms; every one is corrected (exactly for Gaussian clouds).

    Parameters
    ----------
    x : (points, units).   label : (points,); 2 classes or more with at least shots + 1 and 3 points each.
    shots : examples of each class.   n_draws : of examples, for the measured error.   n_perm : shuffles of labels; 0 =
        none.   level : of the intervals.   rng : seed.

    Returns
    -------
    ClassGeometry : intervals are jackknives over classes (of the error Wilson's with that variance), NaN below 4.

    Raises
    ------
    InputError : too few classes or points (``too-few``), NaN.

    References
    ----------
    Sorscher, Ganguli & Sompolinsky (2022); Papyan, Han & Donoho (2020) for the collapse within classes.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> label = np.repeat(np.arange(8), 12)
    >>> x = rng.normal(size=(8, 50))[label] + 3 * rng.normal(size=(96, 50))  # the truth is 1 / 10
    >>> found = cs.populations.class_geometry(x, label)
    >>> round(found.fraction, 2), round(found.error, 2), round(found.error_predicted, 2)
    (0.09, 0.2, 0.21)
    """
    shots = check_count(shots, name="shots", who=WHO, minimum=1)
    n_draws = check_count(n_draws, name="n_draws", who=WHO, minimum=1)
    n_perm = check_count(n_perm, name="n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    scaled, number, names = as_manifolds(x, label, who=WHO, points=max(shots + 1, 3))
    size = float(np.abs(np.asarray(x, dtype=np.float64)).max())
    rows = in_span(scaled)
    classes, counts = names.size, np.bincount(number)
    parts = _parts(rows, number, classes)
    errors = _measured(rows, number, counts, shots, n_draws, seed.stream("shots"))
    stream = seed.stream("shuffles")
    null = np.array([_fraction(_scatter(rows, stream.permutation(number), classes)) for _ in range(n_perm)])
    value = _fraction((parts.within, parts.apart))
    each = pseudo_values(
        lambda keep: _fraction((parts.within[keep], parts.apart[np.ix_(keep, keep)])), value, classes
    )
    ends = interval_over_classes(each, value, level)
    off = ~np.eye(classes, dtype=bool)
    error = float(errors[off].mean())
    each_error = pseudo_values(
        lambda keep: float(errors[np.ix_(keep, keep)][~np.eye(len(keep), dtype=bool)].mean()), error, classes
    )
    low, high = interval_over_classes(each_error, error, level, items=len(rows))
    between, within = float(parts.apart[off].mean() / 2), float(parts.within.mean())
    v, own = parts.within, np.diag(parts.product)
    with np.errstate(divide="ignore", invalid="ignore"):
        signal = (parts.apart / v[:, None])[off].mean()
        bias = (v[None] / v[:, None] - 1)[off].mean()
        dimension = float((v**2).mean() / own.mean()) if own.mean() > 0 else np.nan
        overlap = parts.along[off].mean() / (parts.apart * v[:, None])[off].mean()
    tails = np.quantile(null, [(1 - level) / 2, (1 + level) / 2]) if null.size else (np.nan, np.nan)
    return ClassGeometry(
        fraction=value,
        ci_low=ends[0],
        ci_high=ends[1],
        null_mean=float(null.mean()) if null.size else float("nan"),
        null_low=float(tails[0]),
        null_high=float(tails[1]),
        p=float((1 + np.sum(null >= value)) / (null.size + 1)) if null.size else float("nan"),
        between=between * size * size,
        within=within * size * size,
        collapse=within / between if between > 0 else float("inf"),
        signal=float(signal),
        bias=float(bias),
        dimension=dimension,
        overlap=float(overlap),
        shots=shots,
        error_predicted=float(_predicted(parts, shots)[off].mean()),
        error=error,
        error_low=low,
        error_high=high,
        each=each,
        each_error=each_error,
        names=names,
        n_points=counts,
        n_units=int(np.shape(x)[1]),
        level=level,
    )


def _scatter(x: np.ndarray, number: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(within (C,), apart (C, C)), both unbiased."""
    counts = np.bincount(number, minlength=classes)
    means = centres_of(x, number, classes)
    away = x - means[number]
    within = np.bincount(number, (away * away).sum(axis=1), classes) / (counts - 1)
    gram = means @ means.T
    length = np.diag(gram)
    error = within / counts
    apart = length[:, None] + length - 2 * gram - error[:, None] - error
    np.fill_diagonal(apart, 0.0)
    return within, apart


def _fraction(scatter: tuple[np.ndarray, np.ndarray]) -> float:
    within, apart = scatter
    n = len(within)
    between = float(apart.sum()) / (2 * n * (n - 1))
    total = between + float(within.mean())
    return between / total if total > 0 else float("nan")


def _parts(x: np.ndarray, number: np.ndarray, classes: int) -> _Parts:
    counts = np.bincount(number, minlength=classes)
    free = counts - 1.0
    within, apart = _scatter(x, number, classes)
    means = centres_of(x, number, classes)
    away = x - means[number]
    member = np.eye(classes)[number]
    square = (away @ away.T) ** 2
    product = (member.T @ square @ member) / free[:, None] / free
    plain = np.diag(product).copy()  # tr S^2 of few points counts (tr S)^2 / free besides
    own = free**2 / ((free - 1) * (free + 2)) * (plain - within**2 / free)
    np.fill_diagonal(product, own)
    steps = means @ away.T  # (C, n)
    along = np.stack([((steps[a] - steps) ** 2 * member[:, a]).sum(axis=1) / free[a] for a in range(classes)])
    error = own[:, None] / counts[:, None] + product / counts
    along = along - error
    np.fill_diagonal(along, 0.0)
    return _Parts(within, apart, product, along)


def _predicted(parts: _Parts, k: int) -> np.ndarray:
    """(C, C) error of sorting a point of a, against b."""
    v, own = parts.within, np.diag(parts.product)
    mean = parts.apart / 2 + (v[None] - v[:, None]) / (2 * k)
    variance = (
        parts.along
        + parts.along.T / k
        + own[:, None] * (1 / k + 1 / (2 * k * k))
        + parts.product / k
        + own[None] / (2 * k * k)
    )
    small = 1e-12 * float(np.abs(variance).max())
    return np.asarray(ndtr(-mean / np.sqrt(np.maximum(variance, max(small, 1e-300)))))


def _measured(
    x: np.ndarray, number: np.ndarray, counts: np.ndarray, shots: int, draws: int, stream: np.random.Generator
) -> np.ndarray:
    """(C, C) share of left-out points of a that are nearer to the prototype of b; ties count half."""
    classes = counts.size
    wrong, tested = np.zeros((classes, classes)), np.zeros(classes)
    for _ in range(draws):
        order = np.lexsort((stream.random(len(number)), number))
        place = np.empty(len(number), dtype=np.int64)
        place[order] = np.arange(len(number)) - np.repeat(np.cumsum(counts) - counts, counts)
        train = place < shots
        prototypes = centres_of(x[train], number[train], classes)
        rest, owner = x[~train], number[~train]
        far = (prototypes * prototypes).sum(axis=1) - 2 * rest @ prototypes.T
        gap = far - far[np.arange(len(rest)), owner][:, None]
        np.add.at(wrong, owner, (gap < 0) + 0.5 * (gap == 0))
        tested += np.bincount(owner, minlength=classes)
    return np.asarray(wrong / tested[:, None])


def pseudo_values(rule: Callable[[np.ndarray], float], value: float, classes: int) -> np.ndarray:
    """(C,) C v - (C - 1) v_c, v_c without class c; NaN below 4 classes."""
    if classes < 4:
        return np.full(classes, np.nan)
    left = np.array([rule(np.delete(np.arange(classes), c)) for c in range(classes)])
    return np.asarray(classes * value - (classes - 1) * left)


def interval_over_classes(
    pseudo: np.ndarray, value: float, level: float, *, items: int = 0
) -> tuple[float, float]:
    """value +- t s, s^2 = sum (p - mean)^2 / (C (C - 1)), the jackknife's.

    With ``items`` (points tested) ``value`` is a share, and the interval Wilson's of that variance, which does not
    vanish at 0 and 1.
    """
    classes = pseudo.size
    if not np.isfinite(pseudo).all():
        return float("nan"), float("nan")
    variance = float(pseudo.var(ddof=1) / classes)
    if items:
        low, high = proportion_interval(
            np.asarray(value), np.asarray(variance), items=items, level=level, df=classes - 1
        )
        return max(float(low), 0.0), min(float(high), 1.0)  # but for rounding within them
    half = float(student.ppf((1 + level) / 2, classes - 1)) * np.sqrt(variance)
    return value - half, value + half
