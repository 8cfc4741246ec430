"""Sums over a series and its lags, without the design matrix (frames, lags x values) that they are products of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from consilience.linalg._centre import safe_power

__all__ = ["LaggedSeries"]

_VALUES = 1 << 19  # entries of one block of frames
_FEWEST = 1024
_NARROW = 128


class LaggedSeries:
    """A series x (n, p) and its lags first, first + 1 ... last: row t of the design D is x[t - first] ... x[t - last].

    Only frames whose lags are all inside one stretch are rows of D. Values are about ``centre``, the mean over all
    frames, and over ``size``, a power of two that is 1 unless squares would overflow; products are of x's own type in
    blocks of frames, and are summed in float64. No more than a block of x is ever copied.

    Parameters
    ----------
    x : (n, p) float32 or float64.   first, last : whole numbers of frames, positive = the past.
    stretches : (start, stop) of frames that follow each other.   dtype : of products, None = that of x.

    Attributes
    ----------
    rows : (n,) bool, which frames are rows of D.   n_lags, width : last - first + 1, and times p.
    """

    def __init__(
        self,
        x: np.ndarray,
        first: int,
        last: int,
        stretches: list[tuple[int, int]],
        *,
        dtype: np.dtype | type | None = None,
    ) -> None:
        self.x, self.first, self.last = x, first, last
        self.dtype = np.dtype(x.dtype if dtype is None else dtype)
        self.n, self.p = x.shape
        self.n_lags = last - first + 1
        self.width = self.n_lags * self.p
        self.rows = np.zeros(self.n, bool)
        for start, stop in stretches:
            self.rows[start + max(last, 0) : max(stop + min(first, 0), 0)] = True
        self.centre = x.mean(axis=0, dtype=np.float64)
        self.size = safe_power(x)

    def _blocks(self, used: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """(a, b, values): frames a to b, some of them used, and x[a - last : b - first] about the centre; 0 where
        there is none. The next block is written over it.
        """
        wanted = np.flatnonzero(used)
        if not wanted.size:
            return
        low, high = int(wanted[0]), int(wanted[-1]) + 1
        centre = self.centre.astype(self.dtype)
        step = max(_FEWEST, 4 * self.n_lags, _VALUES // max(self.p, _NARROW))
        # one block of memory for all: touching new memory costs more than the subtraction
        held = np.empty((min(step, high - low) + self.n_lags - 1, self.p), self.dtype)
        for a in range(low, high, step):
            b = min(a + step, high)
            if not used[a:b].any():
                continue
            start, stop = max(a - self.last, 0), max(min(b - self.first, self.n), 0)
            before = max(self.last - a, 0)
            values = held[: b - a + self.n_lags - 1]
            inside = values[before : before + stop - start]
            np.subtract(self.x[start:stop], centre, out=inside)
            if self.size != 1.0:
                inside /= self.dtype.type(self.size)
            values[:before] = 0
            values[before + stop - start :] = 0
            yield a, b, values

    def _at(self, values: np.ndarray, lag: int, frames: int) -> np.ndarray:
        """Of a block, x[t - lag] for its frames t."""
        return values[self.last - lag : self.last - lag + frames]

    def sums(self, weights: np.ndarray, less: np.ndarray | float = 0.0) -> np.ndarray:
        """D' (w - less): (width, t) for weights (n, t) of frames, less (t,); those of frames that are no rows count as
        0. One product for each lag.
        """
        out = np.zeros((self.n_lags, weights.shape[1], self.p))
        for a, b, values in self._blocks(self.rows):
            left = np.subtract(weights[a:b].T, np.reshape(less, (-1, 1)), dtype=np.float64)
            left = left.astype(self.dtype, order="C")
            left[:, ~self.rows[a:b]] = 0
            for k in range(self.n_lags):
                out[k] += left @ self._at(values, self.first + k, b - a)
        return out.transpose(0, 2, 1).reshape(self.width, -1)

    def project(self, filters: np.ndarray) -> np.ndarray:
        """D w, (n, t) for filters (width, t); NaN for frames that are no rows."""
        given = filters.reshape(self.n_lags, self.p, -1).astype(self.dtype)
        out = np.full((self.n, given.shape[2]), np.nan)
        for a, b, values in self._blocks(self.rows):
            if self.p < _NARROW:  # products of few values each would be slow: side by side, they are one
                wide = np.concatenate(
                    [self._at(values, self.first + k, b - a) for k in range(self.n_lags)], axis=1
                )
                out[a:b] = wide @ given.reshape(self.width, -1)
            else:
                total = np.zeros((b - a, given.shape[2]), self.dtype)
                for k in range(self.n_lags):
                    total += self._at(values, self.first + k, b - a) @ given[k]
                out[a:b] = total
        out[~self.rows] = np.nan
        return out

    def totals(self, used: np.ndarray) -> np.ndarray:
        """(width,) sums of the columns of D over frames ``used`` (n,), all of them rows."""
        out = np.zeros((self.n_lags, self.p))
        for a, b, values in self._blocks(used):
            out[0] += self._at(values, self.first, b - a)[used[a:b]].sum(axis=0, dtype=np.float64)
        begin, end = self._ends(used)
        for k in range(self.n_lags - 1):  # the next lag sums the same frames, but for the ends
            at = self.first + k
            out[k + 1] = out[k] + self._frames(begin - at).sum(axis=0) - self._frames(end - at).sum(axis=0)
        return out.ravel()

    def squares(self) -> np.ndarray:
        """(p,) sums of squares of all frames about the centre (not of D)."""
        out = np.zeros(self.p)
        dtype = self.dtype
        for a in range(0, self.n, max(_FEWEST, _VALUES // self.p)):
            block = self.x[a : a + max(_FEWEST, _VALUES // self.p)] - self.centre.astype(dtype)
            if self.size != 1.0:
                block /= dtype.type(self.size)
            out += np.einsum("ij,ij->j", block, block, dtype=np.float64)
        return out

    def gram(self, used: np.ndarray | None = None) -> np.ndarray:
        """D'D (width, width), of all rows or of frames ``used``.

        Block (a, b) of it is sum_t x[t - a] x[t - b]'. From one pair of lags to the next, (a + 1, b + 1), the same
        products are summed but for those at the ends of runs of frames: so only the blocks of the first lag are
        products over all frames.
        """
        used = self.rows if used is None else used
        p, lags = self.p, self.n_lags
        out = np.zeros((lags, p, lags, p))
        for a, b, values in self._blocks(used):
            left = self._at(values, self.first, b - a)
            chosen = used[a:b]
            if not chosen.all():
                left = np.where(chosen[:, None], left, 0).astype(self.dtype)
            left = np.ascontiguousarray(left.T)
            for k in range(lags):
                out[0, :, k] += left @ self._at(values, self.first + k, b - a)
        if lags > 1:
            enter, leave = (
                [self._frames(at - self.first - k) for k in range(lags - 1)] for at in self._ends(used)
            )
            for j in range(lags - 1):
                for k in range(j, lags - 1):
                    out[j + 1, :, k + 1] = out[j, :, k] + enter[j].T @ enter[k] - leave[j].T @ leave[k]
            for j in range(lags):
                for k in range(j + 1, lags):
                    out[k, :, j] = out[j, :, k].T
        whole = out.reshape(self.width, self.width)
        return (whole + whole.T) / 2

    def _ends(self, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The frames before each run of ``used``, and the last of each."""
        change = np.diff(used.astype(np.int8), prepend=0, append=0)
        return np.flatnonzero(change == 1) - 1, np.flatnonzero(change == -1) - 1

    def _frames(self, at: np.ndarray) -> np.ndarray:
        return (self.x[at].astype(np.float64) - self.centre.astype(self.dtype)) / self.size

    def kernel(self) -> np.ndarray:
        """D D' (m, m) over the m rows: for fewer rows than columns."""
        centred = (self.x - self.centre.astype(self.dtype)) / self.dtype.type(self.size)
        plain = (centred @ centred.T).astype(np.float64, copy=False)
        at = np.flatnonzero(self.rows)
        out = np.zeros((at.size, at.size))
        for lag in range(self.first, self.last + 1):
            out += plain[np.ix_(at - lag, at - lag)]
        return out
