"""The section of any result: its answer in words, its own figure, its tables. Nothing here knows a class by name;
what does stands in the tables of `_sentences` and `_figures`."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import xarray as xr

from consilience._results import PLOTS, Result
from consilience.plots._labels import visible
from consilience.plots._style import style
from consilience.report._base import Picture, section, slugged
from consilience.report._figures import FIGURES, FURTHER, Figure
from consilience.report._sentences import sentences
from consilience.report._svg import Drawings
from consilience.report._tables import Table, table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["result_section"]

_MOST_CELLS = 200_000  # of a further table; a larger array stays in the result file


def result_section(
    result: Result,
    *,
    name: str = "result",
    slug: str | None = None,
    drawings: Drawings | None = None,
    stimuli: Any = None,
    thumbnails: Any = None,
) -> str:
    """HTML of one result: what it says in words, the figure of ``result.plot()``, every number; a fragment.

    Parameters
    ----------
    name : the step's name, for the heading.   slug : for ids and file names; by default from the name.
    drawings : the page's figures, which number the ids.
    stimuli, thumbnails : taken so that all sections are called alike; not shown.
    """
    drawings = drawings or Drawings()
    slug = slug or slugged(name)
    pictures = _pictures(result, slug, drawings) if type(result).__name__ in PLOTS else []
    return section(result, name, slug, pictures, _tables(result, slug), said=sentences(result))


def _pictures(result: Result, slug: str, drawings: Drawings) -> list[Picture]:
    """The figure of the result, and its further ones."""
    name = type(result).__name__
    how = FIGURES.get(name, Figure())
    first = Figure(
        title=how.title or result.title[:1].upper() + result.title[1:], caption=how.caption, table=how.table
    )
    more = FURTHER[name](result) if name in FURTHER else []
    ids = [f"{slug}-figure", *(f"{slug}-{slugged(one.title)}" for one in more)]
    return [_picture(result, one, words, drawings) for one, words in zip([first, *more], ids, strict=True)]


def _picture(result: Result, how: Figure, id: str, drawings: Drawings) -> Picture:
    with style(svg=True):
        made = result.plot(**how.options).figure  # of the size that the plot chose
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(made)
    words = (
        f"{visible(how.title if how.options else result.title)[:160]}; all values are in the tables below."
    )
    return Picture(
        id=id, title=how.title, svgs=(drawings.svg(made, words),), caption=how.said(result),
    )  # fmt: skip


def _tables(result: Result, slug: str) -> list[Table]:
    """The result's own table, and those of its further datasets and small arrays."""
    frames = []
    with contextlib.suppress(ValueError):  # it has no table form
        caption = FIGURES.get(type(result).__name__, Figure()).table or result.title
        frames.append((caption, slug, result.to_frame()))
    known = {field.name for field in fields(Result)}
    for field in fields(result):
        value = getattr(result, field.name)
        if field.name in known or not isinstance(value, (xr.Dataset, xr.DataArray)):
            continue
        frame = _frame(value)
        if frame is not None and not any(_same(frame, other) for _, _, other in frames):
            frames.append((field.name.replace("_", " "), f"{slug}-{field.name.replace('_', '-')}", frame))
    return [table(frame, caption=caption, name=name) for caption, name, frame in frames]


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether one table says nothing that the other does not."""
    return len(one) == len(other) and set(map(str, one.columns)) <= set(map(str, other.columns))


def _frame(value: xr.Dataset | xr.DataArray) -> pd.DataFrame | None:
    """One row per combination of labels; None where it is too large to read, or holds resamples."""
    if "draw" in value.dims or not value.dims:
        return None
    data = value.rename("value").to_dataset() if isinstance(value, xr.DataArray) else value
    rows = 1
    for size in data.sizes.values():
        rows *= size
    if rows * len(data.variables) > _MOST_CELLS or not data.data_vars:
        return None
    frame = data.to_dataframe().reset_index()
    return frame.drop(columns=[dim for dim in data.dims if dim not in data.coords], errors="ignore")
