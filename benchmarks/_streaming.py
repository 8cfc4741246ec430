"""Streaming CKA of 10^6 stimuli and comparisons out of core: peak memory of a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from benchmarks._row import OURS, Row, Side, Target

__all__ = ["rows"]

STIMULI, UNITS, BATCH, LIMIT = 1_000_000, 1024, 4000, 500

_STREAM = f"""
import resource
import numpy as np
import consilience as cs
rng = np.random.default_rng(0)
stream = cs.measures.StreamingCKA()
for _ in range({STIMULI} // {BATCH}):
    x = rng.standard_normal(({BATCH}, {UNITS}), dtype=np.float32)
    y = rng.standard_normal(({BATCH}, {UNITS}), dtype=np.float32)
    y += np.float32(0.5) * x
    x += np.float32(1000)
    stream.update(x, y)
low, high = stream.interval()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, stream.value(), low, high)
"""


def _stream(threads: int) -> list[float]:
    """Peak resident memory in MB, value, interval."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    done = subprocess.run(
        [sys.executable, "-c", _STREAM], env=environment, capture_output=True, text=True, check=True
    )
    return [float(word) for word in done.stdout.split()]


def rows(threads: int) -> list[Row]:
    def check(answers: dict[str, Any]) -> str:
        peak, value, low, high = answers[OURS]
        if peak >= LIMIT:
            raise AssertionError(f"{peak:.0f} MB, more than {LIMIT}.")
        # cov(x, y) = I / 2, cov(y) = 5/4 I: the population value is (1/4) / (5/4)
        if not low <= 0.2 <= high:
            raise AssertionError(f"the interval [{low}, {high}] misses the planted 0.2.")
        return f"peak resident memory {peak:.0f} MB (< {LIMIT}); value {value:.5f} [{low:.5f}, {high:.5f}], planted 0.2"

    return [
        Row(
            "streaming",
            f"streaming debiased CKA with interval, {STIMULI} x {UNITS} float32, batches of {BATCH} made one by one",
            (Side(OURS, lambda: _stream(threads)),),
            check,
            (Target("seconds", 600.0),),
            repeats=1,
            notes=("The time holds the making of the data and the start of Python.",),
        )
    ]
