"""Canonical correlation analysis and SVCCA, in-sample and held out."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from consilience._core._arrays import Array, array_namespace, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience.linalg import centre_columns, ledoit_wolf, principal_scores, to_safe_size
from consilience.measures._cka import warn_null
from consilience.measures._contract import Claims, PredictionParts, Predictions, SubsampleParts, measure
from consilience.measures._door import two_systems
from consilience.measures._held_out import held_out_score, scores

__all__ = ["cca", "cca_held_out", "svcca", "svcca_held_out"]

_INVARIANT_CCA = frozenset({"translation", "scaling", "rotation", "permutation", "unit_scaling", "affine"})
_INVARIANT_SVCCA = frozenset({"translation", "scaling", "rotation", "permutation"})
_FEWEST = 8  # stimuli for the held-out forms


@functools.lru_cache(maxsize=1024)
def cca_null(n: int, p: int, q: int) -> float:
    """Expected mean canonical correlation of independent Gaussian data: the mean of sqrt(x) under the limit
    law of Wachter (1980).

    With a = p/(n-1), b = q/(n-1): density sqrt((h - x)(x - l)) / (2 pi min(a, b) x (1 - x)) on l, h = a + b
    - 2ab -+ 2 sqrt(ab(1-a)(1-b)),
    and, where a + b > 1, a share (a + b - 1)/min(a, b) that is exactly 1. The mean of x is max(p, q)/(n-1).
    """
    a, b = min(p / (n - 1), 1.0), min(q / (n - 1), 1.0)
    if max(a, b) >= 1.0:
        return 1.0
    middle, half = a + b - 2 * a * b, 2 * np.sqrt(a * b * (1 - a) * (1 - b))
    nodes, weights = _nodes()
    angle = (nodes + 1) * np.pi / 2
    x = np.clip(middle + half * np.cos(angle), 1e-300, 1 - 1e-15)
    density = (half * np.sin(angle)) ** 2 / (2 * np.pi * min(a, b) * x * (1 - x)) * (np.pi / 2)
    atom = max(0.0, (a + b - 1) / min(a, b))
    return float(min(1.0, atom + np.sum(weights * density * np.sqrt(x))))


@functools.cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(400)


def _squared_null(n: int, p: int, q: int) -> float:
    return min(1.0, max(p, q) / (n - 1))


def _bases(x: Array, regularization: float) -> Array:
    """Whitened scores (n, rank): columns orthonormal without regularisation, shrunk with it."""
    xp = array_namespace(x)
    z = principal_scores(centre_columns(to_safe_size(x)))
    values = xp.sum(z * z, axis=0)
    if values.shape[0] == 0:
        raise InputError(
            "cca: a system has the same pattern for all stimuli, so there is nothing to correlate.",
            code="no-structure",
        )
    penalty = regularization * xp.mean(values)
    return z / xp.sqrt((1 - regularization) * values + penalty)[None, :]


def _mean_correlation(x: Array, y: Array) -> Array:
    xp = array_namespace(x, y)
    return xp.mean(xp.clip(xp.linalg.svdvals(x.T @ y), 0.0, 1.0))


def _whiten_numpy(z: np.ndarray, regularization: float = 0.0) -> np.ndarray:
    return np.asarray(_bases(z, regularization))


def _cca_claims(*, regularization: float = 0.0) -> Claims:
    return Claims(
        label="mean canonical correlation (in-sample)",
        range=(0.0, 1.0),
        itself=1.0 if regularization == 0 else None,
        symmetric=True,
        invariant=_INVARIANT_CCA if regularization == 0 else _INVARIANT_SVCCA,
        null=cca_null if regularization == 0 else lambda n, p, q: float("nan"),
        null_text="mean squared value max(p, q)/(n-1); 1 once max(p, q) >= n-1",
        inflation=_squared_null if regularization == 0 else None,
        resample="subsample",
        held_out="cca_held_out",
        references=("hotelling1936relations",),
        method=(
            "The canonical correlations of the two systems were computed on all stimuli and averaged "
            "(in-sample: inflated when units are many)."
        ),
    )


def _check_regularization(regularization: float, who: str) -> None:
    check_number(regularization, name="regularization", who=who, low=0.0, high=1.0 - 1e-12, closed=True)


def _cca_parts(*, regularization: float = 0.0) -> SubsampleParts:
    _check_regularization(regularization, "cca")
    return SubsampleParts(
        scores,
        lambda x, y: float(
            _mean_correlation(_whiten_numpy(x, regularization), _whiten_numpy(y, regularization))
        ),
    )


@measure(claims=_cca_claims, parts=_cca_parts)
def cca(x: Array, y: Array, /, *, regularization: float = 0.0) -> Array:
    """Mean canonical correlation, in-sample: how much of two systems is shared up to any linear
    transformation.

    value = mean over k = min(rank x, rank y) of the singular values of Sxx^-1/2 Sxy Syy^-1/2, S the
    covariances of the centred data; with
    regularization c: Sxx replaced by (1 - c) Sxx + c m I, m its mean eigenvalue over its rank. Independent
    data of full rank give a mean *squared*
    value of max(p, q)/(n-1), and exactly 1 once max(p, q) >= n - 1: use `cca_held_out` there (as
    `cs.compare` does).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    regularization : c in [0, 1).

    Returns
    -------
    0-d array of the library of ``x``, in [0, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation.
    ConsilienceWarning ``null-not-zero`` : max(p, q)/(n-1) > 0.1.

    References
    ----------
    Hotelling (1936).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 3))
    >>> float(cs.measures.cca(x, x @ rng.normal(size=(3, 3))).round(6))
    1.0
    """
    who = "cca"
    check_number(regularization, name="regularization", who=who, low=0.0, high=1.0 - 1e-12, closed=True)
    x, y = two_systems(x, y, who=who)
    warn_null(
        _cca_claims(regularization=regularization),
        x.shape[0],
        x.shape[1],
        y.shape[1],
        "cs.measures.cca_held_out",
    )
    return _mean_correlation(_bases(x, regularization), _bases(y, regularization))


# -- held out


class _CanonicalPlan:
    """Canonical directions fitted on the training stimuli of each fold, both sides projected on the test
    stimuli.
    """

    def __init__(self, x: np.ndarray, folds: list[np.ndarray], whiten: Any) -> None:
        self.whiten, self.folds, self.n = whiten, folds, x.shape[0]
        self.rank = x.shape[1]
        self.sides = [self._side(x, test) for test in folds]

    def _side(self, z: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        train = np.setdiff1d(np.arange(self.n), test)
        mean = z[train].mean(axis=0)
        inside = z[train] - mean
        w = self.whiten(inside)
        return inside @ w, (z[test] - mean) @ w

    def predict(self, y: np.ndarray) -> Predictions:
        pieces = []
        for (x_in, x_out), test in zip(self.sides, self.folds):
            y_in, y_out = self._side(y, test)
            u, _, vt = np.linalg.svd(x_in.T @ y_in, full_matrices=False)
            k = min(self.rank, y.shape[1], u.shape[1], x_in.shape[0] - 1)
            a, b = x_out @ u[:, :k], y_out @ vt[:k].T
            # each fold in units of its own training spread, so that folds can be pooled
            a = a / np.maximum(np.linalg.norm(x_in @ u[:, :k], axis=0), 1e-300)
            b = b / np.maximum(np.linalg.norm(y_in @ vt[:k].T, axis=0), 1e-300)
            pieces.append((test, a, b))
        k = min(a.shape[1] for _, a, _ in pieces)
        top, left, right = (np.zeros((self.n, k)) for _ in range(3))
        for test, a, b in pieces:
            top[test], left[test], right[test] = a[:, :k] * b[:, :k], a[:, :k] ** 2, b[:, :k] ** 2
        return Predictions(top, left, right)


def _whitener(regularization: float | None) -> Any:
    def whiten(z: np.ndarray) -> np.ndarray:
        if regularization is None:
            covariance = ledoit_wolf(z)[0]
        else:
            covariance = z.T @ z / z.shape[0]
            mean = np.trace(covariance) / max(1, min(z.shape[1], z.shape[0] - 1))
            covariance = (1 - regularization) * covariance + regularization * mean * np.eye(z.shape[1])
        values, vectors = np.linalg.eigh(covariance)
        keep = values > values[-1] * 1e-12
        return vectors[:, keep] / np.sqrt(values[keep])

    return whiten


def _truncated_whitener(threshold: float, k: int | None) -> Any:
    def whiten(z: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(z.T @ z / z.shape[0])
        values, vectors = values[::-1], vectors[:, ::-1]
        keep = _kept(values, threshold, k)
        return vectors[:, :keep] / np.sqrt(values[:keep])

    return whiten


def _kept(values: np.ndarray, threshold: float, k: int | None) -> int:
    """How many components: ``k``, or the fewest that hold ``threshold`` of the variance; never those at
    rounding level.
    """
    rank = int(np.sum(values > values[0] * 1e-12))
    if k is not None:
        return min(k, rank)
    share = np.cumsum(values) / values.sum()
    return min(rank, int(np.searchsorted(share, threshold - 1e-12) + 1))


def _cca_held_out_claims(
    *, regularization: float | None = None, folds: int = 5, groups: Any = None, rng: Any = 0
) -> Claims:
    return Claims(
        label="mean canonical correlation (held out)",
        range=(-1.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=_INVARIANT_SVCCA,
        resample="predictions",
        min_stimuli=_FEWEST,
        converts=True,
        references=("hotelling1936relations", "ledoit2004well"),
        method=(
            "Canonical directions (covariances shrunk by Ledoit-Wolf) were fitted with the stimuli of a "
            "fold held out; "
            "the correlations of the held-out projections were averaged over components."
        ),
    )


def _cca_held_out_parts(
    *, regularization: float | None = None, folds: int = 5, groups: Any = None, rng: Any = 0
) -> PredictionParts:
    if regularization is not None:
        _check_regularization(regularization, "cca_held_out")
    check_count(folds, name="folds", who="cca_held_out", minimum=2)
    return PredictionParts(
        scores, lambda x, tests, owner: _CanonicalPlan(x, tests, _whitener(regularization)), folds=folds
    )


@measure(claims=_cca_held_out_claims, parts=_cca_held_out_parts)
def cca_held_out(
    x: Array,
    y: Array,
    /,
    *,
    regularization: float | None = None,
    folds: int = 5,
    groups: Any = None,
    rng: Any = 0,
) -> Array:
    """Mean canonical correlation on stimuli held out: 0 for unrelated systems, however many units.

    Directions are fitted on the training stimuli of each fold; value = mean over min(p, q, n_train - 1)
    components of the correlation of both
    sides' projections of the held-out stimuli (deviations from the training mean, each fold in units of its
    training spread).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    regularization : c in [0, 1) as in `cca`; None = Ledoit-Wolf shrinkage of each side's training
        covariance (then the value is no longer
        exactly invariant to affine transformations).
    folds : number of folds.   groups : n labels never split.   rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds.

    References
    ----------
    Hotelling (1936); Ledoit & Wolf (2004).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> float(cs.measures.cca_held_out(x, x)) > 0.99
    True
    """
    if regularization is not None:
        check_number(
            regularization, name="regularization", who="cca_held_out", low=0.0, high=1.0 - 1e-12, closed=True
        )
    parts = _cca_held_out_parts(regularization=regularization)
    who = "cca_held_out"
    return held_out_score(x, y, parts, groups=groups, folds=folds, rng=rng, who=who, fewest=_FEWEST)


# -- SVCCA -------------------------------------------------------------------------------------------------
# ----------


def _check_truncation(threshold: float, k: int | None, who: str) -> None:
    check_number(threshold, name="threshold", who=who, low=1e-9, high=1.0, closed=True)
    if k is not None:
        check_count(k, name="k", who=who, minimum=1)


def _truncate(x: Array, threshold: float, k: int | None) -> Array:
    xp = array_namespace(x)
    z = principal_scores(centre_columns(to_safe_size(x)))
    if z.shape[1] == 0:
        raise InputError(
            "svcca: a system has the same pattern for all stimuli, so there is nothing to correlate.",
            code="no-structure",
        )
    values = to_numpy(xp.sum(z * z, axis=0))
    return z[:, : _kept(values, threshold, k)]


@functools.lru_cache(maxsize=1024)
def _kept_of_white(n: int, p: int, threshold: float, k: int | None) -> int:
    """How many components are kept of white data (n, p): from the limit law of the eigenvalues of its
    covariance (Marchenko & Pastur 1967).
    """
    rank = min(p, n - 1)
    if k is not None or threshold >= 1 or rank == 1:
        return min(rank, k or rank)
    c = p / (n - 1)
    low, high = (1 - np.sqrt(c)) ** 2, (1 + np.sqrt(c)) ** 2
    angle = (np.arange(2000) + 0.5) * np.pi / 2000  # from the largest eigenvalue down
    x = (low + high) / 2 + (high - low) / 2 * np.cos(angle)
    density = np.sin(angle) ** 2 / x
    inside = np.cumsum(density * x) / np.sum(density * x) < threshold
    return min(rank, int(np.ceil(rank * np.sum(density[inside]) / np.sum(density))))


def _svcca_claims(*, threshold: float = 0.99, k: int | None = None) -> Claims:
    def kept(n: int, units: int) -> int:
        return _kept_of_white(n, units, threshold, k)

    return Claims(
        label="SVCCA (in-sample)",
        range=(0.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=_INVARIANT_SVCCA,
        null=lambda n, p, q: cca_null(n, kept(n, p), kept(n, q)),
        null_text="that of CCA between the components kept, their number that of white data",
        inflation=lambda n, p, q: _squared_null(n, kept(n, p), kept(n, q)),
        resample="subsample",
        held_out="svcca_held_out",
        references=("raghu2017svcca", "hotelling1936relations"),
        method=(
            "Each system was reduced to its leading principal components and the mean canonical correlation "
            "taken (SVCCA, in-sample: inflated when components are many)."
        ),
    )


def _svcca_parts(*, threshold: float = 0.99, k: int | None = None) -> SubsampleParts:
    _check_truncation(threshold, k, "svcca")

    def value(x: np.ndarray, y: np.ndarray) -> float:
        return float(
            _mean_correlation(
                _whiten_numpy(_truncate(x, threshold, k)), _whiten_numpy(_truncate(y, threshold, k))
            )
        )

    return SubsampleParts(scores, value)


@measure(claims=_svcca_claims, parts=_svcca_parts)
def svcca(x: Array, y: Array, /, *, threshold: float = 0.99, k: int | None = None) -> Array:
    """SVCCA, in-sample: mean canonical correlation between the leading principal components of two systems.

    Each centred system is reduced to the fewest principal components that hold ``threshold`` of its
    variance (or to ``k``); the value is the mean
    canonical correlation between them, over the smaller number of components. (Elsewhere "SVCCA" also
    means: a fixed 20 components, a threshold on
    singular values instead of variance, or the mean over only the correlations that hold 98 %.)

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    threshold : share of variance kept, in (0, 1].   k : number of components kept instead.

    Returns
    -------
    0-d array of the library of ``x``, in [0, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation.
    ConsilienceWarning ``null-not-zero`` : components kept / (n-1) > 0.1, so unrelated data would score
    high; use `svcca_held_out`.

    References
    ----------
    Raghu et al. (2017).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> float(cs.measures.svcca(x, 2 * x[:, ::-1]).round(6))
    1.0
    """
    who = "svcca"
    _check_truncation(threshold, k, who)
    x, y = two_systems(x, y, who=who)
    a, b = _truncate(x, threshold, k), _truncate(y, threshold, k)
    warn_null(_svcca_claims(threshold=1.0), x.shape[0], a.shape[1], b.shape[1], "cs.measures.svcca_held_out")
    return _mean_correlation(_bases(a, 0.0), _bases(b, 0.0))


def _svcca_held_out_claims(
    *, threshold: float = 0.99, k: int | None = None, folds: int = 5, groups: Any = None, rng: Any = 0
) -> Claims:
    return Claims(
        label="SVCCA (held out)",
        range=(-1.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=_INVARIANT_SVCCA,
        resample="predictions",
        min_stimuli=_FEWEST,
        converts=True,
        references=("raghu2017svcca", "hotelling1936relations"),
        method=(
            "Each system was reduced to its leading principal components and canonical directions were "
            "fitted between them (SVCCA), with the stimuli "
            "of a fold held out; the correlations of the held-out projections were averaged over components."
        ),
    )


def _svcca_held_out_parts(
    *, threshold: float = 0.99, k: int | None = None, folds: int = 5, groups: Any = None, rng: Any = 0
) -> PredictionParts:
    _check_truncation(threshold, k, "svcca_held_out")
    check_count(folds, name="folds", who="svcca_held_out", minimum=2)
    return PredictionParts(
        scores,
        lambda x, tests, owner: _CanonicalPlan(x, tests, _truncated_whitener(threshold, k)),
        folds=folds,
    )


@measure(claims=_svcca_held_out_claims, parts=_svcca_held_out_parts)
def svcca_held_out(
    x: Array,
    y: Array,
    /,
    *,
    threshold: float = 0.99,
    k: int | None = None,
    folds: int = 5,
    groups: Any = None,
    rng: Any = 0,
) -> Array:
    """SVCCA on stimuli held out: components and canonical directions from the training stimuli,
    correlations from the others.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    threshold, k : components kept, as in `svcca`, counted in the training stimuli of each fold.
    folds : number of folds.   groups : n labels never split.   rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike; 0 for unrelated systems.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds.

    References
    ----------
    Raghu et al. (2017).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> float(cs.measures.svcca_held_out(x, x)) > 0.99
    True
    """
    _check_truncation(threshold, k, "svcca_held_out")
    parts = _svcca_held_out_parts(threshold=threshold, k=k)
    who = "svcca_held_out"
    return held_out_score(x, y, parts, groups=groups, folds=folds, rng=rng, who=who, fewest=_FEWEST)
