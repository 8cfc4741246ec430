"""The sources: what each is told by, its reader, its options. One line here and one file add one.

A source is two functions, named so that nothing is imported before it is needed:

``fits(path, head, options) -> bool``  is it this? ``path`` is a regular file, whose first bytes are ``head``, or a
folder (``head`` is then empty); ``options`` are those of the call, for files that only they tell apart. By content,
never by the name's ending; it reads little, and never raises for a damaged file.

``read(path, *, who, **options) -> Recording, Parts or responses``  what stands in it. Only the options that were given
arrive. Whatever a damaged file does in the reader (any exception but `InputError`) becomes one sentence at the door.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["SOURCES", "Source"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """name : what `cs.read` calls it (``source=``).   what : the same in words.
    fits, read : "module:function".   options : that its reader takes.
    """

    name: str
    what: str
    fits: str
    read: str
    options: tuple[str, ...] = ()

    def function(self, role: str) -> Callable[..., Any]:
        """The function of a role, "fits" or "read"."""
        module, name = getattr(self, role).split(":")
        return getattr(importlib.import_module(module), name)


# in this order: the first that fits reads. Arrays come last: any file of numbers could be one.
SOURCES = (
    Source(
        name="nwb",
        what="an NWB 2 file (.nwb)",
        fits="consilience.sources._nwb:is_nwb",
        read="consilience.sources._nwb:read_nwb",
    ),
    Source(
        name="phy",
        what="a folder of Phy / Kilosort",
        fits="consilience.sources._phy:is_phy",
        read="consilience.sources._phy:read_phy",
        options=("quality", "rate"),
    ),
    Source(
        name="suite2p",
        what="a folder of Suite2p",
        fits="consilience.sources._suite2p:is_suite2p",
        read="consilience.sources._suite2p:read_suite2p",
        options=("rate", "cells", "neuropil", "percentile", "window"),
    ),
    Source(
        name="nifti",
        what="fMRI in a NIfTI file (.nii, .nii.gz)",
        fits="consilience.sources._nifti_header:is_nifti",
        read="consilience.sources._nifti:read_nifti",
        options=("mask", "events", "tr", "ids", "kind", "repeat", "labels"),
    ),
    Source(
        name="bids",
        what="a folder in the BIDS layout with fMRI",
        fits="consilience.sources._bids:is_bids",
        read="consilience.sources._bids:read_bids",
        options=("subject", "task", "session", "run", "space", "mask", "events", "tr"),
    ),
    Source(
        name="variables",
        what="named variables of a .mat, .npz, HDF5, .csv file or zarr group",
        fits="consilience.sources._from_variables:is_of_variables",
        read="consilience.sources._from_variables:read_of_variables",
        options=(
            "spikes",
            "clusters",
            "unit_table",
            "trials",
            "events",
            "signals",
            "time",
            "rate",
            "clock",
            "kind",
            "transpose",
        ),
    ),
    Source(
        name="array",
        what="responses in a .npy, .npz, .nc, .csv file or zarr store",
        fits="consilience.sources._door:is_array",
        read="consilience.sources._read:read_array",
        options=(
            "ids",
            "kind",
            "dims",
            "system",
            "subject",
            "repeat",
            "rdm",
            "session",
            "labels",
            "missing",
            "member",
            "time",
        ),
    ),
)
