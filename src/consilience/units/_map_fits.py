"""What fits to maps (units, y, x) share: the door, the grid of places, first guesses, and the search from several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from consilience._core._arrays import as_array, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.units._least_squares import Model, solve_batch

__all__ = ["Grid", "as_maps", "fits_in_words", "gabor_model", "guess_centres", "search"]

_SMALLEST = 4  # pixels along a side
_FIRST = 12  # steps of all starts; the two best go on


@dataclass(frozen=True)
class Grid:
    """Places of the pixels in steps of x: ``x``, ``y`` (n,), and what brings them back to coordinates."""

    x: np.ndarray
    y: np.ndarray
    shape: tuple[int, int]
    origin: tuple[float, float]  # coordinate of place 0 of x and y
    step: float  # of x; lengths are in steps of it

    @property
    def size(self) -> float:
        """The longer side."""
        return float(max(np.ptp(self.x), np.ptp(self.y)) + 1)


def as_maps(maps: Any, x: Any, y: Any, *, who: str) -> tuple[np.ndarray, Grid, bool]:
    """Maps (units, n) float64, their grid, and whether one map (y, x) came."""
    given = to_numpy(as_array(maps, name="maps", who=who))
    if given.dtype.kind not in "biuf":
        raise InputError(f"{who}: maps must hold real numbers, got dtype {given.dtype}.", code="not-numeric")
    if given.ndim not in (2, 3) or min(given.shape[-2:]) < _SMALLEST or not given.size:
        raise InputError(
            f"{who}: maps must be (y, x) or (units, y, x), at least {_SMALLEST} x {_SMALLEST} pixels, got shape "
            f"{given.shape}; take one lag or the spatial part of a field in space and time.",
            code="not-2d",
        )
    values = given.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(
            f"{who}: maps have {int((~np.isfinite(values)).sum())} NaN or infinite values; leave those units out.",
            code="nan-values",
        )
    rows, columns = values.shape[-2:]
    along, step_x = _axis(x, columns, "x", who)
    down, step_y = _axis(y, rows, "y", who)
    places_y, places_x = np.meshgrid(
        np.arange(rows) * (step_y / step_x), np.arange(columns, dtype=np.float64), indexing="ij"
    )
    grid = Grid(places_x.ravel(), places_y.ravel(), (rows, columns), (along, down), step_x)
    return values.reshape(-1, rows * columns), grid, given.ndim == 2


def _axis(given: Any, n: int, name: str, who: str) -> tuple[float, float]:
    """(first coordinate, step) of evenly spaced coordinates; 0 and 1 where there are none."""
    if given is None:
        return 0.0, 1.0
    try:
        found = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    steps = np.diff(found)
    if found.shape != (n,) or not np.isfinite(found).all() or not (steps > 0).all():
        raise InputError(
            f"{who}: {name} must be {n} coordinates that rise, one per pixel, got {shorten(given)}.",
            code="bad-parameter",
        )
    if np.ptp(steps) > 1e-3 * steps.mean():
        raise InputError(
            f"{who}: {name} must be evenly spaced, got steps from {steps.min():.4g} to {steps.max():.4g}; interpolate "
            "the maps onto an even grid.",
            code="bad-parameter",
        )
    return float(found[0]), float(steps.mean())


def fits_in_words(found: Any, names: Sequence[str]) -> str:
    """One line: all parameters of one map, or of several the medians of ``names`` and of the share explained."""
    shape = np.shape(found.fve)
    known = np.atleast_1d(np.isfinite(found.fve))
    if not shape:
        names = [entry.name for entry in fields(found) if entry.name not in ("fve", "fitted")]
    said = [
        f"{name} {np.median(np.atleast_1d(getattr(found, name))[known]):.3g}"
        if known.any()
        else f"{name} nan"
        for name in (*names, "fve")
    ]
    what = "one map" if not shape else f"{shape[0]} maps, {int(known.sum())} with a fit; medians"
    return f"<{type(found).__name__}> {what}: {', '.join(said)}"


def guess_centres(maps: np.ndarray, grid: Grid) -> np.ndarray:
    """(units, 2) x and y of where the smoothed energy of each map is largest."""
    energy = (maps**2).reshape(-1, *grid.shape)
    width = 0.08 * max(grid.shape)
    at = np.array([int(np.argmax(gaussian_filter(one, width, mode="constant"))) for one in energy])
    return np.stack([grid.x[at], grid.y[at]], axis=1)


def gabor_model(grid: Grid) -> Model:
    """exp(-u^2 / 2 s_u^2 - v^2 / 2 s_v^2) (a cos 2 pi f u + b sin 2 pi f u) of the parameters a, b, x0, y0, log s_u,
    log s_v, f, theta; u = (x - x0) cos theta + (y - y0) sin theta runs across the bars, v along them.
    """
    x, y = grid.x[None], grid.y[None]

    def model(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, b, x0, y0, log_u, log_v, f, theta = (p[:, [k]] for k in range(8))
        cos, sin = np.cos(theta), np.sin(theta)
        u = (x - x0) * cos + (y - y0) * sin
        v = (y - y0) * cos - (x - x0) * sin
        narrow_u, narrow_v = np.exp(-2 * log_u), np.exp(-2 * log_v)
        envelope = np.exp(-0.5 * (u * u * narrow_u + v * v * narrow_v))
        angle = 2 * np.pi * f * u
        even, odd = envelope * np.cos(angle), envelope * np.sin(angle)
        value = a * even + b * odd
        turned = b * even - a * odd
        by_u = 2 * np.pi * f * turned - u * narrow_u * value
        by_v = -v * narrow_v * value
        out = np.empty((*value.shape, 8))
        out[..., 0], out[..., 1] = even, odd
        out[..., 2], out[..., 3] = sin * by_v - cos * by_u, -sin * by_u - cos * by_v
        out[..., 4], out[..., 5] = u * u * narrow_u * value, v * v * narrow_v * value
        out[..., 6], out[..., 7] = 2 * np.pi * u * turned, v * by_u - u * by_v
        return value, out

    return model


def search(
    model: Model,
    maps: np.ndarray,
    starts: np.ndarray,
    linear: tuple[int, ...],
    free: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    kept: int = 4,
) -> tuple[np.ndarray, np.ndarray]:
    """The best of several starts for each map: parameters (units, p) and the share of the squared map that they
    explain (units,); NaN for maps that are 0.

    starts : (units, s, p). The ``linear`` parameters of each start are fitted first; from the ``kept`` best of them
    the search goes on.
    """
    size = np.sqrt((maps**2).sum(axis=1))
    there = size > 0
    params = np.full((len(maps), starts.shape[2]), np.nan)
    share = np.full(len(maps), np.nan)
    if not there.any():
        return params, share
    target, starts = maps[there] / size[there, None], starts[there]
    units, many, p = starts.shape
    flat, repeated = starts.reshape(-1, p).copy(), np.repeat(target, many, axis=0)
    cost = np.empty(len(flat))
    width = max(1, (1 << 22) // (target.shape[1] * p))
    for k in range(0, len(flat), width):
        some = slice(k, k + width)
        flat[some], cost[some] = _with_linear(model, flat[some], repeated[some], linear)
    kept = min(kept, many)
    order = np.argsort(cost.reshape(units, many), axis=1)[:, :kept]
    rows = (np.arange(units)[:, None] * many + order).ravel()
    found, cost = solve_batch(
        model, flat[rows], np.repeat(target, kept, axis=0), free, low, high, steps=_FIRST
    )
    best = np.argsort(cost.reshape(units, kept), axis=1)[:, :2] + kept * np.arange(units)[:, None]
    ahead = best.shape[1]
    found, cost = solve_batch(model, found[best.ravel()], np.repeat(target, ahead, axis=0), free, low, high)
    best = np.argmin(cost.reshape(units, ahead), axis=1) + ahead * np.arange(units)
    found = found[best]
    found[:, list(linear)] *= size[there, None]
    params[there], share[there] = found, 1 - cost[best]
    return params, share


def _with_linear(
    model: Model, params: np.ndarray, target: np.ndarray, linear: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters whose linear ones fit best, and the sums of squares left."""
    columns = model(params)[1][:, :, list(linear)]
    matrix = columns.transpose(0, 2, 1) @ columns
    matrix += 1e-9 * np.trace(matrix, axis1=1, axis2=2)[:, None, None] * np.eye(
        len(linear)
    ) + 1e-300 * np.eye(len(linear))
    weights = np.linalg.solve(matrix, columns.transpose(0, 2, 1) @ target[..., None])
    params[:, list(linear)] = weights[..., 0]
    left = target - (columns @ weights)[..., 0]
    return params, (left * left).sum(axis=1)
