"""Stimulus ids: one type, one per row; words for messages about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import shorten

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def made_up_ids(n: int, prefix: str = "stim") -> np.ndarray:
    return np.array([f"{prefix}{i:04d}" for i in range(n)])


def check_ids(ids: object, n: int, *, who: str, what: str = "stimulus") -> np.ndarray:
    """Ids as a 1-D array of one type (text or whole numbers of 64 bits), ``n`` long."""
    if (
        isinstance(ids, (str, bytes, set, frozenset, dict))
        or not isinstance(ids, Iterable)
        or getattr(ids, "ndim", 1) == 0
    ):
        raise InputError(
            f"{who}: {what} must be a list of {n} id{'s' * (n != 1)}, got {shorten(ids)}.", code="bad-ids"
        )
    listed = list(
        ids.values.tolist()
        if isinstance(ids, xr.DataArray)
        else np.asarray(ids).tolist()
        if isinstance(ids, np.ndarray)
        else ids
    )
    if len(listed) != n:
        raise InputError(
            f"{who}: {what} has {len(listed)} id{'s' * (len(listed) != 1)} for {n} row{'s' * (n != 1)}; give one "
            "id per row.",
            code="bad-ids",
        )
    listed = [entry.item() if isinstance(entry, np.generic) else entry for entry in listed]
    text = [isinstance(entry, str) for entry in listed]
    whole = [isinstance(entry, int) and not isinstance(entry, bool) for entry in listed]
    if all(text):
        check_text(listed, who=who, what=f"{what} ids")
        return np.array(listed, dtype=str) if listed else np.empty(0, dtype=str)
    if all(whole):
        large = [entry for entry in listed if not _SMALLEST <= entry <= _LARGEST]
        if large:
            raise InputError(
                f"{who}: {what} ids that are numbers must fit in 64 bits (up to {_LARGEST}), got "
                f"{shorten(large[0], 40)}; pass them as text.",
                code="bad-ids",
            )
        return np.array(listed, dtype=np.int64)
    odd = next(entry for entry, t, w in zip(listed, text, whole) if not (t or w) or t != text[0])
    beside = "" if odd is listed[0] else f"{shorten(listed[0])} beside "
    raise InputError(
        f"{who}: {what} ids must all be text or all be whole numbers, got {beside}{shorten(odd)}; "
        "convert them to one type.",
        code="bad-ids",
    )


def check_text(texts: Iterable[str], *, who: str, what: str) -> None:
    """Refuses text that no file can hold: half of a surrogate pair, as in file names that are not UTF-8."""
    for text in texts:
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise InputError(
                f"{who}: {what} must be valid Unicode text, got {shorten(text)}, which holds a lone surrogate "
                "(a file name that is not UTF-8?); rename it.",
                code="bad-ids",
            )


def stable_order(ids: np.ndarray) -> np.ndarray:
    return np.argsort(ids, kind="stable")


def repeated(ids: np.ndarray, most: int = 3) -> str:
    counts = Counter(ids.tolist())
    twice = [key for key, count in counts.items() if count > 1]
    more = f" and {len(twice) - most} more" if len(twice) > most else ""
    return ", ".join(shorten(key, 40) for key in twice[:most]) + more


def examples(ids: Iterable[Any], most: int = 3) -> str:
    listed = list(ids)
    more = f", ... ({len(listed)} in all)" if len(listed) > most else ""
    return ", ".join(shorten(entry, 40) for entry in listed[:most]) + more


def kind_word(ids: np.ndarray) -> str:
    return "text" if ids.dtype.kind in "USTO" else "whole numbers"
