"""Shape distances of all pairs of many systems."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy.linalg import orthogonal_procrustes

from benchmarks._row import OURS, Row, Side, Target, close
from consilience.measures import as_measure

__all__ = ["rows"]

SYSTEMS, N, UNITS = 20, 2000, 256
LOOP = "loop of orthogonal_procrustes"


def rows(threads: int) -> list[Row]:
    return [_pairs()]


def _pairs() -> Row:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(N, 30))
    systems = [
        shared @ rng.normal(size=(30, UNITS)) + 2 * rng.normal(size=(N, UNITS)) for _ in range(SYSTEMS)
    ]
    systems = [z - z.mean(axis=0) for z in systems]
    size = [float(np.linalg.norm(z)) for z in systems]
    parts = as_measure("procrustes", held_out=False).parts

    def ours() -> Any:
        return parts.matrix([parts.prepare(z) for z in systems])

    def loop() -> Any:
        out = np.eye(SYSTEMS)
        for i, j in itertools.combinations(range(SYSTEMS), 2):
            out[i, j] = out[j, i] = orthogonal_procrustes(systems[i], systems[j])[1] / (size[i] * size[j])
        return out

    def products() -> Any:
        for i, j in itertools.combinations(range(SYSTEMS), 2):
            systems[i].T @ systems[j]

    def check(answers: dict[str, Any]) -> str:
        away = close(answers[OURS], answers[LOOP], 1e-8, "nuclear norms over lengths")
        return f"nuclear norms over lengths within {away:.1g} (1e-8)"

    return Row(
        "shapes",
        f"Procrustes of all pairs of {SYSTEMS} systems, {N} stimuli x {UNITS} units",
        (Side(OURS, ours), Side(LOOP, loop), Side("the products X'Y alone", products)),
        check,
        (Target("faster", 5.0, LOOP),),
        repeats=3,
        notes=(
            "Ours multiplies each system with all that follow in one product and takes singular values from the "
            "smaller Gram matrix of X'Y where that is sure to keep 8 digits. The products X'Y, which both need, bound "
            "the ratio: no more than time of the loop over time of the products alone can be had, about 3 in float64 "
            "on one thread, and the eigenvalues take half as long again as the products.",
        ),
    )
