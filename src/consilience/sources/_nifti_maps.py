"""Adapter: estimates of trials (betas, t maps) in a NIfTI file, one volume each, as responses (trial, voxel)."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._recording._labelling import with_cautions
from consilience._responses import responses
from consilience.sources._files import show
from consilience.sources._ids import read_ids
from consilience.sources._labels import TAKEN, LabelSource, read_label
from consilience.sources._nifti import load_volumes, mask_file, voxel_signal

__all__ = ["read_maps"]


def read_maps(
    path: Path,
    *,
    who: str,
    ids: str | os.PathLike[str] | Sequence[Hashable],
    mask: str | os.PathLike[str] | None = None,
    kind: str = "bold",
    repeat: str | None = None,
    labels: Mapping[str, LabelSource] | None = None,
) -> xr.DataArray:
    """Responses (trial, unit) of voxels: volume i is trial i, with the id ``ids[i]``.

    Units have i, j, k and the places x, y, z in mm. Without a mask all voxels that differ between volumes are read.
    """
    volumes = load_volumes(path, mask=mask_file(mask, who=who), tr=1.0, who=who)
    stimulus = read_ids(ids, who=who)
    if len(stimulus) != len(volumes.values):
        raise InputError(
            f"{who}: {show(path)} has {len(volumes.values)} volumes, and there are {len(stimulus)} ids; one for each "
            "volume is needed, in their order.",
            code="bad-ids",
        )
    taken = next((name for name in labels or () if name in TAKEN), None)
    if taken is not None:
        raise InputError(
            f"{who}: the label {shorten(taken, 40)} has a meaning of its own; choose another name.",
            code="bad-label",
        )
    given: dict[str, Any] = {name: read_label(entry, name, who=who) for name, entry in (labels or {}).items()}
    voxels = voxel_signal(volumes, np.arange(len(volumes.values)))
    try:
        data = responses(
            volumes.values,
            kind=kind,  # type: ignore[arg-type]
            stimulus=stimulus,
            unit=voxels.channels,
            system=path.name.split(".")[0],
            repeat=repeat,
            **given,
        )
    except InputError as error:
        raise InputError(f"{who}: {str(error).removeprefix('cs.responses: ')}", code=error.code) from None
    places = {name: ("unit", entries) for name, entries in voxels.columns.items()}
    return with_cautions(data.assign_coords(places), list(volumes.cautions))
