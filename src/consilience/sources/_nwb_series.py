"""Time series of an NWB file: values that stay on disk, in the unit that the file says, and their times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import Caution
from consilience._core._memory import check_fits
from consilience.sources._hdf5 import OnDisk, lacking_filter, text_of, whole
from consilience.sources._nwb_table import columns_of, kind_of
from consilience.sources._parts import SignalParts, TableParts

__all__ = ["epochs_of", "is_series", "series_of", "short_names"]

_GENERIC = ("timeseries", "spatialseries", "electricalseries", "roiresponseseries", "data")


def is_series(group: Any) -> bool:
    """Values with times, whatever its type is called (extensions have types of their own)."""
    return (
        "data" in group
        and ("timestamps" in group or "starting_time" in group)
        and hasattr(group["data"], "dtype")
    )


def series_of(group: Any, path: Path) -> tuple[SignalParts | None, str, list[Caution]]:
    """The signal, or None and why it is not read; and doubts."""
    dataset, kind = group["data"], kind_of(group)
    if dataset.dtype.kind not in "biuf" or dataset.ndim not in (1, 2):
        return None, "images" if dataset.ndim > 2 else f"{dataset.ndim} dimensions of {dataset.dtype}", []
    if dataset.shape[0] == 0 and "external_file" in group:
        return None, "images in other files", []
    lacking = lacking_filter(dataset)
    if lacking:
        return (
            None,
            f"compressed with {lacking}, whose HDF5 plugin is not loaded here (import hdf5plugin first)",
            [],
        )
    region = next((group[name] for name in ("rois", "electrodes") if name in group), None)
    transposed, cautions = _transposed(group, region)
    n = dataset.shape[1] if transposed else dataset.shape[0]
    width = dataset.size // max(n, 1)
    free = check_fits(3 * 8 * n)
    if free is not None:
        return None, f"{n} samples, whose times alone do not fit in memory", []
    if "timestamps" in group:
        time = whole(group["timestamps"]).astype(np.float64)
    else:
        rate = float(group["starting_time"].attrs["rate"])
        if not (np.isfinite(rate) and rate > 0):
            return None, f"a sampling rate of {rate:g} Hz", []
        time = float(group["starting_time"][()]) + np.arange(n) / rate
    said = dataset.attrs
    scale = np.asarray(float(np.ravel(said.get("conversion", 1.0))[0]))
    if "channel_conversion" in group and not transposed:
        each = whole(group["channel_conversion"]).astype(np.float64).ravel()
        if each.size == width:
            scale = scale * each
    columns, channels = _region(region, width)
    part = SignalParts(
        values=OnDisk(
            path,
            dataset,
            scale=scale,
            offset=float(np.ravel(said.get("offset", 0.0))[0]),
            transposed=transposed,
        ),
        time=time,
        kind=_kind(group, kind),
        unit=text_of(said.get("unit", "")),
        channels=channels,
        columns=columns,
    )
    return part, "", cautions


def _transposed(group: Any, region: Any) -> tuple[bool, list[Caution]]:
    """Do the rows stand for channels? Told by the times, or by the table of regions or electrodes."""
    dataset = group["data"]
    if dataset.ndim != 2 or dataset.shape[0] == dataset.shape[1]:
        return False, []
    n, width = dataset.shape
    if "timestamps" in group:
        told = group["timestamps"].shape[0] == width
    else:
        told = region is not None and region.shape[0] == n
    name = str(group.name).strip("/")
    if told:
        return True, [
            Caution(
                "signal-transposed",
                f"{name} is stored as (channels, time), {n} x {width}, where NWB wants (time, channels); it was read "
                f"as {width} samples of {n} channels.",
                "",
            )
        ]
    if width > n and region is None and "timestamps" not in group:
        return False, [
            Caution(
                "looks-transposed",
                f"{name} has {n} samples of {width} channels, and nothing in the file says which is which.",
                "If rows are channels, ask whoever wrote the file to write (time, channels).",
            )
        ]
    return False, []


def _region(region: Any, width: int) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Columns of the channels, from the rows of the table that ``rois`` or ``electrodes`` points to; and their ids."""
    if region is None or region.shape != (width,):
        return {}, None
    rows = whole(region).astype(np.int64)
    target = region.attrs.get("table")
    if not target:
        return {}, None
    n, columns, _ = columns_of(region.file[target])
    if not rows.size or rows.min() < 0 or rows.max() >= n:
        return {}, None
    found = {name: entries[rows] for name, entries in columns.items()}
    ids = found.pop("id", None)
    unique = ids is not None and np.unique(ids).size == width and ids.dtype.kind in "iu"
    return found, ids if unique else None


def _kind(group: Any, kind: str) -> str:
    parent = kind_of(group.parent)
    if kind == "ElectricalSeries" or parent in ("LFP", "FilteredEphys"):
        return "voltage"
    if parent == "DfOverF":
        return "dff"
    return "activation" if kind == "RoiResponseSeries" else "behaviour"


def epochs_of(group: Any) -> TableParts | None:
    """An IntervalSeries (+k where an interval of kind k begins, -k where it ends) as a table; None if it does not
    alternate."""
    marks, times = (
        whole(group["data"]).astype(np.int64),
        whole(group["timestamps"]).astype(np.float64),
    )
    if marks.shape != times.shape:
        return None
    start, stop, kinds = [], [], []
    for kind in np.unique(np.abs(marks)).tolist():
        rows = np.flatnonzero(np.abs(marks) == kind)
        if kind == 0 or rows.size % 2 or (marks[rows[::2]] < 0).any() or (marks[rows[1::2]] > 0).any():
            return None
        start.append(times[rows[::2]])
        stop.append(times[rows[1::2]])
        kinds.append(np.full(rows.size // 2, kind))
    if not start:
        return TableParts(start=np.empty(0), stop=np.empty(0))
    first = np.concatenate(start)
    order = np.argsort(first, kind="stable")
    return TableParts(
        start=first[order],
        stop=np.concatenate(stop)[order],
        columns={"kind": np.concatenate(kinds)[order]} if len(kinds) > 1 else {},
    )


def short_names(paths: list[str]) -> dict[str, str]:
    """{path in the file: name}: the last part of the path, or what stands above it where that only repeats a type, with
    as much of the path in front as makes it the only one."""
    parts = {path: path.strip("/").split("/") for path in paths}
    depth = {}
    for path, steps in parts.items():
        if (
            len(steps) > 2
            and (steps[-1].lower() in _GENERIC or steps[-1] == steps[-2])
            and steps[0] != "intervals"
        ):
            parts[path] = steps[:-1]
        depth[path] = 1
    while True:
        names = {path: "/".join(steps[-depth[path] :]) for path, steps in parts.items()}
        many: dict[str, list[str]] = {}
        for path, name in names.items():
            many.setdefault(name, []).append(path)
        clash = [path for group in many.values() if len(group) > 1 for path in group]
        longer = [path for path in clash if depth[path] < len(parts[path])]
        if not clash:
            return names
        for path in longer:
            depth[path] += 1
        if not longer:  # the same but for the part that was dropped: whole paths
            parts |= {path: path.strip("/").split("/") for path in clash}
            depth |= {path: len(parts[path]) for path in clash}
            if len({tuple(parts[path]) for path in clash}) < len(clash):
                return {path: path.strip("/") for path in paths}
