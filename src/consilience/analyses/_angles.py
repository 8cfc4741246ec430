"""Angles between many systems: the similarity of every pair, its draws and interval, and what is expected by chance."""

from __future__ import annotations

import math

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._seeds import Seed
from consilience.analyses._blocks import run_block
from consilience.analyses._design import SUBSETS, Design
from consilience.analyses._inputs import System
from consilience.measures import Measure
from consilience.stats import jackknife_interval, percentile_interval, subset_rows

__all__ = ["angle", "expected_angles", "metric_of", "similarities"]


def similarities(
    one: Measure,
    sides: list[System],
    n: int,
    seed: Seed,
    n_boot: int,
    level: float,
    ids: np.ndarray,
    who: str,
) -> tuple[np.ndarray, np.ndarray | None, tuple[np.ndarray, np.ndarray] | None]:
    """Values (k, k), draws (m, k, k) that spread as the values do over new stimuli, and the interval."""
    if one.claims.resample == "subsample":
        return _by_subsets(one, sides, n, seed, n_boot, level, who)
    design = Design.draw(n, seed=seed, n_boot=n_boot, n_perm=0, level=level, refit=False, ids=ids)
    block = run_block(one, sides, sides, design, who=who)
    draws = None if block.draws is None else _even(block.draws)
    values = _even(block.values)
    if draws is None:
        if n_boot:
            warn(
                "no-interval",
                f"{one.key} states no way of resampling stimuli, so distances get no interval and clusters no support.",
                "Register it with parts (docs: extending) to get them.",
            )
        return values, None, None
    return values, draws, percentile_interval(draws, values, level)


def _by_subsets(
    one: Measure, sides: list[System], n: int, seed: Seed, n_boot: int, level: float, who: str
) -> tuple[np.ndarray, np.ndarray | None, tuple[np.ndarray, np.ndarray] | None]:
    parts, k = one.parts, len(sides)
    if any(s.responses is None for s in sides):
        named = next(s.name for s in sides if s.responses is None)
        raise InputError(
            f"{who}: measure {one.key!r} needs responses, and {named!r} is known by its RDM only; use 'rsa' or 'cka'.",
            code="needs-responses",
        )
    prepared = [parts.prepare(s.x) for s in sides]
    _say_null(one, sides, n)

    def values(systems: list[np.ndarray]) -> np.ndarray:
        if hasattr(parts, "matrix"):
            return parts.matrix(systems)
        out = np.ones((k, k))
        for i in range(k):
            for j in range(k):
                if i < j or (i > j and not one.claims.symmetric):
                    out[i, j] = parts.value(systems[i], systems[j])
                    if one.claims.symmetric:
                        out[j, i] = out[i, j]
        return _even(out)

    whole = values(prepared)
    if not n_boot:
        return whole, None, None
    d = max(1, round(n / 10))
    subsets = subset_rows(n, n - d, min(n_boot, SUBSETS), seed.stream("subsets"))
    found = np.stack([values([z[rows] for z in prepared]) for rows in subsets])
    low, high = jackknife_interval(whole, found, n=n, left_out=d, level=level)
    bottom, top = one.claims.range
    # subsets that leave out d of n stimuli vary less than new stimuli would, by this much (delete-d jackknife)
    spread = whole + math.sqrt((n - d) / d) * (found - found.mean(axis=0))
    return whole, np.clip(spread, bottom, top), (np.clip(low, bottom, top), np.clip(high, bottom, top))


def _say_null(one: Measure, sides: list[System], n: int) -> None:
    sizes = sorted((s.responses.shape[1] for s in sides if s.responses is not None), reverse=True)
    if one.claims.inflated(n, sizes[0], sizes[1]):
        null = one.claims.null(n, sizes[0], sizes[1])
        warn(
            "null-not-zero",
            f"{one.claims.label}: {sizes[0]} and {sizes[1]} units over {n} stimuli would score {null:.2f} "
            "even if unrelated.",
            "Such distances are too short: leave held_out=True, or read them against null_expected.",
        )


def _even(values: np.ndarray) -> np.ndarray:
    """The mean of both directions; a system with itself is 1."""
    out = (values + np.swapaxes(values, -1, -2)) / 2
    out[..., np.arange(out.shape[-1]), np.arange(out.shape[-1])] = 1.0
    return out


def angle(similarity: np.ndarray) -> np.ndarray:
    out = np.arccos(np.clip(similarity, -1.0, 1.0))
    out[..., np.arange(out.shape[-1]), np.arange(out.shape[-1])] = 0.0
    return out


def expected_angles(one: Measure, sides: list[System], n: int) -> np.ndarray:
    k = len(sides)
    out = np.zeros((k, k))
    for i in range(k):
        for j in range(i + 1, k):
            p, q = (1 if s.responses is None else s.responses.shape[1] for s in (sides[i], sides[j]))
            out[i, j] = out[j, i] = np.arccos(np.clip(one.claims.null(n, p, q), -1, 1))
    return out


def metric_of(one: Measure) -> str:
    if one.claims.resample == "pairs":
        return "yes" if one.claims.itself == 1 else "no: a system is not at distance 0 of itself"
    if hasattr(one.parts, "matrix"):  # an angle between shapes
        return "yes"
    return "no: held-out values are no angles" if one.claims.resample == "predictions" else "not known"
