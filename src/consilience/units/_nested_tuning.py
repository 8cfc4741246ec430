"""What a unit tells about one variable beyond the others: place or heading, speed or place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from consilience._core._arrays import as_array, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_number
from consilience.units._scores import UnitScores
from consilience.units._trials import say_silent
from consilience.units._tuning_fits import over_parts
from consilience.units._visits import STRETCHES, Visits, visits_of

__all__ = ["NestedTuning", "nested_tuning"]

_STRENGTHS = (0.3, 3.0, 30.0, 300.0)  # of the penalty on differences between neighbouring bins
_RIDGE = 1e-3
_STEPS = 30
_MOST = 3000  # bins
_CLOSE = 1e-3  # nats of the objective
_LEAST = 0.05  # p of all together, above which what is beyond the others has no interval
_LN2 = float(np.log(2.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class NestedTuning:
    """names : of the variables.   alone, beyond : `UnitScores` by name: gain of a variable alone over a flat rate, and
    of all over all others; bits per spike, held out.   together : gain of all.   spikes : (units,).   parts : (models,
    parts, units) gains in bits on each part, of all variables together, of each alone, and of all but each.
    """

    names: tuple[str, ...]
    alone: dict[str, UnitScores]
    beyond: dict[str, UnitScores]
    together: UnitScores
    spikes: np.ndarray
    parts: np.ndarray

    def __repr__(self) -> str:
        found = ", ".join(f"{name} {int((self.beyond[name].p <= 0.05).sum())}" for name in self.names)
        return f"<NestedTuning> {self.spikes.size} units; beyond the other variables (p <= 0.05): {found}"


def nested_tuning(
    counts: Any,
    variables: Mapping[str, Any],
    /,
    *,
    width: float,
    bins: Mapping[str, Any] | None = None,
    period: Mapping[str, Any] | None = None,
    level: float = 0.95,
) -> NestedTuning:
    """Held-out gain of rates over several variables together, log r = sum_v f_v(x_v), and of each beyond the others.

    Where an animal is and where it looks go together, so that a unit tuned to one seems tuned to the other. Here the
    curves f_v, one value for each bin, are fitted together to Poisson counts, with a penalty on differences between
    neighbouring bins, and scored on stretches of time that were left out. ``beyond["heading"]`` is the gain of the
    model with all variables over that without heading: 0 or below for a unit for which place is enough. Effects
    multiply; a unit that follows heading in one place only has a gain that is too low.

    Parameters
    ----------
    counts : (n, units) spikes in consecutive bins of time.   variables : {name: (n,) or (n, dimensions)}, at least 2;
        samples with NaN in any are left out.   width : s, of the bins of time.
    bins, period : {name: as in `rate_map`}; those not named have the default (30, or 20 in each of more dimensions)
        and no period.   level : of the intervals.

    Returns
    -------
    NestedTuning : gains in bits per spike. The interval is t over the 20 stretches, made 1.43 times as wide as they
        share the samples of their fits (Nadeau & Bengio 2003), for the gain expected of fits to as many samples on
        this path. p is one-sided: of ``alone`` and ``together`` t as it is, of ``beyond`` that of the wider t, and not
        below p of ``together``. Where that is above 0.05, ``beyond`` has no interval (NaN).

    The strength of the penalty is the one of 0.3, 3, 30 and 300 with the highest evidence (Laplace), for each model and
    unit, in the half of the stretches that the scored one is not in.

    In simulations (a line on which heading follows place, a walk in a room, and along its walls, 500 s, 12 or 8 x 8
    bins of place, 12 of heading; place cells, head-direction cells of peak 2 and 12 over 0.5 spikes/s and flat units,
    gains that were steady or of log sd 0.5 over 10 and 60 s, 30 to 80 units each) what was not planted had p of at most
    0.05 beyond the other in 0.00 to 0.07 (12 of about 2500), where up to 1.00 seemed tuned to it alone. What was
    planted was found in 0.94 to 1.00 at peak 12, in 0.25 to 1.00 at peak 2. By t as it is these are 0.58 to 1.00, but
    place cells followed heading in up to 0.21 of 80, as coarse bins of place leave some of it to be told by where the
    animal looks, and flat units in up to 0.35 of 40, as place alone lost more than both. Intervals at 95 % held the
    gain in 0.86 to 1.00, in 0.80 of 30 in one case of 14 x 14 bins.

    Raises
    ------
    InputError : as `rate_map`; fewer than 2 variables (``too-few``), names in bins or period that are no variables
        (``bad-parameter``).
    ConsilienceWarning : ``silent-units`` (NaN), ``angle-units``, ``rates-as-counts``, ``long-bins``.

    References
    ----------
    Hardcastle, Maheswaranathan, Ganguli & Giocomo (2017); Nadeau & Bengio (2003).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> place = np.abs(np.cumsum(rng.normal(0, 0.1, 4000)) % 4 - 2)
    >>> speed = np.abs(place - 1 + 0.3 * rng.normal(size=4000))  # slow in the middle
    >>> counts = rng.poisson(0.1 * 20 * np.exp(-((place - 1) ** 2) / 0.1))[:, None]  # a place cell
    >>> found = cs.units.nested_tuning(counts, {"place": place, "speed": speed}, width=0.1, bins={"speed": 10})
    >>> bool(found.alone["speed"].p[0] < 0.01), bool(found.beyond["speed"].p[0] > 0.05)
    (True, True)
    >>> bool(found.beyond["place"].p[0] < 0.01)
    True
    """
    who = "cs.units.nested_tuning"
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    if not isinstance(variables, Mapping) or len(variables) < 2:
        raise InputError(
            f"{who}: at least 2 variables are needed, as {{name: values}}; of one see fit_tuning or rate_map.",
            code="too-few",
        )
    names = tuple(variables)
    for given, what in ((bins, "bins"), (period, "period")):
        other = [name for name in given or {} if name not in names]
        if other:
            raise InputError(
                f"{who}: {what} names {other[0]!r}, which is none of the variables {', '.join(names)}.",
                code="bad-parameter",
            )
    columns, known = _columns(variables, who)
    x = np.asarray(to_numpy(as_array(counts, name="counts", who=who)))
    if x.ndim != 2 or len(x) != len(known):
        raise InputError(
            f"{who}: counts (n, units) in the same {len(known)} bins of time as the variables are expected, got "
            f"{x.shape}.",
            code="rows-differ",
        )
    each = [
        visits_of(
            x[known],
            column[known],
            width=width,
            bins=(bins or {}).get(name),
            period=(period or {}).get(name),
            least=width,
            who=who,
        )
        for name, column in zip(names, columns)
    ]
    total = each[0].counts.sum(axis=0)
    say_silent(total == 0, who=who, given="they have no gain")
    many = sum(np.unique(v.place).size for v in each)
    if many > _MOST:
        raise InputError(
            f"{who}: {many} bins of all variables were visited; at most {_MOST} can be fitted together. Fewer bins.",
            code="bad-parameter",
        )
    design, blocks, number, penalty = _design(each)
    spikes, seconds = _cells(each[0], number, design.shape[0])
    models = [list(range(len(names)))] + [[v] for v in range(len(names))]
    models += [[w for w in range(len(names)) if w != v] for v in range(len(names))] if len(names) > 2 else []
    gains = np.full((len(models), STRETCHES, total.size), np.nan)
    for m, chosen in enumerate(models):
        rows = np.concatenate([blocks[v] for v in chosen])
        some, pen = design[:, rows], penalty[np.ix_(rows, rows)]
        for u in np.flatnonzero(total > 0):
            gains[m, :, u] = _gain(some, pen, spikes[:, u], seconds)

    def scores(parts: np.ndarray, least: np.ndarray | None = None) -> UnitScores:
        value, low, high, p = over_parts(parts, total, level, careful=least is not None)
        if least is not None:  # of two models that are no better than a flat rate
            worse = least > _LEAST
            low, high, p = np.where(worse, np.nan, low), np.where(worse, np.nan, high), np.maximum(p, least)
        return UnitScores(
            value=value, ci_low=low, ci_high=high, null_mean=np.full_like(value, np.nan), p=p, level=level
        )

    k = len(names)
    rest = gains[1 + k :] if k > 2 else gains[[2, 1]]
    together = scores(gains[0])
    return NestedTuning(
        names=names,
        alone={name: scores(gains[1 + v]) for v, name in enumerate(names)},
        beyond={name: scores(gains[0] - rest[v], together.p) for v, name in enumerate(names)},
        together=together,
        spikes=total,
        parts=np.concatenate([gains[: 1 + k], rest]),
    )


def _columns(variables: Mapping[str, Any], who: str) -> tuple[list[np.ndarray], np.ndarray]:
    columns = [np.asarray(v, dtype=np.float64) for v in variables.values()]
    if len({len(v) if v.ndim else 0 for v in columns}) > 1 or any(v.ndim not in (1, 2) for v in columns):
        shapes = ", ".join(f"{name} {v.shape}" for name, v in zip(variables, columns))
        raise InputError(
            f"{who}: every variable must be (n,) or (n, dimensions) with the same n, got {shapes}.",
            code="rows-differ",
        )
    columns = [v[:, None] if v.ndim == 1 else v for v in columns]
    known = np.asarray(~np.isnan(np.concatenate(columns, axis=1)).any(axis=1))
    return columns, known


def _design(
    each: list[Visits],
) -> tuple[csr_matrix, list[np.ndarray], np.ndarray, np.ndarray]:
    """0 and 1 (cells, visited bins of all variables), columns of each variable, the cell of each sample, penalty."""
    placed = [np.unique(v.place, return_inverse=True) for v in each]
    joint = np.stack([number for _, number in placed], axis=1)
    cells, number = np.unique(joint, axis=0, return_inverse=True)
    starts = np.concatenate([[0], np.cumsum([bins.size for bins, _ in placed])])
    columns = (cells + starts[:-1]).ravel()
    rows = np.repeat(np.arange(len(cells)), len(each))
    design = csr_matrix((np.ones(columns.size), (rows, columns)), shape=(len(cells), starts[-1]))
    penalty = np.zeros((starts[-1], starts[-1]))
    for v, (bins, _), first, last in zip(each, placed, starts, starts[1:]):
        penalty[first:last, first:last] = _differences(bins, v)
    blocks = [np.arange(first, last) for first, last in pairwise(starts)]
    return design, blocks, number.ravel(), penalty


def _differences(bins: np.ndarray, visits: Visits) -> np.ndarray:
    """The matrix of the sum of squared differences between neighbouring visited bins."""
    place = {int(b): i for i, b in enumerate(bins)}
    at = np.stack(np.unravel_index(bins, visits.shape), axis=1)
    out = np.zeros((bins.size, bins.size))
    for axis, size in enumerate(visits.shape):
        beside = at.copy()
        beside[:, axis] += 1
        if visits.period[axis] is not None:
            beside[:, axis] %= size
        inside = beside[:, axis] < size
        for i in np.flatnonzero(inside):
            j = place.get(int(np.ravel_multi_index(tuple(beside[i]), visits.shape)))
            if j is not None and j != i:
                out[i, i] += 1
                out[j, j] += 1
                out[i, j] -= 1
                out[j, i] -= 1
    return out


def _cells(visits: Visits, number: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Spikes (stretches, units, cells) and samples (stretches, cells)."""
    where, length = visits.stretch * size + number, STRETCHES * size
    spikes = np.stack([np.bincount(where, weights=one, minlength=length) for one in visits.counts.T])
    samples = np.bincount(where, minlength=length).astype(np.float64)
    return spikes.reshape(-1, STRETCHES, size).swapaxes(0, 1), samples.reshape(STRETCHES, size)


