"""Sums over stimuli from which linear CKA and CCA of two systems follow, whatever the number of stimuli."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from consilience._core._arrays import Array, array_namespace, float64
from consilience._core._threads import blas_threads, each_in_a_thread

__all__ = ["Moments", "moments_of", "shift_of"]

_VALUES = 1 << 23  # of a block of rows
_MOST = 1 << 14  # rows of a float32 product
_SAMPLE = 512  # rows that estimate the mean
_LARGE = 1 << 33  # multiplications from which rows are dealt to threads
_WORKERS = 8


@dataclass(frozen=True)
class Moments:
    """Float64 sums over n stimuli of x (p) and y (q), with a = |x|^2 and b = |y|^2 of each stimulus.

    x, y : sums.   xx (p, p), xy (p, q), yy (q, q) : of products.   ax (p), ay (q), bx (p), by (q) : of a x, a y,
    b x, b y.   a, b, aa, ab, bb : of the squared norms and of their products.
    """

    n: int
    x: Array
    y: Array
    xx: Array
    xy: Array
    yy: Array
    ax: Array
    ay: Array
    bx: Array
    by: Array
    a: Array
    b: Array
    aa: Array
    ab: Array
    bb: Array

    def __add__(self, other: Moments) -> Moments:
        return Moments(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def add(self, other: Moments) -> Moments:
        """The sum, written over the matrices of ``self`` (NumPy)."""
        for name in ("xx", "xy", "yy"):
            mine = getattr(self, name)
            mine += getattr(other, name)
        whole = {f.name: getattr(self, f.name) for f in fields(self)}
        rest = {k: v + getattr(other, k) for k, v in whole.items() if k not in ("xx", "xy", "yy")}
        return Moments(**(whole | rest))

    def shifted(self, d: Array, e: Array) -> Moments:
        """The sums of x + d and y + e."""
        xp = array_namespace(self.xx)
        dd, ee = xp.sum(d * d), xp.sum(e * e)
        dx, ey = xp.sum(d * self.x), xp.sum(e * self.y)
        xxd, xye, yxd, yye = self.xx @ d, self.xy @ e, self.xy.T @ d, self.yy @ e
        a = self.a + 2 * dx + self.n * dd
        b = self.b + 2 * ey + self.n * ee

        def outer(u: Array, v: Array) -> Array:
            return u[:, None] * v[None, :]

        return Moments(
            n=self.n,
            x=self.x + self.n * d,
            y=self.y + self.n * e,
            xx=self.xx + outer(d, self.x) + outer(self.x, d) + self.n * outer(d, d),
            xy=self.xy + outer(d, self.y) + outer(self.x, e) + self.n * outer(d, e),
            yy=self.yy + outer(e, self.y) + outer(self.y, e) + self.n * outer(e, e),
            ax=self.ax + 2 * xxd + dd * self.x + a * d,
            ay=self.ay + 2 * yxd + dd * self.y + a * e,
            bx=self.bx + 2 * xye + ee * self.x + b * d,
            by=self.by + 2 * yye + ee * self.y + b * e,
            a=a,
            b=b,
            aa=self.aa
            + 4 * xp.sum(d * xxd)
            + self.n * dd * dd
            + 4 * xp.sum(d * self.ax)
            + 2 * dd * self.a
            + 4 * dd * dx,
            ab=self.ab
            + 2 * xp.sum(e * self.ay)
            + ee * self.a
            + 2 * xp.sum(d * self.bx)
            + 4 * xp.sum(d * xye)
            + 2 * ee * dx
            + dd * self.b
            + 2 * dd * ey
            + self.n * dd * ee,
            bb=self.bb
            + 4 * xp.sum(e * yye)
            + self.n * ee * ee
            + 4 * xp.sum(e * self.by)
            + 2 * ee * self.b
            + 4 * ee * ey,
        )

    def scaled(self, c: float, d: float) -> Moments:
        """The sums of c x and d y."""
        powers = {"x": c, "y": d, "xx": c * c, "xy": c * d, "yy": d * d, "ax": c**3, "ay": c * c * d}
        powers |= {
            "bx": c * d * d,
            "by": d**3,
            "a": c * c,
            "b": d * d,
            "aa": c**4,
            "ab": (c * d) ** 2,
            "bb": d**4,
        }
        return Moments(n=self.n, **{name: getattr(self, name) * power for name, power in powers.items()})

    def centred(self) -> Moments:
        """The sums of x and y less their means."""
        return self.shifted(-self.x / self.n, -self.y / self.n)


def shift_of(x: Array) -> Array:
    """About the mean of each column of ``x`` (n, p), from some of the rows, as numbers of the dtype of ``x``."""
    xp = array_namespace(x)
    some = float64(x[:: max(1, x.shape[0] // _SAMPLE), ...])
    return xp.astype(xp.mean(some, axis=0), x.dtype)


def moments_of(x: Array, y: Array, shift_x: Array, shift_y: Array, *, threads: bool = False) -> Moments:
    """`Moments` of ``x`` (n, p) less ``shift_x`` (p) and ``y`` (n, q) less ``shift_y`` (q), all of one dtype.

    Products of a block of rows are taken in the dtype of the data, while the block is in cache, and added in
    float64. A shift near the mean keeps the digits; any shift gives the same moments once they are `centred`.
    threads : of NumPy arrays that are large, each thread takes rows of its own, with memory for a block and its sums.
    """
    xp = array_namespace(x, y)
    n, p, q = x.shape[0], x.shape[1], y.shape[1]
    step = max(64, min(n, _MOST, _VALUES // (p + q)))
    if isinstance(x, np.ndarray):
        workers = min(blas_threads(), _WORKERS) if threads and n * (p + q) ** 2 > _LARGE else 1
        bounds = np.linspace(0, n, workers + 1).astype(int).tolist()

        def of_rows(rows: slice) -> Moments:
            return _in_place(x[rows], y[rows], shift_x, shift_y, min(step, rows.stop - rows.start))

        parts = each_in_a_thread(of_rows, [slice(*pair) for pair in itertools.pairwise(bounds)])
        return functools.reduce(Moments.add, parts)
    total: Moments | None = None
    for start in range(0, n, step):
        stop = min(start + step, n)
        one, two = x[start:stop, ...] - shift_x, y[start:stop, ...] - shift_y
        a, b = xp.sum(one * one, axis=1), xp.sum(two * two, axis=1)
        part = _part(one, two, a, b, (one.T @ one, one.T @ two, two.T @ two))
        total = part if total is None else total + part
    assert total is not None
    return total


def _in_place(x: np.ndarray, y: np.ndarray, shift_x: np.ndarray, shift_y: np.ndarray, step: int) -> Moments:
    """The same on memory that is used again for each block."""
    n, p, q = x.shape[0], x.shape[1], y.shape[1]
    space = [np.empty((step, k), x.dtype) for k in (p, q)]
    products = [np.empty(shape, x.dtype) for shape in ((p, p), (p, q), (q, q))]
    sums = [np.zeros(product.shape) for product in products]
    total: Moments | None = None
    for start in range(0, n, step):
        stop = min(start + step, n)
        one, two = (s[: stop - start] for s in space)
        np.subtract(x[start:stop], shift_x, out=one)
        np.subtract(y[start:stop], shift_y, out=two)
        a, b = (np.einsum("ij,ij->i", z, z) for z in (one, two))
        for product, added, left, right in zip(products, sums, (one, one, two), (one, two, two)):
            np.matmul(left.T, right, out=product)  # a product with itself takes half the time
            np.add(added, product, out=added)
        part = _part(one, two, a, b, (np.zeros(()),) * 3)
        total = part if total is None else total + part
    assert total is not None
    whole = {f.name: getattr(total, f.name) for f in fields(total)}
    return Moments(**(whole | dict(zip(("xx", "xy", "yy"), sums))))


def _part(one: Array, two: Array, a: Array, b: Array, products: tuple[Array, Array, Array]) -> Moments:
    xp: Any = array_namespace(one, two)
    ones = xp.ones(one.shape[0], dtype=one.dtype, device=one.device)
    left, right = xp.stack([ones, a, b]) @ one, xp.stack([ones, a, b]) @ two
    left, right, a, b = (float64(z) for z in (left, right, a, b))
    xx, xy, yy = (float64(product) for product in products)
    return Moments(
        n=one.shape[0],
        x=left[0, ...],
        y=right[0, ...],
        xx=xx,
        xy=xy,
        yy=yy,
        ax=left[1, ...],
        ay=right[1, ...],
        bx=left[2, ...],
        by=right[2, ...],
        a=xp.sum(a),
        b=xp.sum(b),
        aa=xp.sum(a * a),
        ab=xp.sum(a * b),
        bb=xp.sum(b * b),
    )
