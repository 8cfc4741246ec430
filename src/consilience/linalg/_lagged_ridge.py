"""Ridge regression on a series and its lags, the penalty chosen on held-out runs of frames, from Gram matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from consilience.linalg._lagged import LaggedSeries
from consilience.linalg._ridge_path import DualRidge

__all__ = ["LaggedRidge", "LaggedSums", "lagged_ridge", "lagged_sums"]

_GRID = 10.0 ** np.arange(-5, 5)
Fold = tuple[np.ndarray, np.ndarray]  # masks of frames: tested, and too near to them to train


@dataclass(frozen=True)
class LaggedRidge:
    """weights : (width, t).   alpha, index : (t,) chosen.   alphas : the grid.   errors : (alphas, t) summed squared
    held-out errors.   total : (t,) those of the training mean.   variance : (width, t) diagonal of (D'D + alpha)^-1.
    noise : (t,) residual variance, n - effective number of parameters.   df : (t,) that number.   about : (width,)
    means of D.   mean : (t,) of y.
    """

    weights: np.ndarray
    alpha: np.ndarray
    index: np.ndarray
    alphas: np.ndarray
    errors: np.ndarray
    total: np.ndarray
    variance: np.ndarray
    noise: np.ndarray
    df: np.ndarray
    about: np.ndarray
    mean: np.ndarray


def lagged_ridge(
    series: LaggedSeries,
    y: np.ndarray,
    alphas: np.ndarray | None,
    folds: list[Fold],
    *,
    output: np.ndarray | None = None,
) -> LaggedRidge:
    """min ||y - D w - b||^2 + alpha ||w||^2 for targets y (n, t), 0 where a frame is no row.

    alphas : None = 1e-5 ... 1e4 times the mean squared length of a centred row. With fewer columns than rows all comes
    from D'D of each fold and of the whole, never from D; with more, from D D' (see `DualRidge`).
    output : (m, width), ``variance`` is that of output w; None = of w.
    """
    primal = series.width < int(series.rows.sum())
    return (_primal if primal else _dual)(series, y, alphas, folds, output)


@dataclass(frozen=True)
class _Sums:
    """Of some frames: n, sums of D (width,) and y (t,), products D'D, D'y and sums of squares of y."""

    n: int
    d: np.ndarray
    y: np.ndarray
    dd: np.ndarray
    dy: np.ndarray
    yy: np.ndarray

    def less(self, other: _Sums) -> _Sums:
        return _Sums(*(getattr(self, k) - getattr(other, k) for k in ("n", "d", "y", "dd", "dy", "yy")))

    def plus(self, other: _Sums) -> _Sums:
        return _Sums(*(getattr(self, k) + getattr(other, k) for k in ("n", "d", "y", "dd", "dy", "yy")))

    def about(self, d: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """D'D, D'y and y'y of deviations from ``d`` and ``y``."""
        dd = self.dd - np.outer(self.d, d) - np.outer(d, self.d) + self.n * np.outer(d, d)
        dy = self.dy - np.outer(self.d, y) - np.outer(d, self.y) + self.n * np.outer(d, y)
        return dd, dy, self.yy - 2 * self.y * y + self.n * y * y

    def centred(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.about(self.d / self.n, self.y / self.n)


def _sums(series: LaggedSeries, y: np.ndarray, used: np.ndarray) -> _Sums:
    z = np.where(used[:, None], y, 0.0)
    return _Sums(
        int(used.sum()),
        series.totals(used),
        z.sum(axis=0),
        series.gram(used),
        series.sums(z),
        np.einsum("ij,ij->j", z, z),
    )


@dataclass(frozen=True)
class LaggedSums:
    """Sums of all rows, of each held-out run, and of the frames beside it; ``folds`` gives (training, tested) ones."""

    whole: _Sums
    parts: list[_Sums]
    beside: list[_Sums | None]

    def folds(self) -> Iterator[tuple[_Sums, _Sums]]:
        for part, near in zip(self.parts, self.beside):
            inside = self.whole.less(part)
            yield (inside if near is None else inside.less(near)), part


def lagged_sums(series: LaggedSeries, y: np.ndarray, folds: list[Fold]) -> LaggedSums:
    """Sums for targets y (n, t); the frames of all folds together are met once, those beside them once more."""
    parts = [_sums(series, y, test) for test, _ in folds]
    left = series.rows & ~np.any([test for test, _ in folds], axis=0) if folds else series.rows
    whole = _sums(series, y, left) if left.any() else None
    for part in parts:
        whole = part if whole is None else whole.plus(part)
    assert whole is not None
    return LaggedSums(whole, parts, [_sums(series, y, near) if near.any() else None for _, near in folds])


def _primal(
    series: LaggedSeries,
    y: np.ndarray,
    alphas: np.ndarray | None,
    folds: list[Fold],
    output: np.ndarray | None,
) -> LaggedRidge:
    y = y - np.where(series.rows, 1.0, 0.0)[:, None] * (offset := y.sum(axis=0) / series.rows.sum())
    sums = lagged_sums(series, y, folds if alphas is None or alphas.size > 1 else [])
    whole = sums.whole
    about, mean = whole.d / whole.n, whole.y / whole.n
    gram, cross, square = whole.centred()
    alphas = _grid(alphas, float(np.trace(gram)) / whole.n)
    t = y.shape[1]
    errors, total = np.full((alphas.size, t), np.nan), np.full(t, np.nan)
    if alphas.size > 1:
        errors, total = np.zeros((alphas.size, t)), np.zeros(t)
        for inside, part in sums.folds():
            d, m = inside.d / inside.n, inside.y / inside.n
            dd, dy, _ = inside.about(d, m)
            values, vectors = np.linalg.eigh(dd)
            values, turned = np.maximum(values, 0.0), vectors.T @ dy
            gram_out, cross_out, square_out = part.about(d, m)
            cross_out, gram_out = vectors.T @ cross_out, vectors.T @ gram_out @ vectors
            total += square_out
            for k, alpha in enumerate(alphas):
                w = turned / (values + alpha)[:, None]
                errors[k] += square_out + np.einsum("ij,ij->j", w, gram_out @ w - 2 * cross_out)
    index = _choice(errors, t)
    values, vectors = np.linalg.eigh(gram)
    values, turned = np.maximum(values, 0.0), vectors.T @ cross
    over = 1.0 / (values[:, None] + alphas[index])
    scaled = turned * over
    df = (values[:, None] * over).sum(axis=0)
    residual = square - np.einsum("ij,ij->j", scaled, 2 * turned - values[:, None] * scaled)
    squared = (vectors if output is None else output @ vectors) ** 2
    used, place = np.unique(index, return_inverse=True)
    variance = (squared @ (1.0 / (values[:, None] + alphas[used])))[:, place]
    return LaggedRidge(
        vectors @ scaled,
        alphas[index],
        index,
        alphas,
        errors,
        total,
        variance,
        np.maximum(residual, 0.0) / np.maximum(whole.n - 1 - df, 1.0),
        df,
        about,
        mean + offset,
    )


def _dual(
    series: LaggedSeries,
    y: np.ndarray,
    alphas: np.ndarray | None,
    folds: list[Fold],
    output: np.ndarray | None,
) -> LaggedRidge:
    at = np.flatnonzero(series.rows)
    kernel = series.kernel()
    n = at.size
    about = series.totals(series.rows) / n
    trace = float(np.trace(kernel)) - float(kernel.sum()) / n
    alphas = _grid(alphas, trace / n)
    splits = [(np.flatnonzero(~(test | near)[at]), np.flatnonzero(test[at])) for test, near in folds]
    solver = DualRidge(kernel, alphas, splits)
    found = solver.solve(y[at])
    frames = np.zeros((series.n, y.shape[1]))
    frames[at] = solver.dual(found)
    weights = series.sums(frames)  # dual coefficients sum to 0, so means drop out
    shrunk = solver.values[:, None] / (solver.values[:, None] + found.alpha)
    df = shrunk.sum(axis=0)
    z = solver.coordinates(y[at] - found.mean)
    residual = (((1 - shrunk) * z) ** 2).sum(axis=0)
    used, place = np.unique(found.alpha, return_inverse=True)
    whole = np.ones(series.width) if output is None else (output**2).sum(axis=1)
    taken = np.zeros((whole.size, used.size))
    for start in range(0, solver.u.shape[1], 256):
        u = np.zeros((series.n, min(256, solver.u.shape[1] - start)))
        u[at] = solver.u[:, start : start + 256]
        turned = series.sums(u) if output is None else output @ series.sums(u)
        taken += turned**2 @ (1.0 / (solver.values[start : start + 256, None] + used))
    variance = ((whole[:, None] - taken) / used)[:, place]
    return LaggedRidge(
        weights,
        found.alpha,
        found.index,
        alphas,
        found.errors,
        found.total,
        np.maximum(variance, 0.0),
        residual / np.maximum(n - 1 - df, 1.0),
        df,
        about,
        found.mean,
    )


def _grid(alphas: np.ndarray | None, scale: float) -> np.ndarray:
    return _GRID * (scale if scale > 0 else 1.0) if alphas is None else np.sort(alphas)


def _choice(errors: np.ndarray, t: int) -> np.ndarray:
    """The least error; a tie goes to the strongest penalty."""
    size = len(errors)
    return size - 1 - np.argmin(errors[::-1], axis=0) if size > 1 else np.zeros(t, np.int64)
