"""Evidence of a linear model under a smooth Gaussian prior that is a product over axes, and its gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize

__all__ = ["Evidence", "Posterior", "maximise"]

_LARGE = 2000  # weights
_SMALLEST = 1e-9  # of prior variances over the largest: what is below has no say
_STARTS = (0.7, 2.0, 5.0)  # lengths in steps
_STEP = 0.05  # of log hyperparameters
_WIDE = 0.25  # precision of a prior of standard deviation 2
_SHARES = (0.02, 0.3)  # of the variance of y that the prior explains at the start


@dataclass(frozen=True)
class Posterior:
    """mean, variance : (d,).   value : log evidence.   theta : log noise variance, log prior variance, log lengths of
    the axes longer than 1.   n_iter : evaluations of evidence and gradient.   rank : directions in use.
    """

    mean: np.ndarray
    variance: np.ndarray
    value: float
    theta: np.ndarray
    n_iter: int
    rank: int


class Evidence:
    """log p(y | noise s, prior C) of y = X w + noise, w ~ N(0, C), C = rho K_1 x K_2 x ..., on the eigenvectors of C.

    K_i(a, b) = exp(-(a - b)^2 / (2 l_i^2)) over the steps of axis i. With C = U S U' and only eigenvalues that matter,
    all that is needed is A = I + S^(1/2) U'X'X U S^(1/2) / s, of the size of their number r: the smoother the prior,
    the smaller. With h = A^-1 S^(1/2) U'X'y / s and W = h h' - I + A^-1, the gradient for a change dC is half the trace
    of W S^(-1/2) U' dC U S^(-1/2), where the axes that do not change cancel.

    Parameters
    ----------
    gram : (d, d) X'X, X centred.   shape : lengths of the axes, their product d.   n : degrees of freedom of y, rows
    less the mean.
    """

    def __init__(self, gram: np.ndarray, shape: tuple[int, ...], n: int) -> None:
        self.gram, self.shape, self.n = gram, shape, n
        self.axes = [i for i, size in enumerate(shape) if size > 1]
        at = [np.arange(size, dtype=np.float64) for size in shape]
        self.squares = [(a[:, None] - a) ** 2 for a in at]

    def bounds(self, power: float, row: float) -> list[tuple[float, float]]:
        """Of theta, for y of mean square ``power`` and rows of X of mean squared length ``row``."""
        noise, scale = math.log(power), math.log(power / row)
        spans = [(math.log(0.2), math.log(4.0 * self.shape[i])) for i in self.axes]
        return [(noise - 18.0, noise + 1.0), (scale - 14.0, scale + 18.0), *spans]

    def _prior(self, theta: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """For each axis its eigenvalues and eigenvectors (those that matter), and d K / d log l between the latter,
        over the roots of both eigenvalues.
        """
        values, vectors, slopes = [], [], []
        lengths = dict(zip(self.axes, np.exp(theta[2:])))
        for i, size in enumerate(self.shape):
            if size == 1:
                values.append(np.ones(1))
                vectors.append(np.ones((1, 1)))
                slopes.append(np.zeros((1, 1)))
                continue
            scaled = self.squares[i] / lengths[i] ** 2
            k = np.exp(-0.5 * scaled)
            found, u = np.linalg.eigh(k)
            kept = found > _SMALLEST * found[-1]
            found, u = found[kept][::-1], u[:, kept][:, ::-1]
            root = u / np.sqrt(found)
            values.append(found)
            vectors.append(u)
            slopes.append(root.T @ (k * scaled) @ root)
        return values, vectors, slopes

    def _turned(self, vectors: list[np.ndarray], matrix: np.ndarray) -> np.ndarray:
        """(kron of vectors)' matrix, for matrix (d, m)."""
        for i, u in enumerate(vectors):
            before = math.prod(v.shape[1] for v in vectors[:i])
            matrix = np.matmul(u.T, matrix.reshape(before, u.shape[0], -1))
        return matrix.reshape(math.prod(v.shape[1] for v in vectors), -1)

    def at(
        self, theta: np.ndarray, cross: np.ndarray, square: float, *, posterior: bool = False
    ) -> tuple[float, np.ndarray, tuple[np.ndarray, np.ndarray, int] | None]:
        """(log evidence, gradient, and the posterior mean, variance and rank where asked for) for X'y ``cross`` (d,)
        and y'y ``square``.
        """
        noise, scale = float(np.exp(theta[0])), float(np.exp(theta[1]))
        values, vectors, slopes = self._prior(theta)
        grid: np.ndarray = np.ones(())
        for v in values:
            grid = np.multiply.outer(grid, v)
        kept = np.flatnonzero(grid.ravel() > _SMALLEST * grid.max())
        root = np.sqrt(scale * grid.ravel()[kept])
        half = self._turned(vectors, self.gram)[kept]
        inner = self._turned(vectors, np.ascontiguousarray(half.T))[kept]
        gram = root[:, None] * inner * root  # S^(1/2) U'X'X U S^(1/2)
        u = root * self._turned(vectors, cross[:, None])[kept, 0]
        r = kept.size
        a = gram / noise
        a[np.diag_indices(r)] += 1.0
        factor, info = lapack.dpotrf(a, lower=1)
        if info:
            return -np.inf, np.zeros_like(theta), None
        inverse, info = lapack.dpotri(factor, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        h = inverse @ u / noise
        logdet = 2.0 * float(np.log(np.diag(factor)).sum())
        residual = square - 2 * float(h @ u) + float(h @ gram @ h)
        explained = (square - float(u @ h)) / noise
        value = -0.5 * (self.n * math.log(2 * math.pi * noise) + logdet + explained)
        trace = float(np.trace(inverse))
        gradient = np.empty_like(theta)
        gradient[0] = -0.5 * (self.n - r + trace - residual / noise)
        gradient[1] = 0.5 * (float(h @ h) - r + trace)
        w = inverse + np.outer(h, h)
        w[np.diag_indices(r)] -= 1.0
        place: np.ndarray = np.full(grid.shape, -1)
        place.reshape(-1)[kept] = np.arange(r)
        for j, i in enumerate(self.axes):
            gradient[2 + j] = 0.5 * _trace(w, np.moveaxis(place, i, 0).reshape(grid.shape[i], -1), slopes[i])
        if not posterior:
            return value, gradient, None
        back = np.zeros((r, grid.size))
        back[np.arange(r), kept] = root
        basis = _spread([v.T for v in vectors], back.T)  # (d, r): U S^(1/2)
        solved, _ = lapack.dtrtrs(factor, basis.T, lower=1)
        return value, gradient, (basis @ h, np.einsum("ij,ij->j", solved, solved), r)


def _spread(vectors: list[np.ndarray], matrix: np.ndarray) -> np.ndarray:
    """(kron of vectors') matrix: from eigenvectors back to pixels."""
    for i, u in enumerate(vectors):
        before = math.prod(v.shape[1] for v in vectors[:i])
        matrix = np.matmul(u.T, matrix.reshape(before, u.shape[0], -1))
    return matrix.reshape(math.prod(v.shape[1] for v in vectors), -1)


def _trace(w: np.ndarray, place: np.ndarray, slope: np.ndarray) -> float:
    """Sum over a, b and what the other axes are at (the columns of ``place``) of slope[a, b] w[(a, .), (b, .)]."""
    total = 0.0
    for a in range(len(place)):
        both = (place >= 0) & (place[a] >= 0)
        rows = np.broadcast_to(place[a], place.shape)[both]
        total += float((w[rows, place[both]] * np.broadcast_to(slope[a][:, None], place.shape)[both]).sum())
    return total


def maximise(evidence: Evidence, cross: np.ndarray, square: float, *, max_iter: int, tol: float) -> Posterior:
    """The hyperparameters of the largest evidence, from the best of a few starts, and the posterior there."""
    power = square / evidence.n
    row = float(np.trace(evidence.gram)) / evidence.n
    bounds = evidence.bounds(power, row)
    low, high = np.array(bounds).T
    starts, calls = [], 0
    for length in _STARTS[len(cross) > _LARGE :]:  # a short length needs every direction, which is dear then
        for share in _SHARES:
            lengths = [min(length, evidence.shape[i] / 2) for i in evidence.axes]
            scale = power * share / (row * max(1.0, math.prod(lengths)) ** 0.5)
            theta = np.clip(np.log([power * (1 - share), scale, *lengths]), low, high)
            starts.append((evidence.at(theta, cross, square)[0], theta))
            calls += 1
    best = max(starts, key=lambda found: found[0])[1]

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal calls
        calls += 1
        value, gradient, _ = evidence.at(theta, cross, square)
        return (-value, -gradient) if np.isfinite(value) else (1e300, np.zeros_like(theta))

    found = minimize(
        loss,
        best,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": max_iter, "ftol": tol / max(1.0, abs(loss(best)[0])), "gtol": 1e-6},
    )
    value, _, made = evidence.at(found.x, cross, square, posterior=True)
    assert made is not None
    free = (found.x > low + _STEP) & (found.x < high - _STEP)
    further = _of_hyperparameters(evidence, found.x, free, cross, square)
    return Posterior(made[0], made[1] + further, value, found.x, calls + 2 * int(free.sum()), made[2])


def _of_hyperparameters(
    evidence: Evidence, theta: np.ndarray, free: np.ndarray, cross: np.ndarray, square: float
) -> np.ndarray | float:
    """What not knowing the hyperparameters adds to the posterior variance, (d,): J H^-1 J', J the slopes of the
    posterior mean, H the curvature of the log evidence with that of a wide prior (Kass & Steffey 1989).
    """
    means, slopes = [], []
    for j in np.flatnonzero(free):
        step = np.zeros_like(theta)
        step[j] = _STEP
        above, below = (evidence.at(theta + s, cross, square, posterior=True) for s in (step, -step))
        if above[2] is None or below[2] is None:
            return 0.0
        means.append((above[2][0] - below[2][0]) / (2 * _STEP))
        slopes.append((above[1][free] - below[1][free]) / (2 * _STEP))
    if not means:
        return 0.0
    curvature = -np.array(slopes)
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    turned = vectors.T @ np.array(means)
    return np.asarray(np.einsum("ij,ij->j", turned, turned / (np.maximum(values, 0.0) + _WIDE)[:, None]))
