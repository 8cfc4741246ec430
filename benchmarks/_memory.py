"""Peak memory of work in a process of its own: `measured` starts this file as a script, which prints what it found."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs

__all__ = ["BATCH", "CHUNK", "STIMULI", "STREAMED", "UNITS", "WIDTH", "measured"]

STREAMED, WIDTH, BATCH = 1_000_000, 1024, 4000  # stimuli and units of a stream, stimuli of a batch
STIMULI, UNITS, CHUNK = 400, 250_000, 5000  # of an array that is not loaded


def measured(*arguments: str, threads: int | None = None) -> list[float]:
    """What ``stream``, ``compare KIND`` or ``growth KIND`` print, KIND being memmap, dask or zarr."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | ({} if threads is None else dict.fromkeys(names, str(threads)))
    done = subprocess.run(
        [sys.executable, __file__, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return [float(word) for word in done.stdout.split()]


def _peak() -> float:
    """Peak resident MB of this process; ru_maxrss would keep that of the process it was started from."""
    try:
        with open("/proc/self/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _stream() -> list[float]:
    """Peak MB, value and interval of a streaming CKA; the population value is 0.2."""
    rng = np.random.default_rng(0)
    stream = cs.measures.StreamingCKA()
    for _ in range(STREAMED // BATCH):
        x = rng.standard_normal((BATCH, WIDTH), dtype=np.float32)
        y = rng.standard_normal((BATCH, WIDTH), dtype=np.float32)
        y += np.float32(0.5) * x
        x += np.float32(1000)
        stream.update(x, y)
    value = float(stream.value())
    return [_peak(), value, *map(float, stream.interval())]


def _stored(kind: str, path: str, rng: np.random.Generator) -> Any:
    """Normal float32 values (STIMULI, UNITS), 400 MB, never whole in memory: an array, or the path of a zarr store."""
    shape = (STIMULI, UNITS)
    if kind == "dask":
        import dask.array as da

        return da.random.default_rng(0).standard_normal(shape, chunks=(STIMULI, CHUNK), dtype=np.float32)
    if kind == "memmap":
        file = np.memmap(path, np.float32, "w+", shape=shape)
        for row in range(STIMULI):
            file[row] = rng.standard_normal(UNITS, dtype=np.float32)
            if row % 10 == 9:
                file.flush()
                file._mmap.madvise(4)  # type: ignore[attr-defined]  # what is written need not stay
        return np.memmap(path, np.float32, "r", shape=shape)
    import zarr

    store = zarr.create_array(path, shape=shape, dtype=np.float32, chunks=(STIMULI, CHUNK))
    for start in range(0, UNITS, CHUNK):
        store[:, start : start + CHUNK] = rng.standard_normal((STIMULI, CHUNK), dtype=np.float32)
    return path


def _responses(stored: Any) -> Any:
    if isinstance(stored, str):
        return cs.sources.read_array(stored, ids=list(range(STIMULI)))
    return cs.responses(stored, stimulus=np.arange(STIMULI))


def _compare(kind: str, path: str) -> list[float]:
    """Peak MB, seconds, values and p of rsa and cka with 1000 draws."""
    import dask.array  # noqa: F401  so that every kind holds the same libraries

    rng = np.random.default_rng(0)
    stored = _stored(kind, path, rng)
    other = cs.responses(rng.normal(size=(STIMULI, 50)), stimulus=np.arange(STIMULI))
    start = time.perf_counter()
    found = cs.compare(
        _responses(stored), other, measure=["rsa", "cka"], n_boot=1000, n_perm=1000, rng=0
    ).data
    seconds = time.perf_counter() - start
    return [_peak(), seconds, *found["value"].values.ravel(), *found["p"].values.ravel()]


def _growth(kind: str, path: str) -> list[float]:
    """What rsa and cka take beyond what they take of small systems, as a share of the data."""
    import dask.array as da

    rng = np.random.default_rng(0)
    stored = _stored(kind, path, rng)
    small = cs.responses(rng.normal(size=(STIMULI, 50)), stimulus=np.arange(STIMULI))
    options: dict[str, Any] = {"measure": ["rsa", "cka"], "n_boot": 50, "n_perm": 50, "rng": 0}
    cs.compare(small, small, **options)
    da.ones((400, 400), chunks=100).sum().compute()
    before = _peak()
    cs.compare(_responses(stored), small, **options)
    return [(_peak() - before) * 2**20 / (4 * STIMULI * UNITS)]


def main(arguments: list[str]) -> None:
    warnings.simplefilter("ignore")
    if arguments == ["stream"]:
        print(*_stream())
        return
    work, kind = arguments
    with tempfile.TemporaryDirectory() as folder:
        print(*{"compare": _compare, "growth": _growth}[work](kind, str(Path(folder) / "x")))


if __name__ == "__main__":
    main(sys.argv[1:])
