"""Adapter: a Sorting of SpikeInterface, by its attributes."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count
from consilience.sources._parts import Parts

__all__ = ["from_sorting"]


def from_sorting(thing: Any, *, who: str, segment: int | None = None) -> Parts:
    """The spikes of one segment in seconds (its own times, where it has them), and the properties of units."""
    count = int(thing.get_num_segments())
    if segment is None and count != 1:
        raise InputError(
            f"{who}: the sorting has {count} segments, each with a clock of its own; give segment=, 0 to {count - 1}.",
            code="which-member",
        )
    at = check_count(0 if segment is None else segment, name="segment", who=who, maximum=count - 1)
    ids = np.asarray(thing.get_unit_ids())
    trains = [
        np.asarray(
            thing.get_unit_spike_train(unit_id=unit, segment_index=at, return_times=True), dtype=np.float64
        )
        for unit in ids
    ]
    table: dict[str, np.ndarray] = {"unit": ids if ids.dtype.kind in "iu" else ids.astype(str)}
    for key in thing.get_property_keys() if hasattr(thing, "get_property_keys") else ():
        entries = np.asarray(thing.get_property(key))
        if entries.shape == ids.shape and entries.dtype.kind in "biufUO" and key not in ("unit", "id"):
            table[str(key)] = entries.astype(str) if entries.dtype.kind == "O" else entries
    return Parts(
        format="spikeinterface",
        times=np.concatenate(trains) if trains else np.empty(0),
        splits=np.r_[0, np.cumsum([train.size for train in trains])].astype(np.int64),
        units=table,
        attrs={"source": "SpikeInterface"},
    )
