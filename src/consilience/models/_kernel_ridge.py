"""Kernel ridge regression of many targets, with an intercept, each with its own penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number, check_option
from consilience.linalg import DualRidge
from consilience.models._base import Penalised, Solver, Split, check_alphas, in_units
from consilience.models._ridge import RidgeOf, relative

__all__ = ["KernelRidgeCV"]


_TIMES = {"linear": 2, "precomputed": 1}  # powers of the size of X in the kernel


@dataclass(frozen=True)
class Kernel:
    name: str
    options: dict[str, Any]

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(rows of a, rows of b); a given kernel is its own rows."""
        if self.name == "precomputed":
            return a
        return np.asarray(pairwise_kernels(a, b, metric=self.name, **self.options))


class _KernelRidge(RidgeOf):
    def __init__(self, x: np.ndarray, kernel: Kernel, alphas: Any, splits: list[Split], model: Any) -> None:
        self.x, self.kernel, self.times = x, kernel, _TIMES.get(kernel.name, 0)
        own = kernel(x, x)
        whole = np.asarray(own, dtype=np.float64)
        if alphas is None:
            alphas = relative(float(np.trace(whole) / len(x) - model.fit_intercept * whole.mean()))
        ridge = DualRidge(whole, alphas, splits, intercept=model.fit_intercept, dtype=own.dtype)
        super().__init__(ridge, model.per_target)

    def _operator(self, x: np.ndarray) -> np.ndarray:
        return self.ridge.operator(self.kernel(x, self.x))


class KernelRidgeCV(Penalised):
    """Kernel ridge regression, the penalty of each target chosen by cross-validation.

    f_u(x) = b_u + sum_i a_iu k(x, x_i), with (K + alpha_u I) a_u = y_u in the space centred on the training rows;
    alpha_u as in `RidgeCV`. One eigendecomposition of the kernel serves all folds, penalties and targets.

    Parameters
    ----------
    kernel : "linear", "rbf" exp(-gamma ||x - z||^2), "poly" (gamma x.z + coef0)^degree, "precomputed" (X is
        then the kernel: (n, n) in `fit`, (new, n) in `predict`).
    gamma : None = 1 / (p var(X)), var over all entries.   degree, coef0 : of "poly".
    alphas, per_target, cv, fit_intercept : see `RidgeCV`; alphas None is relative to the centred kernel.

    Attributes
    ----------
    alpha_ : (t,).   cv_scores_ : (alphas, t).   alphas_ : the grid.   dual_coef_ : (n, t).

    References
    ----------
    Saunders, Gammerman & Vovk (1998).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> X = np.random.default_rng(0).uniform(-2, 2, size=(120, 1))
    >>> model = cs.models.KernelRidgeCV("rbf").fit(X[:100], np.sin(2 * X[:100]))
    >>> bool(model.score(X[100:], np.sin(2 * X[100:])) > 0.95)
    True
    """

    def __init__(
        self,
        kernel: Literal["linear", "rbf", "poly", "precomputed"] = "rbf",
        *,
        gamma: float | None = None,
        degree: int = 3,
        coef0: float = 1.0,
        alphas: Sequence[float] | None = None,
        per_target: bool = True,
        cv: Any = 5,
        fit_intercept: bool = True,
    ) -> None:
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.alphas = alphas
        self.per_target = per_target
        self.cv = cv
        self.fit_intercept = fit_intercept

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def _prepare(self, x: np.ndarray, splits: list[Split], size: float) -> Solver:
        check_option(
            self.kernel, ["linear", "rbf", "poly", "precomputed"], name="kernel", who="KernelRidgeCV"
        )
        if self.kernel == "precomputed" and x.shape[0] != x.shape[1]:
            raise InputError(
                f"KernelRidgeCV: kernel='precomputed' needs a square matrix in fit, got {x.shape}.",
                code="bad-parameter",
            )
        if self.gamma is None:
            variance = float(np.var(x, dtype=np.float64))
            gamma = 1.0 / (x.shape[1] * (variance if variance > 0 else 1.0))
        else:
            gamma = check_number(self.gamma, name="gamma", who="KernelRidgeCV", low=0.0)
            given, gamma = (
                gamma,
                float(in_units(np.array(gamma), size, 2)),
            )  # gamma x.z, gamma |x - z|^2 as given
            if self.kernel in ("rbf", "poly") and not 0 < gamma < np.inf:
                raise InputError(
                    f"KernelRidgeCV: gamma={given} times squared X, whose largest entry is about {size:.1g}, is no "
                    "float64; multiply X by a power of ten, or leave gamma out.",
                    code="out-of-range",
                )
        check_count(self.degree, name="degree", who="KernelRidgeCV", minimum=1)
        check_number(self.coef0, name="coef0", who="KernelRidgeCV")
        options = {
            "rbf": {"gamma": gamma},
            "poly": {"gamma": gamma, "degree": self.degree, "coef0": self.coef0},
        }
        kernel = Kernel(self.kernel, options.get(self.kernel, {}))
        alphas = check_alphas(self.alphas, "KernelRidgeCV", size, _TIMES.get(self.kernel, 0))
        return _KernelRidge(x, kernel, alphas, splits, self)

    @property
    def dual_coef_(self) -> np.ndarray:
        check_is_fitted(self, "_solution")
        solver, found = self._solver, self._solution
        dual = in_units(solver.ridge.dual(found.inner) * found.size, solver.size, -solver.times)
        return dual[:, 0] if self._flat else dual
