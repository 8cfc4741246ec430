"""Components of a fitted model tested one after the other, on what those before have left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import nnls

from consilience.stats._parallel_analysis import ParallelAnalysis
from consilience.stats._permutation import p_value

__all__ = ["components_in_turn"]


def components_in_turn(
    x: np.ndarray,
    axes: np.ndarray,
    latents: np.ndarray,
    first: float,
    share: Callable[[np.ndarray, int], float],
    surrogate: Callable[[np.ndarray], np.ndarray],
    *,
    n: int,
    alpha: float = 0.05,
    level: float = 0.95,
) -> ParallelAnalysis:
    """Tests of the components of any linear model of latents, strongest first, as `parallel_analysis` tests PCA's.

    For component j, the j - 1 before it are taken out: their courses S of the rows, and what is left along their axes Q
    of the units, ``R = (I - S S') x (I - Q Q')``. (Axes are known with error: without S, a trace of a strong latent
    would be left.) ``share`` fits the model to R and to surrogates, in which the units of R are unrelated and from
    which S and Q are taken too, and gives the share of the sum of squares that its strongest component explains:
    p = (b + 1) / (n + 1). Taking Q out twice would leave surrogates less variance, and another of each unit: theirs is
    scaled before, to d with ``sum_k M_ik^2 d_k = var_i(R)``, M = I - Q Q', so that afterwards each unit has that of R.
    Compared with surrogates of all data at once, a strong component would make every later one look small. Testing
    stops after the first p > alpha, whose p all later ones have; where no surrogate could be fitted there is none
    (NaN).

    Parameters
    ----------
    x : (..., p), rows (trials, times) on the leading axes; centred here.
    axes : (k, p), the components' loadings, strongest first.   latents : (..., k), their courses.
    first : the share of the first component, as fitted to x.
    share : of (array like x, how many components may be left) -> share of the strongest; NaN where it cannot be fitted.
    surrogate : of an array like x, one in which units are unrelated.

    References
    ----------
    Horn (1965); Vitale et al. (2017).

    Examples
    --------
    Of principal components, as any model gives them; one is planted:

    >>> import numpy as np
    >>> from consilience.stats import unrelated_units
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 1)) @ rng.normal(size=(1, 8)) + rng.normal(size=(200, 8))
    >>> def of(z):
    ...     return np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    >>> def share(z, left):
    ...     values = of(z)[1] ** 2
    ...     return values[0] / values.sum()
    >>> sides, values, axes = of(x)
    >>> found = components_in_turn(
    ...     x, axes[:3], (sides * values)[:, :3], share(x, 3), share, lambda z: unrelated_units(z, rng), n=39
    ... )
    >>> (found.p <= 0.05).tolist()
    [True, False, False]
    """
    k, p = axes.shape
    centred = x - x.reshape(-1, p).mean(axis=0)
    total = float((centred**2).sum())
    out = np.full((3, k), np.nan)
    courses = latents.reshape(-1, k)
    courses = courses - courses.mean(axis=0)
    basis, sides, scale = np.zeros((p, 0)), np.zeros((len(courses), 0)), np.ones(p)

    def without(z: np.ndarray) -> np.ndarray:
        flat = z.reshape(-1, p)
        flat = flat - (flat @ basis) @ basis.T
        return (flat - sides @ (sides.T @ flat)).reshape(z.shape)

    before, rest = 0.0, centred
    for j in range(k):
        left = float((rest**2).sum())
        if not left > 1e-12 * total:
            out[0, j:] = 1.0
            break
        seen = first if j == 0 else share(rest, k - j)
        drawn = np.array([share(without(surrogate(rest) * scale), k - j) for _ in range(n)])
        drawn = drawn[np.isfinite(drawn)]
        if not (drawn.size and np.isfinite(seen)):
            break
        before = max(before, float(p_value(seen, drawn)))
        weight = left / total
        out[:, j] = before, drawn.mean() * weight, np.quantile(drawn, level) * weight
        if before > alpha:
            out[0, j + 1 :] = before
            break
        basis = np.linalg.qr(axes[: j + 1].T)[0]
        sides = np.linalg.qr(courses[:, : j + 1])[0]
        rest = without(centred)
        kept = (rest.reshape(-1, p) ** 2).sum(axis=0)
        private = nnls((np.eye(p) - basis @ basis.T) ** 2, kept)[0]
        scale = np.sqrt(private / np.where(kept > 0, kept, 1.0))
    return ParallelAnalysis(*out)
