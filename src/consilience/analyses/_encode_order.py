"""Rows of `encode` in the order of time, where they were given in it: drift in both sides, and rows given twice."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import xarray as xr

from consilience._core._errors import warn
from consilience.analyses._equal_rows import doubt_copies
from consilience.stats import neighbours_alike

__all__ = ["doubt_rows", "order_given"]

_FEWEST = 20
_VALUES = 200_000  # looked at for drift


def order_given(systems: Iterable[xr.DataArray], ids: np.ndarray) -> np.ndarray | None:
    """(n,) int: ``ids`` in the order of the rows of every system; None unless each has every id once, in one order,
    and ids count rows (0, 1, ..., trial7, trial8): names in any other order say nothing of time.
    """
    found: np.ndarray | None = None
    for system in systems:
        own = system["stimulus"].values
        own = own[np.isin(own, ids)]
        if own.size != ids.size or (found is not None and not np.array_equal(own, found)):
            return None
        found = own
    if found is None or not _counting(found):
        return None
    order = np.argsort(found, kind="stable")
    if not np.array_equal(found[order], ids):
        return None
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    return back


def _counting(ids: np.ndarray) -> bool:
    if ids.dtype.kind in "iuf":
        return bool((np.diff(ids) > 0).all())
    parts = [re.fullmatch(r"(.*?)(\d{1,15})", str(one)) for one in ids.tolist()]
    if any(part is None for part in parts) or len({part[1] for part in parts if part}) != 1:
        return False
    return bool((np.diff([int(part[2]) for part in parts if part]) > 0).all())


def doubt_rows(
    x: np.ndarray,
    y: np.ndarray,
    left: np.ndarray,
    rows: np.ndarray,
    splits: list[tuple[np.ndarray, np.ndarray]],
    *,
    order: np.ndarray | None,
    owner: np.ndarray | None,
) -> None:
    """x : (n, p).   y : (n, t).   left : (rows, t) what held-out predictions leave of y.   order : see `order_given`.
    owner : (n,) the group of each row, or None.
    """
    copied = doubt_copies(
        (x, y),
        splits,
        what="stimuli",
        of="values, in x and y,",
        remedy="One id for all copies, with repeat='count', makes them repeats of one stimulus; else drop the copies.",
    )
    if copied or order is None or len(rows) != len(x):
        return
    whole = np.empty_like(left)
    whole[rows] = left
    predictors, residuals = (v[:, :: max(1, v.size // _VALUES)][order].astype(np.float64) for v in (x, whole))
    if owner is not None:
        codes = owner[order]
        first = np.unique(codes, return_index=True)[1].argsort()
        count = np.bincount(codes)[:, None]
        for_each = []
        for values in (predictors, residuals):
            sums = np.zeros((len(count), values.shape[1]))
            np.add.at(sums, codes, values)
            for_each.append((sums / count)[first])
        predictors, residuals = for_each
    if len(residuals) < _FEWEST:
        return
    one = np.zeros(len(residuals), np.int64)
    p, alike = neighbours_alike(residuals, one)
    if p > 0.005:
        return
    p, beside = neighbours_alike(predictors, one)
    if p > 0.005:
        return
    kept = "groups" if owner is not None else "rows"
    warn(
        "neighbours-alike",
        f"{kept} that follow each other are alike in x (r = {beside:.2f}) and in what x leaves of y (r = {alike:.2f}, "
        f"p = {p:.3f}): they stand in training and test, so r and its p are too good.",
        "If rows are in the order of time, give both as series, dims=('time', 'unit'): stretches are held out with a "
        "gap, and p is by circular shifts. If they are sorted by kind, keep a kind together with groups='label'.",
    )