def _gain(design: csr_matrix, penalty: np.ndarray, spikes: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """(stretches,) bits gained over a flat rate on each, for spikes and samples (stretches, cells)."""
    half = np.arange(STRETCHES) < STRETCHES // 2
    strength, start = {}, {}
    for side in (True, False):
        y, w = spikes[half == side].sum(axis=0), samples[half == side].sum(axis=0)
        tried: list[tuple[np.ndarray, float]] = []
        for s in reversed(_STRENGTHS):
            tried.insert(0, _fit(design, s * penalty, y, w, tried[0][0] if tried else None))
        best = int(np.argmax([evidence for _, evidence in tried]))
        strength[side], start[side] = _STRENGTHS[best], tried[best][0]
    y, w = spikes.sum(axis=0), samples.sum(axis=0)
    out = np.empty(STRETCHES)
    for k in range(STRETCHES):
        other = not half[k]
        here, there = y - spikes[k], w - samples[k]
        beta, _ = _fit(design, strength[other] * penalty, here, there, start[other])
        flat = max(here.sum(), 0.5) / there.sum()
        eta = np.clip(design @ beta, -20, 20)
        held, seconds = spikes[k], samples[k]
        out[k] = (held * eta - seconds * flat * (np.exp(eta) - 1)).sum() / _LN2
    return out


def _fit(
    design: csr_matrix, penalty: np.ndarray, y: np.ndarray, w: np.ndarray, start: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """Curves (bins,) around the log mean rate, by Newton, and the log evidence (Laplace)."""
    prior = penalty + _RIDGE * np.eye(len(penalty))
    offset = max(y.sum(), 0.5) / w.sum() * w
    beta = np.zeros(len(prior)) if start is None else start.copy()

    def objective(beta: np.ndarray) -> tuple[float, np.ndarray]:
        eta = np.clip(design @ beta, -20, 20)
        rate = offset * np.exp(eta)
        return float((y * eta - rate).sum() - 0.5 * beta @ prior @ beta), rate

    value, rate = objective(beta)
    factor = None
    for _ in range(_STEPS):
        gradient = design.T @ (y - rate) - prior @ beta
        weighted = design.multiply(rate[:, None]).tocsr()
        factor = cho_factor((design.T @ weighted).toarray() + prior)
        step = cho_solve(factor, gradient)
        scale = min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        while True:
            trial, new = objective(beta + scale * step)
            if trial >= value or scale < 1e-6:
                break
            scale /= 2
        done = trial - value < _CLOSE
        if trial >= value:
            beta, value, rate = beta + scale * step, trial, new
        if done:
            break
    _, prior_size = np.linalg.slogdet(prior)
    size = 0.0 if factor is None else 2 * float(np.log(np.diag(factor[0])).sum())
    return beta, value + 0.5 * float(prior_size) - 0.5 * size
