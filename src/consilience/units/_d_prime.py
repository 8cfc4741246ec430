"""d': how far apart a class and the others are, in standard deviations of single trials."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import t as student

from consilience._core._arrays import Array
from consilience.units._classes import Classes, as_classes, highest, which_label
from consilience.units._selectivity import Options, Selectivity, check_options, put_together
from consilience.units._trials import say_silent
from consilience.units._untuned import untuned_rows

__all__ = ["d_prime"]

_CHOICE = 0.5  # of the squared difference of raw and held-out value, for not knowing the best class

_ENDLESS = 1e8  # no spread at all


def d_prime(
    responses: Array,
    labels: Array,
    /,
    *,
    label: Any = None,
    groups: Array | None = None,
    n_splits: int = 100,
    n_perm: int = 1000,
    n_floor: int = 20,
    level: float = 0.95,
    rng: int = 0,
) -> Selectivity:
    """Discriminability of a class from the rest, d' = (m_c - m_rest) / sqrt((s_c^2 + s_rest^2) / 2).

    Means and variances are over the trials of the class, and over those of all other classes together. With
    ``label=None`` c is the class with the highest mean: ``value`` is then high by chance, and ``corrected`` chooses c
    on one half of the trials of each class and takes the difference of means from the other half, both ways, over many
    splits, over the standard deviation of all trials: 0 on average for an untuned unit. With a ``label`` that was
    chosen beforehand (of two classes, one of them) nothing is chosen: d' is signed, p two-sided, and corrected is
    Hedges' (1 - 3 / (4 df - 1)) d', without the bias of few trials.

    Defined for any values, dF/F and BOLD too. Not to be confused with selectivity ratios, which do not count noise; of
    a network's units the spread is over the images of a class, not over trials.

    Parameters
    ----------
    responses : (n, units): independent rows, trials or images.   labels : (n,), at least 2 rows of each.
    label : the class, chosen on other data; None: the preferred one.   groups : (n,) runs: labels are dealt anew within
        them.   n_splits : halves.   n_perm : relabellings; 0 = no p.   n_floor : draws of untuned units; 0 = no floor.
    level : of the interval: jackknife over the trials of both, t.   rng : seed.

    Returns
    -------
    Selectivity : inf where the class and the rest differ without any spread.

    In simulations of Poisson and twice as variable counts (8 labels, 10 or 4 to 18 trials of each, mean 1 to 20, 500 to
    1000 units each) intervals of 95 % held the truth in 0.91 to 0.98 with ``label``, in 0.92 to 1.00 of the best
    class, of which corrected was low where halves often choose another one.

    Raises
    ------
    InputError : a label with one row (``no-repeats``), an unknown label, NaN.   ConsilienceWarning : ``silent-units``.

    References
    ----------
    Green & Swets (1966); Hedges (1981).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> labels = np.repeat(["face", "house"], 100)
    >>> x = np.where(labels == "face", 1.0, 0.0)[:, None] + np.random.default_rng(0).normal(size=(200, 1))
    >>> found = cs.units.d_prime(x, labels, label="face", n_perm=100)  # truth 1
    >>> bool(found.ci_low[0] < 1 < found.ci_high[0])
    True
    """
    who = "cs.units.d_prime"
    options = check_options(n_splits=n_splits, n_perm=n_perm, n_floor=n_floor, level=level, rng=rng, who=who)
    classes = as_classes(responses, labels, who=who, groups=groups)
    fixed = which_label(label, classes.names, who=who)
    say_silent(classes.silent, who=who)
    orders = classes.dealt(options.n_perm, options.seed.stream("permutations"))
    halves = classes.halves(options.n_splits, options.seed.stream("splits"))
    drawer = options.seed.stream("floor")
    found = [_of_part(part, fixed, options, orders, halves, drawer) for _, part in classes.parts()]
    return put_together(found, options.level)


def _of_part(
    part: Classes,
    fixed: int | None,
    options: Options,
    orders: np.ndarray,
    halves: np.ndarray,
    drawer: np.random.Generator,
) -> dict[str, np.ndarray]:
    x = part.x - part.x.mean(axis=0)
    known, n = ~part.silent, part.counts
    means = np.add.reduceat(x, part.starts, axis=0) / n[:, None]
    squares = np.add.reduceat(x * x, part.starts, axis=0) / n[:, None]
    best = np.full(known.size, fixed) if fixed is not None else means.argmax(axis=0)
    gap, spread = two_samples(means, squares, best, n)
    raw = np.where(known, _ratio(gap, spread), np.nan)
    first_sums, same, total = (
        np.zeros(known.size),
        np.zeros(known.size),
        np.add.reduceat(x, part.starts, axis=0),
    )
    half, xx = n // 2, x * x
    for some in part.chunks(halves):
        first = part.means_of(some, half, x)
        second = (total - first * half[:, None]) / (n - half)[:, None]
        chosen = [highest(m) for m in (first, second)]
        same += (chosen[0] == chosen[1]).sum(axis=0)
        for c, m, count in ((chosen[0], second, n - half), (chosen[1], first, half)):
            first_sums += _ratio(gap_of(m, c, count), two_samples(means, squares, c, n)[1]).sum(axis=0)
    if fixed is None:
        corrected = np.where(known, first_sums / (2 * len(halves)), np.nan)
    else:
        corrected = raw * (1 - 3 / (4 * _freedom(means, squares, best, n) - 1))
    low, high = _jackknife(x, part, best, raw, corrected, options.level)

    def dealt(some: np.ndarray) -> np.ndarray:
        m, s = part.means_of(some, n, x), part.means_of(some, n, xx)
        if fixed is None:
            return _ratio(*two_samples(m, s, highest(m), n))
        return np.abs(_ratio(*two_samples(m, s, np.full((len(m), m.shape[-1]), fixed), n)))

    null, p = part.against_dealt(raw if fixed is None else np.abs(raw), orders, dealt)
    if fixed is not None:
        null = np.where(np.isfinite(null), 0.0, np.nan)
    null = np.where(null * max(1, len(orders)) > _ENDLESS, np.inf, null)
    floor = np.where(known, _floor(part, fixed, options.n_floor, drawer), np.nan)
    endless = np.abs(raw) > _ENDLESS
    known = known & ~endless
    return {
        "value": np.where(endless, np.copysign(np.inf, raw), raw),
        "corrected": np.where(endless, np.copysign(np.inf, raw), corrected),
        "ci_low": np.where(known, np.fmin(low, corrected), np.nan),
        "ci_high": np.where(known, np.fmax(high, corrected), np.nan),
        "null_mean": null,
        "p": p,
        "floor": floor,
        "preferred": part.names[means.argmax(axis=0)],
        "stability": np.where(known, same / len(halves), np.nan),
    }


def _floor(part: Classes, fixed: int | None, count: int, rng: np.random.Generator) -> np.ndarray:
    drawn, n = [np.full(part.x.shape[1], np.nan)] * (count == 0), part.counts
    for rows in untuned_rows(part, *part.moments(), count, rng):
        rows = rows - rows.mean(axis=0)
        m, s = (np.add.reduceat(v, part.starts, axis=0) / n[:, None] for v in (rows, rows * rows))
        c = m.argmax(axis=0) if fixed is None else np.full(m.shape[1], fixed)
        drawn.append(_ratio(*two_samples(m, s, c, n)))
    return np.asarray(np.mean(drawn, axis=0))


def gap_of(means: np.ndarray, chosen: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(..., units) mean of the chosen class less that of all other trials."""
    n = counts[chosen]
    one = np.take_along_axis(means, chosen[..., None, :], axis=-2)[..., 0, :]
    every = np.tensordot(counts.astype(np.float64), means, axes=(0, -2))
    return np.asarray(one - (every - n * one) / (counts.sum() - n))


