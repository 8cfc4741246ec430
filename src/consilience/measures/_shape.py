"""Shape distances: metrics between systems up to a rotation, a linear map, or an order of the units."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from consilience._core._arrays import Array, array_namespace, as_same_library, float64, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_option
from consilience.linalg import centre_columns, principal_scores
from consilience.measures._cka import warn_null
from consilience.measures._contract import Claims, claims
from consilience.measures._door import two_systems
from consilience.measures._one_to_one import matching_null
from consilience.measures._procrustes import check_alpha, partly_whitened

__all__ = ["shape_distance"]

FORMS = ("angular", "euclidean")
NUISANCES = ("orthogonal", "permutation")


def shape_distance(
    x: Array,
    y: Array,
    /,
    *,
    alpha: float = 1.0,
    form: Literal["angular", "euclidean"] = "angular",
    nuisance: Literal["orthogonal", "permutation"] = "orthogonal",
) -> Array:
    """Distance of two systems after the best alignment, a metric: 0 for the same shape, and the triangle inequality
    holds (Williams et al. 2021). In-sample.

    angular : arccos of max over Q of <X_a, Y_a Q> / (||X_a|| ||Y_a||).   euclidean : min over Q of ||X_a - Y_a Q||.
    X and Y centred, the one with fewer units padded with zero columns, Q orthogonal, or a permutation of units;
    X_a = X (alpha I + (1 - alpha) rms(s) (X'X)^-1/2), as in `procrustes`, whose value is the cosine of the
    angular distance: alpha = 1 is Procrustes, alpha = 0 depends on canonical correlations only.

    It is fitted and scored on the same stimuli, and unrelated systems come close once units are many:
    `procrustes_held_out` is the similarity on stimuli held out (it is no metric: arccos of it can break the
    triangle inequality).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    alpha : in [0, 1].   form : "angular" (radians, blind to overall scale) or "euclidean" (in the unit of x).
    nuisance : what Q may be. "permutation" takes alpha = 1 only: a whitened system has no units of its own.

    Returns
    -------
    0-d array of the library of ``x``: [0, pi/2] (angular), >= 0 (euclidean); lower = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation, an unknown option.
    ConsilienceWarning ``null-not-zero`` : independent data of this size would have a cosine above 0.1.

    References
    ----------
    Schoenemann (1966); Williams et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(800, 4))
    >>> rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    >>> float(cs.measures.shape_distance(x, 2 * x @ rotation).round(6))
    0.0
    >>> bool(np.isclose(cs.measures.shape_distance(x, 2 * x, form="euclidean"), np.linalg.norm(x - x.mean(0))))
    True
    """
    who = "shape_distance"
    check_alpha(alpha, who)
    check_option(form, FORMS, name="form", who=who)
    check_option(nuisance, NUISANCES, name="nuisance", who=who)
    if nuisance == "permutation" and alpha != 1:
        raise InputError(
            f"{who}: nuisance='permutation' goes with alpha=1, got alpha={alpha:g}; whitening mixes the units, and "
            "there is nothing left to permute.",
            code="bad-parameter",
        )
    x, y = two_systems(x, y, who=who)
    sizes = x.shape[0], x.shape[1], y.shape[1]
    if nuisance == "permutation":
        warn_null(_permutation_claims(), *sizes, "cs.measures.one_to_one_held_out")
        aligned = _matched(x, y)
    else:
        family = claims("procrustes", alpha=alpha)
        warn_null(family, *sizes, "cs.measures.procrustes_held_out" if alpha else "cs.measures.cca_held_out")
        aligned = _rotated(x, y, alpha)
    xp = array_namespace(*aligned)
    if form == "euclidean":
        return xp.sqrt(xp.sum((aligned[0] - aligned[1]) ** 2))
    a, b = (z / xp.sqrt(xp.sum(z * z)) for z in aligned)
    # arccos of the cosine has half the digits near 0
    return 2 * xp.asin(xp.clip(xp.sqrt(xp.sum((a - b) ** 2)) / 2, 0.0, math.sqrt(0.5)))


def _rotated(x: Array, y: Array, alpha: float) -> tuple[Array, Array]:
    """Both partly whitened and turned so that they overlap most, one width."""
    a, b = (partly_whitened(principal_scores(centre_columns(z)), alpha) for z in (x, y))
    xp = array_namespace(a, b)
    if a.shape[1] == 0 or b.shape[1] == 0:
        raise InputError(
            "shape_distance: a system has the same pattern for all stimuli, so it has no shape.",
            code="no-structure",
        )
    a, b = _padded(a, b)
    u, _, vt = xp.linalg.svd(a.T @ b, full_matrices=False)
    return a @ u, b @ vt.T


def _padded(a: Array, b: Array) -> tuple[Array, Array]:
    xp = array_namespace(a, b)
    width = max(a.shape[1], b.shape[1])
    filled = [
        xp.concat([z, xp.zeros((z.shape[0], width - z.shape[1]), dtype=z.dtype, device=z.device)], axis=1)
        for z in (a, b)
    ]
    return filled[0], filled[1]


def _matched(x: Array, y: Array) -> tuple[Array, Array]:
    """Units of both in the order in which they overlap most; those without a partner face zeros."""
    like = x
    a, b = _padded(*(np.asarray(to_numpy(float64(centre_columns(z)))) for z in (x, y)))
    rows, columns = linear_sum_assignment(a.T @ b, maximize=True)
    return as_same_library(a[:, rows], like), as_same_library(b[:, columns], like)


def _permutation_claims() -> Claims:
    return replace(
        claims("one_to_one"),
        label="shape distance up to the order of units (in-sample cosine)",
        null=lambda n, p, q: matching_null(n, p, q) * min(p, q) / math.sqrt(p * q),
    )
