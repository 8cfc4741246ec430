"""What CCA and its kin share in-sample: whitened scores, canonical correlations and the null they have."""

from __future__ import annotations

import functools

import numpy as np

from consilience._core._arrays import Array, array_namespace
from consilience._core._errors import InputError, warn
from consilience._core._params import check_number
from consilience.linalg import centre_columns, level_columns, principal_scores, to_safe_size

__all__ = [
    "canonical_null",
    "check_regularization",
    "mean_correlation",
    "nothing_to_correlate",
    "squared_null",
    "varying_scores",
    "warn_cut",
    "whiten",
]


def check_regularization(regularization: float, who: str) -> None:
    check_number(regularization, name="regularization", who=who, low=0.0, high=1.0 - 1e-12, closed=True)


def varying_scores(x: Array, *, who: str, level: bool = False) -> Array:
    """Principal scores of ``x`` (n, p): (n, rank), orthogonal columns, the largest first; refuses rank 0.

    ``level``: of its units at one scale, for measures that are blind to it.
    """
    z = principal_scores(level_columns(x) if level else centre_columns(to_safe_size(x)))
    if z.shape[1] == 0:
        raise nothing_to_correlate(who)
    return z


def nothing_to_correlate(who: str) -> InputError:
    """The error of a system that does not vary over stimuli."""
    return InputError(
        f"{who}: a system has the same pattern for all stimuli, so there is nothing to correlate.",
        code="no-structure",
    )


def whiten(z: Array, *, regularization: float = 0.0) -> Array:
    """Scores (n, r) with columns at norm 1 without regularisation, shrunk with it (see `cca`)."""
    xp = array_namespace(z)
    values = xp.sum(z * z, axis=0)
    penalty = regularization * xp.mean(values)
    return z / xp.sqrt((1 - regularization) * values + penalty)[None, :]


def mean_correlation(a: Array, b: Array) -> Array:
    """Mean canonical correlation of whitened scores (n, r) and (n, s), over the smaller number."""
    xp = array_namespace(a, b)
    return xp.mean(xp.clip(xp.linalg.svdvals(a.T @ b), 0.0, 1.0))


# -- null --------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def canonical_null(n: int, p: int, q: int) -> float:
    """Expected mean canonical correlation of independent Gaussian data of n stimuli, p and q units.

    With a = p/(n-1), b = q/(n-1), the squared correlations x follow the limit law of Wachter (1980): density
    sqrt((h - x)(x - l)) / (2 pi min(a, b) x (1 - x)) on l, h = a + b - 2ab -+ 2 sqrt(ab(1-a)(1-b)), and,
    where a + b > 1, a share (a + b - 1)/min(a, b) that is exactly 1. Their mean is max(p, q)/(n-1). The sum
    of f(x) = sqrt(x) over real data differs from that law by (f(l) + f(h))/4 minus half the mean of f under
    the arcsine law on (l, h), the known term of real ensembles (Johansson 1998; Bai & Silverstein 2004).
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
    ends = (np.sqrt(max(middle - half, 0.0)) + np.sqrt(middle + half)) / 4
    finite = (ends - np.sum(weights * np.sqrt(x)) / 4) / min(p, q)
    return float(min(1.0, atom + np.sum(weights * density * np.sqrt(x)) + finite))


@functools.cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(400)


def squared_null(n: int, p: float, q: float) -> float:
    """Expected mean squared canonical correlation of independent data."""
    return min(1.0, max(p, q) / (n - 1))


def warn_cut(asked: int, there: int, option: str, *, stacklevel: int = 5) -> None:
    """Says that more components were asked for than there are."""
    if asked > there:
        warn(
            "components-cut",
            f"{option}={asked} is more than the {there} directions that there are; all of them are taken.",
            f"Use a smaller {option}, or more stimuli or units.",
            stacklevel=stacklevel,
        )
