"""Cross-correlograms of all pairs, and what jittered spikes would give."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target

__all__ = ["rows"]

UNITS, SPIKES, SECONDS, WIDTH, LONGEST, JITTER = 200, 5000, 1800.0, 0.001, 0.05, 0.02
LOOP, DRAWN = "loop over pairs, one search each", "the same on jittered trains, 100 times"
SHARE = 20  # pairs that the loops are run for
DRAWS = 100


def rows(threads: int) -> list[Row]:
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, SECONDS, SPIKES)) for _ in range(UNITS)]
    observed = (0.0, SECONDS)
    half = round(LONGEST / WIDTH)
    edges = (np.arange(2 * half + 1) - half) * WIDTH
    every = UNITS * (UNITS - 1) // 2
    some = [(0, j) for j in range(1, SHARE + 1)]

    def counted(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        left, right = np.searchsorted(b, a - LONGEST), np.searchsorted(b, a + LONGEST)
        many = right - left
        rows = np.repeat(np.arange(a.size), many)
        columns = np.repeat(left - (np.cumsum(many) - many), many) + np.arange(many.sum())
        return np.histogram(b[columns] - a[rows], edges)[0]

    def ours() -> Any:
        return cs.units.cross_correlogram(
            trains, observed=observed, width=WIDTH, longest=LONGEST, jitter=JITTER
        )

    def loop() -> np.ndarray:
        return np.stack([counted(trains[i], trains[j]) for i, j in some])

    def drawn() -> np.ndarray:
        draw, out = np.random.default_rng(1), []
        for i, j in some[:2]:
            begin = np.floor(trains[i] / JITTER) * JITTER
            moved = (np.sort(begin + JITTER * draw.random(begin.size)) for _ in range(DRAWS))
            out.append(np.mean([counted(times, trains[j]) for times in moved], axis=0))
        return np.stack(out)

    def check(answers: dict[str, Any]) -> str:
        found, direct, jittered = answers[OURS], answers[LOOP], answers[DRAWN]
        away = np.abs(found.counts[:SHARE] - direct)
        # a distance within rounding of an edge may fall on either side of it
        assert away.max() <= 1, away.max()
        assert away.sum() <= 4, away.sum()
        z = (jittered - found.jittered[:2]) / np.sqrt(found.jittered[:2] / DRAWS)
        assert np.mean(z**2) < 1.5, np.mean(z**2)
        own = np.sqrt(np.mean(z**2))
        return (
            f"the same counts ({int(direct.sum())} pairs of spikes of {SHARE} pairs of units, {int(away.sum())} in the "
            f"next bin); mean over jittered trains: ours is exact, {DRAWS} draws lie around it with {own:.2f} of their "
            "standard error"
        )

    return [
        Row(
            "correlograms",
            f"cross-correlograms of {UNITS} units x {SPIKES} spikes, {every} pairs x {2 * half} bins, with jitter",
            (
                Side(OURS, ours),
                Side(LOOP, loop, every / SHARE, f"{SHARE} of {every} pairs, scaled; without jitter"),
                Side(DRAWN, drawn, every / 2, f"2 of {every} pairs, scaled"),
            ),
            check,
            (Target("faster", 2.0, LOOP), Target("faster", 100.0, DRAWN)),
            repeats=3,
            notes=(
                "All second units are merged into one sorted train and searched once for each first unit. Under "
                "interval jitter the mean count is exact: every pair of spikes adds a box as wide as the window, from "
                "two histograms and a running sum, without draws. The loops are ours too, in numpy, one search a pair.",
            ),
        )
    ]
