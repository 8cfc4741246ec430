"""Latents of a linear Gaussian model with independent noise, and its exact EM, with any entries missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience.models._trials import patterns_of

__all__ = [
    "Fitted",
    "Gaussian",
    "Posterior",
    "completed",
    "fit_masked",
    "left_out",
    "posterior",
    "regress",
    "rotated",
]

_BLOCK = 1 << 22


@dataclass(frozen=True)
class Gaussian:
    """x = mean + z W + e, z ~ N(0, I), e ~ N(0, diag(noise)): loadings W (k, p), mean (p,), noise (p,)."""

    loadings: np.ndarray
    mean: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True)
class Posterior:
    """mean : (n, k).   cov : (m, k, k), one for each pattern of missing values; of row t: cov[index[t]].
    log_likelihood : (n,) nats.
    """

    mean: np.ndarray
    cov: np.ndarray
    index: np.ndarray
    log_likelihood: np.ndarray


def posterior(
    data: np.ndarray,
    mask: np.ndarray | None,
    model: Gaussian,
    kinds: tuple[np.ndarray, np.ndarray] | None = None,
) -> Posterior:
    """Posterior of z given the values of each row. data : (n, p), missing values 0.   kinds : patterns of the mask."""
    w, k = model.loadings, len(model.loadings)
    rest = data - model.mean
    if mask is None:
        shown, index = np.ones((1, len(model.noise)), bool), np.zeros(len(data), np.int64)
    else:
        rest *= mask
        shown, index = patterns_of(mask) if kinds is None else kinds
    told = rest @ (w / model.noise).T  # (n, k)
    weights = shown / model.noise
    inner = np.empty((len(shown), k, k))
    pairs = (w[:, None] * w[None, :]).reshape(k * k, w.shape[1])
    inner[:] = (weights @ pairs.T).reshape(len(shown), k, k)
    inner += np.eye(k)
    cov = np.linalg.inv(inner) if k else inner
    cov = (cov + cov.swapaxes(1, 2)) / 2
    mean = told @ cov[0] if mask is None else np.einsum("tk,tkl->tl", told, cov[index])
    log_det = np.linalg.slogdet(inner)[1] if k else np.zeros(len(inner))
    constant = log_det + shown @ (np.log(2 * np.pi * model.noise))
    square = (rest * rest) @ (1 / model.noise) - np.einsum("tk,tk->t", told, mean)
    return Posterior(mean, cov, index, -0.5 * (constant[index] + square))


def regress(
    data: np.ndarray, mask: np.ndarray | None, mean: np.ndarray, cov: np.ndarray, index: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each unit on the latents and a constant, over its values: loadings (k, p), mean (p,) and summed squares of what
    is left (p,), the uncertainty of the latents counted.
    """
    n, k = mean.shape
    wide = np.concatenate([mean, np.ones((n, 1))], axis=1)
    cross = wide.T @ data  # (k + 1, p)
    if mask is None:
        second = wide.T @ wide
        second[:k, :k] += np.einsum("m,mkl->kl", np.bincount(index, minlength=len(cov)).astype(float), cov)
        found = np.linalg.solve(_eased(second), cross)
    else:
        upper = np.triu_indices(k + 1)
        inside = upper[1] < k
        second = np.empty((data.shape[1], upper[0].size))
        second[:] = 0
        step = max(1, _BLOCK // upper[0].size)
        for low in range(0, n, step):
            z = wide[low : low + step]
            products = z[:, upper[0]] * z[:, upper[1]]
            products[:, inside] += cov[index[low : low + step]][:, upper[0][inside], upper[1][inside]]
            second += mask[low : low + step].T.astype(np.float64) @ products
        whole = np.empty((data.shape[1], k + 1, k + 1))
        whole[:, upper[0], upper[1]] = second
        whole[:, upper[1], upper[0]] = second
        found = np.linalg.solve(_eased(whole), cross.T[:, :, None])[:, :, 0].T
    left = np.einsum("tp,tp->p", data, data) - np.einsum("kp,kp->p", found, cross)
    return found[:k], found[k], np.maximum(left, 0.0)


def _eased(second: np.ndarray) -> np.ndarray:
    """With a hair on the diagonal: a unit may be seen in fewer rows than there are latents."""
    size = np.trace(second, axis1=-2, axis2=-1)[..., None, None] / second.shape[-1]
    return second + 1e-12 * size * np.eye(second.shape[-1])


@dataclass(frozen=True)
class Fitted:
    """model : at the end.   trace : mean log-likelihood of a row, in nats, before each step."""

    model: Gaussian
    trace: np.ndarray
    converged: bool


def completed(
    data: np.ndarray, mask: np.ndarray, model: Gaussian, kinds: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean (p,) and covariance (p, p) that the complete data are expected to have, given the values that are there and
    the model, and the log-likelihood of these values.
    """
    found = posterior(data, mask, model, kinds)
    filled = np.where(mask, data, model.mean + found.mean @ model.loadings)
    mean = filled.mean(axis=0)
    filled -= mean
    second = filled.T @ filled
    shown, index = kinds
    many = np.bincount(index, minlength=len(shown)).astype(np.float64)
    some = np.flatnonzero(~shown.all(axis=1))
    k, p = model.loadings.shape
    if k and some.size:
        step = max(1, _BLOCK // (k * p))
        for low in range(0, some.size, step):
            part = some[low : low + step]
            half = np.linalg.cholesky(
                found.cov[part] * many[part, None, None]
            )  # of the latents, each pattern
            spread = half.swapaxes(1, 2) @ model.loadings
            spread *= ~shown[part][:, None, :]
            spread = spread.reshape(-1, p)
            second += spread.T @ spread
    second.flat[:: p + 1] += (many @ ~shown) * model.noise
    return mean, second / len(data), float(found.log_likelihood.sum())


def fit_masked(
    data: np.ndarray,
    mask: np.ndarray,
    start: Gaussian,
    best: Callable[[np.ndarray, Gaussian], tuple[np.ndarray, np.ndarray]],
    *,
    tol: float,
    max_iter: int,
    kinds: tuple[np.ndarray, np.ndarray] | None = None,
) -> Fitted:
    """EM to the maximum of the likelihood of the values that are there. What is unknown is the missing values alone:
    ``best(covariance, model)`` gives loadings and noise of the largest likelihood for complete data, so that the number
    of steps grows with the share that is missing, not with the number of latents.

    tol : gain of log-likelihood per row, in nats, below which it ends.
    """
    kinds = patterns_of(mask) if kinds is None else kinds
    model, trace, converged = start, [], False
    for _ in range(max_iter):
        mean, covariance, likelihood = completed(data, mask, model, kinds)
        trace.append(likelihood / len(data))
        if len(trace) > 1 and trace[-1] - trace[-2] < tol:
            converged = True
            break
        loadings, noise = best(covariance, model)
        model = Gaussian(loadings, mean, noise)
    return Fitted(model, np.array(trace), converged)


def left_out(data: np.ndarray, mask: np.ndarray | None, model: Gaussian) -> np.ndarray:
    """(n, p) each value predicted from the other values of its row: the posterior without it, by the
    Sherman-Morrison formula. Where it is missing, what all values of the row say.
    """
    found = posterior(data, mask, model)
    w = model.loadings
    said = found.mean @ w  # (n, p)
    if mask is None:
        share = np.einsum("kp,kl,lp->p", w, found.cov[0], w) / model.noise
        return model.mean + (said - share * (data - model.mean)) / np.maximum(1 - share, 1e-12)
    share = np.einsum("kp,mkl,lp->mp", w, found.cov, w, optimize=True)[found.index] / model.noise
    own = (said - share * (data - model.mean)) / np.maximum(1 - share, 1e-12)
    return model.mean + np.where(mask, own, said)


def rotated(loadings: Any) -> np.ndarray:
    """Loadings (k, p) of the same covariance W'W with orthogonal rows, the longest first, largest entry positive."""
    if not len(loadings):
        return np.asarray(loadings)
    _, s, v = np.linalg.svd(loadings, full_matrices=False)
    out = s[:, None] * v
    sign = np.sign(out[np.arange(len(out)), np.abs(out).argmax(axis=1)])
    out *= np.where(sign == 0, 1.0, sign)[:, None]
    return np.vstack([out, np.zeros((len(loadings) - len(out), out.shape[1]))])
