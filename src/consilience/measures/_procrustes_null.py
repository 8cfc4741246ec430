"""What independent data get under the Procrustes family: closed form at the ends, a small simulation between."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from scipy.special import gammaln

from consilience.measures._canonical import canonical_null

__all__ = ["family_null", "procrustes_null"]

_LARGEST = 100  # stimuli of the simulation; larger data are scaled down to it
_DRAWS = 8


@functools.lru_cache(maxsize=1024)
def procrustes_null(n: int, p: int, q: int) -> float:
    """Expected ||X'Y||_* / (||X|| ||Y||) of independent white Gaussian data of n stimuli, p and q units.

    The squared singular values of X'Y/m are the spectrum of a product of two independent Wishart matrices.
    With m = n - 1, c = p/m and d = q/m, the function w(x) = x G(x) - 1 of its Stieltjes transform G solves
    x w = (1 + w)(c + w)(d + w) (free multiplicative convolution), the density is -Im(G)/pi, and their sum of
    sqrt(x) tends to m E[sqrt(x)]. Real data differ from that limit by the integral of d sqrt(x)/dx times
    arg(F)/(2 pi), F = -w^2 x'(w)/(cd) = 1 - ((1 + c + d) w^2 + 2 w^3)/(cd): Bai & Silverstein (2004), Theorem
    1.1, for Y given X, and again for X. The lengths ||X|| and ||Y|| are chi variables, independent of the
    directions.
    """
    m = n - 1
    c, d = p / m, q / m
    top = (1 + np.sqrt(c)) ** 2 * (1 + np.sqrt(d)) ** 2
    edges = np.linspace(0, 1, 4001)
    x = top * ((edges[1:] + edges[:-1]) / 2) ** 3  # finer near 0, where the density can diverge
    width = top * np.diff(edges**3)
    # complex root of w^3 + a w^2 + b w + e (Cardano), on the support: where not all three are real
    a, b, e = 1 + c + d, c + d + c * d - x, c * d
    r, s = (2 * a**3 - 9 * a * b + 27 * e) / 54, (a * a - 3 * b) / 9
    one = -np.sign(r) * np.cbrt(np.abs(r) + np.sqrt(np.maximum(r * r - s**3, 0.0)))
    two = np.divide(s, one, out=np.zeros_like(one), where=one != 0)
    w = -(one + two) / 2 - a / 3 - 1j * np.sqrt(3) / 2 * np.abs(one - two)
    limit = -m * w.imag / (np.pi * np.sqrt(x))
    finite = np.angle(1 - ((1 + c + d) * w**2 + 2 * w**3) / (c * d)) / (4 * np.pi * np.sqrt(x))
    total = np.sum(np.where(r * r > s**3, limit + finite, 0.0) * width)
    return float(min(1.0, m * total / (_mean_length(m * p) * _mean_length(m * q))))


def _mean_length(k: int) -> float:
    """Expected length of a vector of k standard normal numbers."""
    return float(np.sqrt(2) * np.exp(gammaln((k + 1) / 2) - gammaln(k / 2)))


def whitened_null(n: int, p: int, q: int) -> float:
    """Expected value at alpha = 0: the canonical correlations' sum over the geometric mean of the ranks."""
    p, q = min(p, n - 1), min(q, n - 1)
    return canonical_null(n, p, q) * min(p, q) / float(np.sqrt(p * q))


def family_null(alpha: float) -> Callable[[int, int, int], float]:
    """Expected value at ``alpha``, of (n stimuli, p units, q units)."""
    if alpha == 1:
        return procrustes_null
    return lambda n, p, q: (
        alpha**2 * procrustes_null(n, p, q)
        + (1 - alpha**2) * whitened_null(n, p, q)
        + (_off_the_mean(n, p, q, alpha) if alpha else 0.0)
    )


@functools.lru_cache(maxsize=1024)
def _off_the_mean(n: int, p: int, q: int, alpha: float) -> float:
    """By how much the value at ``alpha`` differs from the mean of both ends with weights alpha^2 and 1 - alpha^2.

    Of white Gaussian data the left singular vectors are uniform and independent of the singular values, so that
    both are drawn apart, at the shape (n, p, q) scaled down to 100 stimuli: eight draws at a fixed seed, in which
    the ends are taken from the same data, so that the mean of the difference is known to about 0.0003.
    """
    scale = min(1.0, _LARGEST / (n - 1))
    m, one, two = (max(1, round(scale * k)) for k in (n - 1, p, q))
    rng = np.random.default_rng(0)
    off = []
    for _ in range(_DRAWS):
        sizes = [_singular_values(rng, m, units) for units in (one, two)]
        left, right = (np.linalg.qr(rng.normal(size=(m, size.size)))[0] for size in sizes)
        crossed, values = left.T @ right, []
        for part in (alpha, 1.0, 0.0):
            a, b = (part * size + (1 - part) * np.sqrt(np.mean(size**2)) for size in sizes)
            top = np.linalg.svd(a[:, None] * crossed * b, compute_uv=False).sum()
            values.append(top / (np.linalg.norm(a) * np.linalg.norm(b)))
        off.append(values[0] - alpha**2 * values[1] - (1 - alpha**2) * values[2])
    return float(np.mean(off))


def _singular_values(rng: np.random.Generator, m: int, units: int) -> np.ndarray:
    """Of an (m, units) matrix of standard normal numbers; by Bartlett's triangle where units outnumber rows."""
    if units <= m:
        return np.linalg.svd(rng.normal(size=(m, units)), compute_uv=False)
    triangle = np.tril(rng.normal(size=(m, m)), -1)
    triangle[np.diag_indices(m)] = np.sqrt(rng.chisquare(units - np.arange(m)))
    return np.linalg.svd(triangle, compute_uv=False)
