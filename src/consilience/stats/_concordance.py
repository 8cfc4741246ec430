"""Kendall's sum of signs under weights: all draws, all pairs of vectors, without a matrix of pairs of pairs.

sum_pq v_p v_q sign(a_p - a_q) sign(b_p - b_q) is quadratic in the weights v. Each vector is cut, in its own
order, into bins of about sqrt(P) entries. Entries in other bins of both vectors have the sign of their bins, so
that their part needs only the weight in each cell (bin of a, bin of b). Entries that share a bin are compared
one by one, in small matrices that serve all draws. A draw costs about P sqrt(P) instead of P^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = ["permuted_concordance", "weighted_concordance"]

_DRAWS = 256  # per block: the weights of one strip, and a row of cells, stay in the cache
_EXACT = 1 << 24  # whole numbers up to here are exact in float32


@dataclass(frozen=True)
class _Bins:
    """A vector cut at its own order. Ties are never cut apart.

    order : (P,) entries from low to high.   owner : (P,) bin of each entry.   count : of bins.
    mixed : (start, stop) in ``order`` of the bins that hold more than one value.
    """

    order: np.ndarray
    owner: np.ndarray
    count: int
    mixed: tuple[tuple[int, int], ...]


def _bins(x: np.ndarray, size: int) -> _Bins:
    order = np.argsort(x, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(x[order]) != 0])  # of each value
    stops = np.r_[starts[1:], x.size]
    cuts = [0]
    for start, stop in zip(starts.tolist(), stops.tolist()):
        if start > cuts[-1] and (stop - start >= size or stop - cuts[-1] > size):
            cuts.append(start)
    edges = np.r_[cuts, x.size]
    owner = np.empty(x.size, dtype=np.int64)
    owner[order] = np.repeat(np.arange(len(cuts)), np.diff(edges))
    several = np.diff(np.searchsorted(starts, edges)) > 1
    mixed = tuple((int(edges[k]), int(edges[k + 1])) for k in np.flatnonzero(several))
    return _Bins(order, owner, len(cuts), mixed)


def _signs(x: np.ndarray) -> np.ndarray:
    """sign(x_p - x_q) of vectors (..., m): (..., m, m)."""
    return np.sign(x[..., :, None] - x[..., None, :])


def _dtype(v: np.ndarray, binned: list[_Bins], size: int) -> type:
    """float32 where every sum is of whole numbers that it holds exactly, else float64."""
    if not np.array_equal(v, np.rint(v)) or v.min(initial=0) < 0:
        return np.float64
    total, most = float(v.sum(axis=1).max(initial=0)), 0.0
    for one in binned:
        sums = np.add.reduceat(v[:, one.order], np.r_[0, np.cumsum(np.bincount(one.owner))[:-1]], axis=1)
        most = max(most, float(sums.max(initial=0)))
    return np.float32 if max(most * most, most * total) < _EXACT else np.float64


def weighted_concordance(a: np.ndarray, b: np.ndarray, v: np.ndarray) -> np.ndarray:
    """sum over p, q of v_p v_q sign(a_p - a_q) sign(b_p - b_q), for every vector of a with every one of b.

    Parameters
    ----------
    a, b : (n_a, P), (n_b, P); equal numbers are ties, whose sign is 0
    v : (draws, P) weights >= 0

    Returns
    -------
    (draws, n_a, n_b) float64; exact where the weights are whole numbers

    References
    ----------
    Kendall (1938) for the sum.

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import weighted_concordance
    >>> a, b = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]])
    >>> weighted_concordance(a, b, np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]))[:, 0, 0]
    array([2., 2.])
    """
    draws, pairs = v.shape
    size = max(8, round(np.sqrt(pairs)))
    bins_a, bins_b = [_bins(x, size) for x in a], [_bins(y, size) for y in b]
    dtype = _dtype(v, [*bins_a, *bins_b], size)
    cells = [[_cells(x, y, dtype) for y in bins_b] for x in bins_a]
    tables_a = [_tables(x, one, b, None, dtype) for x, one in zip(a, bins_a)]
    owners = np.stack([one.owner for one in bins_a])
    tables_b = [_tables(y, one, a, owners, dtype) for y, one in zip(b, bins_b)]
    out = np.zeros((draws, len(a), len(b)))
    for start in range(0, draws, _DRAWS):
        w: np.ndarray = np.ascontiguousarray(v[start : start + _DRAWS].T, dtype=dtype)
        part = out[start : start + _DRAWS]
        for i, one in enumerate(bins_a):
            part[:, i] += _within(w[one.order], one, tables_a[i])
            for j, two in enumerate(bins_b):
                part[:, i, j] += _between(cells[i][j] @ w, one.count, two.count)
        for j, two in enumerate(bins_b):
            part[:, :, j] += _within(w[two.order], two, tables_b[j])
    return out


def _tables(
    x: np.ndarray, one: _Bins, others: np.ndarray, owners: np.ndarray | None, dtype: type
) -> list[np.ndarray]:
    """For each mixed bin of x, of m entries, the products of signs with each other vector: (others m, m).

    owners : bins of the others, whose own pairs are left out (counted already); None = nothing to leave out.
    """
    out = []
    for start, stop in one.mixed:
        rows = one.order[start:stop]
        signs = _signs(others[:, rows]) * _signs(x[rows])
        if owners is not None:
            theirs = owners[:, rows]
            signs *= theirs[:, :, None] != theirs[:, None, :]
        out.append(signs.reshape(-1, stop - start).astype(dtype))
    return out


def _within(w: np.ndarray, one: _Bins, tables: list[np.ndarray]) -> np.ndarray | float:
    """The part of entries that share a bin: (draws, others). ``w`` (P, draws) in the order of the vector."""
    total: np.ndarray | float = 0.0
    for (start, stop), table in zip(one.mixed, tables):
        block = w[start:stop]
        half = (table @ block).reshape(-1, stop - start, w.shape[1])
        half *= block
        total = total + half.sum(axis=1).T.astype(np.float64)
    return total


def _cells(one: _Bins, two: _Bins, dtype: type) -> sparse.csr_array:
    """Matrix (cells, P) that sums the weights in each cell (bin of a, bin of b)."""
    pairs = one.owner.size
    where = (one.owner * two.count + two.owner, np.arange(pairs))
    return sparse.csr_array((np.ones(pairs, dtype=dtype), where), shape=(one.count * two.count, pairs))


def _between(cells: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The part of entries in other bins of both vectors: (draws,). ``cells`` (rows columns, draws)."""
    cells = cells.reshape(rows, columns, -1)
    sign = _signs(np.arange(columns, dtype=cells.dtype))
    below = np.zeros_like(cells[0])  # the weight of all lower rows, per column
    total = np.zeros(cells.shape[2])
    for k in range(1, rows):
        below += cells[k - 1]
        total += np.einsum("ld,ld->d", sign @ below, cells[k])
    return 2.0 * total


