"""Banded ridge regression: several feature spaces, each with a penalty of its own, per target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience._core._seeds import resolve_seed
from consilience.linalg import DualRidge, PrimalRidge, centre_columns, gram
from consilience.linalg._centre import safe_power
from consilience.models._base import (
    ALPHAS,
    Linear,
    Penalised,
    Solution,
    Solver,
    Split,
    at_edge,
    check_alphas,
    held_out_r2,
)

__all__ = ["BandedRidgeCV"]


@dataclass(frozen=True)
class _Found:
    mixture: np.ndarray  # (bands, t)
    coef: np.ndarray  # (n, t) dual coefficients, or (p, t) coefficients of the scaled features


class _Banded(Solver):
    def __init__(
        self,
        x: np.ndarray,
        bands: list[np.ndarray],
        mixtures: np.ndarray,
        alphas: np.ndarray,
        splits: list[Split],
        intercept: bool,
    ) -> None:
        self.mean = x.mean(axis=0, dtype=np.float64) if intercept else np.zeros(x.shape[1])
        self.x = (centre_columns(x) if intercept else x).copy()
        self.scale = np.ones(x.shape[1])
        for band in bands:
            part, power = self.x[:, band], safe_power(self.x[:, band])
            part = part if power == 1.0 else part / power
            size = power * np.sqrt(np.einsum("ij,ij->", part, part, dtype=np.float64) / len(x))
            self.scale[band] = size if size > 0 else 1.0
        self.x /= self.scale.astype(self.x.dtype)
        self.bands, self.mixtures, self.alphas = bands, mixtures, alphas
        self.splits, self.intercept = splits, intercept
        self.dual = x.shape[1] >= x.shape[0]
        self.grams = [gram(self.x[:, band]) for band in bands] if self.dual else []

    def alphas_of_user(self) -> np.ndarray:
        return self.alphas  # of scaled features: no units

    def _ridge(self, mixture: np.ndarray) -> Any:
        if self.dual:
            kernel = sum(g * k for g, k in zip(mixture, self.grams))
            return DualRidge(kernel, self.alphas, self.splits, intercept=self.intercept, dtype=self.x.dtype)
        return PrimalRidge(
            self.x * self._roots(mixture),
            self.alphas,
            self.splits,
            intercept=self.intercept,
            dtype=self.x.dtype,
        )

    def _roots(self, mixture: np.ndarray) -> np.ndarray:
        out = np.zeros(self.x.shape[1], self.x.dtype)
        for g, band in zip(mixture, self.bands):
            out[band] = np.sqrt(g)
        return out

    def _solve(self, y: np.ndarray) -> Solution:
        t = y.shape[1]
        least = np.full(t, np.inf)
        alpha, spread, index = np.ones(t), np.zeros(t), np.zeros(t, np.int64)
        mixture = np.tile(self.mixtures[0][:, None], (1, t))
        coef = np.zeros((len(y) if self.dual else self.x.shape[1], t), self.x.dtype)
        scores = np.full((len(self.mixtures), t), np.nan)
        for k, g in enumerate(self.mixtures):
            ridge = self._ridge(g)
            found = ridge.solve(y)
            error = found.errors.min(axis=0) if self.alphas.size > 1 else np.full(t, -1.0 * (k == 0))
            scores[k] = held_out_r2(error, found.total)
            better = np.flatnonzero(error < least)
            if not better.size:
                continue
            least[better] = error[better]
            mixture[:, better] = g[:, None]
            alpha[better], spread[better], index[better] = (
                v[better] for v in (found.alpha, found.spread, found.index)
            )
            weights = found.weights[:, better]
            coef[:, better] = (
                ridge.u @ weights if self.dual else self._roots(g)[:, None] * (ridge.v @ weights)
            )
        mean = y.mean(axis=0, dtype=np.float64) if self.intercept else np.zeros(t)
        return Solution(mean, spread, alpha, at_edge(index, self.alphas.size), scores, _Found(mixture, coef))

    def _operator(self, x: np.ndarray) -> list[np.ndarray]:
        z = ((x - self.mean) / self.scale).astype(self.x.dtype, copy=False)
        if self.dual:
            return [z[:, band] @ self.x[:, band].T for band in self.bands]
        return [z[:, band] for band in self.bands]

    def _predict(self, operator: list[np.ndarray], solution: Solution) -> np.ndarray:
        return sum(self._parts(operator, solution))  # type: ignore[return-value]

    def parts(self, operator: list[np.ndarray], solution: Solution) -> list[np.ndarray]:
        """What each band adds to the prediction, (m, t) each."""
        return [part * solution.size for part in self._parts(operator, solution)]

    def _parts(self, operator: list[np.ndarray], solution: Solution) -> list[np.ndarray]:
        found: _Found = solution.inner
        if self.dual:
            return [k @ (g.astype(k.dtype) * found.coef) for k, g in zip(operator, found.mixture)]
        return [z @ found.coef[band] for z, band in zip(operator, self.bands)]

    def coef(self, solution: Solution) -> np.ndarray:
        found: _Found = solution.inner
        out = np.empty((self.x.shape[1], found.coef.shape[1]))
        for band, g in zip(self.bands, found.mixture):
            out[band] = g * (self.x[:, band].T @ found.coef) if self.dual else found.coef[band]
        return out / self.scale[:, None]


class BandedRidgeCV(Linear, Penalised):
    """Ridge regression with one penalty per band of features and per target.

    w_u = argmin ||y_u - sum_b X_b w_b||^2 + sum_b (alpha_u / g_bu) ||w_b||^2, each band divided by the root mean
    squared length of its centred rows, g_u on the simplex. Mixtures g are drawn from Dirichlet distributions; every
    mixture is tried with every penalty, and each target keeps the pair with the least held-out squared error.

    Parameters
    ----------
    bands : sizes of consecutive bands, e.g. [300, 50], or lists of columns; None = one band, that is `RidgeCV`.
    n_iter : number of mixtures (the first is the equal one), or the mixtures themselves (n_iter, bands).
    concentration : of the Dirichlet distributions, used in turn; below 1 favours few bands.
    alphas : relative to the mean squared length of a row of the scaled features; None = 1e-5 ... 1e4.
    cv, fit_intercept : see `RidgeCV`.   rng : seed of the mixtures.

    Attributes
    ----------
    alpha_ : (t,).   mixture_ : (bands, t) g, sums to 1.   cv_scores_ : (mixtures, t) held-out R2 with the best
    penalty.   coef_ : (t, p).   intercept_ : (t,).

    References
    ----------
    Nunez-Elizalde, Huth & Gallant (2019); Dupre la Tour, Eickenberg, Nunez-Elizalde & Gallant (2022).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(80, 30))
    >>> model = cs.models.BandedRidgeCV([20, 10], n_iter=20, rng=0).fit(X, X[:, :20] @ rng.normal(size=(20, 1)))
    >>> bool(model.mixture_[0, 0] > 0.9)
    True
    """

    def __init__(
        self,
        bands: Sequence[Any] | None = None,
        *,
        n_iter: Any = 100,
        concentration: Sequence[float] = (0.1, 1.0),
        alphas: Sequence[float] | None = None,
        cv: Any = 5,
        fit_intercept: bool = True,
        rng: Any = 0,
    ) -> None:
        self.bands = bands
        self.n_iter = n_iter
        self.concentration = concentration
        self.alphas = alphas
        self.cv = cv
        self.fit_intercept = fit_intercept
        self.rng = rng

    def _prepare(self, x: np.ndarray, splits: list[Split], size: float) -> Solver:
        alphas = check_alphas(self.alphas, "BandedRidgeCV")
        bands = columns_of(self.bands, x.shape[1], "BandedRidgeCV")
        grid = np.array(ALPHAS) if alphas is None else alphas
        return _Banded(x, bands, self._mixtures(len(bands)), grid, splits, self.fit_intercept)

    def _mixtures(self, bands: int) -> np.ndarray:
        if np.ndim(self.n_iter) == 2:
            given = np.asarray(self.n_iter, dtype=np.float64)
            if given.shape[1] != bands or (given < 0).any() or not np.allclose(given.sum(axis=1), 1):
                raise InputError(
                    f"BandedRidgeCV: mixtures must be (n_iter, {bands}), not negative, rows summing to 1; got "
                    f"shape {given.shape}.",
                    code="bad-parameter",
                )
            return given
        count = check_count(self.n_iter, name="n_iter", who="BandedRidgeCV", minimum=1)
        if bands == 1:
            return np.ones((1, 1))
        rng = resolve_seed(self.rng, who="BandedRidgeCV").stream("mixtures")
        drawn = [
            rng.dirichlet(np.full(bands, self.concentration[k % len(self.concentration)]))
            for k in range(count - 1)
        ]
        return np.stack([np.full(bands, 1.0 / bands), *drawn])

    def _store(self, solver: Any, solution: Solution) -> None:
        super()._store(solver, solution)
        self.mixture_ = self._own(solution.inner.mixture)


def columns_of(bands: Sequence[Any] | None, p: int, who: str, *, name: str = "bands") -> list[np.ndarray]:
    """Columns of each band; they must cover all ``p`` once. name : of the parameter, for errors."""
    if bands is None:
        return [np.arange(p)]
    try:
        listed = list(bands)
        if all(isinstance(b, (int, np.integer)) for b in listed):
            ends = np.cumsum(listed)
            out = [np.arange(end - size, end) for end, size in zip(ends, listed)]
        else:
            out = [np.asarray(b, dtype=np.int64).ravel() for b in listed]
        whole = np.sort(np.concatenate(out))
    except (TypeError, ValueError):
        whole, out = np.empty(0), []
    if whole.size != p or (whole != np.arange(p)).any() or any(b.size == 0 for b in out):
        raise InputError(
            f"{who}: {name} must be sizes that add up to the {p} features, or lists of columns that hold each once; "
            f"got {shorten(bands)}.",
            code="bad-parameter",
        )
    return out
