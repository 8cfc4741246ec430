"""Where EM of a linear dynamical system starts: the likeliest of some starts after a few steps of each."""

from __future__ import annotations

import numpy as np

from consilience.models._factor_newton import fit_factors
from consilience.models._lds_em import Climbed, climb
from consilience.models._lds_smooth import System
from consilience.models._lds_subspace import Lagged, subspace
from consilience.models._trials import Trials

__all__ = ["best_start", "static"]

_STABLE = 0.99
_TRIED = 10  # steps of EM from each start


def static(lagged: Lagged, k: int, *, lowest: float) -> System:
    """Factor analysis first, dynamics after it. C and R are those of k factors of the covariance of lag 0, states of
    covariance I; A is the covariance of the states at lag 1, C+ S_1 C+' with C+ = (C' R^-1 C)^-1 C' R^-1, which noise
    of units that is independent in time does not bias; Q = I - A A', made positive. Unlike `subspace` it has nothing of
    lags above 1, and knows states without memory.
    """
    now, later = lagged.covariances[0], lagged.covariances[1]
    values, vectors = np.linalg.eigh((now + now.T) / 2)
    if values[0] < 1e-6:  # pairs of values seen in different bins need not make a covariance
        now = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    found = fit_factors(now, [k], lowest=max(lowest, 0.02), tol=1e-4)[0]
    told = found.loadings / found.noise  # C' R^-1
    inner = told @ found.loadings.T
    weights = np.linalg.pinv(inner, rcond=1e-8, hermitian=True) @ told
    a = weights @ later @ weights.T
    left, size, right = np.linalg.svd(a)
    a = (left * np.minimum(size, _STABLE)) @ right  # so that Q, of states of covariance I, is positive
    q = np.eye(k) - a @ a.T
    scale = lagged.scale
    return System(
        a,
        (q + q.T) / 2,
        found.loadings.T * scale[:, None],
        lagged.mean,
        found.noise * scale**2,
        np.zeros(k),
        np.eye(k),
    )


def best_start(
    trials: Trials,
    lagged: Lagged,
    k: int,
    *,
    lowest: float,
    floor: np.ndarray,
    free: bool,
    max_iter: int,
    tol: float,
) -> Climbed:
    """`subspace` or `static`, the one that is likelier after a few steps of EM, as it is after them."""
    starts = [subspace(lagged, k, lowest=lowest)]
    if k < len(lagged.mean):  # as many factors as units are no factors
        starts.append(static(lagged, k, lowest=lowest))
    few = min(_TRIED, max_iter)
    ways = [climb(trials, s, lowest=floor, free=free, max_iter=few, tol=tol) for s in starts]
    return max(ways, key=lambda way: way.trace[-1])
