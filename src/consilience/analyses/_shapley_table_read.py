"""Tables of real lesions for `cs.shapley`: what came, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience.analyses._shapley_game import WHO
from consilience.stats._lesion_table import inflation

__all__ = ["check_table", "read_table", "seen_coalitions"]


def read_table(
    table: Any, scores: Any, groups: Any, names: Sequence[Any] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Lesions (n, P), scores (n,), number of the animal (n,), names of the regions."""
    if scores is None:
        raise InputError(
            f"{WHO}: a table of lesions needs scores=: a number for each row, or the name of its column. (A network "
            "needs layer=, a function names=.)",
            code="bad-parameter",
        )
    columns = getattr(table, "columns", None)
    if columns is not None:
        if names is not None:
            raise InputError(
                f"{WHO}: the columns of the table name its regions; leave names= out.", code="bad-parameter"
            )
        known = [str(c) for c in columns]
        if len(set(known)) != len(known):
            raise InputError(
                f"{WHO}: two columns of the table have one name; rename one.", code="bad-parameter"
            )
        left = dict(zip(known, (table.iloc[:, i] for i in range(len(known)))))
        scores, groups = _column(left, scores, "scores"), _column(left, groups, "groups")
        if not left:
            raise InputError(f"{WHO}: the table has no column of lesions.", code="too-few")
        lesions = np.column_stack([_numbers(v, f"column {shorten(k, 40)}") for k, v in left.items()])
        regions = list(left)
    else:
        lesions = _numbers(table, "the table of lesions")
        if lesions.ndim != 2:
            raise InputError(
                f"{WHO}: lesions must be (animals, regions), got shape {lesions.shape}.", code="bad-shape"
            )
        if isinstance(table, xr.DataArray) and names is None and table.dims[1] in table.coords:
            names = table[table.dims[1]].values.tolist()
        regions = (
            [f"region{i}" for i in range(lesions.shape[1])] if names is None else [str(v) for v in names]
        )
        if len(regions) != lesions.shape[1] or len(set(regions)) != len(regions):
            raise InputError(
                f"{WHO}: names= must be {lesions.shape[1]} different names, got {shorten(regions)}.",
                code="shape-mismatch",
            )
    y = _numbers(scores, "scores")
    if y.shape != (len(lesions),):
        raise InputError(
            f"{WHO}: scores= must have one number for each of {len(lesions)} rows, got shape {y.shape}.",
            code="shape-mismatch",
        )
    animals = np.arange(len(y))
    if groups is not None:
        labels = np.asarray(groups)
        if labels.shape != y.shape:
            raise InputError(
                f"{WHO}: groups= must have one label for each of {len(y)} rows, got shape {labels.shape}.",
                code="shape-mismatch",
            )
        animals = np.unique(labels.astype(str), return_inverse=True)[1]
    if (lesions < 0).any() or (lesions > 1).any():
        raise InputError(
            f"{WHO}: lesions go from 0 (intact) to 1 (destroyed), got {lesions.min():g} to {lesions.max():g}; divide "
            "volumes or percentages by their largest.",
            code="bad-lesions",
        )
    return lesions, y, animals, regions


def _column(left: dict[str, Any], wanted: Any, name: str) -> Any:
    if not isinstance(wanted, str):
        return wanted
    if wanted not in left:
        raise InputError(
            f"{WHO}: the table has no column {wanted!r} for {name}=.{nearest(wanted, left)}",
            code="unknown-label",
        )
    return left.pop(wanted)


def _numbers(values: Any, what: str) -> np.ndarray:
    found = np.asarray(to_numpy(values.to_numpy() if hasattr(values, "to_numpy") else values))
    if found.dtype.kind not in "biuf":
        raise InputError(
            f"{WHO}: {what} must be numbers, got dtype {found.dtype}; leave columns of text out of the table, or name "
            "them as groups=.",
            code="not-numeric",
        )
    found = found.astype(np.float64)
    if not np.isfinite(found).all():
        raise InputError(
            f"{WHO}: {what}: {int((~np.isfinite(found)).sum())} values are NaN or infinite; leave those rows out.",
            code="nan-values",
        )
    return found


def check_table(lesions: np.ndarray, animals: np.ndarray, regions: list[str]) -> np.ndarray:
    """(P,) in how many animals each region was lesioned; refuses what no fit can tell apart."""
    count = np.array([np.unique(animals[column > 0]).size for column in lesions.T])
    spared = np.array([np.unique(animals[column < column.max()]).size for column in lesions.T])
    few = np.flatnonzero((count < 2) | (spared < 2))
    if few.size:
        i = int(few[0])
        raise InputError(
            f"{WHO}: {shorten(regions[i], 40)} was lesioned in {count[i]} animals and spared (or lesioned less) in "
            f"{spared[i]}; each needs at least 2. Leave the region out, or join it to another.",
            code="never-lesioned",
        )
    if len(lesions) > lesions.shape[1]:
        tied = np.flatnonzero(np.isinf(inflation(1 - lesions)))
        if tied.size:
            raise InputError(
                f"{WHO}: lesions of {', '.join(shorten(regions[i], 30) for i in tied[:4])} cannot be told apart: the "
                "others determine them exactly. Join them to one region.",
                code="confounded-lesions",
            )
    return count


def seen_coalitions(x: np.ndarray, n_animals: int) -> np.ndarray | None:
    """The number of each row's coalition, where every coalition was seen in two animals; else None."""
    p = x.shape[1]
    if p > 8 or len(x) != n_animals or not np.isin(x, (0, 1)).all():
        return None
    code = (x.astype(np.int64) << np.arange(p)).sum(axis=1)
    return code if np.bincount(code, minlength=2**p).min() >= 2 else None
