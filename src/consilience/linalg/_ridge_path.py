"""Ridge regression for many targets: every penalty and every fold from one Gram matrix and one eigenproblem."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["DualRidge", "PrimalRidge", "RidgeSolution", "ridge_solver"]

_VALUES = 1 << 24  # entries of one block of errors
Split = tuple[np.ndarray, np.ndarray]  # training rows, test rows


@dataclass(frozen=True)
class RidgeSolution:
    """alpha : (t,) penalties chosen.   index : (t,) their places in the path.   errors : (alphas, t) summed
    squared held-out errors.   total : (t,) the same for the training mean as prediction.   weights : (r, t)
    in the eigenbasis of the solver.   mean : (t,) of the training targets.   spread : (t,) root mean square
    of the predictions for the training rows.
    """

    alpha: np.ndarray
    index: np.ndarray
    errors: np.ndarray
    total: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    spread: np.ndarray


class _Ridge(ABC):
    """What the two forms share: the choice of the penalty and the solution in the eigenbasis."""

    values: np.ndarray  # (r,) eigenvalues

    def __init__(
        self,
        n: int,
        alphas: Sequence[float] | np.ndarray,
        splits: list[Split],
        intercept: bool,
        dtype: np.dtype | type,
    ) -> None:
        self.n, self.intercept, self.dtype = n, intercept, np.dtype(dtype)
        self.alphas, self.splits = np.sort(np.asarray(alphas, dtype=np.float64)), splits

    @abstractmethod
    def coordinates(self, y: np.ndarray) -> np.ndarray:
        """(r, t) centred targets (n, t) in the eigenbasis."""

    def totals(self, y: np.ndarray) -> np.ndarray:
        """(t,) summed squares of held-out targets around the mean of their training rows."""
        out = np.zeros(y.shape[1])
        for train, test in self.splits:
            mean = y[train].mean(axis=0, dtype=np.float64) if self.intercept else 0.0
            away = y[test] - mean
            out += np.einsum("ij,ij->j", away, away)
        return out

    def solve(self, y: np.ndarray, *, per_target: bool = True) -> RidgeSolution:
        """Penalties by the summed squared error on the held-out rows, then the fit of all rows.

        y : (n, t). A tie (no signal at all) goes to the strongest penalty.
        """
        mean = y.mean(axis=0, dtype=np.float64) if self.intercept else np.zeros(y.shape[1])
        z = (y - mean).astype(self.dtype, copy=False)
        coordinates = self.coordinates(z)
        if self.alphas.size > 1:
            errors, total = self._errors_in_blocks(z, coordinates), self.totals(z)
            if per_target:
                index = self.alphas.size - 1 - np.argmin(errors[::-1], axis=0)
            else:
                index = np.full(y.shape[1], self.alphas.size - 1 - int(np.argmin(errors.sum(axis=1)[::-1])))
        else:
            index = np.zeros(y.shape[1], dtype=np.int64)
            errors, total = np.full((1, y.shape[1]), np.nan), np.full(y.shape[1], np.nan)
        alpha = self.alphas[index]
        weights = coordinates / (self.values[:, None] + alpha).astype(self.dtype)
        inside = np.linalg.norm(self._fitted_scale()[:, None] * weights, axis=0) / np.sqrt(self.n)
        return RidgeSolution(alpha, index, errors, total, weights, mean, inside)

    def _errors_in_blocks(self, z: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
        step = max(1, _VALUES // (self.n * self.alphas.size))
        blocks = [
            self._errors(z[:, i : i + step], coordinates[:, i : i + step]) for i in range(0, z.shape[1], step)
        ]
        return np.concatenate(blocks, axis=1)

    @abstractmethod
    def _errors(self, z: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
        """(alphas, t) summed squared errors on the held-out rows."""

    @abstractmethod
    def _fitted_scale(self) -> np.ndarray:
        """(r,) what weights are times to be predictions of training rows, in an orthonormal basis."""


class DualRidge(_Ridge):
    """Ridge from a kernel (n, n): for as many features as rows or more, or where only a kernel is known.

    With M = U (L + alpha)^-1 U', U the eigenvectors of the kernel that are orthogonal to the constant vector
    (the unpenalised intercept), the fit without the rows R errs on R by exactly (M_RR)^-1 (M y)_R. So one
    eigenproblem serves all folds; that of each training set is never needed.

    Parameters
    ----------
    kernel : (n, n) symmetric, not centred.   alphas : penalties.   splits : (training rows, test rows)
    intercept : an unpenalised constant.   dtype : of the large products; the eigenproblem is float64.
    """

    def __init__(
        self,
        kernel: np.ndarray,
        alphas: Sequence[float] | np.ndarray,
        splits: list[Split],
        *,
        intercept: bool = True,
        dtype: np.dtype | type = np.float64,
    ) -> None:
        super().__init__(kernel.shape[0], alphas, splits, intercept, dtype)
        self.mean = kernel.mean(axis=0) if intercept else np.zeros(self.n)
        values, vectors = _without_constant(kernel) if intercept else _eigen(np.array(kernel, np.float64))
        self.values = np.maximum(values, 0.0)
        self.u = vectors.astype(self.dtype, copy=False)
        self._removed = [np.setdiff1d(np.arange(self.n), train) for train, _ in splits]
        self._tested = [np.searchsorted(r, test) for r, (_, test) in zip(self._removed, splits)]
        self._inverses = (
            [self._inverse(vectors[rows]) for rows in self._removed] if self.alphas.size > 1 else []
        )

    def _inverse(self, u: np.ndarray) -> np.ndarray:
        """((M_RR)^-1 of every penalty): (alphas, R, R)."""
        out = np.empty((self.alphas.size, len(u), len(u)), self.dtype)
        for k, alpha in enumerate(self.alphas):
            scaled = u / np.sqrt(self.values + alpha)
            m = scaled @ scaled.T
            try:
                inverse = np.linalg.inv(m)
            except np.linalg.LinAlgError:  # pragma: no cover - M is positive definite but for rounding
                inverse = np.linalg.pinv(m, hermitian=True)
            out[k] = (inverse + inverse.T) / 2
        return out

    def coordinates(self, y: np.ndarray) -> np.ndarray:
        return self.u.T @ y

    def _errors(self, z: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
        mixing, functions = _few_functions(
            1.0 / (self.values + self.alphas[:, None]), coordinates, self.dtype
        )
        parts = np.stack([self.u @ (f[:, None] * coordinates) for f in functions])  # (k, n, t)
        out = np.zeros((self.alphas.size, z.shape[1]))
        for rows, tested, inverses in zip(self._removed, self._tested, self._inverses):
            inside = parts[:, rows].reshape(len(parts), -1)
            left = (mixing @ inside).reshape(self.alphas.size, rows.size, -1)
            for k in range(self.alphas.size):
                error = inverses[k][tested] @ left[k]
                out[k] += np.einsum("ij,ij->j", error, error)
        return out

    def _fitted_scale(self) -> np.ndarray:
        return self.values

    def operator(self, kernel: np.ndarray) -> np.ndarray:
        """What maps ``solution.weights`` to predictions for new rows, (m, r), of ``kernel`` (m, n)."""
        return (kernel - self.mean).astype(self.dtype, copy=False) @ self.u

    def dual(self, solution: RidgeSolution) -> np.ndarray:
        """(n, t) dual coefficients."""
        return self.u @ solution.weights


class PrimalRidge(_Ridge):
    """Ridge from X'X (p, p): for fewer features than rows. A fold's matrix is the whole less its test rows.

    Parameters: see `DualRidge`; x : (n, p).
    """

    def __init__(
        self,
        x: np.ndarray,
        alphas: Sequence[float] | np.ndarray,
        splits: list[Split],
        *,
        intercept: bool = True,
        dtype: np.dtype | type = np.float64,
    ) -> None:
        super().__init__(x.shape[0], alphas, splits, intercept, dtype)
        self.mean = x.mean(axis=0, dtype=np.float64) if intercept else np.zeros(x.shape[1])
        self.x = (x - self.mean).astype(self.dtype, copy=False)
        whole = (self.x.T @ self.x).astype(np.float64, copy=False)
        values, vectors = _eigen(whole.copy())
        self.values, self.v = np.maximum(values, 0.0), vectors.astype(self.dtype, copy=False)
        self._folds = [self._fold(whole, *split) for split in splits] if self.alphas.size > 1 else []

    def _fold(self, whole: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, ...]:
        removed = np.setdiff1d(np.arange(self.n), train)
        out = self.x[removed]
        mean = self.x[train].mean(axis=0, dtype=np.float64) if self.intercept else np.zeros(self.x.shape[1])
        inside = whole - (out.T @ out) - train.size * np.outer(mean, mean)
        values, vectors = _eigen(inside)
        vectors = vectors.astype(self.dtype, copy=False)
        tested = (self.x[test] - mean).astype(self.dtype, copy=False) @ vectors
        return removed, test, train.size * mean, vectors, np.maximum(values, 0.0), tested

    def coordinates(self, y: np.ndarray) -> np.ndarray:
        return self.v.T @ (self.x.T @ y)

    def _errors(self, z: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
        out = np.zeros((self.alphas.size, z.shape[1]))
        product = self.v @ coordinates  # X'Y
        for (removed, test, total, vectors, values, tested), (train, _) in zip(self._folds, self.splits):
            mean = z[train].mean(axis=0) if self.intercept else np.zeros(z.shape[1])
            inside = vectors.T @ (product - self.x[removed].T @ z[removed] - np.outer(total, mean)).astype(
                self.dtype, copy=False
            )
            away = (z[test] - mean).astype(self.dtype, copy=False)
            mixing, functions = _few_functions(1.0 / (values + self.alphas[:, None]), inside, self.dtype)
            parts = np.stack([tested @ (f[:, None] * inside) for f in functions]).reshape(len(functions), -1)
            for k in range(self.alphas.size):
                error = away - (mixing[k] @ parts).reshape(away.shape)
                out[k] += np.einsum("ij,ij->j", error, error)
        return out

    def _fitted_scale(self) -> np.ndarray:
        return np.sqrt(self.values)

    def operator(self, x: np.ndarray) -> np.ndarray:
        """What maps ``solution.weights`` to predictions for new rows ``x`` (m, p): (m, r)."""
        return (x - self.mean).astype(self.dtype, copy=False) @ self.v

    def coef(self, solution: RidgeSolution) -> np.ndarray:
        """(p, t) coefficients."""
        return self.v @ solution.weights


def ridge_solver(
    x: np.ndarray, alphas: np.ndarray, splits: list[Split], *, intercept: bool = True
) -> DualRidge | PrimalRidge:
    """The form that is less work for ``x`` (n, p): X'X where p < n, X X' otherwise."""
    if x.shape[1] < x.shape[0]:
        return PrimalRidge(x, alphas, splits, intercept=intercept, dtype=x.dtype)
    kernel = (x @ x.T).astype(np.float64, copy=False)
    return DualRidge(kernel, alphas, splits, intercept=intercept, dtype=x.dtype)


def _eigen(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """NumPy's, as all products are: threads of SciPy's own BLAS would wait beside them for what is not theirs."""
    values, vectors = np.linalg.eigh(matrix)
    return values, vectors


def _without_constant(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All eigenvectors of the centred kernel that are orthogonal to the constant vector: (n - 1,), (n, n - 1).

    A reflection takes the constant vector to the first axis, which is then left out. Unlike centring it keeps
    the null vectors of the kernel apart from the constant one.
    """
    n = kernel.shape[0]
    v = np.full(n, 1.0 / np.sqrt(n))
    v[0] += 1.0
    v /= np.linalg.norm(v)
    half = kernel @ v
    outer = np.outer(v, 2.0 * (v @ half) * v - 2.0 * half)
    turned = kernel + outer + outer.T
    values, inner = _eigen(turned[1:, 1:])
    vectors = np.zeros((n, n - 1))
    vectors[1:] = inner
    vectors -= 2.0 * np.outer(v, v[1:] @ inner)
    return values, vectors


