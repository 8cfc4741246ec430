"""What a file may be instead of what it is read as: a table without header, an RDM."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from consilience._core._errors import Caution
from consilience._core._params import shorten
from consilience.sources._files import show
from consilience.sources._raw import Raw

__all__ = ["doubt_header", "doubt_ids", "doubt_responses"]


def doubt_header(header: list[str], ids: list[str], path: Path) -> tuple[Caution, ...]:
    """A header whose names are numbers as data are: a row of data was taken for it."""
    names = header[1:]
    if not all(_is_number(name) for name in names):
        return ()
    no_ids = _is_number(header[0]) and all(_is_number(entry) for entry in ids)
    if not no_ids and all(name.strip().isdecimal() for name in names):
        return ()  # units that are numbered
    lost = "row was taken as unit names" + (" and its first column as stimulus ids" if no_ids else "")
    return (
        Caution(
            "header-of-numbers",
            f"The header of {show(Path(path.name))} holds numbers ({shorten(', '.join(header[:3]), 40)}): "
            f"its first {lost}.",
            "If that is data, put a header in front (id,unit0,unit1,...)"
            + (" and ids in the first column, or save the numbers as .npy and give ids." if no_ids else "."),
        ),
    )


_ID_NAMES = {
    "",
    "condition",
    "file",
    "id",
    "ids",
    "image",
    "index",
    "item",
    "label",
    "name",
    "sample",
    "stim",
}
_ID_NAMES |= {"stimuli", "stimulus", "trial", "unnamed: 0", "video", "word"}


def doubt_ids(header: list[str], ids: list[str], path: Path) -> tuple[Caution, ...]:
    """Ids that are measured numbers, under a header that is no name of ids: a column of data was taken for them."""
    name = header[0].strip()
    bare = name.lower().removesuffix("_id").removesuffix("_name")
    if bare in _ID_NAMES or _is_number(name) or not all(_is_number(entry) for entry in ids):
        return ()
    if all(float(entry).is_integer() for entry in ids):
        return ()
    return (
        Caution(
            "ids-of-numbers",
            f"The first column of {show(Path(path.name))}, {shorten(name, 40)}, holds numbers such as "
            f"{shorten(ids[0], 20)}, and was taken as stimulus ids, not as a unit.",
            "If that is data, put a column of ids in front; if it is the ids, head it stimulus.",
        ),
    )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def doubt_responses(raw: Raw, name: str) -> tuple[Caution, ...]:
    """What speaks against reading the file as responses."""
    found = list(raw.cautions)
    if raw.format not in ("netcdf", "zarr") and _looks_like_rdm(raw.values):
        n = len(raw.values)
        found.append(
            Caution(
                "looks-like-rdm",
                f"{name} is square ({n} x {n}), symmetric and zero on the diagonal, as an RDM is, and is read as "
                f"responses of {n} units.",
                "If it is an RDM, say rdm: correlation (or its distance) in the study file, or make it with "
                "cs.rdm_data in Python.",
            )
        )
    return tuple(found)


def _looks_like_rdm(values: np.ndarray) -> bool:
    if values.ndim != 2 or values.dtype.kind not in "iuf" or not 3 <= values.shape[0] == values.shape[1]:
        return False
    largest = float(np.abs(values).max())
    if (
        not (math.isfinite(largest) and largest > 0)
        or float(np.abs(np.diagonal(values)).max()) > 1e-6 * largest
    ):
        return False
    return np.allclose(values, values.T, rtol=1e-5, atol=1e-6 * largest)
