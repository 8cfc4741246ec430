"""How well a linear readout tells classes on points that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.linalg._discriminant import DiscriminantPlan
from consilience.linalg._noise import labelled
from consilience.populations._class_geometry import interval_over_classes, pseudo_values
from consilience.populations._manifolds import as_manifolds, in_span
from consilience.stats._folds import stratified_folds

__all__ = ["ClassSeparability", "class_separability"]

WHO = "cs.populations.class_separability"


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassSeparability:
    """Held-out numbers of pairs of classes. Higher = easier to tell.

    value, ci_low, ci_high : share of held-out points on the right side, mean over ordered pairs of classes; 0.5 =
    chance.
    margin, margin_low, margin_high : mean distance of held-out points to the boundary, on the right side positive, in
    standard deviations of held-out points of a class along its normal (half a held-out d').
    null_mean, null_low, null_high, margin_null : with labels shuffled; p : share of those with a value as high,
    (b + 1) / (m + 1).   pairs : (C, C) share of points of a on the side of a against b.   each : (classes,)
    jackknife pseudo-values of value, what each class contributes.   names : (classes,).
    """

    value: float
    ci_low: float
    ci_high: float
    margin: float
    margin_low: float
    margin_high: float
    null_mean: float
    null_low: float
    null_high: float
    margin_null: float
    p: float
    pairs: np.ndarray
    each: np.ndarray
    names: np.ndarray
    n_points: np.ndarray
    n_units: int
    level: float

    def __repr__(self) -> str:
        return (
            f"<ClassSeparability> {self.value:.3g} [{self.ci_low:.3g}, {self.ci_high:.3g}] right, margin "
            f"{self.margin:.3g}; {self.names.size} classes, {self.n_units} units"
        )


def class_separability(
    x: Array,
    label: Array,
    stimulus: Array | None = None,
    /,
    *,
    folds: int = 5,
    n_perm: int = 100,
    level: float = 0.95,
    rng: int = 0,
) -> ClassSeparability:
    """Share of held-out points that linear discriminants of two classes put on the right side, and their margin.

    A discriminant of all classes with one shrunk covariance (Ledoit & Wolf) is fitted on ``folds`` - 1 parts; for every
    pair its boundary is w_ab . x = c_ab with w_ab = S^-1 (m_a - m_b). Held out: whole stimuli, where ``stimulus`` is
    given, so that repeats of one are never on both sides. `cs.decode` is the verb for decoding as such; this is one
    number of a geometry, whose chance level does not depend on the number of classes.

    Parameters
    ----------
    x : (points, units).   label : (points,) class.   stimulus : (points,) or None, every point is one.   folds : 2 or
        more, at most the stimuli of the smallest class.   n_perm : shuffles of the labels of stimuli, within folds; 0 =
        none.
    level : of the intervals.   rng : seed.

    Returns
    -------
    ClassSeparability : intervals are jackknives over classes with the fitted readouts kept (of the share Wilson's with
        that variance), NaN below 4 classes.

    Raises
    ------
    InputError : fewer than 2 classes or than ``folds`` stimuli of one (``too-few``), a stimulus in two classes, NaN.

    References
    ----------
    Fisher (1936); Ledoit & Wolf (2004).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> label = np.repeat(np.arange(4), 10)
    >>> x = rng.normal(size=(4, 30))[label] + rng.normal(size=(40, 30))
    >>> cs.populations.class_separability(x, label, n_perm=0).value > 0.95
    True
    """
    folds = check_count(folds, name="folds", who=WHO, minimum=2)
    n_perm = check_count(n_perm, name="n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    values, number, names = as_manifolds(x, label, who=WHO)
    group = (
        np.arange(len(number))
        if stimulus is None
        else labelled(stimulus, len(number), name="stimulus", who=WHO)[1]
    )
    first = np.unique(group, return_index=True)[1]
    if (number[first][group] != number).any():
        raise InputError(f"{WHO}: a stimulus stands in two classes; one class for each.", code="bad-label")
    fewest = int(np.bincount(number[first], minlength=names.size).min())
    if fewest < folds:
        raise InputError(
            f"{WHO}: {folds} folds need as many stimuli of every class, the smallest has {fewest}; folds={fewest}, or "
            "leave small classes out.",
            code="too-few",
        )
    test = stratified_folds(number, group, folds, seed.stream("folds"))
    fold = np.empty(len(number), dtype=np.int64)
    for k, rows in enumerate(test):
        fold[rows] = k
    labels = np.repeat(number[None, first], n_perm + 1, axis=0)
    stream = seed.stream("shuffles")
    for k in range(folds):  # within folds, which so hold as many of each class as before
        own = np.flatnonzero(fold[first] == k)
        for i in range(1, n_perm + 1):
            labels[i, own] = stream.permutation(labels[i, own])
    labels = labels[:, group]
    right, margin = _held_out(in_span(values), labels, test, names.size, values.shape[1])
    off = ~np.eye(names.size, dtype=bool)

    def mean(table: np.ndarray, keep: np.ndarray) -> float:
        return float(np.nanmean(table[np.ix_(keep, keep)][~np.eye(keep.size, dtype=bool)]))

    shares, margins = np.nanmean(right[:, off], axis=1), np.nanmean(margin[:, off], axis=1)
    each = pseudo_values(lambda keep: mean(right[0], keep), float(shares[0]), names.size)
    ends = interval_over_classes(each, float(shares[0]), level, items=int(first.size))
    each_margin = pseudo_values(lambda keep: mean(margin[0], keep), float(margins[0]), names.size)
    wide = interval_over_classes(each_margin, float(margins[0]), level)
    null = shares[1:]
    tails = np.quantile(null, [(1 - level) / 2, (1 + level) / 2]) if null.size else (np.nan, np.nan)
    return ClassSeparability(
        value=float(shares[0]),
        ci_low=ends[0],
        ci_high=ends[1],
        margin=float(margins[0]),
        margin_low=wide[0],
        margin_high=wide[1],
        null_mean=float(null.mean()) if null.size else float("nan"),
        null_low=float(tails[0]),
        null_high=float(tails[1]),
        margin_null=float(margins[1:].mean()) if null.size else float("nan"),
        p=float((1 + np.sum(null >= shares[0])) / (null.size + 1)) if null.size else float("nan"),
        pairs=right[0],
        each=each,
        names=names,
        n_points=np.bincount(number),
        n_units=int(values.shape[1]),
        level=level,
    )


def _held_out(
    x: np.ndarray, labels: np.ndarray, test: list[np.ndarray], classes: int, units: int
) -> tuple[np.ndarray, np.ndarray]:
    """(right, margin) (m, C, C) of m labellings: of points of a, against b.   units : of which x is
    the span of the rows.
    """
    m = len(labels)
    count, right = np.zeros((m, classes, classes)), np.zeros((m, classes, classes))
    total, squares = np.zeros_like(right), np.zeros_like(right)
    for rows in test:
        train = np.setdiff1d(np.arange(len(x)), rows)
        plan = DiscriminantPlan(x[train])
        plan.p = units  # the covariance is shrunk over all units
        coordinates = plan.coordinates(x[rows])
        for i in range(m):
            codes = labels[i, train]
            member = np.eye(classes)[codes]
            sizes = member.sum(axis=0)
            means = (member.T @ plan.rows) / sizes[:, None]
            found = plan.learn(means[None], sizes[None], codes[None], None)
            scores = coordinates @ found.weights[0] + found.offsets[0]
            w = found.weights[0].T @ found.weights[0]
            length = np.sqrt(np.maximum(np.diag(w)[:, None] + np.diag(w) - 2 * w, 1e-300))
            owner = labels[i, rows]
            gap = (scores[np.arange(len(rows)), owner][:, None] - scores) / length[owner]
            np.add.at(right[i], owner, (gap > 0) + 0.5 * (gap == 0))
            np.add.at(total[i], owner, gap)
            np.add.at(squares[i], owner, gap * gap)
            np.add.at(count[i], owner, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / count
        spread = np.sqrt(np.maximum(squares / count - mean**2, 0.0) * count / (count - 1))
        both = np.sqrt((spread**2 + np.swapaxes(spread, 1, 2) ** 2) / 2)
        return right / count, mean / both
