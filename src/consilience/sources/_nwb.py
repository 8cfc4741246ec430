"""Adapter: NWB 2 files, read with h5py alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consilience.sources._parts import Parts

__all__ = ["is_nwb", "read_nwb"]


def is_nwb(path: Path, head: bytes, options: dict[str, Any]) -> bool:
    """An HDF5 file whose root says ``nwb_version`` (an attribute in NWB 2, a data set in NWB 1)?"""
    if not head.startswith(b"\x89HDF\r\n\x1a\n"):
        return False
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "nwb_version" in file.attrs or "nwb_version" in file
    except Exception:  # noqa: BLE001  a damaged file raises anything
        return False


def read_nwb(path: Path, *, who: str) -> Parts:
    raise NotImplementedError
