"""Conformance of mappings and canonical correlations: himalaya, scikit-learn, cca_zoo."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import block_diag, eigh
from scipy.spatial.distance import cdist, pdist
from sklearn.model_selection import KFold

import consilience as cs
from benchmarks._conformance_row import Row, two

__all__ = ["ROWS"]

HIMALAYA = ("himalaya.ridge", "himalaya.kernel_ridge")
EXACT = {"scale": False, "tol": 1e-14, "max_iter": 100_000}  # of PLSRegression


ALPHAS = 10.0 ** np.arange(-2, 5)
BANDS = (7, 5)


def _mapping(rng: np.random.Generator, centred: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (30, 12), four targets that are partly linear in it, new rows."""
    x = rng.normal(size=(30, 12))
    y = x[:, :4] @ rng.normal(size=(4, 4)) + 2 * rng.normal(size=(30, 4))
    if centred:
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return x, y, rng.normal(size=(9, 12))


def _ridge_himalaya(alphas: Any) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        x, y, new = _mapping(rng)
        theirs = modules[0].RidgeCV(alphas=alphas, cv=KFold(5), fit_intercept=True).fit(x, y)
        return cs.models.RidgeCV(alphas).fit(x, y).predict(new), theirs.predict(new)

    return pair


def _kernel_ridge(alphas: Any) -> Any:
    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        x, y, new = _mapping(rng, centred=True)
        options = {"kernel": "rbf", "kernel_params": {"gamma": 0.05}}
        theirs = modules[1].KernelRidgeCV(alphas=alphas, cv=KFold(5), **options).fit(x, y)
        ours = cs.models.KernelRidgeCV("rbf", gamma=0.05, alphas=alphas, fit_intercept=False).fit(x, y)
        return ours.predict(new), theirs.predict(new)

    return pair


def _grouped(mixtures: int, alphas: Any) -> Any:
    """With intercept; ours divide each band by its size, theirs gets it divided."""

    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        x, y, new = _mapping(rng)
        group = np.repeat([0, 1], BANDS)
        size = np.array([np.sqrt(((z - z.mean(axis=0)) ** 2).sum() / len(z)) for z in (x[:, :7], x[:, 7:])])[
            group
        ]
        given = rng.dirichlet([1.0, 1.0], mixtures)
        options = {"n_iter": given, "alphas": np.asarray(alphas), "progress_bar": False}
        theirs = modules[0].GroupRidgeCV(groups=group, solver_params=options, cv=KFold(5), fit_intercept=True)
        ours = cs.models.BandedRidgeCV(list(BANDS), n_iter=given, alphas=alphas).fit(x, y)
        return ours.predict(new), theirs.fit(x / size, y).predict(new / size)

    return pair


def _multiple(mixtures: int, alphas: Any) -> Any:
    """Without intercept, in the kernel form."""

    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        x, y, new = _mapping(rng, centred=True)
        parts = [slice(0, 7), slice(7, None)]
        size = [np.sqrt((x[:, k] ** 2).sum() / len(x)) for k in parts]
        kernels, of_new = (
            np.stack([(z[:, k] / s) @ (x[:, k] / s).T for k, s in zip(parts, size)]) for z in (x, new)
        )
        given = rng.dirichlet([1.0, 1.0], mixtures)
        options = {"n_iter": given, "alphas": np.asarray(alphas), "progress_bar": False}
        theirs = modules[1].MultipleKernelRidgeCV(kernels="precomputed", solver_params=options, cv=KFold(5))
        ours = cs.models.BandedRidgeCV(list(BANDS), n_iter=given, alphas=alphas, fit_intercept=False).fit(
            x, y
        )
        return ours.predict(new), theirs.fit(kernels, y).predict(of_new)

    return pair