def two_samples(
    means: np.ndarray, squares: np.ndarray, chosen: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """((..., units) gap, standard deviation sqrt((s_c^2 + s_rest^2) / 2)), from class means of x and x^2."""
    n = counts[chosen]
    left = counts.sum() - n
    at = chosen[..., None, :]
    m, s = (
        np.take_along_axis(np.broadcast_to(v, (*chosen.shape[:-1], *v.shape[-2:])), at, axis=-2)[..., 0, :]
        for v in (means, squares)
    )
    weights = counts.astype(np.float64)
    rest_m = (np.tensordot(weights, means, axes=(0, -2)) - n * m) / left
    rest_s = (np.tensordot(weights, squares, axes=(0, -2)) - n * s) / left
    one = np.maximum(s - m * m, 0.0) * n / (n - 1)
    other = np.maximum(rest_s - rest_m**2, 0.0) * left / (left - 1)
    return m - rest_m, np.sqrt((one + other) / 2)


def _freedom(means: np.ndarray, squares: np.ndarray, chosen: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(units,) degrees of freedom of s_c^2 + s_rest^2 (Welch-Satterthwaite)."""
    n = counts[chosen]
    at = np.arange(chosen.size)
    rest = counts.sum() - n
    one = np.maximum(squares[chosen, at] - means[chosen, at] ** 2, 0.0) * n / (n - 1)
    other = np.maximum(2 * two_samples(means, squares, chosen, counts)[1] ** 2 - one, 0.0)
    below = one**2 / (n - 1) + other**2 / (rest - 1)
    return np.where(below > 0, (one + other) ** 2 / np.where(below > 0, below, 1.0), counts.sum() - 2)


def _ratio(gap: np.ndarray, spread: np.ndarray) -> np.ndarray:
    some = spread > 1e-12 * np.maximum(np.abs(gap), 1e-300)
    return np.where(
        some, gap / np.where(some, spread, 1.0), np.where(gap == 0, 0.0, np.sign(gap) * 10 * _ENDLESS)
    )


def _jackknife(
    x: np.ndarray, part: Classes, best: np.ndarray, raw: np.ndarray, corrected: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Each trial left out once, of the class and of the rest apart."""
    inside = part.code[:, None] == best
    terms, frees, stats = [], [], []
    for rows in (inside, ~inside):
        n = rows.sum(axis=0)
        m = (x * rows).sum(axis=0) / n
        s = (((x - m) ** 2) * rows).sum(axis=0) / (n - 1)
        stats.append((rows, n, m, s))
    (_, _, m1, s1), (_, _, m0, s0) = stats
    for rows, n, m, s in stats:
        away = x - m
        with np.errstate(divide="ignore", invalid="ignore"):
            left_m = m - away / (n - 1)
            left_s = np.maximum(((n - 1) * s - away**2 * n / (n - 1)) / np.maximum(n - 2, 1), 0.0)
        first = rows is inside
        gap = left_m - m0 if first else m1 - left_m
        d = _ratio(gap, np.sqrt(((left_s + s0) if first else (s1 + left_s)) / 2))
        middle = (d * rows).sum(axis=0) / n
        terms.append((n - 1) / n * (((d - middle) ** 2) * rows).sum(axis=0))
        frees.append(n - 1)
    spread = terms[0] + terms[1]
    below = terms[0] ** 2 / frees[0] + terms[1] ** 2 / frees[1]
    df = np.where(below > 0, spread**2 / np.where(below > 0, below, 1.0), 1.0)
    away = student.ppf((1 + level) / 2, np.maximum(df, 1.0)) * np.sqrt(
        spread + _CHOICE * (raw - corrected) ** 2
    )
    return corrected - away, corrected + away
