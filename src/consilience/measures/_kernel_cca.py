"""Kernel canonical correlation analysis, on stimuli held out."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from consilience._core._arrays import Array, condensed_indices, float64, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number, check_option
from consilience.linalg import centre_columns, principal_scores, squared_distances, to_safe_size
from consilience.measures._canonical_plan import CanonicalPlan
from consilience.measures._contract import Claims, PredictionParts, measure
from consilience.measures._held_out import alignment_claims, alignment_parts, held_out_score

__all__ = ["kernel_cca"]

_WHO = "kernel_cca"
KERNELS = ("rbf", "linear")


def kernel_scores(x: Array, kernel: str) -> np.ndarray:
    """Coordinates (n, rank) of the stimuli in the space of the kernel: their products are the centred kernel."""
    z = float64(centre_columns(to_safe_size(x)))
    if kernel == "linear":
        return to_numpy(principal_scores(z))
    d = to_numpy(squared_distances(z))
    n = d.shape[0]
    median = float(np.median(d.reshape(-1)[condensed_indices(n)]))
    if median <= 0:
        raise InputError(
            f"{_WHO}: more than half of the stimuli have the same pattern, so the median distance is 0; use "
            "kernel='linear'.",
            code="flat-kernel",
        )
    k = np.exp(d / (-2.0 * median))
    row = k.mean(axis=0)
    values, vectors = np.linalg.eigh(k - row[:, None] - row[None, :] + row.mean())
    keep = values > values[-1] * n * 1e-14
    return vectors[:, keep][:, ::-1] * np.sqrt(values[keep][::-1])


def _check(kernel: str, regularization: float, components: int) -> None:
    check_option(kernel, KERNELS, name="kernel", who=_WHO)
    check_number(regularization, name="regularization", who=_WHO, low=0.0, high=1.0)
    check_count(components, name="components", who=_WHO, minimum=1)


def _claims(
    *, kernel: str = "rbf", regularization: float = 0.1, components: int = 1, **options: Any
) -> Claims:
    _check(kernel, regularization, components)
    words = "Gaussian kernel, width the median distance" if kernel == "rbf" else "linear kernel"
    return alignment_claims(
        label=f"kernel CCA ({'Gaussian' if kernel == 'rbf' else 'linear'} kernel, held out)",
        itself=1.0,
        references=("hardoon2004canonical",),
        method=(
            f"Kernel canonical directions ({words}; kappa = {regularization:g}) were fitted with the stimuli of a fold "
            f"held out; the correlations of the held-out projections on the first {components} were averaged."
        ),
    )


def _parts(
    *, kernel: str = "rbf", regularization: float = 0.1, components: int = 1, folds: int = 5, **split: Any
) -> PredictionParts:
    _check(kernel, regularization, components)

    def whitener(z: np.ndarray) -> np.ndarray:
        """(1 - kappa) C + kappa trace(C) I, C the covariance in the space of the kernel."""
        covariance = z.T @ z / z.shape[0]
        penalised = (1 - regularization) * covariance
        penalised.flat[:: len(penalised) + 1] += regularization * np.trace(covariance)
        root = cholesky(penalised, lower=True, check_finite=False)
        return solve_triangular(root, np.eye(len(root)), lower=True, check_finite=False).T

    return alignment_parts(
        lambda x, tests: CanonicalPlan(x, tests, whitener, components=components),
        folds=folds,
        who=_WHO,
        prepare=lambda x: kernel_scores(x, kernel),
    )


@measure(claims=_claims, parts=_parts)
def kernel_cca(
    x: Array,
    y: Array,
    /,
    *,
    kernel: Literal["rbf", "linear"] = "rbf",
    regularization: float = 0.1,
    components: int = 1,
    folds: int = 5,
    groups: Any = None,
    rng: Any = 0,
) -> Array:
    """Kernel CCA on stimuli held out: correlation of the best-matching *non-linear* features of two systems.

    In the spaces of the kernels of x and y, on the training stimuli of each fold, directions f, g maximise
    cov(f, g) / sqrt((1 - kappa) var f + kappa t_x |f|^2) sqrt((1 - kappa) var g + kappa t_y |g|^2), t the total
    variance of a system in its space. Value = mean over the first ``components`` of the correlation of both
    sides' projections of the held-out stimuli (deviations from the training mean, each fold in units of its
    training spread). In-sample, kernel CCA correlates anything with anything, so it is not given.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    kernel : ``"rbf"`` exp(-|x_i - x_j|^2 / (2 m)), m the median squared distance over all stimuli, or
        ``"linear"``.
    regularization : kappa in (0, 1); towards 1 covariance is maximised (partial least squares).
    components : largest number of pairs of directions averaged.
    folds : number of folds.   groups : n labels never split.   rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike; 0 for unrelated systems.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds, more than half of the
        stimuli alike (rbf).
    ConsilienceWarning ``components-cut`` : more components than directions there are.

    References
    ----------
    Hardoon, Szedmak & Shawe-Taylor (2004).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(150, 1))
    >>> linear = cs.measures.kernel_cca(x, x**2, kernel="linear")
    >>> float(cs.measures.kernel_cca(x, x**2)) > 0.8 > float(linear)
    True
    """
    parts = _parts(kernel=kernel, regularization=regularization, components=components, folds=folds)
    return held_out_score(x, y, parts, groups=groups, rng=rng, who=_WHO)
