"""Surrogates with the means and covariances of a data tensor, and otherwise without structure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience.linalg._centre import safe_power
from consilience.stats._tensor_door import AXES, as_tensor, refuse_ragged

__all__ = ["MaxEntropy", "fit_max_entropy", "tensor_max_entropy"]

WHO = "cs.stats.tensor_max_entropy"
_NONE = 1e-12  # of the largest eigenvalue: below, a direction holds no variance
_MOST = 500  # Newton steps; 10 to 40 are usual
_CLOSE = 1e-9  # relative error of a variance, at which the fit ends


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxEntropy:
    """The Gaussian of greatest entropy with given means and covariances over the three axes of a tensor.

    mean : (conditions, time, units).   vectors : of each axis, the eigenvectors (axis, rank) of its covariance.
    variances : (rank, rank, rank) of the products of those, over the square of ``size``, a power of two that is 1 but
    for data whose squares no float can hold.   error : the largest relative error of an eigenvalue.
    """

    mean: np.ndarray
    vectors: tuple[np.ndarray, np.ndarray, np.ndarray]
    variances: np.ndarray
    error: float
    size: float = 1.0

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """One tensor (conditions, time, units)."""
        out = rng.standard_normal(self.variances.shape) * np.sqrt(self.variances)
        for axis in np.argsort([v.shape[0] / v.shape[1] for v in self.vectors]):  # what grows most comes last
            out = np.moveaxis(np.tensordot(self.vectors[axis], out, axes=(1, axis)), 0, axis)
        return np.asarray(self.size * out + self.mean)


def tensor_max_entropy(
    x: Array,
    /,
    *,
    n: int = 1,
    rng: int | str | Seed | np.random.Generator | None = 0,
    keep: Sequence[str] = AXES,
) -> Iterator[np.ndarray]:
    """Surrogates that keep the means and covariances over conditions, time and units, and nothing else, in expectation.

    The mean is additive, M_ctn = a_c + b_t + m_n. With R = x - M the covariances are S_T = sum over c, n of R R', and
    so for units and conditions. Of all distributions with that mean and those covariances the one of greatest entropy
    is a Gaussian whose inverse covariance is a Kronecker sum: its eigenvectors are those of S_C, S_T and S_N, its
    eigenvalues

        d_ijk = 1 / (l_i + m_j + n_k),  with  sum_jk d_ijk = eigenvalue i of S_C,  and so for the others.

    The Lagrange multipliers are the minimum of a convex function, which Newton steps find (the published code follows
    a gradient): the covariances of the model are those of the data to a relative 1e-9. Those of one surrogate scatter
    around them. So smoothness over time, correlations of units and tuning to conditions are in the surrogates, and a
    relation of how units go on to where they are is not: what a claim of dynamics needs as its null.

    Values are Gaussian whatever the data are: rates come out negative at times. A statistic that hangs on the shape
    of the distribution (sparseness) needs another null. Not to be confused with a Kronecker *product* covariance
    (matrix normal), whose entropy is lower.

    Parameters
    ----------
    x : (conditions, time, units), finite.   n : surrogates.   rng : seed.
    keep : which of "condition", "time" and "unit" keep mean and covariance. Others get the mean of all and equal,
        uncorrelated variances.

    Yields
    ------
    (conditions, time, units) float64

    Raises
    ------
    InputError : not three axes, NaN, fewer than 2 along a kept axis, no variance around the means
        (``no-structure``).

    References
    ----------
    Elsayed & Cunningham (2017).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = np.cumsum(rng.normal(size=(8, 30, 10)), axis=1)  # a random walk: smooth in time
    >>> z = np.stack(list(cs.stats.tensor_max_entropy(x, n=200, rng=0)))
    >>> def over_time(v):
    ...     away = v - v.mean(axis=-2, keepdims=True)
    ...     return float((away[..., 1:, :] * away[..., :-1, :]).sum() / (away**2).sum())
    >>> abs(over_time(z) - over_time(x)) < 0.02
    True
    """
    n = check_count(n, name="n", who=WHO)
    stream = resolve_seed(rng, who=WHO).stream("tensor_max_entropy")
    fitted = fit_max_entropy(x, keep=keep)
    return (fitted.sample(stream) for _ in range(n))


def fit_max_entropy(x: Array, /, *, keep: Sequence[str] = AXES) -> MaxEntropy:
    """The distribution that `tensor_max_entropy` draws from. ``x`` : (conditions, time, units)."""
    refuse_ragged(x, "covariances over time and over conditions are those of a complete rectangle", who=WHO)
    values = as_tensor(x, who=WHO)
    kept = _kept(keep)
    power = safe_power(values)
    mean, rest = _additive(values / power)
    others = tuple(axis for axis in range(3) if not kept[axis])
    if others:
        mean = np.broadcast_to(mean.mean(axis=others, keepdims=True), values.shape)
    total = float((rest**2).sum())
    if total <= 1e-24 * float(((values / power) ** 2).sum()) or total <= 0:
        raise InputError(
            f"{WHO}: the data are the sum of a mean over time, of units and of conditions, with nothing around it, so "
            "there is no covariance to keep.",
            code="no-structure",
        )
    vectors, targets = [], []
    for axis, size in enumerate(values.shape):
        if not kept[axis]:
            vectors.append(np.eye(size))
            targets.append(np.full(size, 1.0 / size))
            continue
        flat = np.moveaxis(rest, axis, 0).reshape(size, -1)
        value, vector = np.linalg.eigh(flat @ flat.T / total)
        some = value > _NONE * value[-1]
        vectors.append(vector[:, some])
        targets.append(value[some] / value[some].sum())
    variances, error = _solve(targets)
    if error > 1e-3:
        warn(
            "not-converged",
            f"{WHO}: a variance of the surrogates is {100 * error:.2g} % off that of the data after {_MOST} steps.",
            "Leave out units or conditions with next to no variance.",
        )
    return MaxEntropy(
        mean=mean * power,
        vectors=(vectors[0], vectors[1], vectors[2]),
        variances=variances * total,
        error=error,
        size=power,
    )


def _kept(keep: Sequence[str]) -> list[bool]:
    names = [keep] if isinstance(keep, str) else list(keep)
    if not names or not set(names) <= set(AXES):
        raise InputError(
            f"{WHO}: keep must name one or more of {', '.join(AXES)}, got {shorten(keep)}.",
            code="bad-parameter",
        )
    return [name in names for name in AXES]


def _additive(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The additive mean of a tensor, and what is left."""
    rest = values
    for axes in ((0, 2), (0, 1), (1, 2)):
        rest = rest - rest.mean(axis=axes, keepdims=True)
    return values - rest, rest


