"""How much memory there is."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten

__all__ = [
    "available_memory",
    "check_fits",
    "computed",
    "gigabytes",
    "is_lazy",
    "on_disk",
    "out_of_core",
    "release",
]


def available_memory() -> int | None:
    """Bytes that can still be used, by the system and by this process's control group; None when unknown."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError):
        pass
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text().strip()
        if limit != "max":
            found.append(max(0, int(limit) - int(used)))
    except (OSError, ValueError):
        pass
    if not found and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found) if found else None


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.2g} GB" if size >= 1e8 else f"{size / 1e6:.2g} MB"


def check_fits(needed: int) -> str | None:
    """None when ``needed`` bytes fit, else what is there."""
    free = available_memory()
    return None if free is None or needed <= 0.8 * free else gigabytes(free)


def on_disk(x: object) -> bool:
    """Are the values of ``x`` those of a file (np.memmap, or a view of one), read where they are used?"""
    return _file_of(x) is not None


def is_lazy(x: object) -> bool:
    """Is ``x`` a dask array, whose values are computed where they are used?"""
    return hasattr(x, "__dask_graph__") and hasattr(x, "chunks")


def out_of_core(x: object) -> bool:
    return is_lazy(x) or on_disk(x)


def computed(x: Any, *, who: str) -> np.ndarray:
    """The values of a dask array; a chunk that cannot be read or computed is one sentence."""
    try:
        return np.asarray(x.compute())
    except InputError:
        raise
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else "no reason given"
        raise InputError(
            f"{who}: a chunk of the array cannot be read or computed ({type(error).__name__}: {shorten(said, 120)}); "
            "if it comes from a file, that is damaged or incomplete: copy or write it again.",
            code="chunk-failed",
        ) from error


def release(x: object) -> None:
    """Gives back the memory in which pages of the file behind ``x`` lie; they are read again where used.

    Only of files opened for reading: changes that are nowhere else would be lost.
    """
    found = _file_of(x)
    pages = None if found is None or found.mode != "r" else getattr(found, "_mmap", None)
    if isinstance(pages, mmap.mmap) and hasattr(pages, "madvise") and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def _file_of(x: object) -> np.memmap | None:
    while isinstance(x, np.ndarray):
        if isinstance(x, np.memmap) and getattr(x, "_mmap", None) is not None:
            return x
        x = x.base
    return None