def _ridge_sklearn(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y, new = _mapping(rng)
    return cs.models.RidgeCV([7.0]).fit(x, y).predict(new), modules[0].Ridge(7.0).fit(x, y).predict(new)


def _pls(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y, new = _mapping(rng)
    theirs = modules[0].PLSRegression(3, **EXACT).fit(x, y).predict(new)
    return cs.models.PLSCV(3).fit(x, y).predict(new), theirs


def _pls_chosen(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    """The number of each target by its squared error over five folds."""
    x, y, new = _mapping(rng)
    grid = (1, 2, 3)
    models = [modules[0].PLSRegression(k, **EXACT) for k in grid]
    errors = [
        sum(((model.fit(x[a], y[a]).predict(x[b]) - y[b]) ** 2).sum(axis=0) for a, b in KFold(5).split(x))
        for model in models
    ]
    best = np.argmin(errors, axis=0)
    theirs = np.stack([model.fit(x, y).predict(new) for model in models])[best, :, np.arange(y.shape[1])].T
    return cs.models.PLSCV(grid).fit(x, y).predict(new), theirs


def _mean_correlation(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.mean([abs(np.corrcoef(u, v)[0, 1]) for u, v in zip(one.T, two.T)]))


def _cca_zoo(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = two(rng, 40, 5, 4)
    return cs.measures.cca(x, y), _mean_correlation(*modules[0].CCA(n_components=4).fit_transform([x, y]))


def _cca_sklearn(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    x, y = two(rng, 40, 5, 4)
    theirs = modules[0].CCA(4, max_iter=100000, tol=1e-14)
    return cs.measures.cca(x, y), _mean_correlation(*theirs.fit_transform(x, y))


def _ridge_cca(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
    """Scaled so that the mean variance is 1, where both shrink towards the same matrix; their correlations with the
    shrunk covariances below, which is what they maximise.
    """
    c = 0.3
    x, y = (z / np.sqrt(z.var(axis=0, ddof=1).mean()) for z in two(rng, 40, 5, 4))
    fitted = modules[0].RidgeCCA(n_components=4, shrinkage=c).fit([x, y])
    left, right = (np.asarray(w) for w in fitted.weights_)
    shrunk = [(1 - c) * np.cov(z.T) + c * np.eye(z.shape[1]) for z in (x, y)]
    cross = np.cov(x.T, y.T)[:5, 5:]
    below = [np.einsum("ik,ij,jk->k", w, m, w) for w, m in zip((left, right), shrunk)]
    theirs = np.abs(np.einsum("ik,ij,jk->k", left, cross, right)) / np.sqrt(below[0] * below[1])
    return cs.measures.cca(x, y, regularization=c), theirs.mean()


def _kernels(x: np.ndarray, kernel: str) -> np.ndarray:
    """As `kernel_cca` makes them: Gaussian of the median squared distance, or linear; (n, n)."""
    return (
        np.exp(-cdist(x, x, "sqeuclidean") / (2 * np.median(pdist(x, "sqeuclidean"))))
        if kernel == "rbf"
        else x @ x.T
    )


def _pooled(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Correlation about 0 of the held-out projections of all folds."""
    a, b = (np.concatenate(v) for v in zip(*pairs))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def _folds(rng: np.random.Generator) -> np.ndarray:
    """Groups that are the folds, whatever the deal."""
    return rng.permutation(np.repeat(np.arange(5), 8))


def _kcca_zoo(kernel: str) -> Any:
    """KCCA fitted to each fold's training stimuli; kernels scaled so that its trace is 1, where both shrink alike."""

    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        x, y = two(rng, 40, 3, 3)
        y[:, 0] += x[:, 0] ** 2
        groups, projected = _folds(rng), []
        for f in range(5):
            train, test = groups != f, groups == f
            options = []
            for z in (x, y):
                k = _kernels(z, kernel)[np.ix_(train, train)]
                scale = (train.sum() - 1) / (np.trace(k) - k.sum() / train.sum())
                width = 2 * np.median(pdist(z, "sqeuclidean"))
                options.append({"scale": scale, "width": width})
            model = modules[0].KCCA(
                1, shrinkage=0.1, kernel=_rbf if kernel == "rbf" else _linear, kernel_params=options
            )
            model.fit([x[train], y[train]])
            inside, outside = (
                [np.asarray(v)[:, 0] for v in model.transform([x[rows], y[rows]])] for rows in (train, test)
            )
            projected.append(tuple(v / np.linalg.norm(u) for u, v in zip(inside, outside)))
        return cs.measures.kernel_cca(x, y, kernel=kernel, groups=groups), _pooled(projected)  # type: ignore[arg-type]

    return pair


def _rbf(a: np.ndarray, b: np.ndarray, *, scale: float, width: float) -> float:
    return float(scale * np.exp(-np.sum((a - b) ** 2) / width))


def _linear(a: np.ndarray, b: np.ndarray, *, scale: float, width: float) -> float:
    return float(scale * (a @ b))


def _kcca_eigenproblem(kernel: str) -> Any:
    """The published generalised eigenproblem in dual coefficients, on the training stimuli of each fold."""

    def pair(rng: np.random.Generator, modules: tuple[Any, ...]) -> tuple[Any, Any]:
        x, y = two(rng, 40, 3, 3)
        y[:, 0] += x[:, 0] ** 2
        groups, projected, kappa = _folds(rng), [], 0.1
        for f in range(5):
            train, test = groups != f, groups == f
            n = int(train.sum())
            centre = np.eye(n) - 1 / n
            inside, outside, within = [], [], []
            for z in (x, y):
                k = _kernels(z, kernel)
                own = centre @ k[np.ix_(train, train)] @ centre
                away = (k[np.ix_(test, train)] - k[np.ix_(train, train)].mean(axis=0)) @ centre
                values, basis = eigh(own)
                basis = basis[:, values > 1e-10 * values[-1]]  # dual coefficients outside make no function
                inside.append(own @ basis)
                outside.append(away @ basis)
                norm = basis.T @ own @ basis
                within.append((1 - kappa) * inside[-1].T @ inside[-1] / n + kappa * np.trace(own) / n * norm)
            cross = inside[0].T @ inside[1] / n
            p, q = cross.shape
            between = np.block([[np.zeros((p, p)), cross], [cross.T, np.zeros((q, q))]])
            vector = eigh(between, block_diag(*within))[1][:, -1]
            weights = vector[:p], vector[p:]
            projected.append(
                tuple(o @ w / np.linalg.norm(i @ w) for i, o, w in zip(inside, outside, weights))
            )
        return cs.measures.kernel_cca(x, y, kernel=kernel, groups=groups), _pooled(projected)  # type: ignore[arg-type]

    return pair


SKLEARN_CCA = ("sklearn.cross_decomposition",)
ROWS = (
    Row("models.RidgeCV, one alpha", "himalaya RidgeCV", _ridge_himalaya([7.0]), HIMALAYA, 1e-8),
    Row("models.RidgeCV, alpha of each target in 5 folds", "himalaya RidgeCV", _ridge_himalaya(ALPHAS), HIMALAYA, 1e-8),
    Row("models.KernelRidgeCV, one alpha", "himalaya KernelRidgeCV", _kernel_ridge([7.0]), HIMALAYA, 1e-8),
    Row("models.KernelRidgeCV, alpha of each target in 5 folds", "himalaya KernelRidgeCV", _kernel_ridge(ALPHAS),
        HIMALAYA, 1e-8),
    Row("models.BandedRidgeCV, one mixture and alpha", "himalaya GroupRidgeCV", _grouped(1, [0.3]), HIMALAYA, 1e-8),
    Row("models.BandedRidgeCV, the same 10 mixtures, 7 alphas, 5 folds", "himalaya GroupRidgeCV", _grouped(10, ALPHAS),
        HIMALAYA, 1e-8),
    Row("models.BandedRidgeCV, one mixture and alpha", "himalaya MultipleKernelRidgeCV", _multiple(1, [0.3]), HIMALAYA,
        1e-8),
    Row("models.BandedRidgeCV, the same 10 mixtures, 7 alphas, 5 folds", "himalaya MultipleKernelRidgeCV",
        _multiple(10, ALPHAS), HIMALAYA, 1e-8),
    Row("models.RidgeCV, one alpha", "scikit-learn Ridge", _ridge_sklearn, ("sklearn.linear_model",), 1e-8),
    Row("models.PLSCV, 3 components", "scikit-learn PLSRegression", _pls, SKLEARN_CCA, 1e-6),
    Row("models.PLSCV, 1 to 3 components chosen in 5 folds", "scikit-learn PLSRegression", _pls_chosen, SKLEARN_CCA,
        1e-6),
    Row("cca", "cca_zoo CCA", _cca_zoo, ("cca_zoo.linear",), 1e-8),
    Row("cca(regularization=0.3), mean variance 1", "cca_zoo RidgeCCA(shrinkage=0.3)", _ridge_cca,
        ("cca_zoo.linear",), 1e-8),
    Row("cca", "scikit-learn CCA", _cca_sklearn, SKLEARN_CCA, 1e-6),
    *(
        Row(f"kernel_cca({kernel})", "cca_zoo KCCA fitted to each fold", _kcca_zoo(kernel), ("cca_zoo.nonparametric",),
            1e-6)
        for kernel in ("rbf", "linear")
    ),
    *(
        Row(f"kernel_cca({kernel})", "scipy eigh: the dual eigenproblem of each fold", _kcca_eigenproblem(kernel),
            ("scipy.linalg",), 1e-6)
        for kernel in ("rbf", "linear")
    ),
)  # fmt: skip
