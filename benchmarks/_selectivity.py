"""Class selectivity of many units with 1000 relabellings, beside the usual loop."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close

__all__ = ["rows"]

UNITS, PERMUTATIONS, FEW = 10_000, 1000, 20
COUNTS = (21, 12, 12, 23, 12, 12)
LOOP = "loop over relabellings, means by masks"


def _data() -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(len(COUNTS)), COUNTS)
    return np.random.default_rng(0).gamma(1.0, 1.0, (labels.size, UNITS)), labels


def _index(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    means = np.stack([x[labels == k].mean(axis=0) for k in range(len(COUNTS))])
    best = means.max(axis=0)
    rest = (means.sum(axis=0) - best) / (len(means) - 1)
    return (best - rest) / (best + rest)


def rows(threads: int) -> list[Row]:
    x, labels = _data()

    def ours() -> Any:
        return cs.units.class_selectivity(x, labels, n_perm=PERMUTATIONS, n_splits=100, n_floor=100)

    def loop() -> Any:
        rng = np.random.default_rng(1)
        value = _index(x, labels)
        null = np.stack([_index(x, rng.permutation(labels)) for _ in range(FEW)])
        return value, null.mean(axis=0)

    def check(answers: dict[str, Any]) -> str:
        value, null = answers[LOOP]
        away = close(answers[OURS].value, value, 1e-12, "index")
        gap = float(np.abs(answers[OURS].null_mean.mean() - null.mean()))
        if gap > 0.01:
            raise AssertionError(f"mean under relabelling differs by {gap:.3g}.")
        return (
            f"index equal to {away:.0e}; mean under relabelling equal to {gap:.3f} ({FEW} draws of the loop)"
        )

    return [
        Row(
            name="selectivity",
            work=f"class selectivity of {UNITS} units, 92 images in 6 classes, {PERMUTATIONS} relabellings; ours with "
            "held-out value, interval and floor too",
            sides=(
                Side(OURS, ours),
                Side(LOOP, loop, PERMUTATIONS / FEW, f"{FEW} relabellings, times {PERMUTATIONS / FEW:g}"),
            ),
            check=check,
            targets=(Target("seconds", 10.0), Target("within", 1.5, LOOP)),
            repeats=3,
        )
    ]
