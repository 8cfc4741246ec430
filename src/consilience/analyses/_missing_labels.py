"""Labels that are missing on some trials, and trials that are left out: neither goes without a word."""

from __future__ import annotations

import numpy as np

from consilience._core._errors import InputError, warn

__all__ = ["refuse_missing_label", "say_omitted"]

_AS_TEXT = ("nan", "NaN", "None", "<NA>", "NaT")  # what a missing entry becomes among text


def refuse_missing_label(values: np.ndarray, label: str, who: str) -> None:
    """A missing entry would be a condition of its own."""
    values = np.asarray(values)
    if values.dtype.kind == "f":
        bad = ~np.isfinite(values)
    elif values.dtype.kind in "mM":
        bad = np.isnat(values)
    elif values.dtype.kind == "O":
        bad = np.array([v is None or v != v or str(v) in _AS_TEXT for v in values.tolist()], dtype=bool)
    elif values.dtype.kind == "U":
        bad = np.isin(values, _AS_TEXT)
    else:
        return
    if bad.any():
        first = int(np.argmax(bad))
        shown = str(values[first])
        raise InputError(
            f"{who}: label {label!r} is missing ({shown}) in {int(bad.sum())} of {bad.size} trials (first: "
            f"trial {first}); leave these trials out, or give the value another name where it is a condition.",
            code="nan-values",
        )


def say_omitted(gone: int, n: int, who: str, more: str = "") -> None:
    """``gone`` of ``n`` trials are marked as not valid."""
    if gone:
        warn(
            "trials-omitted",
            f"{who}: {gone} of {n} trials are marked as not valid (missing='mask' marks those with any NaN) and were "
            f"left out{more}.",
            "Leave out units or times that lack many trials instead; missing='mask_values' marks single values, which "
            "cs.reduce with a model of cs.models, and cs.structure, leave out by themselves.",
        )
