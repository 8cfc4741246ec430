"""Rules ``subsample`` (in-sample alignments) and ``none`` (a user's own function)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.analyses._design import SUBSETS, Block, Design, ceiling_of_halves, half_means
from consilience.analyses._inputs import System
from consilience.measures import Measure
from consilience.measures._contract import halves_ceiling
from consilience.stats import (
    jackknife_interval,
    subset_rows,
)


def _of_user(measure: Measure) -> Callable[[np.ndarray, np.ndarray], float]:
    """A user's function on read-only views, its result checked: one finite number."""

    def value(x: np.ndarray, y: np.ndarray) -> float:
        x, y = x.view(), y.view()
        x.flags.writeable = y.flags.writeable = False
        try:
            found = measure(x, y)
        except Exception as error:
            # NumPy's words: "... is read-only", "... array is not writeable"
            fixed = any(word in str(error) for word in ("read-only", "writeable"))
            remedy = " (arrays are read-only; copy before changing them)" if fixed else ""
            raise InputError(
                f"cs.compare: the measure {measure.key!r} failed with {type(error).__name__}: {error}{remedy}.",
                code="measure-failed",
            ) from error
        if not isinstance(found, (int, float, np.number)) and getattr(found, "ndim", None) != 0:
            raise InputError(
                f"cs.compare: the measure {measure.key!r} must return one number, got {shorten(found)}.",
                code="measure-failed",
            )
        if not np.isfinite(float(found)):
            raise InputError(
                f"cs.compare: the measure {measure.key!r} returned {float(found)} on {x.shape[0]} stimuli; it must "
                "be finite for every relabelling and half of the stimuli.",
                code="measure-failed",
            )
        return float(found)

    return value


def _steps(
    measure: Measure,
) -> tuple[Callable[[Any], np.ndarray], Callable[[np.ndarray, np.ndarray], float]]:
    """What prepares a system, and the value of two prepared ones."""
    if measure.parts is None:
        return lambda x: x, _of_user(measure)
    return measure.parts.prepare, measure.parts.value


def whole_values(measure: Measure, a: list[System], b: list[System], subsets: list[np.ndarray]) -> np.ndarray:
    """Values (subsets, n_a, n_b), each computed anew on the rows of a subset."""
    prepare, value = _steps(measure)
    xs, ys = [prepare(s.x) for s in a], [prepare(s.x) for s in b]
    return np.array([[[value(x[rows], y[rows]) for y in ys] for x in xs] for rows in subsets])


def whole_block(measure: Measure, a: list[System], b: list[System], design: Design) -> Block:
    """Rules ``subsample`` (delete-d jackknife) and ``none`` (a user's own function: no interval over
    stimuli).
    """
    n, shape = design.n, (len(a), len(b))
    parts = measure.parts
    prepare, value = _steps(measure)
    xs, ys = [prepare(s.x) for s in a], [prepare(s.x) for s in b]
    out = Block(values=np.array([[value(x, y) for y in ys] for x in xs]))
    out.ceiling_low, out.ceiling_high = np.full(shape, np.nan), np.full(shape, np.nan)
    for j, s in enumerate(b):
        if s.trials is not None:
            scores = [value(prepare(one), prepare(two)) for one, two in half_means(s, design)]
            out.ceiling_low[:, j], out.ceiling_high[:, j] = ceiling_of_halves(
                s, *halves_ceiling(float(np.mean(scores)))
            )
    if parts is not None and design.n_boot:
        d = max(1, round(n / 10))
        subsets = subset_rows(n, n - d, min(design.n_boot, SUBSETS), design.seed.stream("subsets"))
        out.draws = np.array([[[value(x[rows], y[rows]) for y in ys] for x in xs] for rows in subsets])
        low, high = jackknife_interval(out.values, out.draws, n=n, left_out=d, level=design.level)
        out.interval = np.clip(low, *measure.claims.range), np.clip(high, *measure.claims.range)
    if design.orders is not None:
        out.null = np.array([[[value(x[order], y) for y in ys] for x in xs] for order in design.orders])

    def halves(mode: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for split in design.splits:
            yield tuple(
                np.array([[[value(x[half], y[half])] for y in ys] for x in xs])[None]
                for half in (split, ~split)
            )  # type: ignore[misc]

    out.halves = halves
    return out
