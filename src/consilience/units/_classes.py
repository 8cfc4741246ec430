"""The door of tuning and selectivity: rows (trials, or images) with a label each; their halves and relabellings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.linalg import constant_columns
from consilience.linalg._noise import codes, labelled
from consilience.units._trials import powers

__all__ = ["Classes", "as_classes", "highest", "refuse_negative", "which_label"]

_ROOM = 250_000  # numbers held at once: units and relabellings are taken in parts


@dataclass(frozen=True, eq=False)
class Classes:
    """x : (n, units) float64, rows of a class side by side, each unit divided by a power of two, ``scale`` (units,).
    names : the k labels, sorted.   counts, starts : (k,) rows of each class, and its first.   silent : bool (units,),
    all rows are equal.   group : (n,) int, labels are dealt anew within these; None = among all.
    whole : all values are whole numbers >= 0.
    """

    x: np.ndarray
    names: np.ndarray
    counts: np.ndarray
    starts: np.ndarray
    silent: np.ndarray
    scale: np.ndarray
    group: np.ndarray | None = None
    whole: bool = False

    @property
    def code(self) -> np.ndarray:
        """(n,) number of the class of each row."""
        return np.repeat(np.arange(self.counts.size), self.counts)

    def part(self, units: slice) -> Classes:
        """Some of the units."""
        return Classes(
            self.x[:, units],
            self.names,
            self.counts,
            self.starts,
            self.silent[units],
            self.scale[units],
            self.group,
            self.whole,
        )

    def parts(self) -> Iterator[tuple[slice, Classes]]:
        """Units in parts that fit in memory beside what is made of them."""
        width = max(1, _ROOM // (2 * max(len(self.x), 1)))
        for start in range(0, self.x.shape[1], width):
            units = slice(start, start + width)
            yield units, self.part(units)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """(k, units) mean of each class, and variance of its rows (n_c - 1 below)."""
        n = self.counts[:, None]
        means = np.add.reduceat(self.x, self.starts, axis=0) / n
        away = self.x - np.repeat(means, self.counts, axis=0)
        return means, np.add.reduceat(away * away, self.starts, axis=0) / (n - 1)

    def described(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """In the units of the data: means and variances (k, units), mean over classes and Fano factor (units,), the
        variance within classes, pooled, over that mean; NaN for values below 0.
        """
        means, variances = self.moments()
        means, variances = means * self.scale, variances * self.scale**2
        free = (self.counts - 1)[:, None]
        middle = means.mean(axis=0)
        pooled = (variances * free).sum(axis=0) / free.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            fano = np.where((middle > 0) & ~(self.x < 0).any(axis=0), pooled / middle, np.nan)
        return means, variances, middle, fano

    def means_of(self, orders: np.ndarray, take: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        """(m, k, units) means over the first ``take`` (k,) rows of each class, when rows stand in ``orders`` (m, n)."""
        x = self.x if x is None else x
        at = np.concatenate([s + np.arange(t) for s, t in zip(self.starts, take)])
        ends = np.concatenate([[0], np.cumsum(np.tile(take, len(orders)))])
        rows = orders[:, at].ravel()
        sums = csr_array((np.ones(rows.size), rows, ends), shape=(len(orders) * take.size, len(x))) @ x
        return np.asarray(sums).reshape(len(orders), take.size, -1) / take[:, None]

    def halves(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, n) orders that mix the rows of each class: the first ``counts // 2`` are one half."""
        return np.argsort(self.code + rng.random((count, len(self.x))), axis=1, kind="stable")

    def dealt(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, n) orders that deal the labels anew, within groups where there are some."""
        drawn = rng.random((count, len(self.x)))
        if self.group is None:
            return np.argsort(drawn, axis=1)
        out = np.empty(drawn.shape, dtype=np.int64)
        out[:, np.argsort(self.group, kind="stable")] = np.argsort(self.group + drawn, axis=1)
        return out

    def chunks(self, orders: np.ndarray) -> Iterator[np.ndarray]:
        """``orders`` in parts whose class means fit in memory."""
        step = max(1, _ROOM // max(1, self.counts.size * self.x.shape[1]))
        for start in range(0, len(orders), step):
            yield orders[start : start + step]

    def on_means(self, statistic: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        """What takes orders (m, n), from a ``statistic`` of means (m, k, units)."""
        return lambda some: statistic(self.means_of(some, self.counts))

    def against_dealt(
        self, value: np.ndarray, orders: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """(mean of ``statistic`` over relabellings, one-sided p of ``value``), (units,) each.

        statistic : from orders (m, n) to (m, units).
        """
        if not len(orders):
            return np.full(value.size, np.nan), np.full(value.size, np.nan)
        total, above = np.zeros(value.size), np.zeros(value.size)
        with np.errstate(invalid="ignore"):
            near = value - 1e-10 * np.maximum(np.abs(value), 1e-300)
            for some in self.chunks(orders):
                null = np.nan_to_num(statistic(some))
                total += null.sum(axis=0)
                above += (null >= near).sum(axis=0)
        known = np.isfinite(value)
        return (
            np.where(known, total / len(orders), np.nan),
            np.where(known, (above + 1) / (len(orders) + 1), np.nan),
        )


def as_classes(
    responses: Array, labels: Array, *, who: str, groups: Array | None = None, few: int = 2
) -> Classes:
    """Checks rows (n, units) and their labels (n,): at least two labels, each of at least ``few`` rows."""
    x = np.asarray(to_numpy(as_matrix(responses, name="responses", who=who, min_rows=2)), dtype=np.float64)
    names, number = labelled(labels, len(x), name="labels", who=who)
    counts = np.bincount(number, minlength=names.size)
    if names.size < 2:
        raise InputError(
            f"{who}: labels must have at least 2 values, got {names.size} ({shorten(names[0].item(), 40)}).",
            code="too-few",
        )
    if counts.min() < few:
        lacking = int((counts < few).sum())
        raise InputError(
            f"{who}: needs >= {few} trials of every label; {lacking} of {counts.size} labels have fewer, e.g. "
            f"{shorten(names[counts.argmin()].item(), 40)} with {int(counts.min())}. Pass single trials (of a network: "
            "several images of each class), or leave those labels out.",
            code="no-repeats",
        )
    order = np.argsort(number, kind="stable")
    group = None if groups is None else codes(groups, len(x), name="groups", who=who)[order]
    x = x[order]
    scale = powers(x)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    whole = bool((x >= 0).all() and x.max(initial=0.0) < 1e6 and (x == np.round(x)).all())
    still = np.asarray(constant_columns(x), dtype=bool)
    return Classes(x / scale, names, counts, starts, still, scale, group, whole)


def highest(means: np.ndarray) -> np.ndarray:
    """(..., units) the first class with the highest mean, of (..., k, units); many times faster than argmax here."""
    top = means[..., 0, :].copy()
    at = np.zeros(top.shape, dtype=np.int64)
    for k in range(1, means.shape[-2]):
        above = means[..., k, :] > top
        np.copyto(top, means[..., k, :], where=above)
        np.copyto(at, k, where=above)
    return at


def refuse_negative(x: np.ndarray, *, who: str) -> None:
    """A ratio of differences to sums has no meaning where responses can be negative."""
    bad = (x < 0).any(axis=0)
    if bad.any():
        raise InputError(
            f"{who}: {int(bad.sum())} of {bad.size} units have negative responses (unit {int(bad.argmax())} first), "
            "and a ratio over their sum is then not bounded and can change its sign (dF/F, BOLD, baseline taken off). "
            "Use d_prime, roc_auc or eta_squared, which are defined for any values.",
            code="negative-responses",
        )


def which_label(label: Any, names: np.ndarray, *, who: str) -> int | None:
    """Number of ``label`` among ``names``; None stays None (the preferred one)."""
    if label is None:
        return None
    known = names.tolist()
    if label not in known:
        raise InputError(
            f"{who}: label must be one of {shorten(known)}, or None for the preferred one; got {shorten(label, 40)}.",
            code="unknown-label",
        )
    return int(known.index(label))
