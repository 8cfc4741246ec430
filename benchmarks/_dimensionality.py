"""Intrinsic dimension of 5000 points of 200 units beside scikit-dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close, peer

__all__ = ["rows"]

N, UNITS, DIMS, NOISE = 5000, 200, 10, 0.05
PEER = "scikit-dimension"


def _data() -> np.ndarray:
    """Ten latents through random weights, and a little noise of each unit."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, DIMS)) @ rng.normal(size=(DIMS, UNITS)) + NOISE * rng.normal(size=(N, UNITS))


def rows(threads: int) -> list[Row]:
    x = _data()
    work = f"{N} points of {UNITS} units"
    found = peer("skdim.id")
    sides: dict[str, list[Side]] = {
        "two-nn": [Side(OURS, lambda: cs.populations.two_nn(x, n_perm=0).value)],
        "mle-dimension": [Side(OURS, lambda: cs.populations.mle_dimension(x, n_perm=0).value)],
        "mle-pointwise": [Side(OURS, lambda: cs.populations.mle_pointwise(x))],
    }
    if found is not None:
        (skdim,) = found
        sides["two-nn"].append(Side(PEER, lambda: skdim.TwoNN().fit(x).dimension_))
        sides["mle-dimension"].append(Side(PEER, lambda: skdim.MLE().fit(x).dimension_))
        sides["mle-pointwise"].append(Side(PEER, lambda: skdim.MLE().fit_transform_pw(x)))

    def check(answers: dict[str, Any]) -> str:
        if found is None:
            return "nothing to compare with"
        away = close(answers[OURS], answers[PEER], 1e-8, "dimensions")
        return f"same values to {max(away, 1e-15):.0e}"

    words = {
        "two-nn": ("TwoNN", 2.0),
        "mle-dimension": ("MLE, 20 neighbours", 2.0),
        "mle-pointwise": ("MLE around each point, 20 neighbours", 5.0),
    }
    return [
        Row(
            name,
            f"{words[name][0]}, {work}",
            tuple(sides[name]),
            check,
            (Target("faster", words[name][1], PEER),) if found is not None else (),
            missing=() if found is not None else (PEER,),
        )
        for name in sides
    ]