def permuted_concordance(a: np.ndarray, b: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """sum over p, q of sign(a_p - a_q) sign(b_p - b_q) after the stimuli of a are relabelled.

    Parameters
    ----------
    a, b : (n_a, P), (n_b, P) pair vectors of n stimuli, P = n(n-1)/2
    orders : (permutations, n), as for `permuted_cosines`

    Returns
    -------
    (permutations, n_a, n_b) float64, exact

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import permuted_concordance
    >>> a, b = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]])
    >>> permuted_concordance(a, b, np.array([[0, 1, 2], [1, 0, 2]]))[:, 0, 0]
    array([2., 6.])
    """
    n = orders.shape[1]
    rows, columns = np.triu_indices(n, 1)
    pairs = rows.size
    place = np.zeros((n, n), dtype=np.intp)
    place[rows, columns] = place[columns, rows] = np.arange(pairs)
    size = max(8, round(np.sqrt(pairs)))
    bins_a, bins_b = [_bins(x, size) for x in a], [_bins(y, size) for y in b]
    kind = np.int16 if pairs < 2**15 else np.int32
    ranks = [np.unique(x, return_inverse=True)[1].astype(kind) for x in (*a, *b)]
    ranks_a, ranks_b = ranks[: len(a)], ranks[len(a) :]
    out = np.zeros((len(orders), len(a), len(b)))
    step = _DRAWS // 4
    for start in range(0, len(orders), step):
        there = orders[start : start + step].T
        back = np.argsort(there, axis=0)
        moved, returned = place[there[rows], there[columns]], place[back[rows], back[columns]]
        part = out[start : start + step]
        draw = np.arange(moved.shape[1])
        for j, two in enumerate(bins_b):
            from_a, owner_b = moved[two.order], two.owner[two.order, None]
            bin_b = two.owner.astype(kind)
            for i, one in enumerate(bins_a):
                # in the order of b: entries of one bin of b; in the order of a: entries of one bin of a by their
                # bins of b, which are equal where the first has them already
                inner = _within_moved(ranks_a[i][from_a], two, ranks_b[j])
                inner += _within_moved(bin_b[returned[one.order]], one, ranks_a[i])
                cell = (one.owner[from_a] * two.count + owner_b) * draw.size + draw
                cells = np.bincount(cell.ravel(), minlength=one.count * two.count * draw.size)
                cells = cells.reshape(-1, draw.size).astype(np.float64)
                part[:, i, j] = 2 * inner + _between(cells, one.count, two.count)
    return out


def _within_moved(x: np.ndarray, one: _Bins, ranks: np.ndarray) -> np.ndarray:
    """sum over p < q of one bin, in the order of the vector with ``ranks``, of sign(x_q - x_p) where their ranks
    differ: (draws,). ``x`` (P, draws) is in that order.
    """
    owner, value = one.owner[one.order], ranks[one.order]
    total = np.zeros(x.shape, dtype=np.int16)
    longest = max((stop - start for start, stop in one.mixed), default=0)
    for s in range(1, longest):
        counts = (owner[s:] == owner[:-s]) & (value[s:] != value[:-s])
        if not counts.any():
            continue
        signs = (x[s:] > x[:-s]).view(np.int8) - (x[s:] < x[:-s]).view(np.int8)
        signs *= counts.view(np.int8)[:, None]
        total[s:] += signs
    return total.sum(axis=0, dtype=np.float64)
