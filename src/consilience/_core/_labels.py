"""Labels as people have them: text in lists, object arrays, pandas columns and categoricals, as plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._arrays import Array, as_array, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import shorten

__all__ = ["plain_labels"]


def plain_labels(labels: Array, *, name: str, who: str) -> np.ndarray:
    """Labels as an array of text, numbers, True/False or times; a missing label and mixtures are refused by trial."""
    if isinstance(labels, (list, tuple)) and any(isinstance(one, str) for one in labels):
        given = np.empty(len(labels), dtype=object)  # NumPy would make text of None and of numbers
        for k, one in enumerate(labels):
            given[k] = one
    else:
        given = np.asarray(to_numpy(as_array(labels, name=name, who=who)))
    if given.dtype.kind == "T":
        given = given.astype(object)
    flat = given.ravel()
    if given.dtype.kind in "fmM":
        lost = np.flatnonzero(np.isnan(flat))
    elif given.dtype.kind == "O":
        lost = np.array([k for k, one in enumerate(flat) if _missing(one)], dtype=np.int64)
    else:
        return given
    if lost.size:
        raise InputError(
            f"{who}: {name} is missing (None, NaN) in {lost.size} of {len(given)} trials, trial "
            f"{int(lost[0]) * len(given) // max(flat.size, 1)} first; drop those trials, or give them a label.",
            code="nan-values",
        )
    return given if given.dtype.kind != "O" else _of_one_kind(given, name, who)


def _missing(one: Any) -> bool:
    if one is None or type(one).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(one, (float, np.floating)) and bool(np.isnan(one))


_KINDS: tuple[tuple[str, tuple[type, ...], Any], ...] = (
    ("text", (str,), str),
    ("True or False", (bool, np.bool_), bool),
    ("whole numbers", (int, np.integer), np.int64),
    ("numbers", (int, float, np.integer, np.floating), np.float64),
)


def _of_one_kind(given: np.ndarray, name: str, who: str) -> np.ndarray:
    flat = [one.item() if isinstance(one, np.generic) else one for one in given.ravel()]
    if not flat:
        return given.astype(str)
    for said, types, made in _KINDS:
        held = [isinstance(one, types) and (said != "numbers" or not isinstance(one, bool)) for one in flat]
        if all(held):
            try:
                return given.astype(made)
            except OverflowError:
                break
        if held[0] and not (said == "whole numbers" and isinstance(flat[held.index(False)], float)):
            k = held.index(False)
            raise InputError(
                f"{who}: {name} must be all text or all numbers, got {shorten(flat[0])} beside {shorten(flat[k])} "
                f"(trial {k}).",
                code="bad-label",
            )
    raise InputError(
        f"{who}: {name} must be text or numbers, got {shorten(flat[0])} ({type(flat[0]).__name__}).",
        code="bad-label",
    )
