"""Standard errors of GLM coefficients: Laplace's, and the sandwich over blocks of time."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["coefficient_spread"]

_ROWS = 4096


def coefficient_spread(
    x: np.ndarray,
    y: np.ndarray | None,
    mean: np.ndarray,
    fitted: Any,
    options: Any,
    alpha: np.ndarray,
    block: int | None,
    of: np.ndarray,
) -> np.ndarray:
    """(m, t) standard errors of ``of`` (m, p) times the slopes.

    With H = X' W X / n + alpha (constant unpenalised): sqrt diag phi H^-1 / n, or, given y, sqrt diag H^-1 V H^-1 / n,
    V = sum_b s_b s_b' / n, s_b the scores of block b summed, times b / (b - 1).
    """
    n, p = x.shape
    z = np.ones((n, p + options.intercept))
    z[:, :p] = x - mean
    theta = np.concatenate([fitted.coef, fitted.constant[None]]) if options.intercept else fitted.coef
    observation = options.observation(fitted.dispersion)
    eta = z @ theta
    weight = observation.weight(eta)
    phi = fitted.dispersion if options.name in ("gaussian", "gamma") else np.ones(fitted.dispersion.size)
    penalty = np.zeros(z.shape[1])
    penalty[:p] = 1.0
    out = np.empty((len(of), theta.shape[1]))
    residual, edges = None, np.zeros(1, np.int64)
    if y is not None:
        residual = observation.terms(eta, y)[1] - (y if observation.linear else 0.0)
        length = block if block is not None else int(np.ceil(n ** (1 / 3)))
        edges = np.arange(max(1, n // length)) * length
    for u in range(theta.shape[1]):
        hessian = np.diag(alpha[u] * penalty)
        for start in range(0, n, _ROWS):
            part = z[start : start + _ROWS]
            hessian += (part * weight[start : start + _ROWS, u, None]).T @ part / n
        inverse = np.linalg.pinv(hessian, hermitian=True)
        if residual is None:
            covariance = phi[u] * inverse / n
        else:
            scores = np.add.reduceat(z * residual[:, u, None], edges, axis=0)
            scores = scores - scores.mean(axis=0)
            correct = edges.size / max(1, edges.size - 1)
            covariance = inverse @ (scores.T @ scores) @ inverse * correct / n**2
        out[:, u] = np.sqrt(
            np.maximum(np.einsum("mp,pq,mq->m", of, covariance[:p, :p], of, optimize=True), 0.0)
        )
    return out
