"""What a product depends on besides its inputs: the code that made it and the libraries under it."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["code_digest", "library_versions"]

_LIBRARIES = ("consilience", "numpy", "scipy", "scikit-learn", "xarray")


@functools.cache
def code_digest(*packages: str) -> str:
    """SHA-256 over the source of modules and sub-packages of consilience: changed code never meets an old
    product."""
    out = hashlib.sha256()
    root = resources.files("consilience")

    def add(folder: Any, prefix: str) -> None:
        for entry in sorted(folder.iterdir(), key=lambda e: e.name):
            if entry.is_dir():
                if entry.name != "__pycache__":
                    add(entry, f"{prefix}/{entry.name}")
            elif entry.name.endswith(".py"):
                out.update(f"{prefix}/{entry.name}\0".encode() + entry.read_bytes())

    for name in packages:
        folder, file = root.joinpath(name), root.joinpath(f"{name}.py")
        if folder.is_dir():
            add(folder, name)
        else:
            out.update(f"{name}\0".encode() + file.read_bytes())
    return out.hexdigest()


def library_versions(*, torch: bool = False) -> dict[str, str]:
    """Versions that can change a number: of this package and of the libraries it computes with."""
    import platform

    out = {"python": platform.python_version()}
    for name in (*_LIBRARIES, *(("torch",) if torch else ())):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    return out
