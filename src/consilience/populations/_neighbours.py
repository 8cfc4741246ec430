"""Distances to the nearest neighbours of all points, by bounds or from tiles of the matrix of squared distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience._core._errors import InputError, warn
from consilience.populations._screened_neighbours import screened

__all__ = ["Points", "distinct_points", "nearest", "tiled"]

_TILE = 1024
_ROWS = 128
_NEAR = 1e-6  # squared distance over squared size below which a product has lost its digits


@dataclass(frozen=True, eq=False)
class Points:
    """x : (n, p) distinct points, centred.   first : (n,) row of each in the data.   merged : how many copies."""

    x: np.ndarray
    first: np.ndarray
    merged: int


def distinct_points(
    x: np.ndarray, *, who: str, fewest: int, remedy: str = "use more points, or fewer neighbours"
) -> Points:
    """Points without their copies: a distance of 0 to a copy says nothing of the dimension, and log 0 breaks estimates
    in silence. Warns; refuses where fewer than ``fewest`` are left.
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    first = _first_of_copies(x)
    merged = len(x) - first.size
    if merged:
        warn(
            "points-merged",
            f"{who}: {merged} of {len(x)} points are copies of others to the last bit; each is used once.",
            "Copies are one measurement: average repeats, or see why rows are equal (silent bins, a stimulus twice).",
        )
    if first.size < fewest:
        raise InputError(
            f"{who}: at least {fewest} distinct points are needed, got {first.size} of {len(x)} rows; {remedy}.",
            code="too-few",
        )
    if merged:
        x = x[first]
    x = x - x.mean(axis=0)
    scale = max(float(x.max()), -float(x.min()))
    if scale > 0:
        x /= scale
    return Points(x, first, merged)


def _first_of_copies(x: np.ndarray) -> np.ndarray:
    """Rows in order without those that equal an earlier one to the last bit."""
    bits = x.view(np.uint64)
    if np.unique(bits[:, 0]).size == len(x):
        return np.arange(len(x))  # one unit tells all rows apart
    weights = np.random.default_rng(0).integers(2**64 - 1, size=x.shape[1], dtype=np.uint64) | np.uint64(1)
    sums = np.empty(len(x), dtype=np.uint64)
    for start in range(0, len(x), _ROWS):
        some = bits[start : start + _ROWS]
        sums[start : start + _ROWS] = np.einsum("ij,j->i", some ^ (some >> np.uint64(32)), weights)
    if np.unique(sums).size == len(x):
        return np.arange(len(x))  # sums differ, so rows do
    rows = x.view(np.dtype((np.void, x.dtype.itemsize * x.shape[1]))).ravel()
    return np.sort(np.unique(rows, return_index=True)[1])


def nearest(x: np.ndarray, k: int, *, indices: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(distances (n, k), indices (n, k)) of the k nearest other points, nearest first; no indices unless asked."""
    found = screened(x, k, indices=indices)
    if found is None:
        found = tiled(x, k)
    return np.sqrt(np.maximum(found[0], 0.0)), found[1] if indices else np.empty((len(x), 0), dtype=np.int64)


def tiled(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(squared distances (n, k), indices (n, k)) of the k nearest other points, nearest first, of any points.

    Squared distances of tiles of points come from one product each and serve both sides; each point keeps the k
    smallest so far, and of a further tile only what is below them is looked at. Distances so small that the product has
    lost their digits are taken from the differences.
    """
    n = len(x)
    square = np.einsum("ij,ij->i", x, x)
    one = np.ones((n, 1))
    left = np.hstack([-2.0 * x, square[:, None], one])  # left . right = |a - b|^2, in one product
    right = np.hstack([x, one, square[:, None]])
    best = np.full((n, k), np.inf)
    where = np.zeros((n, k), dtype=np.int64)
    room = np.empty(min(_TILE, n) ** 2)
    starts = range(0, n, _TILE)

    def tile(a: slice, b: slice) -> np.ndarray:
        shape = (a.stop - a.start, b.stop - b.start)
        return np.matmul(left[a], right[b].T, out=room[: shape[0] * shape[1]].reshape(shape))

    # tiles on the diagonal first: they bound most others away
    for i in starts:
        a = slice(i, min(i + _TILE, n))
        made = tile(a, a)
        np.fill_diagonal(made, np.inf)
        _offer(best, where, a, made, a)
    for i in starts:
        a = slice(i, min(i + _TILE, n))
        for j in range(i + _TILE, n, _TILE):
            b = slice(j, min(j + _TILE, n))
            made = tile(a, b)
            _offer(best, where, a, made, b)
            _offer(best, where, b, made.T, a)
    order = np.argsort(best, axis=1, kind="stable")
    best, where = np.take_along_axis(best, order, axis=1), np.take_along_axis(where, order, axis=1)
    rows, columns = np.nonzero(best <= _NEAR * (square[:, None] + square[where]))
    if rows.size:
        away = x[rows] - x[where[rows, columns]]
        best[rows, columns] = np.einsum("ij,ij->i", away, away)
        order = np.argsort(best, axis=1, kind="stable")
        best, where = np.take_along_axis(best, order, axis=1), np.take_along_axis(where, order, axis=1)
    return best, where


def _offer(best: np.ndarray, where: np.ndarray, rows: slice, tile: np.ndarray, columns: slice) -> None:
    """Keeps the smallest of what the points ``rows`` have and the distances ``tile`` to the points ``columns``."""
    own, k = best[rows], best.shape[1]
    bound = own.max(axis=1)
    if not np.isfinite(bound[0]):
        bound = _at_most(tile, k)
    if tile.flags.c_contiguous:
        r, c = np.divmod(np.flatnonzero(tile <= bound[:, None]), tile.shape[1])
    else:
        c, r = np.divmod(np.flatnonzero(bound[None, :] >= tile.T), tile.shape[0])
        order = np.argsort(r, kind="stable")
        r, c = r[order], c[order]
    if not r.size:
        return
    count = np.bincount(r, minlength=len(own))
    touched = np.flatnonzero(count)
    count = count[touched]
    start = np.cumsum(count) - count
    width = int(count.max())
    place = np.arange(r.size) - np.repeat(start, count)
    row = np.repeat(np.arange(touched.size), count)
    values = np.full((touched.size, k + width), np.inf)
    number = np.zeros((touched.size, k + width), dtype=np.int64)
    values[:, :k], number[:, :k] = own[touched], where[rows][touched]
    values[row, k + place] = tile[r, c]
    number[row, k + place] = c + columns.start
    at = np.argpartition(values, k - 1, axis=1)[:, :k]
    best[rows.start + touched] = np.take_along_axis(values, at, axis=1)
    where[rows.start + touched] = np.take_along_axis(number, at, axis=1)


def _at_most(tile: np.ndarray, k: int) -> np.ndarray:
    """(rows,) a number that at least k entries of each row do not exceed: the k-th smallest of minima over parts."""
    n = tile.shape[1]
    parts = max(1, min(8, n // (4 * k)))
    wide = n // parts
    if wide <= k:
        return np.full(len(tile), np.inf)
    least = np.minimum.reduce(tile[:, : parts * wide].reshape(len(tile), parts, wide), axis=1)
    return np.asarray(np.partition(least, k - 1, axis=1)[:, k - 1])
