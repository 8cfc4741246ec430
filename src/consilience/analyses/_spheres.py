"""Which units of a searchlight are around which: places of units, spheres, and spheres that are too small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from consilience._core._errors import InputError, UnknownNameError, nearest, warn
from consilience._core._params import check_count, check_number, shorten

__all__ = ["WHO", "check_spheres", "places_of_units", "spheres_of"]

WHO = "cs.searchlight"


def places_of_units(
    data: xr.DataArray, coordinates: Sequence[str] | None, kept: np.ndarray
) -> tuple[list[str], np.ndarray]:
    known = [str(n) for n, c in data.coords.items() if c.dims == ("unit",)]
    default = sorted(n for n in known if n in ("x", "y", "z"))
    names = default if coordinates is None else list(coordinates)
    lacking = [n for n in names if n not in known]
    if lacking or not names:
        raise UnknownNameError(
            f"{WHO}: data has no coordinate {shorten(lacking[0]) if lacking else 'x, y or z'} on unit; say where units "
            f"are with data.assign_coords(x=('unit', values)).{nearest(lacking[0], known) if lacking else ''}",
            code="unknown-label",
        )
    columns = [np.asarray(data[n].values)[kept] for n in names]
    for name, column in zip(names, columns):
        if column.dtype.kind not in "iuf":
            raise InputError(
                f"{WHO}: coordinate {name!r} on unit must be numbers, got {column.dtype}; give the places of units.",
                code="not-numeric",
            )
        lost = np.flatnonzero(~np.isfinite(column))
        if lost.size:
            units = data["unit"].values[kept] if "unit" in data.coords else np.flatnonzero(kept)
            raise InputError(
                f"{WHO}: coordinate {name!r} is {column[lost[0]]} for {lost.size} of {column.size} units, the first is "
                f"unit {shorten(units[lost[0]].item(), 40)}; drop them: "
                f"data[:, np.isfinite(data[{name!r}].values)].",
                code="nan-values",
            )
    return names, np.stack(columns, axis=1).astype(np.float64)


def spheres_of(places: np.ndarray, radius: float | None, n_units: int | None) -> csr_matrix:
    """Which units (columns) are around which centre (rows)."""
    if (radius is None) == (n_units is None):
        raise InputError(
            f"{WHO}: give radius= or n_units=, one of them, got radius={radius} and n_units={n_units}.",
            code="bad-parameter",
        )
    tree = cKDTree(places)
    if radius is not None:
        reach = check_number(radius, name="radius", who=WHO, low=0.0)
        members = [sorted(m) for m in tree.query_ball_point(places, reach * (1 + 1e-9))]
    else:
        count = check_count(n_units, name="n_units", who=WHO, minimum=1, maximum=len(places))
        members = [sorted(np.atleast_1d(m).tolist()) for m in tree.query(places, k=count)[1]]
    counts = [len(m) for m in members]
    pointers = np.concatenate([[0], np.cumsum(counts)])
    return csr_matrix(
        (np.ones(pointers[-1]), np.concatenate(members).astype(np.int64), pointers),
        shape=(len(places), len(places)),
    )


def check_spheres(spheres: csr_matrix, places: np.ndarray, least: int, distance: str) -> None:
    """Refuses spheres that are all too small for the distance (fewer than ``least`` units), and says where some are."""
    sizes = np.diff(spheres.indptr)
    small = int((sizes < least).sum())
    apart = "" if len(places) < 2 else f" The nearest two units are {_nearest_pair(places):.4g} apart."
    if small == sizes.size:
        raise InputError(
            f"{WHO}: no sphere has the {least} units that {distance!r} needs (the largest has {int(sizes.max())}); a "
            f"larger radius=, or n_units=.{apart}",
            code="small-spheres",
        )
    if small:
        warn(
            "small-spheres",
            f"{small} of {sizes.size} spheres have fewer than the {least} units that {distance!r} needs: they are NaN.",
            "Take a larger radius, or n_units= for spheres of one size.",
        )
    elif sizes.size > 1 and sizes.max() == 1:
        warn(
            "small-spheres",
            f"Every sphere holds one unit alone, so that values are of single units.{apart}",
            "Take a larger radius, or n_units=, if spheres were meant.",
        )


def _nearest_pair(places: np.ndarray) -> float:
    return float(cKDTree(places).query(places, k=2)[0][:, 1].min())
