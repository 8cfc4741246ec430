"""Standard errors of GLM coefficients: Laplace's, and the sandwich over blocks; which have no estimate."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.stats import DISCRETE

__all__ = ["coefficient_spread", "separated"]

_ROWS = 4096
_FLAT = 0.01  # of the curvature of the model of constant means
_SHIFT = 2.0  # of the linear predictor, at most, which a direction without an estimate
_FREE = 0.05  # takes for fewer nats than this
_RARE = (
    0.01  # events expected of the sample where they are rarest, times samples: more, and nothing is separated
)


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
    """(m, t) standard errors of ``of`` (m, p) times the slopes; NaN where the likelihood has no maximum (separation).

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
    axes = _axes(z) if options.name in DISCRETE else None
    for u in range(theta.shape[1]):
        hessian = np.zeros((z.shape[1], z.shape[1]))
        for start in range(0, n, _ROWS):
            part = z[start : start + _ROWS]
            hessian += (part * weight[start : start + _ROWS, u, None]).T @ part / n
        lost = (
            None
            if axes is None
            else _unbounded(z, eta[:, u], hessian, axes, options, fitted.dispersion[u], of)
        )
        hessian += np.diag(alpha[u] * penalty)
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
        if lost is not None:
            out[lost, u] = np.nan
    return out


def separated(x: np.ndarray, mean: np.ndarray, fitted: Any, options: Any) -> np.ndarray:
    """(p, t) slopes of which the likelihood has no maximum, as in `coefficient_spread`, looked for only in targets with
    means at the very end of their range.
    """
    p, t = fitted.coef.shape
    out = np.zeros((p, t), dtype=bool)
    if options.name not in DISCRETE:
        return out
    ends = _ends(x, fitted.coef.astype(x.dtype)) - mean @ fitted.coef + fitted.constant
    with np.errstate(over="ignore"):
        low, high = options.observation(fitted.dispersion).mean(ends)
    rarest = np.minimum(low, 1 - high) if options.name == "bernoulli" else low
    wanted = np.flatnonzero((rarest * len(x) < _RARE) & fitted.coef.any(axis=0))
    if not wanted.size:
        return out
    z = np.ones((len(x), p + options.intercept))
    z[:, :p] = x - mean
    eta = z[:, :p] @ fitted.coef + fitted.constant
    axes, each = _axes(z), np.eye(p)
    for u in wanted:
        weight = options.observation(fitted.dispersion[u]).weight(eta[:, [u]])
        hessian = (z * weight).T @ z / len(z)
        out[:, u] = _unbounded(z, eta[:, u], hessian, axes, options, fitted.dispersion[u], each)
    return out


def _ends(x: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """(2, t) the least and the largest of x coef; by blocks of rows, in the precision of x."""
    found = []
    for start in range(0, len(x), _ROWS):
        part = x[start : start + _ROWS] @ coef
        found.append((part.min(axis=0), part.max(axis=0)))
    low, high = zip(*found)
    return np.stack([np.min(low, axis=0), np.max(high, axis=0)]).astype(np.float64)


def _axes(z: np.ndarray) -> np.ndarray:
    """(q, r) a basis in which the second moments of z are the identity."""
    moment = np.zeros((z.shape[1], z.shape[1]))
    for start in range(0, len(z), _ROWS):
        part = z[start : start + _ROWS]
        moment += part.T @ part / len(z)
    size = np.sqrt(np.diag(moment))
    unit = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(moment / unit[:, None] / unit)
    kept = values > 1e-10 * max(float(values.max(initial=0.0)), 1e-300)
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]) / unit[:, None])


def _unbounded(
    z: np.ndarray,
    eta: np.ndarray,
    hessian: np.ndarray,
    axes: np.ndarray,
    options: Any,
    dispersion: float,
    of: np.ndarray,
) -> np.ndarray:
    """(m,) sums that the likelihood leaves open: they change along a direction of which it says next to nothing, as
    where a regressor goes with no event at all, or parts 0 from 1. No event in all: every sum.
    """
    observation = options.observation(dispersion)
    mu = observation.mean(eta)
    events = float(np.minimum(mu.sum(), (1 - mu).sum() if options.name == "bernoulli" else np.inf))
    if events < 0.75:
        return np.ones(len(of), bool)
    values, vectors = np.linalg.eigh(axes.T @ hessian @ axes)
    usual = float(observation.weight(observation.link(mu.mean(keepdims=True)))[0])
    flat = axes @ vectors[:, values < _FLAT * usual]
    lost = np.zeros(len(of), bool)
    for v in flat.T:
        along = z @ v
        v = v * (_SHIFT / np.abs(along).max())
        step = z @ v
        rise = [
            _loss(observation, eta + s * step, mu).sum() - _loss(observation, eta, mu).sum() for s in (-1, 1)
        ]
        if min(rise) < _FREE:
            slopes = v[: of.shape[1]]
            spread = np.sqrt((z[:, : of.shape[1]] ** 2).mean(axis=0))
            size = np.sqrt(((of / np.where(spread > 0, spread, 1.0)) ** 2).sum(axis=1))
            lost |= np.abs(of @ slopes) > 0.05 * size * np.abs(slopes * spread).max(initial=0.0)
    return lost


def _loss(observation: Any, eta: np.ndarray, y: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        loss = observation.terms(eta, y)[0]
    return np.asarray(loss - y * eta if observation.linear else loss)
