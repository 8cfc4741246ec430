"""A correlation RDM of 1000 x 2000."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close, peer

__all__ = ["rows"]


def _peak(call: Callable[[], Any]) -> float:
    """Most MB that NumPy held at once during a call, the input not counted."""
    tracemalloc.start()
    call()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


def rows(threads: int) -> list[Row]:
    x = np.random.default_rng(0).normal(size=(1000, 2000))
    single = x.astype(np.float32)

    def ours() -> np.ndarray:
        return np.asarray(cs.measures.rdm(x))

    sides = [Side(OURS, ours), Side("consilience, float32", lambda: cs.measures.rdm(single))]
    sides.append(Side("x @ x.T alone", lambda: x @ x.T))
    found = peer("rsatoolbox.data", "rsatoolbox.rdm")
    if found is not None:
        data, rdm = found
        dataset = data.Dataset(x)
        sides.insert(
            1, Side("rsatoolbox", lambda: rdm.calc_rdm(dataset, method="correlation").dissimilarities[0])
        )

    def check(answers: dict[str, Any]) -> str:
        off = close(answers["consilience, float32"], answers[OURS], 1e-6, "rdm float32")
        said = f"float32 within {off:.1g} of float64 (1e-6)"
        if "rsatoolbox" in answers:
            said = (
                f"rsatoolbox within {close(answers['rsatoolbox'], answers[OURS], 1e-12, 'rdm'):.1g} (1e-12), "
                + said
            )
        memory = [f"{side.name} {_peak(side.call):.0f}" for side in sides[: len(sides) - 1]]
        return f"{said}. Peak memory in MB (input 16): {', '.join(memory)}"

    return [
        Row(
            "rdm",
            "correlation RDM, 1000 stimuli x 2000 units, float64",
            tuple(sides),
            check,
            (Target("faster", 5.0, "rsatoolbox"),),
            repeats=9,
            missing=() if found is not None else ("rsatoolbox",),
        )
    ]
