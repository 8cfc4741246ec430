"""Grid cells: how alike the autocorrelogram of a map of rate is to itself turned by 60 degrees."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import label, maximum_filter
from scipy.sparse import csr_matrix

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.stats import p_value
from consilience.units._rate_map import smoothed
from consilience.units._scores import UnitScores
from consilience.units._trials import say_silent
from consilience.units._visits import Visits, jackknifed, shifts_of, visits_of

__all__ = ["autocorrelation_map", "grid_score"]

_TURNS = (30, 60, 90, 120, 150)
_OVERLAP = 20  # bins that both maps must have at a lag
_BLOCK = 100
_FIELDS = 3  # of a grid, the fewest that show one: a triangle


def grid_score(
    counts: Any,
    position: Any,
    /,
    *,
    width: float,
    size: float | None = None,
    smooth: float = 1.5,
    n_shift: int = 500,
    least: float | None = None,
    level: float = 0.95,
    rng: int = 0,
) -> UnitScores:
    """Grid score, min(r_60, r_120) - max(r_30, r_90, r_150), r_a of the autocorrelogram with itself turned by a.

    The autocorrelogram is Pearson's r of the smoothed map with itself moved, over the bins that both have (at least
    20). Correlations with the turned one are over a ring: from where the mean over all directions first falls below 0
    (the central peak) to an outer radius, of which the one with the highest score counts (Langston et al. 2010). That
    choice and smoothing lift the score of any unit: read it against ``null_mean``. A map with few bins in the ring has
    none (NaN).

    Parameters
    ----------
    counts, width, smooth : as in `rate_map`.   position : (n, 2); NaN: left out.
    size : side of a square bin, in the units of the position; default a thirtieth of the longer side.
    n_shift : circular shifts of the counts against the position; 0 = no p.   least : s, the smallest; default 5
        autocorrelation times of the position, at most a quarter of all.
    level : of the interval: jackknife over 20 stretches of time, for the score expected of recordings as long as this.
        Not for that of an endless one, which is higher where noise hides a grid.   rng : seed.

    Returns
    -------
    UnitScores : value in [-2, 2]; no interval (NaN) where a map without a stretch has no score. counted: ``spacing``,
        median distance of the six peaks around the centre, in the units of the position, and ``orientation``, of the
        axis nearest to the first dimension, degrees in [0, 60), of all six together; NaN where there are fewer than
        six. ``fields``: places with a rate above the middle between the mean and the highest of the map.

    p says that the score is higher than with spikes elsewhere on the path. Fewer than 3 fields show no grid, whatever
    the score, and have no p (NaN). So do some grids of which the room holds 3 or 4 fields; see the score of those.

    In simulations (a walk in a room of 1 m for 600 to 1200 s, grids of spacing 0.3 to 0.6 m and peak 2 to 10 spikes/s,
    place cells of 1 and 3 fields and flat units, gains that were steady or of log sd 0.5 over 30 s) intervals at 95 %
    held the expected score in 0.92 to 1.00 (18 cases of 5 units on 24 walks) where there was one (in 0.97 to 1.00, of
    weak grids and flat units with a gain that wandered in 0.63 to 0.76). Of a grid with peaks of 4 over 2 spikes/s,
    whose endless score was 1.4, 0.2 to 0.9 were expected. In 800 s p was at most 0.05 for 0.03 to 0.05 of flat units (9
    of 220), for 5 of 610 place cells of 1 to 7 fields (8 cases; 5 of the 143 that had a p; without the rule of 3 fields
    in up to 0.13 of cells with one), and for 0.50 of weak and 0.89 of other grids of 80 each (0.03 and 0.11 had no p).

    Raises
    ------
    InputError : as `rate_map`, and a position that is not two-dimensional (``bad-parameter``).
    ConsilienceWarning : ``silent-units``, ``rates-as-counts``, ``long-bins``.

    References
    ----------
    Hafting, Fyhn, Molden, Moser & Moser (2005); Sargolini et al. (2006); Langston et al. (2010).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> place = np.abs((np.cumsum(rng.normal(0, 0.08, (12000, 2)), axis=0) + 1) % 4 - 2) - 1
    >>> waves = [place @ [np.cos(a), np.sin(a)] for a in np.radians([10, 70, 130])]
    >>> rate = 2 * np.exp(sum(np.cos(4 * np.pi / (3**0.5 * 0.6) * w) for w in waves))  # spacing 0.6
    >>> found = cs.units.grid_score(rng.poisson(0.1 * rate)[:, None], place, width=0.1, n_shift=100)
    >>> bool(found.value[0] > 0.7), bool(abs(found.counted["spacing"][0] - 0.6) < 0.05), bool(found.p[0] < 0.02)
    (True, True, True)
    """
    who = "cs.units.grid_score"
    smooth = check_number(smooth, name="smooth", who=who, low=0.0, high=np.inf, closed=True)
    n_shift = check_count(n_shift, name="n_shift", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    draw = resolve_seed(rng, who=who).stream("shifts")
    side, bins, limits = _squares(position, size, who)
    visits = visits_of(
        counts, position, width=width, bins=bins, period=None, limits=limits, least=least, who=who, dims=2
    )
    cells, stays = visits.cells()
    total, seconds = cells.sum(axis=1), stays.sum(axis=0)
    say_silent(total.sum(axis=1) == 0, who=who, given="they have no score")
    turns = _Turns(visits.shape)
    maps = _rates(visits, total, seconds, smooth)
    correlations = autocorrelation_map(maps, visits.shape, seconds > 0)
    value, inner = turns.score(correlations)
    fields = _fields(maps, visits.shape, seconds > 0)
    left = np.stack(
        [
            turns.score(
                autocorrelation_map(
                    _rates(visits, total - cells[:, k], seconds - stays[k], smooth),
                    visits.shape,
                    seconds - stays[k] > 0,
                )
            )[0]
            for k in range(len(stays))
        ]
    )
    centre, low, high = jackknifed(value, left, level)
    move = value - centre
    null, p = np.full(value.size, np.nan), np.full(value.size, np.nan)
    shifts = shifts_of(visits, n_shift, draw)
    for u in np.flatnonzero(np.isfinite(value)):
        found = []
        for some in visits.moved(int(u), shifts):
            for first in range(0, len(some), _BLOCK):
                moved = _rates(visits, some[first : first + _BLOCK], seconds, smooth)
                found.append(turns.score(autocorrelation_map(moved, visits.shape, seconds > 0))[0])
        draws = np.concatenate(found) if found else np.zeros(0)
        draws = draws[np.isfinite(draws)]
        if draws.size:
            null[u] = draws.mean()
            p[u] = float(p_value(value[u], draws)) if fields[u] >= _FIELDS else np.nan
    lattice = [_lattice(one, reach, side) for one, reach in zip(correlations, inner)]
    return UnitScores(
        value=value,
        ci_low=low + move,
        ci_high=high + move,
        null_mean=null,
        p=p,
        level=level,
        counted={
            "spacing": np.array([one[0] for one in lattice]),
            "orientation": np.array([one[1] for one in lattice]),
            "fields": fields,
        },
    )


def autocorrelation_map(maps: np.ndarray, shape: tuple[int, ...], seen: np.ndarray) -> np.ndarray:
    """(m, 2 a - 1, 2 b - 1) Pearson's r of maps (m, bins) with themselves at every lag, NaN below 20 common bins."""
    a, b = shape
    full = (2 * a - 1, 2 * b - 1)
    mask = seen.reshape(a, b).astype(np.float64)
    x = np.where(mask > 0, np.nan_to_num(maps.reshape(-1, a, b)), 0.0)
    level_of = x.sum(axis=(1, 2), keepdims=True) / max(1.0, mask.sum())
    x = (x - level_of) * mask  # keeps rounding small
    fx, fs, fm = (np.fft.rfft2(v, s=full) for v in (x, x**2, mask))

    def product(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        return np.asarray(np.fft.fftshift(np.fft.irfft2(one * two.conj(), s=full), axes=(-2, -1)))

    n = np.round(product(fm, fm))
    sx, sy = product(fx, fm), product(fm, fx)
    sxx, syy = product(fs, fm), product(fm, fs)
    sxy = product(fx, fx)
    with np.errstate(invalid="ignore", divide="ignore"):
        top = n * sxy - sx * sy
        below = np.sqrt(np.maximum(n * sxx - sx**2, 0) * np.maximum(n * syy - sy**2, 0))
        out = np.where(below > 1e-12 * below.max(axis=(1, 2), keepdims=True), top / below, np.nan)
    return np.where(n >= _OVERLAP, np.clip(out, -1, 1), np.nan)


class _Turns:
    """Autocorrelograms of one size, turned by linear interpolation."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.full = tuple(2 * n - 1 for n in shape)
        y, x = np.indices(self.full)
        self.x, self.y = x - shape[1] + 1.0, y - shape[0] + 1.0
        self.radius = np.hypot(self.x, self.y).ravel()
        self.farthest = float(min(shape) - 1)
        self.turned = [self._matrix(np.radians(turn)) for turn in _TURNS]

    def _matrix(self, angle: float) -> csr_matrix:
        """Sparse (bins, bins) that reads each bin at the place it comes from; rows sum to 1, or 0 outside."""
        rows, columns = self.full
        x = self.x * np.cos(angle) - self.y * np.sin(angle) + (columns - 1) / 2
        y = self.x * np.sin(angle) + self.y * np.cos(angle) + (rows - 1) / 2
        x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
        inside = ((x >= 0) & (x <= columns - 1) & (y >= 0) & (y <= rows - 1)).ravel()
        parts = []
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
            weight = np.abs(1 - dy - (y - y0)) * np.abs(1 - dx - (x - x0))
            cell = np.minimum(y0 + dy, rows - 1) * columns + np.minimum(x0 + dx, columns - 1)
            parts.append((weight.ravel()[inside], np.flatnonzero(inside), cell.ravel()[inside]))
        weight, row, cell = (np.concatenate(part) for part in zip(*parts))
        return csr_matrix((weight, (row, cell)), shape=(self.radius.size, self.radius.size))

    def score(self, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m,) grid score, and radius of the central peak in bins."""
        flat = maps.reshape(len(maps), -1)
        known = np.isfinite(flat)
        values = np.where(known, flat, 0.0)
        inner = self._inner(values, known)
        order = np.argsort(self.radius, kind="stable")
        radius = self.radius[order]
        edges = np.searchsorted(radius, np.arange(3, int(self.farthest) + 1) + 1e-9, side="right") - 1
        usable = edges >= 0
        edges = edges[usable]
        r = np.full((len(_TURNS), len(maps), edges.size), np.nan)
        for k, turned in enumerate(self.turned):
            full = (turned @ known.T.astype(np.float64)).T > 1 - 1e-9
            other = (turned @ values.T).T
            ring = known & full & (self.radius >= inner[:, None])
            r[k] = _along(values[:, order], other[:, order], ring[:, order], edges)
        grid = np.minimum(r[1], r[3]) - np.maximum(np.maximum(r[0], r[2]), r[4])
        wide = radius[edges] >= inner[:, None] + 2
        grid = np.where(wide, grid, np.nan)
        some = np.isfinite(grid).any(axis=1) if grid.size else np.zeros(len(maps), dtype=bool)
        best = np.where(np.isfinite(grid), grid, -np.inf).max(axis=1, initial=-np.inf)
        return np.where(some, best, np.nan), inner

    def _inner(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        step = np.round(self.radius).astype(int)
        size = int(self.farthest) + 1
        near = step < size
        hot = np.zeros((size, step.size))
        hot[step[near], np.flatnonzero(near)] = 1.0
        count = known @ hot.T
        profile = np.where(count > 0, (values @ hot.T) / np.maximum(count, 1), np.nan)
        below = profile < 0
        return np.where(below.any(axis=1), below.argmax(axis=1), size).astype(np.float64)


def _along(x: np.ndarray, y: np.ndarray, ring: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(m, edges) Pearson's r over the ring's first bins up to each edge."""
    x, y = np.where(ring, x, 0.0), np.where(ring, y, 0.0)
    n, sx, sy, sxx, syy, sxy = (
        np.cumsum(v, axis=1)[:, edges] for v in (ring.astype(np.float64), x, y, x * x, y * y, x * y)
    )
    top = n * sxy - sx * sy
    below = np.sqrt(np.maximum(n * sxx - sx**2, 0) * np.maximum(n * syy - sy**2, 0))
    fine = (n >= _OVERLAP) & (below > 1e-12)
    return np.where(fine, top / np.where(fine, below, 1.0), np.nan)


def _rates(visits: Visits, spikes: np.ndarray, seconds: np.ndarray, smooth: float) -> np.ndarray:
    time = smoothed(visits, seconds, smooth)
    return smoothed(visits, spikes, smooth) / np.where(time > 0, time, 1.0)


def _fields(maps: np.ndarray, shape: tuple[int, ...], seen: np.ndarray) -> np.ndarray:
    """(m,) contiguous places with a rate above the middle between the mean and the highest; 0 of a flat map."""
    out = np.zeros(len(maps), dtype=np.int64)
    for u, one in enumerate(maps):
        known = one[seen]
        if known.size and known.max() > known.mean() + 1e-12 * abs(known.max()):
            high = seen & (one > (known.mean() + known.max()) / 2)
            out[u] = label(high.reshape(shape), structure=np.ones((3, 3)))[1]
    return out


def _lattice(correlation: np.ndarray, inner: float, side: float) -> tuple[float, float]:
    """Spacing and orientation (degrees) of the six peaks nearest to the centre."""
    filled = np.where(np.isfinite(correlation), correlation, -1.0)
    peaks = (filled == maximum_filter(filled, size=3)) & (filled > 0.05)
    at = np.argwhere(peaks) - (np.array(filled.shape) - 1) / 2
    away = np.hypot(*at.T)
    order = np.argsort(away, kind="stable")
    order = order[away[order] > max(inner, 1.0)][:6]
    if order.size < 6:
        return float("nan"), float("nan")
    fine = np.array([_top(filled, at[k]) for k in order])
    angle = np.arctan2(fine[:, 1], fine[:, 0])
    turn = np.angle(np.exp(6j * angle).mean()) / 6
    return float(np.median(np.hypot(*fine.T)) * side), float(np.degrees(turn) % 60)


def _top(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The place of a peak between bins, by a parabola along each axis."""
    i, j = (at + (np.array(values.shape) - 1) / 2).astype(int)
    out = at.astype(np.float64)
    for axis, (before, after) in enumerate((((i - 1, j), (i + 1, j)), ((i, j - 1), (i, j + 1)))):
        if min(before) >= 0 and after[0] < values.shape[0] and after[1] < values.shape[1]:
            low, top, high = values[before], values[i, j], values[after]
            bend = low - 2 * top + high
            if bend < 0:
                out[axis] += np.clip(0.5 * (low - high) / bend, -0.5, 0.5)
    return out


def _squares(
    position: Any, size: float | None, who: str
) -> tuple[float, tuple[int, int], list[tuple[float, float]]]:
    """Side, numbers and limits of square bins."""
    v = np.asarray(position, dtype=np.float64)
    if v.ndim != 2 or v.shape[1] != 2:
        raise InputError(
            f"{who}: a position (n, 2) in a plane is expected, got {v.shape}.", code="bad-parameter"
        )
    if not np.isfinite(v).any(axis=0).all():
        raise InputError(f"{who}: no position is known.", code="too-few")
    low, high = np.nanmin(v, axis=0), np.nanmax(v, axis=0)
    side = (
        float((high - low).max() / 30) if size is None else check_number(size, name="size", who=who, low=0.0)
    )
    if not side > 0:
        raise InputError(f"{who}: the position never changes.", code="no-structure")
    count = np.maximum(3, np.ceil((high - low) / side - 1e-6)).astype(int)
    middle = (low + high) / 2
    limits = [(m - n * side / 2 - 1e-9 * side, m + n * side / 2 + 1e-9 * side) for m, n in zip(middle, count)]
    return side, (int(count[0]), int(count[1])), limits
