"""Nearest neighbours by bounds: squared distances along a few axes leave few pairs, and only these are computed."""

from __future__ import annotations

import numpy as np

__all__ = ["screened"]

_PROBES = 16  # points that say how far neighbours are
_LOST = 0.02  # share of that squared distance which the axes left out may add to it
_LOOSE = 0.25  # share which rounding may add to it
_CLUSTERED = 1e-6  # squared distance over squared size below which products may order neighbours wrongly
_NEAR = 1e-3  # squared distance over squared size below which differences are taken instead of products
_WIDE = 128  # axes above which products of tiles, each of which serves both sides, are faster
_FOLD = 8  # columns of which minima are taken in one pass, where there are many
_BLOCK = 1 << 21  # numbers in a block of bounds
_ROOM = 1 << 18  # numbers in the differences of a chunk of points
_PART = 32  # points that are filled up to the same number of candidates
_UNIT = 2.0**-53
_LEAST = 1e-30  # what underflow may take in single precision


def screened(x: np.ndarray, k: int, *, indices: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """(squared distances (n, k), indices (n, k)) of the k nearest other points, nearest first; None where bounds leave
    too many pairs or are no faster: many neighbours of few points, clusters within rounding, ties, over 128 dimensions.

    With z the coordinates along q orthonormal axes and r the length outside them, |z_a - z_b|^2 <= |a - b|^2 <=
    |z_a - z_b|^2 + (r_a + r_b)^2. Of each point, the k-th smallest of minima over groups of the others bounds its k-th
    distance from above; what is not below that plus (r_a + r_b)^2 and twice the rounding error is no neighbour. That
    error is at most e (|a|^2 + 2 |b|^2), and |b|^2 <= 2 |a|^2 + 2 |a - b|^2, so points far away do not loosen it. The
    distances of what is left are computed in double precision from all units. The axes are principal ones where few are
    enough; bounds are in single precision where its errors are small beside the distances and leave few pairs.

    x : (n, p) distinct points, centred, largest value 1.   indices : False leaves them empty.
    """
    n, p = x.shape
    if n < 16 * k or n < 256:
        return None
    square = np.einsum("ij,ij->i", x, x)
    size = float(np.median(square))
    if not np.isfinite(square).all():
        return None
    typical = _typical(x, square, k)
    z, slack, axes = x, np.zeros(n), _axes(x, typical)
    if axes is not None:
        along = x @ axes
        outside = np.maximum(square - np.einsum("ij,ij->i", along, along), 0.0) + 8 * (p + 8) * _UNIT * square
        outside = np.sqrt(outside)
        lost = (outside + outside.max()) ** 2
        if np.median(lost) <= _LOOSE * typical:
            z, slack = along, lost
    if z.shape[1] > _WIDE and typical > _CLUSTERED * size:
        return None
    for kind, unit in ((np.float32, 2.0**-24), (np.float64, _UNIT)):
        error = 2 * (z.shape[1] + 8) * unit + 8 * (p + 8) * _UNIT
        loose = 2 * error * (5 * size + 4 * typical) > _LOOSE * typical
        if error > 1e-3 or (kind is np.float32 and loose):
            continue
        blocks = _candidates(z.astype(kind), square, slack, error, k)
        if blocks is not None:
            return _settled(x, square, blocks, k, indices)
    return None


def _typical(x: np.ndarray, square: np.ndarray, k: int) -> float:
    """Median over some points of the squared distance to the k-th neighbour."""
    rows = np.linspace(0, len(x) - 1, _PROBES).astype(np.int64)
    away = x[rows] @ x.T
    away *= -2
    away += square
    return float(np.median(np.partition(away, k, axis=1)[:, k] + square[rows]))


def _axes(x: np.ndarray, typical: float) -> np.ndarray | None:
    """(p, q) the fewest principal axes outside which points are near each other; None where that takes too many."""
    n, p = x.shape
    if p <= 16 or 16 * p > n:
        return None
    some = x[:: max(1, n // (4 * p))]
    values, vectors = np.linalg.eigh(some.T @ some)
    left_out = np.cumsum(np.maximum(values, 0.0)) / len(some)
    q = p - int(np.searchsorted(left_out, _LOST * typical / 4, side="right"))
    return np.ascontiguousarray(vectors[:, p - q :]) if 0 < q <= min(p // 2, _WIDE) else None


def _candidates(
    z: np.ndarray, square: np.ndarray, slack: np.ndarray, error: float, k: int
) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Parts of the points: (their numbers, (points, width) others among which the neighbours are, filled up by the
    point itself); of a block, those with fewest first.
    """
    n = len(z)
    rows = min(n, max(64, min(128, _BLOCK // n)))
    left = np.hstack([-2 * z, np.ones((n, 1), dtype=z.dtype)])
    right = np.vstack([z.T, np.einsum("ij,ij->i", z, z, dtype=np.float64).astype(z.dtype)])
    room, groups = np.empty((rows, n), dtype=z.dtype), np.empty((rows, n // 2), dtype=z.dtype)
    low = np.empty((rows, n), dtype=bool)
    out: list[tuple[np.ndarray, np.ndarray]] = []
    pairs = 0
    for start in range(0, n, rows):
        own = np.arange(start, min(start + rows, n))
        bound = np.matmul(left[own[0] : own[-1] + 1], right, out=room[: own.size])  # |z_a - z_b|^2 - |z_a|^2
        bound[own - start, own] = np.inf
        least = _minima(bound, k, groups[: own.size])
        limit = np.partition(least, k - 1, axis=1)[:, k - 1].astype(np.float64)
        size = square[own]
        far = 1.01 * (
            np.maximum(limit + size, 0.0) + 6 * error * size + slack[own]
        )  # not below the k-th distance
        limit += slack[own] + 2 * error * (5 * size + 4 * far) + _LEAST
        limit = np.nextafter(limit.astype(z.dtype), z.dtype.type(np.inf))
        found = np.flatnonzero(np.less_equal(bound, limit[:, None], out=low[: own.size]))
        row = found // n
        count = np.bincount(row, minlength=own.size)
        pairs += found.size
        if pairs > (4 * k + 32) * max(start + own.size, n // 8):
            return None
        others = np.repeat(own[:, None], count.max(), axis=1)
        others[row, np.arange(found.size) - (np.cumsum(count) - count)[row]] = found - row * n
        order = np.argsort(count, kind="stable")
        for first in range(0, own.size, _PART):
            part = order[first : first + _PART]
            out.append((own[part], others[part, : count[part[-1]]]))
    return out


def _minima(bound: np.ndarray, k: int, room: np.ndarray) -> np.ndarray:
    """(rows, groups) the smallest of each group of columns, 6 k + 32 groups or more; columns that division leaves over
    are in none. ``room`` : (rows, columns // 2).
    """
    least = bound
    while least.shape[1] >= 12 * k + 64:
        parts = 2
        while parts < _FOLD and least.shape[1] >= parts * (12 * k + 64):
            parts *= 2
        width = least.shape[1] // parts
        folded = least[:, : parts * width].reshape(len(least), parts, width)
        least = np.minimum.reduce(folded, axis=1, out=room[:, :width] if least is bound else None)
    return least


def _settled(
    x: np.ndarray, square: np.ndarray, blocks: list[tuple[np.ndarray, np.ndarray]], k: int, indices: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of the candidates of each point, by distances in double precision."""
    n, p = x.shape
    best = np.empty((n, k))
    where = np.empty((n, k if indices else 0), dtype=np.int64)
    room = np.empty(max(_ROOM, max(others.shape[1] for _, others in blocks) * p))
    differences = False
    for points, others in blocks:
        chunk = max(1, room.size // (others.shape[1] * p))
        for at in range(0, points.size, chunk):
            own, to = points[at : at + chunk], others[at : at + chunk]
            near = room[: to.size * p].reshape(*to.shape, p)
            away, differences = _squared(x, square, own, to, near, differences)
            if indices:
                order = np.argsort(away, axis=1, kind="stable")[:, :k]
                best[own] = np.take_along_axis(away, order, axis=1)
                where[own] = np.take_along_axis(to, order, axis=1)
            else:
                away.sort(axis=1)
                best[own] = away[:, :k]
    return best, where


def _squared(
    x: np.ndarray, square: np.ndarray, own: np.ndarray, to: np.ndarray, near: np.ndarray, differences: bool
) -> tuple[np.ndarray, bool]:
    """(squared distances of the points ``own`` to those of ``to``, infinite to themselves; whether by differences,
    which are kept to once products have lost digits).   near : (*to.shape, p) room.
    """
    np.take(x, to, axis=0, out=near, mode="clip")
    itself = to == own[:, None]
    if not differences:
        size = square[to]
        size += square[own, None]
        away = np.matmul(near, x[own, :, None])[:, :, 0]
        away *= -2
        away += size
        away[itself] = np.inf
        if not (away <= _NEAR * size).any():
            return away, False
    near -= x[own, None]
    away = np.einsum("ijk,ijk->ij", near, near)
    away[itself] = np.inf
    return away, True