def _few_functions(
    weights: np.ndarray, coordinates: np.ndarray, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """``weights`` (alphas, r) as ``mixing`` (alphas, k) @ ``functions`` (k, r), k as small as rounding allows.

    The solutions of neighbouring penalties are nearly dependent: over eigenvalues that span a factor of 100,
    ten penalties are about five functions to the digits of float32. Each then costs a sum, not a product with
    the data.
    """
    scale = np.sqrt(np.mean(np.square(coordinates, dtype=np.float64), axis=1))
    top = scale.max(initial=0.0)
    # nothing to fit (constant targets or predictors): any scale will do
    scale = np.maximum(scale / top, float(np.finfo(dtype).eps) ** 1.25) if top > 0 else np.ones_like(scale)
    rows = weights * scale
    size = np.linalg.norm(rows, axis=1, keepdims=True)
    left, singular, right = np.linalg.svd(rows / size, full_matrices=False)
    tolerance = np.finfo(dtype).eps * (2.0 if dtype == np.float32 else 16.0)
    k = max(1, int((singular > tolerance * singular[0]).sum()))
    if k >= len(weights):
        return np.eye(len(weights), dtype=dtype), weights.astype(dtype)
    mixing = size * left[:, :k] * singular[:k]
    norm = np.linalg.norm(mixing, axis=0)
    return (mixing / norm).astype(dtype), (right[:k] / scale * norm[:, None]).astype(dtype)
