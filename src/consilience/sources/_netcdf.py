"""Adapter: netCDF-4 holding one DataArray that follows the schema; links to other files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience._responses._masked import has_masked_values, without_masked
from consilience.sources._files import check_room, show
from consilience.sources._raw import Raw

__all__ = ["holds", "look", "read_netcdf"]


def read_netcdf(path: Path, *, who: str) -> Raw:
    refuse_nwb(path, who)
    try:
        n_bytes = look(path, who)
        check_room(n_bytes, path, who=who)
        return _load(path, who)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  whatever a damaged file does in the reader, the user gets one sentence
        raise InputError(
            f"{who}: {show(path)} is damaged or incomplete ({type(error).__name__}: "
            f"{shorten(str(error))}); copy or save it again.",
            code="damaged-file",
        ) from None


def refuse_nwb(path: Path, who: str) -> None:
    """An NWB file is a recording, which is cut before it is responses."""
    from consilience.sources._nwb import is_nwb

    with path.open("rb") as stream:
        head = stream.read(16)
    if is_nwb(path, head, {}):
        raise InputError(
            f"{who}: {show(path)} is a recording (NWB), not responses; cut it first: cs.read(path).epoch(...) or "
            ".bin(...), `consilience epoch` or `consilience bin`, in a study epoch: or bin:.",
            code="is-a-recording",
        )


def holds(path: Path, who: str) -> str:
    """What variables stand in the file, and how they are read."""
    from consilience.sources._variables import open_variables

    return (
        f"It holds: {open_variables(path, who=who).listing()}. cs.read(path, spikes=..., signals=..., trials=...) "
        "takes variables as a recording; cs.sources.variables(path) hands them over, for cs.responses."
    )


def look(path: Path, who: str) -> int:
    """Number of bytes when read; refuses links into other files and our own results."""
    import h5py

    total = 0
    with h5py.File(path, "r") as file:
        if "consilience_format" in file.attrs:
            raise InputError(
                f"{who}: {show(path)} is a result of this package, not responses; open it with cs.load, or "
                "`consilience report`.",
                code="is-a-result",
            )
        pending = [file]
        while pending:
            group = pending.pop()
            for name in group:
                link = group.get(name, getlink=True)
                if isinstance(link, h5py.ExternalLink):
                    raise InputError(
                        f"{who}: {show(path)} links to another file ({shorten(name)}); that is refused.",
                        code="external-link",
                    )
                if isinstance(link, h5py.SoftLink):
                    continue
                entry = group[name]
                if isinstance(entry, h5py.Dataset):
                    if entry.external or entry.is_virtual:
                        raise InputError(
                            f"{who}: {show(path)} keeps the values of {shorten(name)} in another file; "
                            "that is refused.",
                            code="external-link",
                        )
                    total += int(entry.nbytes)
                elif isinstance(entry, h5py.Group):
                    pending.append(entry)
    return total


def _load(path: Path, who: str) -> Raw:
    import xarray as xr

    with xr.open_dataset(path, engine="h5netcdf", phony_dims="access", decode_times=False) as opened:
        data = opened.load()
    names = [str(name) for name in data.data_vars]
    chosen = "responses" if "responses" in names else names[0] if len(names) == 1 else ""
    if not chosen:
        what = "no variable" if not names else f"{len(names)} variables"
        raise InputError(
            f"{who}: {show(path)} has {what}; it must hold one DataArray (or one named 'responses')."
            f"{nearest('responses', names) if names else ''} {holds(path, who)}",
            code="which-member",
        )
    array = data[chosen]
    coords = {str(name): coord for name, coord in array.coords.items()}
    known = {name: _plain(coord.values) for name, coord in coords.items()}
    labels = {
        name: (str(coord.dims[0]), known[name])
        for name, coord in coords.items()
        if name not in ("stimulus", "stimulus_", "unit", "time") and len(coord.dims) == 1
    }
    return Raw(
        values=without_masked(array).values,
        format="netcdf",
        dims=tuple(str(dim) for dim in array.dims),
        stimulus=known.get("stimulus"),
        unit=known.get("unit"),
        time=known.get("time"),
        labels=labels,
        attrs={str(key): value for key, value in array.attrs.items()},
        masked=has_masked_values(array),
    )


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype.kind in "OT" else values
