"""Averaging over repeats or a label, and splitting by a label."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import (
    InputError,
    UnknownNameError,
    nearest,
)
from consilience._responses._check import check_responses
from consilience._responses._ids import check_ids, examples, stable_order


def average(data: xr.DataArray, *, by: str = "stimulus") -> xr.DataArray:
    """Averages repeated trials: one row per distinct entry of ``by``, sorted.

    Parameters
    ----------
    data : responses (trial[, time], unit). Trials marked ``valid=False`` are left out.
    by : the coordinate on trial whose equal entries are averaged (default: stimulus, that is over repeats).

    Returns
    -------
    DataArray with one trial per entry, a coordinate ``n_repeats`` on trial, and those labels that are
    constant within each entry.

    Raises
    ------
    UnknownNameError : no such coordinate.   InputError : an entry with no valid trial.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = cs.responses([[1.0], [3.0], [5.0]], stimulus=["a", "a", "b"], repeat="count")
    >>> cs.average(x).values.ravel()
    array([2., 5.])
    """
    who = "cs.average"
    data = check_responses(data, who=who, name="data")
    labels = _trial_label(data, by, who)
    keep = data["valid"].values if "valid" in data.coords else np.ones(labels.size, bool)
    groups, inverse = np.unique(labels, return_inverse=True)
    counts = np.bincount(inverse[keep], minlength=groups.size)
    if (counts == 0).any():
        empty = groups[counts == 0]
        raise InputError(
            f"{who}: no valid trial for {by} {examples(empty.tolist())}; drop those rows first.",
            code="no-valid-trial",
        )
    if groups.size == labels.size and keep.all():
        out = data.isel(trial=stable_order(labels)).drop_vars(
            [c for c in ("repeat", "valid") if c in data.coords]
        )
        return (
            out.assign_coords(n_repeats=("trial", counts))
            if by == "stimulus"
            else _restimulate(out, by, groups)
        )
    flat = data.values[keep].reshape(int(keep.sum()), -1)
    order = stable_order(inverse[keep])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(flat[order].astype(np.float64), starts, axis=0)
    values = (
        (sums / counts[:, None])
        .astype(data.dtype if data.dtype.kind == "f" else np.float64)
        .reshape((groups.size, *data.shape[1:]))
    )
    coords: dict[str, Any] = {str(name): c for name, c in data.coords.items() if "trial" not in c.dims}
    first = np.array([int(np.flatnonzero(inverse == g)[0]) for g in range(groups.size)])
    for name, coord in data.coords.items():
        if coord.dims == ("trial",) and name not in ("repeat", "valid"):
            entries = coord.values
            if (entries == entries[first][inverse]).all():
                coords[str(name)] = ("trial", entries[first])
    coords["n_repeats"] = ("trial", counts)
    out = xr.DataArray(values, dims=data.dims, coords=coords, attrs=dict(data.attrs))
    return out if by == "stimulus" else _restimulate(out, by, groups)


def _restimulate(data: xr.DataArray, by: str, groups: np.ndarray) -> xr.DataArray:
    """After averaging by another label that label is the id by which systems are aligned."""
    return data.assign_coords(stimulus=("trial", check_ids(groups, groups.size, who="cs.average", what=by)))


def _trial_label(data: xr.DataArray, by: str, who: str) -> np.ndarray:
    known = [str(name) for name, coord in data.coords.items() if coord.dims == ("trial",)]
    if by not in known:
        raise UnknownNameError(
            f"{who}: no coordinate {by!r} on trial.{nearest(by, known)}", code="unknown-label"
        )
    return data[by].values


def split(data: xr.DataArray, *, by: str) -> dict[Any, xr.DataArray]:
    """Splits responses by a label: one entry per distinct value of the coordinate ``by`` on trial, unit or
    rdm.

    Parameters
    ----------
    data : responses or RDM data
    by : name of a coordinate (``"subject"``, ``"session"``, ``"category"``, ``"area"``...)

    Returns
    -------
    dict {value: DataArray}, sorted by value; rows keep their order.

    Raises
    ------
    UnknownNameError : no such coordinate on trial, unit or rdm.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = cs.responses(np.eye(3), stimulus=["a", "b", "c"], category=["face", "house", "face"])
    >>> {key: part.sizes["trial"] for key, part in cs.split(x, by="category").items()}
    {'face': 2, 'house': 1}
    """
    if not isinstance(data, xr.DataArray):
        raise InputError(
            f"cs.split: data must be responses or RDM data (an xarray.DataArray), got {type(data).__name__}.",
            code="not-responses",
        )
    known = [
        str(n) for n, c in data.coords.items() if len(c.dims) == 1 and c.dims[0] in ("trial", "unit", "rdm")
    ]
    if by not in known:
        raise UnknownNameError(
            f"cs.split: no coordinate {by!r} on trial, unit or rdm.{nearest(by, known)}", code="unknown-label"
        )
    dim = data[by].dims[0]
    values = data[by].values
    return {key.item(): data.isel({dim: np.flatnonzero(values == key)}) for key in np.unique(values)}
