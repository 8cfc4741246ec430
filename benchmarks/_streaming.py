"""Streaming CKA of 10^6 stimuli and comparisons out of core: peak memory of a process of their own."""

from __future__ import annotations

import importlib.util
from typing import Any

from benchmarks._memory import BATCH, STIMULI, STREAMED, UNITS, WIDTH, measured
from benchmarks._row import OURS, Row, Side, Target

__all__ = ["rows"]

LIMIT = 500
OUT_OF_CORE = {"memmap": 400, "dask": 400, "zarr": 500}  # most MB in all, of 400 MB of data


def _out_of_core(threads: int) -> list[Row]:
    def row(kind: str, most: int) -> Row:
        def check(answers: dict[str, Any]) -> str:
            peak, seconds, rsa, cka, *p = answers[OURS]
            if peak >= most:
                raise AssertionError(f"{peak:.0f} MB, more than {most}.")
            if max(abs(rsa), abs(cka)) > 0.05 or min(p) < 0.001:
                raise AssertionError(f"unrelated systems score {rsa:.3f} and {cka:.3f}.")
            said = f"peak resident memory {peak:.0f} MB (< {most}), compare in {seconds:.1f} s"
            return f"{said}; rsa {rsa:.4f}, cka {cka:.4f}"

        return Row(
            "streaming",
            f"compare by rsa and cka of a {kind} array, {STIMULI} x {UNITS} float32 (400 MB), 1000 draws",
            (Side(OURS, lambda: measured("compare", kind, threads=threads)),),
            check,
            (Target("seconds", 120.0),),
            repeats=1,
            notes=(
                "The time holds the making of the data and the start of Python; memory holds the interpreter.",
            ),
        )

    kinds = [kind for kind in OUT_OF_CORE if kind != "zarr" or importlib.util.find_spec("zarr")]
    return [row(kind, OUT_OF_CORE[kind]) for kind in kinds]


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
            f"streaming debiased CKA with interval, {STREAMED} x {WIDTH} float32, batches of {BATCH} made one by one",
            (Side(OURS, lambda: measured("stream", threads=threads)),),
            check,
            (Target("seconds", 600.0),),
            repeats=1,
            notes=("The time holds the making of the data and the start of Python.",),
        ),
        *_out_of_core(threads),
    ]
