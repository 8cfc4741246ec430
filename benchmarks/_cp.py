"""CP decomposition of a tensor with many starts beside tensortools."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._row import OURS, Row, Side, Target
from consilience.linalg._cp import cp_fit, cp_predict

__all__ = ["rows"]

SIDE, RANK, SWEEPS, STARTS = 200, 10, 50, 10
THEIRS = "tensortools"


def rows(threads: int) -> list[Row]:
    import tensortools

    rng = np.random.default_rng(0)
    truth = [rng.normal(size=(SIDE, RANK)) for _ in range(3)]
    x = cp_predict(*truth)
    x += x.std() * rng.normal(size=x.shape)
    start: Any = tuple(rng.normal(size=(STARTS, SIDE, RANK)) for _ in range(3))

    def ours() -> Any:
        return cp_fit(x, None, start, tol=-1.0, max_sweeps=SWEEPS).errors

    def theirs() -> Any:
        first = tensortools.KTensor([f[0].copy() for f in start])
        fit = tensortools.cp_als(
            x, RANK, init=first, max_iter=SWEEPS, min_iter=SWEEPS, tol=-1.0, verbose=False, random_state=0
        )
        return float(fit.obj) ** 2

    def check(answers: dict[str, Any]) -> str:
        mine, other = float(answers[OURS][0]), answers[THEIRS]
        if abs(mine - other) > 1e-3:
            raise AssertionError(f"shares of squares left differ: {mine:.6g} and {other:.6g}.")
        return f"share of squares left from the same start: {mine:.6f} and {other:.6f}"

    return [
        Row(
            "cp",
            f"CP decomposition of {SIDE}^3, rank {RANK}, {SWEEPS} sweeps, {STARTS} starts",
            (
                Side(OURS, ours),
                Side(THEIRS, theirs, factor=STARTS, per="one start is run and counted ten times"),
            ),
            check,
            (Target("faster", 3.0, THEIRS),),
            repeats=2,
        )
    ]
