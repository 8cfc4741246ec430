"""Products: blocks in the dtype of the data, partial sums in float64."""

from __future__ import annotations

from consilience._core._arrays import Array, array_namespace, float64
from consilience.linalg._centre import centre_columns

__all__ = [
    "centred_gram",
    "chord_gram",
    "cross",
    "distances_of_gram",
    "gram",
    "squared_distances",
    "unit_gram",
]

_COLUMNS = 1 << 14
_ROWS = 1 << 14
_CENTRED_COLUMNS = 1 << 12
_CENTRED_VALUES = 1 << 18


def gram(x: Array) -> Array:
    """X X' (n, n) in float64, for ``x`` (n, p): float32 products over blocks of columns are added in
    float64.
    """
    xp = array_namespace(x)
    if x.dtype == xp.float64 or x.shape[1] <= _COLUMNS:
        return float64(x @ x.T)
    total = float64(x[:, :_COLUMNS] @ x[:, :_COLUMNS].T)
    for start in range(_COLUMNS, x.shape[1], _COLUMNS):
        block = x[:, start : min(start + _COLUMNS, x.shape[1])]
        total = total + float64(block @ block.T)
    return total


def centred_gram(x: Array) -> Array:
    """Gram matrix (n, n), float64, of ``x`` (n, p) less its column means, for a caller that centres it too.

    float32: the mean of a column is taken off as a float32 number, block by block, so that the block stays in
    cache, and found as a product, which is faster than a sum over rows; partial products are added in float64.
    What a rounded mean leaves is one number per column, which adds r_i + r_j to entry (i, j); double centring
    (or U-centring) of the matrix removes it. float64 data is centred whole, which is faster there.
    """
    xp = array_namespace(x)
    n, p = x.shape
    if x.dtype == xp.float64:
        return gram(centre_columns(x))
    step = max(_CENTRED_COLUMNS, _CENTRED_VALUES // n)
    average = xp.full((1, n), 1.0 / n, dtype=x.dtype, device=x.device)
    total = None
    for start in range(0, p, step):
        block = x[:, start : min(start + step, p)]
        part = gram(block - average @ block)
        total = part if total is None else total + part
    return total


def chord_gram(x: Array) -> Array:
    """Gram matrix (n, n), float64, of the rows of ``x`` (n, p) at length 1 less their mean: half the squared distances
    that it gives are 1 - cosine, with the digits that 1 minus a cosine near 1 loses. All of it in float64, by blocks.
    """
    xp = array_namespace(x)
    n, p = x.shape
    step = max(1, _CENTRED_VALUES * 4 // n)
    starts = range(0, p, step)
    squares = xp.zeros((n, 1), dtype=xp.float64, device=x.device)
    for start in starts:
        block = float64(x[:, start : min(start + step, p)])
        squares = squares + xp.sum(block * block, axis=1, keepdims=True)
    short, total = 1.0 / xp.sqrt(squares), None
    for start in starts:
        block = float64(x[:, start : min(start + step, p)]) * short
        block = block - xp.mean(block, axis=0, keepdims=True)
        total = block @ block.T if total is None else total + block @ block.T
    return total


def unit_gram(k: Array, along: Array | None = None, common: float = 0.0) -> Array:
    """Gram matrix (n, n) of rows at length 1, from that of the rows as they are.

    along, common : where ``k`` is of rows less a vector m, their products (n,) with m, and |m|^2. The result is then
    of x_i / |x_i| - m / |m|, whose differences keep their digits however long m is.
    """
    xp = array_namespace(k)
    diagonal = xp.linalg.diagonal(k)
    if along is None:
        short = 1.0 / xp.sqrt(diagonal)
        return k * short[:, None] * short[None, :]
    size = common**0.5
    longer = diagonal + 2.0 * along
    length = xp.sqrt(longer + common)
    # |x_i| - |m|, and the part of the row along m
    excess, part = longer / (length + size), along / size
    turned = k - excess[:, None] * part[None, :] - part[:, None] * excess[None, :]
    turned = turned + excess[:, None] * excess[None, :]
    return turned / (length[:, None] * length[None, :])


def cross(x: Array, y: Array) -> Array:
    """X' Y (p, q) in float64, for ``x`` (n, p) and ``y`` (n, q): products over blocks of rows are added in
    float64.
    """
    xp = array_namespace(x, y)
    if x.shape[0] <= _ROWS or x.dtype == xp.float64:
        return float64(x.T @ y)
    total = float64(x[:_ROWS, :].T @ y[:_ROWS, :])
    for start in range(_ROWS, x.shape[0], _ROWS):
        stop = min(start + _ROWS, x.shape[0])
        total = total + float64(x[start:stop, :].T @ y[start:stop, :])
    return total


def squared_distances(x: Array) -> Array:
    """Squared Euclidean distances (n, n) between the rows of ``x`` (n, p); centre ``x`` first to keep
    digits. Never negative.
    """
    return distances_of_gram(gram(x))


def distances_of_gram(k: Array) -> Array:
    """Squared Euclidean distances (n, n) from a Gram matrix (n, n), whatever the origin. Never negative."""
    xp = array_namespace(k)
    diagonal = xp.linalg.diagonal(k)
    d = diagonal[:, None] + diagonal[None, :] - 2.0 * k
    d = xp.where(d < 0, xp.zeros_like(d), d)
    return d - xp.eye(d.shape[0], dtype=d.dtype, device=d.device) * d
