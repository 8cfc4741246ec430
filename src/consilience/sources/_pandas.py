"""Adapter: a data frame of pandas, rows as trials and columns of numbers as units."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._responses import responses
from consilience.sources._labels import TAKEN

__all__ = ["from_frame"]


def from_frame(
    thing: Any, *, who: str, stimulus: str | None = None, kind: str = "activation"
) -> xr.DataArray:
    """Responses (trial, unit): the index, or the column ``stimulus``, gives ids; columns of text, True and False or
    categories become labels of trials."""
    names = [str(name) for name in thing.columns]
    numbers = np.array([getattr(dtype, "kind", "O") in "iuf" for dtype in thing.dtypes], dtype=bool)
    if len(set(names)) < len(names):
        raise InputError(f"{who}: names of columns come more than once.", code="repeated-units")
    if stimulus is not None:
        if stimulus not in names:
            raise UnknownNameError(
                f"{who}: stimulus={shorten(stimulus, 40)} is no column of the data frame.{nearest(stimulus, names)}",
                code="unknown-label",
            )
        at = names.index(stimulus)
        numbers[at] = False
        column = thing.iloc[:, at]
        ids = column.tolist() if getattr(column.dtype, "kind", "O") in "iu" else column.astype(str).tolist()
        thing = thing.set_index(thing.columns[at], drop=False).set_axis(ids, axis=0)
    if not numbers.any():
        raise InputError(f"{who}: no column of the data frame holds numbers.", code="not-numeric")
    labels = {}
    for i in np.flatnonzero(~numbers).tolist():
        if names[i] != stimulus and names[i] not in TAKEN:
            entries = thing.iloc[:, i].to_numpy()
            labels[names[i]] = entries if entries.dtype.kind == "b" else entries.astype(str)
    chosen = thing.iloc[:, np.flatnonzero(numbers)]
    repeated = not bool(chosen.index.is_unique)
    data = responses(chosen, kind=kind, repeat="count" if repeated else None)  # type: ignore[arg-type]
    return data.assign_coords({name: ("trial", entries) for name, entries in labels.items()})