def _solve(targets: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """d_ijk (their sums over two axes are the ``targets``, each of sum 1) by Newton steps on the convex dual function

        f(l, m, n) = - sum log(l_i + m_j + n_k) + l . s + m . t + n . u,

    which is self-concordant: steps of 1 / (1 + decrement) stay in the domain and get to the minimum from anywhere.
    Longer ones are tried first.
    """
    sizes = [t.size for t in targets]
    ends = np.cumsum([0, *sizes])
    at = [slice(a, b) for a, b in pairwise(ends)]
    whole = np.prod(sizes)
    # alone, each axis would need l_i = (number of the others) / s_i
    x = np.concatenate([whole / size / (3 * t) for t, size in zip(targets, sizes)])
    goal = np.concatenate(targets)

    def sums_of(v: np.ndarray) -> np.ndarray:
        return np.asarray(v[at[0]][:, None, None] + v[at[1]][None, :, None] + v[at[2]][None, None, :])

    inverse = sums_of(x)
    for _ in range(_MOST):
        d = 1.0 / inverse
        sums = np.concatenate([d.sum(axis=(1, 2)), d.sum(axis=(0, 2)), d.sum(axis=(0, 1))])
        error = float(np.abs(sums / goal - 1).max())
        if error < _CLOSE:
            break
        square = d * d
        hessian = np.zeros((ends[-1], ends[-1]))
        for a in range(3):
            others = tuple(k for k in range(3) if k != a)
            hessian[at[a], at[a]] = np.diag(square.sum(axis=others))
        for a, b, c in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
            block = square.sum(axis=c)
            hessian[at[a], at[b]], hessian[at[b], at[a]] = block, block.T
        step, decrement = _newton(hessian, goal - sums, ends)
        change = sums_of(step)
        relative = change * d
        length = _length(relative, float(step @ goal), decrement)
        x = x - length * step
        inverse = sums_of(x)
    return d, error


def _length(relative: np.ndarray, slope: float, decrement: float) -> float:
    """How far along a Newton step: as far as the function falls by a share of what its slope promises."""
    safe = 1.0 / (1.0 + decrement)
    length = min(1.0, 0.95 / max(float(relative.max()), 1e-300))
    while length > safe:
        fall = np.log1p(-length * relative).sum() + length * slope  # f(x) - f(x - length step)
        if fall >= 0.25 * length * decrement**2:
            return length
        length /= 2
    return safe


def _newton(hessian: np.ndarray, gradient: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, float]:
    """H^-1 g and sqrt(g' H^-1 g). H has two directions without curvature (a constant may move from one axis to
    another), along which g is 0: they get some.
    """
    scale = 1.0 / np.sqrt(np.diag(hessian))
    scaled = hessian * scale[:, None] * scale
    for a, b in ((0, 1), (0, 2)):
        flat = np.zeros(ends[-1])
        flat[ends[a] : ends[a + 1]], flat[ends[b] : ends[b + 1]] = 1.0, -1.0
        flat /= scale
        scaled += np.outer(flat, flat) / (flat @ flat)
    step = np.asarray(scale * np.linalg.solve(scaled, scale * gradient), dtype=np.float64)
    return step, float(np.sqrt(np.maximum(0.0, gradient @ step)))
