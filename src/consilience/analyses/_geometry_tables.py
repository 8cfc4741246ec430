"""The tables of a `Geometry` and its sentences for the methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from consilience.analyses._geometry_measures import GEOMETRY
from consilience.populations import PopulationScore

__all__ = ["sentences", "tables_of"]

_FIELDS = ("value", "ci_low", "ci_high", "null_mean", "null_low", "null_high", "p", "ceiling")


def tables_of(
    rows: Mapping[str, list[dict[tuple[str, str], PopulationScore]]],
    counts: Mapping[str, Mapping[str, int]],
    measures: list[str],
    labels: tuple[str, ...],
) -> dict[str, Any]:
    found = [of for draws in rows.values() for _, of in draws[0]]
    of = list(dict.fromkeys([*(name for name in ("all", *labels) if name in found), *found]))
    shape = (len(measures), len(of), len(rows))
    values = {field: np.full(shape, np.nan) for field in _FIELDS}
    note = np.full(shape, "", dtype=object)
    for s, draws in enumerate(rows.values()):
        for key in draws[0]:
            at = (measures.index(key[0]), of.index(key[1]), s)
            scores = [one[key] for one in draws if key in one]
            for field in _FIELDS:
                each = np.array([getattr(score, field) for score in scores])
                values[field][at] = float(np.median(each))
            said = [score.note for score in scores]
            note[at] = max(said, key=said.count)
    dims = ("measure", "of", "system")
    entries = [GEOMETRY[m] for m in measures]
    ends = [[np.nan if end is None else end for end in entry.range] for entry in entries]
    sizes = list(counts.values())
    return {
        "data": xr.Dataset(
            {**{field: (dims, value) for field, value in values.items()}, "note": (dims, note.astype(str))},
            coords={
                "measure": measures,
                "of": of,
                "system": list(rows),
                "words": ("measure", [entry.words for entry in entries]),
                "higher": ("measure", [entry.higher for entry in entries]),
                "null": ("measure", [entry.null for entry in entries]),
                "low": ("measure", np.array([end[0] for end in ends])),
                "top": ("measure", np.array([end[1] for end in ends])),
            },
        ),
        "counts": xr.Dataset(
            {key: ("system", [one[key] for one in sizes]) for key in sizes[0]},
            coords={"system": list(counts)},
        ),
    }


def sentences(
    measures: list[str],
    asked: tuple[str, ...],
    n_draws: int,
    pseudo: bool,
    standardise: bool,
    seeds: list[int],
    data: xr.Dataset,
) -> tuple[str, ...]:
    said = [GEOMETRY[m].method for m in measures]
    if standardise:
        said.append("Units were z-scored over trials.")
    if asked:
        said.append(
            f"Systems were made equal in {', '.join(asked)}; values are medians over {n_draws} random draws."
        )
    if pseudo:
        said.append(f"Units were recorded apart; values are medians over {n_draws} draws of pseudo-trials.")
    if seeds:
        said.append(
            f"The same was measured in {len(seeds)} baseline copies (seeds {', '.join(map(str, seeds))}); intervals of "
            "the differences combine those of both with the spread between copies."
        )
        there = data["gain_paired"] | np.isnan(data["gain_low"])
        apart = [name for name in measures if not bool(there.sel(measure=name).all())]
        if apart:
            said.append(
                f"Of {', '.join(apart)} system and copies were taken for independent, not paired by condition, which "
                "makes these intervals too wide where both rise and fall together."
            )
    return tuple(said)
