"""Adapter: a data frame of pandas, rows as trials and columns of numbers as units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._recording._labelling import with_cautions
from consilience._recording._on import trial_labels
from consilience._responses import responses
from consilience.sources._labels import TAKEN

__all__ = ["from_frame"]

# what columns of labels are called, in lower case and without "_"
_LABELS = frozenset(
    (
        "block",
        "category",
        "choice",
        "condition",
        "label",
        "reactiontime",
        "repeat",
        "response",
        "rt",
        "run",
        "session",
    )
    + ("stimulus", "stimulusid", "subject", "time", "trial")
)


def from_frame(
    thing: Any,
    *,
    who: str,
    stimulus: str | None = None,
    kind: str = "activation",
    units: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    repeat: str | Sequence[int] | np.ndarray | None = None,
    missing: str = "raise",
) -> xr.DataArray:
    """Responses (trial, unit): the index, or the column ``stimulus``, gives ids.

    With ``units`` those columns are units and all others labels of trials; with ``labels`` the other columns of
    numbers are units; with both, columns in neither are left out. With neither, columns of numbers are units, except
    those that look like labels, which is said.
    """
    names = [str(name) for name in thing.columns]
    if len(set(names)) < len(names):
        raise InputError(f"{who}: names of columns come more than once.", code="repeated-units")
    if stimulus is not None:
        if stimulus not in names:
            raise UnknownNameError(
                f"{who}: stimulus={shorten(stimulus, 40)} is no column of the data frame.{nearest(stimulus, names)}",
                code="unknown-label",
            )
        at = names.index(stimulus)
        column = thing.iloc[:, at]
        ids = column.tolist() if getattr(column.dtype, "kind", "O") in "iu" else column.astype(str).tolist()
        thing = thing.set_index(thing.columns[at], drop=False).set_axis(ids, axis=0)
    named = {"units": _named(units, "units", names, who), "labels": _named(labels, "labels", names, who)}
    as_units, as_labels, cautions = _dealt(thing, names, stimulus, kind, named, who)
    made, said = trial_labels(
        {names[i]: _entries(thing.iloc[:, i]) for i in as_labels}, TAKEN, "the data frame"
    )
    chosen = thing.iloc[:, as_units]
    cast = [name for name, dtype in zip(chosen.columns, chosen.dtypes) if not _plain(dtype)]
    if cast:
        chosen = chosen.astype(dict.fromkeys(cast, float))
    if repeat is None and not bool(chosen.index.is_unique):
        repeat = "count"
    try:
        data = responses(chosen, kind=kind, repeat=repeat, missing=missing, **made)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"{who}: {str(error).removeprefix('cs.responses: ')}", code=error.code) from None
    return with_cautions(data, [*cautions, *said])


def _named(given: Sequence[str] | None, what: str, names: list[str], who: str) -> list[int] | None:
    """Places of the columns that an option names."""
    if given is None:
        return None
    listed = [str(name) for name in ([given] if isinstance(given, str) else list(given))]
    unknown = next((name for name in listed if name not in names), None)
    if unknown is not None:
        raise UnknownNameError(
            f"{who}: {what} names {shorten(unknown, 40)}, which is no column of the data frame."
            f"{nearest(unknown, names)}",
            code="unknown-label",
        )
    return [names.index(name) for name in dict.fromkeys(listed)]


def _dealt(
    thing: Any,
    names: list[str],
    stimulus: str | None,
    kind: str,
    named: dict[str, list[int] | None],
    who: str,
) -> tuple[list[int], list[int], list[Caution]]:
    """(places of units, places of labels, what was doubtful)."""
    kinds = [getattr(dtype, "kind", "O") for dtype in thing.dtypes]
    rest = [i for i, name in enumerate(names) if name != stimulus]
    numbers = [i for i in rest if kinds[i] in "iuf"]
    units, labels = named["units"], named["labels"]
    if units is not None:
        both = [i for i in units if i in (labels or ()) or names[i] == stimulus]
        text = [i for i in units if kinds[i] not in "biuf"]
        if both:
            raise InputError(
                f"{who}: {_listed(both, names)} cannot be units, as stimulus= or labels= names them too.",
                code="bad-parameter",
            )
        if text or not units:
            raise InputError(
                f"{who}: units= must name columns of numbers, got {_listed(text, names) or 'none'}.",
                code="not-numeric",
            )
        return units, [i for i in (rest if labels is None else labels) if i not in units and i in rest], []
    moved: list[int] = []
    if labels is None:
        called = [i for i in numbers if names[i].lower().replace("_", "").replace(" ", "") in _LABELS]
        moved = sorted([*called, *_odd(thing, kinds, [i for i in numbers if i not in called], kind)])
    left = [i for i in numbers if i not in (moved if labels is None else labels)]
    if not left:
        looks = f" that is not a label ({_listed(numbers, names)})" if numbers else ""
        raise InputError(
            f"{who}: no column of the data frame holds numbers{looks}; units=[...] names the columns that are units.",
            code="not-numeric",
        )
    cautions = []
    if moved:
        cautions.append(
            Caution(
                "columns-as-labels",
                f"Columns that look like labels of trials were not taken as units: {_listed(moved, names)} (by their "
                "names, or as whole numbers and numbers with fractions stand side by side). Units: "
                f"{_listed(left, names)}.",
                "Choose with units=[...], or labels=[...] (labels=[] for none).",
            )
        )
    return left, [i for i in rest if i not in left], cautions


def _plain(dtype: Any) -> bool:
    """Numbers of numpy; True/False, or pandas' own types with NA, beside them would make an array of objects."""
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


def _listed(places: list[int], names: list[str]) -> str:
    """The first names in words, and how many there are."""
    most = 8
    first = ", ".join(names[i] for i in places[:most])
    return first if len(places) <= most else f"{first}, ... ({len(places)})"


def _odd(thing: Any, kinds: list[str], numbers: list[int], kind: str) -> list[int]:
    """Whole numbers beside numbers with fractions are labels; of counts it is the numbers with fractions."""
    whole = [i for i in numbers if kinds[i] in "iu"]
    broken = [i for i in numbers if kinds[i] == "f" and _has_fractions(thing.iloc[:, i])]
    if not whole or not broken:
        return []
    return broken if kind == "count" else whole


def _has_fractions(column: Any) -> bool:
    values = column.to_numpy(dtype=float, na_value=np.nan)
    values = values[np.isfinite(values)]
    return bool((values != np.floor(values)).any())


def _entries(column: Any) -> np.ndarray:
    entries = np.asarray(column.to_numpy())
    return entries if entries.dtype.kind in "biuf" else entries.astype(str)
