"""How far a field in space and time is one map times one course."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._arrays import as_array, to_numpy
from consilience._core._errors import InputError

__all__ = ["SeparableParts", "separability"]


@dataclass(frozen=True)
class SeparableParts:
    """Made by `separability`.

    index : (units,) share of the squared field that the best product of one course and one map has; 1 = separable.
    temporal : (units, lags) the course, 1 at its largest.   spatial : (units, *space) the map, with the sign that it
        has where the course is largest. Their product is nearest to the field.
    """

    index: np.ndarray
    temporal: np.ndarray
    spatial: np.ndarray


def separability(fields: Any, /) -> SeparableParts:
    """Share of a field that is one map times one time course, and both.

    s_1^2 / sum_k s_k^2, with s_k the singular values of the field as a matrix (lags, places); the first pair of
    singular vectors are the course and the map.

    Confusion: noise of the estimate lies in all singular values, so that it lowers the index: a noisy separable field
    has an index well below 1 (of pure noise with L lags and P places at most about (1 + sqrt(L/P))^2 / L for L < P).
    Depireux et al. (2001) use 1 - index.

    Parameters
    ----------
    fields : (units, lags, *space) real numbers.

    Returns
    -------
    SeparableParts : index NaN for a single lag or place, which are separable by themselves, and for a field of 0.

    Raises
    ------
    InputError : ``bad-dims``, ``not-numeric``.

    References
    ----------
    Depireux et al. (2001).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> course, place = np.array([0.5, -2.0, 1.0]), np.array([[0.0, 1.0], [3.0, 1.0]])
    >>> found = cs.units.separability(np.multiply.outer(course, place)[None])
    >>> found.index.round(3), found.temporal, found.spatial[0].round(3).tolist()
    (array([1.]), array([[-0.25,  1.  , -0.5 ]]), [[-0.0, -2.0], [-6.0, -2.0]])
    """
    given = to_numpy(as_array(fields, name="fields", who="cs.units.separability"))
    if given.dtype.kind not in "biuf":
        raise InputError(
            f"cs.units.separability: fields must hold real numbers, got dtype {given.dtype}.",
            code="not-numeric",
        )
    if given.ndim < 2 or not given.size:
        raise InputError(
            f"cs.units.separability: fields must be (units, lags, *space), got shape {given.shape}.",
            code="bad-dims",
        )
    units, lags, *space = given.shape
    flat = given.astype(np.float64).reshape(units, lags, -1)
    known: np.ndarray = np.asarray(np.isfinite(flat).all(axis=(1, 2)))
    u, s, v = np.linalg.svd(np.where(known[:, None, None], flat, 0.0), full_matrices=False)
    total = (s * s).sum(axis=1)
    course, place = u[:, :, 0], v[:, 0] * s[:, :1]
    top = np.take_along_axis(course, np.abs(course).argmax(axis=1)[:, None], axis=1)
    top = np.where(known[:, None] & (total[:, None] > 0), top, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        index = s[:, 0] ** 2 / total
    return SeparableParts(
        index=np.where(known & (total > 0) & (min(flat.shape[1:]) > 1), index, np.nan),
        temporal=course / top,
        spatial=(place * top).reshape(units, *space),
    )
