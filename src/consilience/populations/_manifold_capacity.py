"""Capacity, radius and dimension of class manifolds by mean-field theory, with interval, null and floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t as student

from consilience._core._arrays import Array, is_torch_array
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import resolve_seed
from consilience.populations._clouds import of_clouds
from consilience.populations._manifolds import as_manifolds, in_span, take_off_centres

__all__ = ["ManifoldCapacity", "manifold_capacity"]

WHO = "cs.populations.manifold_capacity"
FEW_CLASSES = 15


@dataclass(frozen=True, kw_only=True, eq=False)
class ManifoldCapacity:
    """Numbers of class manifolds. Higher capacity = easier to sort by a linear readout.

    value, ci_low, ci_high : capacity, classes per unit; the interval is over classes (Gaussian draws inside it).
    radius, dimension, with _low and _high : means over classes; a radius of 1 is the length of the class centre.
    half_points : the same capacity with half the points of each class: where it is well above ``value``, more points
    would lower that further.   floor : 2 / mean points per class, of clouds without structure.
    null_mean, null_low, null_high : with class labels shuffled; p : share of those as high, (b + 1) / (m + 1).
    null : (n_perm, 3) capacity, radius, dimension of each shuffle.
    draw_error : standard error of ``value`` from the Gaussian draws alone.
    centre_correlation : (before, after) mean absolute cosine of pairs of centres; axes_removed : in between.
    each, each_radius, each_dimension : (classes,); names : (classes,).   n_points : (classes,).   n_units.
    """

    value: float
    ci_low: float
    ci_high: float
    radius: float
    radius_low: float
    radius_high: float
    dimension: float
    dimension_low: float
    dimension_high: float
    half_points: float
    floor: float
    null_mean: float
    null_low: float
    null_high: float
    p: float
    null: np.ndarray
    draw_error: float
    centre_correlation: tuple[float, float]
    axes_removed: int
    each: np.ndarray
    each_radius: np.ndarray
    each_dimension: np.ndarray
    names: np.ndarray
    n_points: np.ndarray
    n_units: int
    level: float

    @property
    def contributions(self) -> np.ndarray:
        """(classes,) alpha - alpha^2 (1 / alpha_m - 1 / alpha): what each class adds to ``value``, their mean."""
        return np.asarray(self.value - self.value**2 * (1.0 / self.each - 1.0 / self.value))

    def __repr__(self) -> str:
        null = f"; shuffled classes {self.null_mean:.3g}" if self.null_mean == self.null_mean else ""
        return (
            f"<ManifoldCapacity> {self.value:.3g} [{self.ci_low:.3g}, {self.ci_high:.3g}], radius {self.radius:.3g}, "
            f"dimension {self.dimension:.3g}{null}; {self.names.size} classes, {self.n_units} units"
        )


def manifold_capacity(
    x: Array,
    label: Array,
    /,
    *,
    margin: float = 0.0,
    centres: Literal["remove", "keep"] = "remove",
    n_draws: int = 300,
    n_perm: int = 20,
    level: float = 0.95,
    rng: int = 0,
) -> ManifoldCapacity:
    """Capacity, radius and dimension of classes, each a cloud of points in the space of units.

    Capacity alpha is the number of classes per unit up to which half of all ways to sort whole classes into two can be
    done by a linear readout. In mean-field theory (many classes, centres in random directions)

        1 / alpha_m = E_T min ||V - T||^2 over V with s_i . V >= margin for all points i,     1 / alpha = mean over m,

    T ~ N(0, I), s_i = (x_i - c, 1): the points of class m around its centre c, in units of its length, in D axes of
    their own, and 1 along the centre. The point that holds V away from T is the anchor s(T) = sum_i lambda_i s_i /
    sum_i lambda_i. Radius R = sqrt(E ||s - E s||^2), dimension D = E (T . s / ||s||)^2, both without the centre axis.
    `ball_capacity` of (R, D) is near alpha. (On the same draws the code of Chung et al. gives this alpha and R to 1e-9;
    its dimension is r (E cos)^2, cos between T and s in r axes, within 7 % of D in 14 comparisons.)

    Centres that are correlated make alpha of real manifolds less than that; ``centres="remove"`` takes the axes that
    centres share out of all points (the leading principal axes of the centres, as many as leave the smallest mean
    absolute cosine, none of fewer than 4 classes). Cohen et al. optimise the axes and take off at least one: in
    simulations nearer to `simulated_capacity` by 3-5 % where centres share a few axes, further off by 16 % where the
    variance of units falls as a power law. The common mean is always taken off. Axes that the clouds share
    (a noise that is the same in all classes) are not: the theory gives each class axes of its own, and is then below
    what a readout can do. `simulated_capacity` needs no such assumption.

    Trials count as points: with noisy trials the cloud is mostly noise. Compare systems at equal points per class (a
    cloud of more points is larger), equal classes and noise.

    Parameters
    ----------
    x : (points, units), finite; of a torch tensor the programmes are solved on its device.
    label : (points,) class of each; 2 classes or more with 2 points or more each.
    margin : kappa >= 0.   n_draws : T of each class.   n_perm : shuffles of labels, for the null, with a third of the
        draws; 0 = none.   level : of intervals.   rng : seed.

    Returns
    -------
    ManifoldCapacity : the intervals are t intervals over classes (of capacity those of 1 / alpha_m) on the scale of
        logarithms, log mean +- t s / (mean sqrt(classes)), so that no end is below 0. They speak of classes like these
        with as many points; ``half_points`` says whether the number of points limits it.

    Raises
    ------
    InputError : fewer than 2 classes, a class with one point (``too-few``), a centre at the common mean
        (``no-structure``), NaN.
    ConsilienceWarning : ``few-classes``, below 15: taking off the mean ties so few centres to each other. In
        simulations the value was below `simulated_capacity` by 2-3 % at 20 classes, 4-6 % at 15, 5-9 % at 10,
        12-22 % at 4 to 6 and 24-26 % at 2.

    References
    ----------
    Chung, Lee & Sompolinsky (2018); Cohen, Chung, Lee & Sompolinsky (2020).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> label = np.repeat(np.arange(20), 10)
    >>> x = rng.normal(size=(20, 100))[label] + 0.3 * rng.normal(size=(200, 100))
    >>> found = cs.populations.manifold_capacity(x, label)
    >>> bool(found.null_high < found.ci_low < found.value < 2)
    True
    """
    k = check_number(margin, name="margin", who=WHO, low=0.0, closed=True)
    how = check_option(centres, ("remove", "keep"), name="centres", who=WHO)
    draws = check_count(n_draws, name="n_draws", who=WHO, minimum=10)
    n_perm = check_count(n_perm, name="n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    values, number, names = as_manifolds(x, label, who=WHO)
    like = x if is_torch_array(x) else values
    classes, counts = names.size, np.bincount(number)
    if classes < FEW_CLASSES:
        warn(
            "few-classes",
            f"{WHO}: {classes} classes; the theory is of many, and its capacity is too low for few, by 5-9 % at 10 and "
            f"12-22 % at 4 to 6.{_uneven(counts, names)}",
            "Take finer classes, or cs.populations.simulated_capacity, which holds for any number.",
        )
    values = in_span(values)
    remove = how == "remove"
    found = _theory(values, number, classes, remove, k, draws, seed.stream("draws"), like)
    stream = seed.stream("halves")
    kept = _half(number, counts, stream)
    half = _theory(values[kept], number[kept], classes, remove, k, draws, stream, like)
    stream, few = seed.stream("shuffles"), max(draws // 3, 10)
    shuffled = [
        _theory(values, stream.permutation(number), classes, remove, k, few, stream, like)
        for _ in range(n_perm)
    ]
    nulls = np.array([[s.value, s.radius.mean(), s.dimension.mean()] for s in shuffled]).reshape(-1, 3)
    null = nulls[:, 0]
    value = found.value
    low, high = _inverted(found.inverse, level)
    r, d = (_interval(part, level) for part in (found.radius, found.dimension))
    tails = np.quantile(null, [(1 - level) / 2, (1 + level) / 2]) if null.size else (np.nan, np.nan)
    return ManifoldCapacity(
        value=value,
        ci_low=low,
        ci_high=high,
        radius=r[0],
        radius_low=r[1],
        radius_high=r[2],
        dimension=d[0],
        dimension_low=d[1],
        dimension_high=d[2],
        half_points=half.value,
        floor=float(2.0 / counts.mean()),
        null_mean=float(null.mean()) if null.size else float("nan"),
        null_low=float(tails[0]),
        null_high=float(tails[1]),
        p=float((1 + np.sum(null >= value)) / (null.size + 1)) if null.size else float("nan"),
        null=nulls,
        draw_error=value**2 * float(np.sqrt((found.draw_variance).sum()) / classes),
        centre_correlation=(found.before, found.after),
        axes_removed=found.axes,
        each=1.0 / found.inverse,
        each_radius=found.radius,
        each_dimension=found.dimension,
        names=names,
        n_points=counts,
        n_units=int(np.shape(x)[1]),
        level=level,
    )


@dataclass(frozen=True, eq=False)
class _Theory:
    inverse: np.ndarray
    radius: np.ndarray
    dimension: np.ndarray
    draw_variance: np.ndarray
    before: float
    after: float
    axes: int

    @property
    def value(self) -> float:
        return 1.0 / float(self.inverse.mean())


def _half(number: np.ndarray, counts: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Rows of half the points of each class, at random."""
    order = np.lexsort((stream.random(len(number)), number))
    place = np.arange(len(number)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[place < np.maximum(np.repeat(counts, counts) // 2, 1)])


def _theory(
    x: np.ndarray,
    number: np.ndarray,
    classes: int,
    remove: bool,
    margin: float,
    draws: int,
    rng: np.random.Generator,
    like: Array,
) -> _Theory:
    made = take_off_centres(x, number, classes, remove=remove)
    size = np.linalg.norm(made.centres, axis=1)
    spread = float(np.sqrt(np.mean(np.sum(made.x * made.x, axis=1))))
    if size.min() <= 1e-9 * spread:
        raise InputError(
            f"{WHO}: the centre of class {int(size.argmin())} (of the sorted labels) lies at the common mean, so it "
            "has no direction; add classes, or leave it out.",
            code="no-structure",
        )
    order = np.argsort(number, kind="stable")
    groups = np.split(made.x[order], np.cumsum(np.bincount(number, minlength=classes))[:-1])
    clouds = [(g - c) / s for g, c, s in zip(groups, made.centres, size)]
    inverse, radius, dimension, variance = of_clouds(clouds, margin, draws, rng, like)
    return _Theory(inverse, radius, dimension, variance, made.before, made.after, made.axes)


def _interval(each: np.ndarray, level: float) -> tuple[float, float, float]:
    """Mean and ends, t on the scale of logarithms: none of these numbers can be below 0."""
    n, mean = each.size, float(each.mean())
    half = student.ppf((1 + level) / 2, n - 1) * each.std(ddof=1) / (np.sqrt(n) * mean) if mean > 0 else 0.0
    return mean, float(mean * np.exp(-half)), float(mean * np.exp(half))


def _inverted(inverse: np.ndarray, level: float) -> tuple[float, float]:
    _, low, high = _interval(inverse, level)
    return 1.0 / high, 1.0 / low


def _uneven(counts: np.ndarray, names: np.ndarray) -> str:
    """Said of classes of unlike size; nothing where all are alike."""
    if counts.min() == counts.max():
        return ""
    least = int(counts.argmin())
    return f" They are of {counts.min()} to {counts.max()} points, {shorten(names.tolist()[least], 40)} the smallest."
