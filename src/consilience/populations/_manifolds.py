"""The door of manifolds given as clouds of points, and their common mean and correlated centres taken off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.linalg._noise import labelled

__all__ = ["Centres", "as_manifolds", "centre_cosines", "in_span", "take_off_centres"]


def as_manifolds(
    x: Array, label: Array, *, who: str, points: int = 2, classes: int = 2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x float64, number (n,) of the manifold of each row, names); at least ``classes`` with ``points`` rows each."""
    values = np.asarray(to_numpy(as_matrix(x, name="x", who=who, min_rows=2)), dtype=np.float64)
    names, number = labelled(label, len(values), name="label", who=who)
    counts = np.bincount(number, minlength=names.size)
    if names.size < classes:
        raise InputError(f"{who}: at least {classes} classes are needed, got {names.size}.", code="too-few")
    if counts.min() < points:
        raise InputError(
            f"{who}: needs >= {points} points of every class; {int((counts < points).sum())} of {counts.size} have "
            f"fewer, e.g. {shorten(names[counts.argmin()].item(), 40)} with {int(counts.min())}. Leave those out.",
            code="too-few",
        )
    if not np.ptp(values, axis=0).any():
        raise InputError(f"{who}: all rows of x are the same.", code="constant-units")
    return values / np.abs(values).max(), np.asarray(number), names


def in_span(x: np.ndarray) -> np.ndarray:
    """Rows (n, units) less their mean, in as many axes as there are rows where units are more: all products of rows
    stay. (R of the units by rows, of blocks of units that a cache holds, and of these.)
    """
    x = x - x.mean(axis=0)
    n, units = x.shape
    if units <= n:
        return x
    step = 8 * n
    parts = [np.linalg.qr(x[:, k : k + step].T, mode="r") for k in range(0, units, step)]
    whole = parts[0] if len(parts) == 1 else np.linalg.qr(np.concatenate(parts), mode="r")
    return np.asarray(whole).T


@dataclass(frozen=True, eq=False)
class Centres:
    """x : rows less the common mean, in the space without the axes that centres share.   centres : (classes, units).
    before, after : mean absolute cosine of pairs of centres.   axes : how many were taken off.
    """

    x: np.ndarray
    centres: np.ndarray
    before: float
    after: float
    axes: int


def centres_of(x: np.ndarray, number: np.ndarray, classes: int) -> np.ndarray:
    sums = np.zeros((classes, x.shape[1]))
    np.add.at(sums, number, x)
    return np.asarray(sums / np.bincount(number, minlength=classes)[:, None])


def centre_cosines(gram: np.ndarray) -> float:
    """Mean absolute cosine of pairs of centres, from their products."""
    size = np.sqrt(np.maximum(np.diag(gram), 0.0))
    if len(gram) < 2 or size.min() <= 1e-12 * size.max():
        return float("inf")
    cosine = np.abs(gram / size[:, None] / size)
    return float((cosine.sum() - np.trace(cosine)) / (len(gram) * (len(gram) - 1)))


def take_off_centres(x: np.ndarray, number: np.ndarray, classes: int, *, remove: bool) -> Centres:
    """Rows less their mean; with ``remove`` also without the k leading principal axes of the centres, k from 0 to half
    the classes such that the cosines left are smallest.
    """
    x = x - x.mean(axis=0)
    centres = centres_of(x, number, classes)
    centred = centres - centres.mean(axis=0)
    gram = centres @ centres.T
    before = centre_cosines(gram)
    if not remove or classes < 4:
        return Centres(x, centres, before, before, 0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    most = min(classes // 2, len(axes) - 1, x.shape[1] - 1)
    along = centres @ axes[:most].T
    after, chosen, left = before, 0, gram.copy()
    for k in range(1, most + 1):
        left = left - np.outer(along[:, k - 1], along[:, k - 1])
        now = centre_cosines(left)
        if now < after:
            after, chosen = now, k
    taken = axes[:chosen]
    return Centres(x - (x @ taken.T) @ taken, centres - (centres @ taken.T) @ taken, before, after, chosen)
