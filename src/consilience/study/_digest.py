"""Content as a SHA-256: of settings, and of labelled arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["array_digest", "digest", "plain", "storable"]


def digest(*parts: Any) -> str:
    """SHA-256 of JSON-like parts."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()


def array_digest(data: xr.DataArray) -> str:
    """SHA-256 over values, type, dims, coordinates and attributes of a DataArray."""
    out = hashlib.sha256()
    out.update(
        json.dumps(
            [list(map(str, data.dims)), list(data.shape), dict(data.attrs)], sort_keys=True, default=plain
        ).encode()
    )
    for name, values in [("", data.values), *sorted((str(n), c.values) for n, c in data.coords.items())]:
        values = storable(values)
        out.update(f"|{name}|{values.dtype.str}|{values.shape}".encode())
        out.update(np.ascontiguousarray(values).data.cast("B") if values.size else b"")
    return out.hexdigest()


def plain(value: Any) -> Any:
    """What JSON does not know, as something that it does."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def storable(values: np.ndarray) -> np.ndarray:
    """Text of variable length as text of fixed length, which a .npy file holds without pickle."""
    return values.astype(str) if values.dtype.kind in "OT" else values
