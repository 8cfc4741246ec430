"""Adapter: a saved result of `cs.rdms` as RDM data, so that RDMs of one command are data of the next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience.sources._files import show

__all__ = ["is_rdms_result", "read_rdms_result"]


def is_rdms_result(path: Path) -> bool:
    """Is an HDF5 file a result of `cs.rdms`?"""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "consilience_format" in file.attrs and str(file.attrs.get("class", "")) == "RDMs"
    except Exception:  # noqa: BLE001  damaged, in whatever way: the reader of the format says so
        return False


def read_rdms_result(
    path: Path,
    *,
    member: str | None,
    system: str | None,
    rdm: str | None,
    ids: Sequence[Any] | None,
    labelled: bool,
    who: str,
) -> xr.DataArray:
    """RDM data of one system of the result: ``member``, or the only one."""
    from consilience._results import load

    found = load(path).to_rdm_data()  # type: ignore[attr-defined]
    chosen = member if member is not None else next(iter(found)) if len(found) == 1 else None
    if chosen is None or chosen not in found:
        what = f"has no system {shorten(member)}" if member is not None else f"has {len(found)} systems"
        one = next(iter(found))
        hint = "" if member is None else nearest(member, found)
        raise InputError(
            f"{who}: the RDMs in {show(path)} are of {', '.join(map(repr, list(found)[:6]))}"
            f"{', ...' if len(found) > 6 else ''}: it {what}; name one: member={one!r} in Python, "
            f"'system: {one}' in a study file, {show(path)}:{one} on the command line."
            f"{hint if hint.startswith(' Did') else ''}",
            code="which-member",
        )
    data = found[chosen]
    if labelled:
        raise InputError(
            f"{who}: labels belong to trials, and {show(path)} holds RDMs; leave labels out.",
            code="bad-label",
        )
    if ids is not None and list(map(str, ids)) != list(map(str, data["stimulus"].values.tolist())):
        raise InputError(
            f"{who}: the RDMs in {show(path)} have stimulus ids of their own, and the ids given are others (or in "
            "another order); leave the ids out.",
            code="ids-differ",
        )
    distance = str(data.attrs["distance"])
    if rdm not in (None, "unknown", distance):
        raise InputError(
            f"{who}: the RDMs in {show(path)} are of distance {distance!r}, not {rdm!r}; leave rdm out.",
            code="bad-rdm",
        )
    return data.assign_attrs(system=system or chosen)
