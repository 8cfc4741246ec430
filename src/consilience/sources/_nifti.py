"""Adapter: fMRI in NIfTI files, with a mask and a table of events."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError
from consilience._core._params import check_number
from consilience.sources._columns import read_columns, table_of_times
from consilience.sources._files import check_file, show
from consilience.sources._nifti_header import Image, open_image
from consilience.sources._parts import Parts, SignalParts, TableParts

__all__ = [
    "Volumes",
    "check_grid",
    "load_mask",
    "load_volumes",
    "mask_file",
    "read_nifti",
    "sidecar_of",
    "voxel_signal",
]

_PLACES = 1e-3  # mm by which two affines may differ
_TEXT_SIDECAR = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """A run of volumes. values : (t, voxels) float32.   index : (voxels, 3).   affine : (4, 4) mm.
    shape : of one volume.   tr : seconds."""

    values: np.ndarray
    index: np.ndarray
    affine: np.ndarray
    shape: tuple[int, ...]
    tr: float
    cautions: tuple[Caution, ...] = ()


def read_nifti(
    path: Path,
    *,
    who: str,
    mask: str | os.PathLike[str] | None = None,
    events: str | os.PathLike[str] | None = None,
    tr: float | None = None,
    ids: Any = None,
    **options: Any,
) -> Parts | xr.DataArray:
    """One run: a signal ``bold`` (volume, voxel), and the table of events as intervals ``events``.

    The time of a volume is the start of its acquisition, from 0. Channels are named by their indices ("31,20,7");
    their table has i, j, k and the places x, y, z in mm, by which `cs.searchlight` makes spheres. Voxels that never
    change are left out. A file of the same name with .json (BIDS) gives RepetitionTime.

    Parameters
    ----------
    mask : NIfTI file of one volume on the same grid; its voxels that are not 0 are read. An affine or shape that
        differs is refused: resample the mask first.
    events : a .tsv with onset, duration and any columns, such as trial_type (BIDS); onset 0 is the first volume.
    tr : seconds from volume to volume; default that of the .json, else that of the header. Where both are given and
        differ, that is said, and the .json is believed.
    ids : where volumes are no time series but estimates of trials (betas, t maps): the stimulus id of each volume, a
        list or a file with them. What comes back are then responses (trial, voxel), with the options ``kind``
        (default "bold"), ``repeat`` and ``labels`` of `cs.sources.read_array`.
    """
    if ids is not None:
        if events is not None or tr is not None:
            raise InputError(
                f"{who}: ids= are those of volumes that are estimates of trials, and events= and tr= belong to a time "
                "series; give one or the other.",
                code="bad-parameter",
            )
        from consilience.sources._nifti_maps import read_maps

        return read_maps(path, who=who, mask=mask, ids=ids, **options)
    if options:
        raise InputError(
            f"{who}: {next(iter(options))}= is for volumes that are estimates of trials (betas); give ids=, the "
            "stimulus id of each volume.",
            code="bad-parameter",
        )
    volumes = load_volumes(path, mask=mask_file(mask, who=who), tr=tr, who=who)
    tables = {}
    if events is not None:
        rows = read_columns(check_file(events, who=who), who=who)
        tables["events"] = table_of_times(rows, clock=1.0, what="events", who=who)
    length = volumes.tr * len(volumes.values)
    return Parts(
        format="nifti",
        name=path.name.split(".")[0],
        signals={"bold": voxel_signal(volumes, np.arange(len(volumes.values)) * volumes.tr)},
        tables=tables,
        observed=TableParts(start=np.array([0.0]), stop=np.array([length])),
        attrs={"source": "NIfTI", "repetition_time": volumes.tr},
        cautions=volumes.cautions,
    )


def voxel_signal(volumes: Volumes, time: np.ndarray) -> SignalParts:
    """The signal of voxels with its table."""
    index = volumes.index
    places = index @ volumes.affine[:3, :3].T + volumes.affine[:3, 3]
    return SignalParts(
        values=volumes.values,
        time=time,
        kind="bold",
        channels=np.array([f"{i},{j},{k}" for i, j, k in index.tolist()]),
        columns={
            **{name: index[:, n] for n, name in enumerate("ijk")},
            **{name: places[:, n] for n, name in enumerate("xyz")},
        },
    )


def mask_file(mask: Any, *, who: str) -> Path | None:
    """The path of a mask; an array says nothing of its grid."""
    if mask is None or isinstance(mask, (str, os.PathLike)):
        return None if mask is None else Path(mask)
    shape = getattr(mask, "shape", None)
    got = type(mask).__name__ + (f" of shape {tuple(shape)}" if shape is not None else "")
    raise InputError(
        f"{who}: mask must be the path of a NIfTI file, whose affine says where its voxels are, got {got}; write it "
        "to a file with the affine of the data.",
        code="bad-mask",
    )


def load_mask(path: Path, *, who: str) -> tuple[np.ndarray, np.ndarray]:
    """(bool volume, affine) of a mask."""
    image = open_image(path, who=who)
    shape = image.shape
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    if len(shape) != 3:
        raise InputError(
            f"{who}: the mask {show(path)} must be one volume (3 axes), got shape {shape}.", code="bad-mask"
        )
    values = image.read(who=who).reshape(shape)
    return np.isfinite(values) & (values * image.slope + image.inter != 0), image.affine


def load_volumes(
    path: Path,
    *,
    who: str,
    mask: Path | np.ndarray | None,
    tr: float | None,
    affine: np.ndarray | None = None,
) -> Volumes:
    """The voxels of a run inside a mask (a file; or an array on the grid of ``affine``)."""
    image = open_image(path, who=who)
    shape, own = image.shape, image.affine
    if len(shape) != 4 or shape[3] < 2:
        raise InputError(
            f"{who}: {show(path)} has shape {shape}, and volumes over time (4 axes) are expected.",
            code="bad-signal",
        )
    inside = None
    if isinstance(mask, np.ndarray):
        inside, grid, called = mask, affine, "the mask"
    elif mask is not None:
        inside, grid = load_mask(mask, who=who)
        called = f"the mask {show(mask)}"
    if inside is not None and grid is not None:
        check_grid(inside.shape, grid, shape[:3], own, called, f"the data {show(path)}", who)
    step, cautions = _repetition_time(path, image, tr, who)
    stored = image.read(who=who)
    if inside is None:
        inside = (stored != stored[..., :1]).any(axis=-1)
    index = np.argwhere(inside)
    values = np.empty((shape[3], len(index)), dtype=np.float32)
    for t in range(shape[3]):
        values[t] = stored[..., t][inside].astype(np.float64) * image.slope + image.inter
    finite = np.isfinite(values)
    _check_no_lost_volume(finite, path, who)
    known = finite.all(axis=0)
    changing = known & (values != values[:1]).any(axis=0)
    if not changing.any():
        raise InputError(
            f"{who}: none of {len(index)} voxels of {show(path)} changes over time; is it the right mask?",
            code="too-few",
        )
    if not known.all():
        cautions.append(
            Caution(
                "voxels-left-out",
                f"{int((~known).sum())} of {known.size} voxels have NaN or infinite values and were left out.",
                "A mask of the voxels that were scanned leaves them out on purpose.",
            )
        )
    return Volumes(
        values=values if changing.all() else values[:, changing],
        index=index[changing],
        affine=own,
        shape=shape[:3],
        tr=step,
        cautions=tuple(cautions),
    )


def _check_no_lost_volume(finite: np.ndarray, path: Path, who: str) -> None:
    """Refuses volumes without any finite value among others: they would take every voxel with them."""
    lost = np.flatnonzero(~finite.any(axis=1)).tolist()
    if not 0 < len(lost) < len(finite):
        return
    which = f"volume{'s' * (len(lost) > 1)} {', '.join(map(str, lost[:6]))}{', ...' * (len(lost) > 6)}"
    raise InputError(
        f"{who}: {show(path)} has {len(lost)} of {len(finite)} volumes without a finite value ({which}, counted from "
        "0; NaN or infinite in all voxels read). Find out why; estimates of trials: write the file without "
        f"{'it' if len(lost) == 1 else 'them'}, and leave the entry out of ids=; a time series: fill "
        f"{'it' if len(lost) == 1 else 'them'}, as the place in time counts.",
        code="nan-values",
    )


def check_grid(
    shape: tuple[int, ...],
    affine: np.ndarray,
    other_shape: tuple[int, ...],
    other: np.ndarray,
    name: str,
    other_name: str,
    who: str,
) -> None:
    """Refuses two volumes that are not on one grid."""
    if tuple(shape) != tuple(other_shape):
        raise InputError(
            f"{who}: {name} has {tuple(shape)} voxels, and {other_name} {tuple(other_shape)}; resample it to that grid "
            "first (nearest neighbour).",
            code="grid-differs",
        )
    away = float(np.abs(affine - other).max())
    if not away <= _PLACES:
        raise InputError(
            f"{who}: {name} and {other_name} have affines that differ (by up to {away:.3g} mm), so their voxels are "
            "not at the same places; resample it to that grid first (nearest neighbour).",
            code="grid-differs",
        )


def sidecar_of(path: Path) -> Path:
    """The .json beside the data, as BIDS names it; it may be missing."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def _repetition_time(path: Path, image: Image, tr: float | None, who: str) -> tuple[float, list[Caution]]:
    """Seconds from volume to volume, and what was doubtful about them."""
    if tr is not None:
        return check_number(tr, name="tr", who=who, low=0.0), []
    in_header = image.step
    sidecar = sidecar_of(path)
    said = math.nan
    if sidecar.is_file() and sidecar.stat().st_size <= _TEXT_SIDECAR:
        try:
            found = json.loads(sidecar.read_text(encoding="utf-8"))
            said = float(found.get("RepetitionTime", math.nan))
        except (ValueError, AttributeError, TypeError, OSError, RecursionError):
            raise InputError(
                f"{who}: {show(sidecar)} beside the data cannot be read as JSON; mend it, or give tr= (seconds).",
                code="damaged-file",
            ) from None
    if math.isfinite(said):
        said = check_number(said, name=f"RepetitionTime of {show(sidecar)}", who=who, low=0.0)
        if math.isfinite(in_header) and abs(said - in_header) > 1e-3:
            caution = Caution(
                "tr-differs",
                f"The header says {in_header:g} s from volume to volume, and {show(Path(sidecar.name))} {said:g} s, "
                "which was taken.",
                "tr= (seconds) decides.",
            )
            return said, [caution]
        return said, []
    if not math.isfinite(in_header):
        raise InputError(
            f"{who}: the header gives no time between volumes that can be right; give tr= (seconds).",
            code="rate-needed",
        )
    return in_header, []
