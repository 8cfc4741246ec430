"""The responses of one system where they lie: in memory, in a file, or in a dask array; whole, or block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._arrays import all_finite
from consilience._core._errors import InputError
from consilience._core._memory import check_fits, computed, gigabytes, is_lazy, on_disk, out_of_core, release
from consilience._responses._check import READ_IN_BLOCKS
from consilience._responses._places import place_of
from consilience.linalg import constant_columns
from consilience.linalg._gram import centred_gram, gram

__all__ = ["GramKind", "Products", "Responses"]

GramKind = Literal["columns", "rows", "origin"]

_ENTRIES = 1 << 22  # of a matrix looked at in one go
_NEAR = 0.05  # of the mean square of patterns left without their mean: less, and it is taken off
_WIDE = 4  # times as many where chunks hold whole rows, since each block then reads all of them


@dataclass(frozen=True)
class Products:
    """Gram matrix of the trials of a system, float64, and what tells patterns without direction.

    trials : (trials, trials).   along, common : where patterns are so alike that their mean m was taken off, the
        products (trials,) with m, and |m|^2; else None and 0.   size, scale : (n,) of the patterns: |mean over units|
        where that was taken off, else 0, and the largest entry of what is left, in absolute value.
    """

    trials: np.ndarray
    size: np.ndarray
    scale: np.ndarray
    along: np.ndarray | None = None
    common: float = 0.0


@dataclass(frozen=True)
class Responses:
    """Some rows and units of a matrix. They are taken out where they are used: a recording can be as large as
    half the memory, and lie on disk or, as a dask array, be read or computed when it is used.

    rows : in the order of the ids; None where that is the order of the matrix.   units : bool, those that
        vary; None if all do.
    owner : stimulus number of each of the rows, rising, where they are trials that are averaged; None = one row per
        stimulus.
    labels : the array in which rows and units have names, for messages.   who : who reads, and what.
    """

    matrix: Any
    rows: np.ndarray | None = None
    units: np.ndarray | None = None
    owner: np.ndarray | None = None
    labels: xr.DataArray | None = None
    who: str = "responses"

    @property
    def shape(self) -> tuple[int, int]:
        n, p = self.matrix.shape
        n = n if self.rows is None else len(self.rows)
        n = n if self.owner is None else int(self.owner[-1]) + 1
        return n, p if self.units is None else int(self.units.sum())

    @property
    def on_disk(self) -> bool:
        """Are the values in a file or a dask array, so that they are better not read whole?"""
        return out_of_core(self.matrix)

    @property
    def nbytes(self) -> int:
        return int(self.matrix.nbytes)

    @property
    def eps(self) -> float:
        dtype = self.matrix.dtype
        return float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)

    def blocks(self) -> Iterator[tuple[int, int]]:
        """(start, stop) of blocks of units, of bounded size; along the chunks of a dask array where these are small
        enough.
        """
        n, p = self.matrix.shape
        step = max(256, _ENTRIES // n)
        widths = self.matrix.chunks[1] if is_lazy(self.matrix) else ()
        if not widths or max(widths) > step:
            step = step * _WIDE if widths else step
            yield from ((start, min(start + step, p)) for start in range(0, p, step))
            return
        start = stop = 0
        for width in widths:
            if stop > start and stop + width - start > step:
                yield start, stop
                start = stop
            stop += width
        yield start, stop

    def columns(self, start: int, stop: int) -> np.ndarray:
        """Those columns of the matrix, one row per stimulus."""
        return self.averaged(self.trials(start, stop))

    def averaged(self, block: np.ndarray) -> np.ndarray:
        if self.owner is None:
            return block
        starts, counts = _runs(self.owner)
        sums = np.add.reduceat(block.astype(np.float64, copy=False), starts, axis=0)
        return (sums / counts[:, None]).astype(block.dtype if block.dtype.kind == "f" else np.float64)

    def trials(self, start: int, stop: int) -> np.ndarray:
        """Those columns of the matrix, its rows as here. From disk they are read some rows at a time, since
        reading a part of a row can bring all of it into memory.
        """
        n, p = self.matrix.shape
        if is_lazy(self.matrix):
            block = computed(self.matrix[:, start:stop], who=self.who)
        elif on_disk(self.matrix):
            block = np.empty((n, min(stop, p) - start), self.matrix.dtype)
            some = max(1, _ENTRIES // p)
            for row in range(0, n, some):
                block[row : row + some] = self.matrix[row : row + some, start:stop]
                release(self.matrix)
        else:
            block = self.matrix[:, start:stop]
        block = block if self.rows is None else block[self.rows]
        if self.on_disk:
            self._refuse_nan(block, start)
        return block

    def _refuse_nan(self, block: np.ndarray, start: int) -> None:
        if all_finite(block):
            return
        row, column = (int(index) for index in np.argwhere(~np.isfinite(block))[0])
        row = row if self.rows is None else int(self.rows[row])
        place = f"(trial {row}, unit {start + column})"
        if self.labels is not None:
            place = place_of(self.labels, (row, start + column))
        raise InputError(
            f"{self.who} has NaN or infinite values, first at {place}; make it with "
            "cs.responses(..., missing='omit') or fill them on purpose.",
            code="nan-values",
        )

    def constant(self) -> np.ndarray:
        """Bool (units of the matrix,): those with one value for all stimuli."""
        n = self.shape[0]
        found = []
        for start, stop in self.blocks():
            # the order of rows does not matter here, and in memory taking them out is a copy
            whole = not self.on_disk and n == len(self.matrix)
            block = self.matrix[:, start:stop] if whole else self.trials(start, stop)
            for part in _parts(block):
                mine = part if whole else self.averaged(part)
                found.append(np.asarray(constant_columns(_floats(mine))))
        return np.concatenate(found)

    def products(self, kind: GramKind) -> Products:
        """Read in blocks of units, so that it takes trials x trials numbers and a block, however many units there
        are. "columns": less what centring takes off (see `centred_gram`); "rows": of the patterns minus their mean
        over units, which is found in float64 by a first pass, so that no digits are lost to it; "origin": as they are.
        Of these two less the mean pattern as well, in float64, where most of every pattern is that mean.
        """
        m = self.matrix.shape[0] if self.rows is None else len(self.rows)
        n, p = self.shape
        means, total = np.zeros(m), np.zeros((m, m))
        squares, mean_sum, mean_squares = np.zeros(m), 0.0, 0.0
        low, high = np.full(n, np.inf), np.full(n, -np.inf)
        if kind != "columns":
            for block in self._used():
                means += block.sum(axis=1, dtype=np.float64) / p
                mine = self.averaged(block)
                low, high = np.minimum(low, mine.min(axis=1)), np.maximum(high, mine.max(axis=1))
                with np.errstate(over="ignore"):
                    pattern = block.mean(axis=0, dtype=np.float64)
                    squares += np.einsum("ij,ij->i", block, block, dtype=np.float64)
                    mean_squares += float(pattern @ pattern)
                    mean_sum += float(pattern.sum())
        if kind != "rows":
            means[:] = mean_sum = 0.0
        common = mean_squares - mean_sum**2 / p
        length = float(np.mean(squares - p * means**2))
        if kind != "columns" and np.isfinite(length) and common > (1.0 - _NEAR) * length > 0:
            return self._products_less_mean(means, low, high)
        for block in self._used():
            total += centred_gram(block) if kind == "columns" else gram(_minus(block, means))
        size = self.averaged(means[:, None])[:, 0]
        return Products(total, np.abs(size), np.maximum(high - size, size - low))

    def _products_less_mean(self, means: np.ndarray, low: np.ndarray, high: np.ndarray) -> Products:
        """`products` of patterns less ``means`` (trials,) over units and less their mean pattern."""
        total, along, common = np.zeros((means.size, means.size)), np.zeros(means.size), 0.0
        for block in self._used():
            wide = block.astype(np.float64) - means[:, None]
            pattern = wide.mean(axis=0)
            wide -= pattern
            total += wide @ wide.T
            along += wide @ pattern
            common += float(pattern @ pattern)
        size = self.averaged(means[:, None])[:, 0]
        return Products(total, np.abs(size), np.maximum(high - size, size - low), along, common)

    def along(self, products: Products, trials: np.ndarray | None = None) -> np.ndarray | None:
        """Products (n,) of the patterns, means over trials as in `gram`, with the mean pattern taken off; or None."""
        values, owner = products.along, self.owner
        if values is None or owner is None:
            return values
        if trials is not None:
            values, owner = values[trials], owner[trials]
        starts, counts = _runs(owner)
        return np.asarray(np.add.reduceat(values, starts) / counts)

    def gram(self, products: Products, trials: np.ndarray | None = None) -> np.ndarray:
        """Gram matrix (n, n) of the patterns, means over trials: of all, or of those of a bool mask (trials,)."""
        k, owner = products.trials, self.owner
        if owner is None:
            return k
        if trials is not None:
            k, owner = k[np.ix_(trials, trials)], owner[trials]
        starts, counts = _runs(owner)
        k = np.add.reduceat(np.add.reduceat(k, starts, axis=0), starts, axis=1)
        return np.asarray(k / (counts[:, None] * counts[None, :]))

    def _used(self) -> Iterator[np.ndarray]:
        """Blocks (trials, units that vary) as floats."""
        for start, stop in self.blocks():
            block = self.trials(start, stop)
            kept = np.ones(stop - start, bool) if self.units is None else self.units[start:stop]
            for part, mine in zip(_parts(block), _parts(kept, len(block))):
                used = part if mine.all() else part[:, mine]
                if used.shape[1]:
                    yield np.ascontiguousarray(_floats(used))

    def take(self) -> np.ndarray:
        """(n, units): a copy, or a read-only view of the whole matrix."""
        if is_lazy(self.matrix) or (self.owner is not None and self.on_disk):
            return self._loaded()
        if self.units is None and self.rows is None:
            whole = self.matrix.view()
            whole.flags.writeable = False
            return whole
        if self.units is None:
            return self.matrix[self.rows]
        columns = np.flatnonzero(self.units)
        if self.rows is None:
            return np.take(self.matrix, columns, axis=1)
        out = np.empty(self.shape, self.matrix.dtype)
        for row, source in zip(out, self.rows):
            np.take(self.matrix[source], columns, out=row)
        return out

    def _loaded(self) -> np.ndarray:
        """All of it in memory, filled block by block."""
        dtype = self.matrix.dtype
        out_type = np.dtype(np.float64) if self.owner is not None and dtype.kind != "f" else dtype
        n, p = self.shape
        needed = n * p * out_type.itemsize
        free = check_fits(needed)
        if free is not None:
            raise InputError(
                f"{self.who} takes {gigabytes(needed)} in memory, and {free} is free; {READ_IN_BLOCKS}, or "
                "choose fewer units.",
                code="too-large",
            )
        out, at = np.empty((n, p), out_type), 0
        for start, stop in self.blocks():
            block = self.columns(start, stop)
            block = block if self.units is None else block[:, self.units[start:stop]]
            out[:, at : at + block.shape[1]] = block
            at += block.shape[1]
        return out


def _runs(owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each stimulus starts in its rising numbers, and how many trials it has."""
    starts = np.flatnonzero(np.r_[True, np.diff(owner) > 0])
    return starts, np.diff(np.r_[starts, owner.size])


def _parts(block: np.ndarray, rows: int | None = None) -> Iterator[np.ndarray]:
    """Views of some columns each (of the last axis), so that what is made of them stays small."""
    step = max(1024, _ENTRIES // 8 // (len(block) if rows is None else rows))
    yield from (block[..., start : start + step] for start in range(0, block.shape[-1], step))


def _floats(block: np.ndarray) -> np.ndarray:
    return block if block.dtype.kind == "f" else block.astype(np.float64)


def _minus(block: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Rows minus float64 means, in the dtype of the block: for float32 a float32 number and its remainder."""
    if not means.any():
        return block
    high = means.astype(block.dtype)
    return (block - high[:, None]) - (means - high).astype(block.dtype)[:, None]
