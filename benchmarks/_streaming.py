"""Streaming CKA of 10^6 stimuli and comparisons out of core: peak memory of a process of their own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Any

from benchmarks._row import OURS, Row, Side, Target

__all__ = ["rows"]

STIMULI, UNITS, BATCH, LIMIT = 1_000_000, 1024, 4000, 500

# peak resident memory of this process in MB; ru_maxrss would keep that of the process it was started from
_PEAK = """
import resource
def peak():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
"""

_STREAM = (
    _PEAK
    + f"""
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
print(peak(), stream.value(), low, high)
"""
)


def _stream(threads: int) -> list[float]:
    """Peak resident memory in MB, value, interval."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    done = subprocess.run(
        [sys.executable, "-c", _STREAM], env=environment, capture_output=True, text=True, check=True
    )
    return [float(word) for word in done.stdout.split()]


OUT_OF_CORE = {"memmap": 400, "dask": 400, "zarr": 500}  # most MB in all, of 400 MB of data
_STIMULI, _UNITS, _CHUNK = 400, 250_000, 5000

_COMPARE = (
    _PEAK
    + f"""
import sys, tempfile, time, warnings
import numpy as np
import dask.array as da
import consilience as cs
warnings.simplefilter("ignore")
n, p, step = {_STIMULI}, {_UNITS}, {_CHUNK}
rng = np.random.default_rng(0)
with tempfile.TemporaryDirectory() as folder:
    path = folder + "/x"
    if sys.argv[1] == "dask":
        x = da.random.default_rng(0).standard_normal((n, p), chunks=(n, step), dtype=np.float32)
    elif sys.argv[1] == "memmap":
        x = np.memmap(path, np.float32, "w+", shape=(n, p))
        for row in range(n):
            x[row] = rng.standard_normal(p, dtype=np.float32)
            if row % 10 == 9:
                x.flush()
                x._mmap.madvise(4)
        x = np.memmap(path, np.float32, "r", shape=(n, p))
    else:
        import zarr
        store = zarr.create_array(path, shape=(n, p), dtype=np.float32, chunks=(n, step))
        for start in range(0, p, step):
            store[:, start : start + step] = rng.standard_normal((n, step), dtype=np.float32)
    other = cs.responses(rng.normal(size=(n, 50)), stimulus=np.arange(n))
    start = time.perf_counter()
    if sys.argv[1] == "zarr":
        data = cs.sources.read_array(path, ids=list(range(n)))
    else:
        data = cs.responses(x, stimulus=np.arange(n))
    found = cs.compare(data, other, measure=["rsa", "cka"], n_boot=1000, n_perm=1000, rng=0).data
    seconds = time.perf_counter() - start
print(peak(), seconds, *found["value"].values.ravel(),
      *found["p"].values.ravel())
"""
)


def _compare(kind: str, threads: int) -> list[float]:
    """Peak resident memory in MB, seconds, values and p of rsa and cka."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    done = subprocess.run(
        [sys.executable, "-c", _COMPARE, kind], env=environment, capture_output=True, text=True, check=True
    )
    return [float(word) for word in done.stdout.split()]


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
            f"compare by rsa and cka of a {kind} array, {_STIMULI} x {_UNITS} float32 (400 MB), 1000 draws",
            (Side(OURS, lambda: _compare(kind, threads)),),
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
            f"streaming debiased CKA with interval, {STIMULI} x {UNITS} float32, batches of {BATCH} made one by one",
            (Side(OURS, lambda: _stream(threads)),),
            check,
            (Target("seconds", 600.0),),
            repeats=1,
            notes=("The time holds the making of the data and the start of Python.",),
        ),
        *_out_of_core(threads),
    ]
