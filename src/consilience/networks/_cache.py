"""Activations kept on disk by content: network, stimuli and settings; checked on reading, never unpickled."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._fetch import data_folder, write_atomically
from consilience._core._params import shorten
from consilience.networks._layout import Leaf
from consilience.networks._network import Network

__all__ = ["Store"]

_VERSION = 1  # of the file format and of what `record` computes; a change makes all old entries unknown


class Store:
    """One file per recorded array: ``<key>.npz`` with the values and their SHA-256."""

    def __init__(self, folder: Path | None, key: str = "") -> None:
        self.folder, self.key = folder, key

    @classmethod
    def open(cls, cache: Any, net: Network, stimuli: xr.DataArray, spatial: str, *, who: str) -> Store:
        if cache is False or cache is None:
            return cls(None)
        if cache is not True and not isinstance(cache, (str, os.PathLike)):
            raise InputError(
                f"{who}: cache must be True, False or a folder, got {shorten(cache)}.", code="bad-parameter"
            )
        identity = net.fingerprint
        if identity is None:
            raise InputError(
                f"{who}: the content of {net.name} cannot be hashed, so its activations cannot be cached; "
                "pass key='...' to cs.Network, and change it "
                "when the network changes.",
                code="no-key",
            )
        folder = data_folder() / "activations" if cache is True else Path(cache)
        if folder.exists() and not folder.is_dir():
            raise InputError(
                f"{who}: cache {shorten(str(folder))} is a file; give a folder.", code="bad-folder"
            )
        digest = hashlib.sha256(
            json.dumps(
                [_VERSION, identity, spatial, stimuli.attrs.get("kind"), list(stimuli.shape)], default=str
            ).encode()
        )
        digest.update(json.dumps([str(stimuli.dtype), stimuli["stimulus"].values.tolist()]).encode())
        if stimuli.dtype.kind == "U":
            digest.update(json.dumps(stimuli.values.tolist()).encode())
        else:
            digest.update(np.ascontiguousarray(stimuli.values).data)
        return cls(folder, digest.hexdigest())

    def _path(self, leaf: Leaf) -> Path:
        assert self.folder is not None
        name = hashlib.sha256(f"{self.key}\0{leaf.name}\0{leaf.shape}\0{leaf.axes}".encode()).hexdigest()
        return self.folder / f"{name}.npz"

    def read(self, leaf: Leaf, n: int) -> np.ndarray | None:
        """The values, or None when there is no entry; a damaged entry is named in a warning and computed
        again.
        """
        if self.folder is None or not (path := self._path(leaf)).is_file():
            return None
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as entry:
                values, digest = entry["values"], str(entry["sha256"])
            if values.shape == (n, leaf.n_units) and values.dtype == np.float32 and _digest(values) == digest:
                return values
            reason = "its content is not what was written"
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        warn(
            "damaged-cache",
            f"The cached activations of layer {leaf.name!r} in {path} are damaged ({reason}), so they are "
            "computed again.",
            "If this happens again, check the disk.",
            stacklevel=3,
        )
        return None

    def write(self, leaf: Leaf, values: np.ndarray) -> None:
        if self.folder is None:
            return
        path = self._path(leaf)
        try:
            with write_atomically(path, durable=False) as stream:
                np.savez(stream, values=values, sha256=np.array(_digest(values)))
        except OSError as error:
            warn(
                "cache-not-written",
                f"The activations of layer {leaf.name!r} could not be cached in {self.folder} "
                f"({error.strerror or error}).",
                "Free some space or choose another folder; the result is complete.",
                stacklevel=3,
            )


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()
