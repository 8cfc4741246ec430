"""The mean shape of several systems: generalised Procrustes analysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from consilience._core._arrays import Array, as_matrix, float64, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, shorten
from consilience.linalg import centre_columns, principal_scores, to_safe_size

__all__ = ["MeanShape", "mean_shape"]


class MeanShape(NamedTuple):
    """shape : (n, r) the mean, in its principal axes, norm at most 1.   aligned : (systems, n, r) each system turned
    onto it.   losses : mean squared distance to the mean after each iteration, never rising.
    """

    shape: np.ndarray
    aligned: np.ndarray
    losses: np.ndarray


def mean_shape(
    systems: Mapping[str, Array] | Iterable[Array], /, *, tolerance: float = 1e-10, max_iterations: int = 500
) -> MeanShape:
    """Mean shape of several systems over the same stimuli, up to a rotation of each (Gower 1975).

    min over M and orthogonal Q_k of mean_k ||Z_k Q_k - M||^2, Z_k the centred responses of system k at norm 1, padded
    with zero columns to the largest rank r. Each step turns all systems onto M and takes their mean as M; the loss
    never rises. The start, the leading axes of the mean of all Z_k Z_k', and so the result, does not hang on the
    order of the systems. It is the Karcher mean of the Euclidean Procrustes distance (`shape_distance`) between
    systems of norm 1; 1 - ||M||^2 is their mean squared distance to it. As of any such mean only a stationary
    point is certain.

    Parameters
    ----------
    systems : arrays (n stimuli, p_k units), at least 2, or a mapping {name: array}; the same stimuli in the same rows
    tolerance : fall of the loss, relative to it, below which the iteration ends.

    Returns
    -------
    MeanShape (shape, aligned, losses), NumPy float64

    Raises
    ------
    InputError : fewer than 2 systems, other numbers of rows, not 2-D, NaN, a system without variation.
    ConsilienceWarning ``not-converged`` : ``max_iterations`` were not enough.

    References
    ----------
    Gower (1975); Williams et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(30, 4))
    >>> turned = [x @ np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(5)]
    >>> found = cs.measures.mean_shape(turned)
    >>> bool(found.losses[-1] < 1e-12)
    True
    """
    who = "mean_shape"
    check_number(tolerance, name="tolerance", who=who, low=0.0, high=1.0)
    check_count(max_iterations, name="max_iterations", who=who, minimum=1)
    named = dict(systems) if isinstance(systems, Mapping) else dict(enumerate(systems))
    if len(named) < 2:
        raise InputError(f"{who}: at least 2 systems are needed, got {len(named)}.", code="too-few")
    return mean_of_scores(
        [_scores(z, shorten(name, 40), who) for name, z in named.items()], tolerance, max_iterations
    )


def _scores(z: Array, name: str, who: str) -> np.ndarray:
    return to_numpy(
        float64(principal_scores(centre_columns(to_safe_size(as_matrix(z, name=name, who=who, min_rows=3)))))
    )


def mean_of_scores(
    scores: list[np.ndarray], tolerance: float = 1e-10, max_iterations: int = 500, *, who: str = "mean_shape"
) -> MeanShape:
    """`mean_shape` of centred systems (n, r_k)."""
    rows = {z.shape[0] for z in scores}
    if len(rows) > 1:
        raise InputError(
            f"{who}: all systems must have the same stimuli in the same rows, got {sorted(rows)} rows.",
            code="rows-differ",
        )
    if any(z.shape[1] == 0 for z in scores):
        raise InputError(
            f"{who}: a system has the same pattern for all stimuli, so it has no shape.", code="no-structure"
        )
    n, width = rows.pop(), max(z.shape[1] for z in scores)
    stack = np.zeros((len(scores), n, width))
    for k, z in enumerate(scores):
        stack[k, :, : z.shape[1]] = z / np.linalg.norm(z)
    mean = _first(stack)
    losses: list[float] = []
    for _ in range(max_iterations):
        u, _, vt = np.linalg.svd(stack.transpose(0, 2, 1) @ mean)
        turned = stack @ (u @ vt)
        mean = turned.mean(axis=0)
        losses.append(
            max(0.0, 1.0 - float(np.sum(mean * mean)))
        )  # mean_k ||Z_k Q_k - M||^2, all Z_k at norm 1
        if len(losses) > 1 and losses[-2] - losses[-1] <= tolerance * max(losses[-1], 1e-12):
            break
    else:
        warn(
            "not-converged",
            f"{who}: the loss, {losses[-1]:.3g}, still fell in the last of {max_iterations} iterations.",
            "Allow more iterations, or a larger tolerance.",
        )
    axes = np.linalg.svd(mean, full_matrices=False)[2]
    # the sign of each axis is that of its largest entry
    shape = mean @ axes.T
    axes = axes * np.where(shape[np.abs(shape).argmax(axis=0), np.arange(len(axes))] < 0, -1.0, 1.0)[:, None]
    return MeanShape(mean @ axes.T, turned @ axes.T, np.array(losses))


def _first(stack: np.ndarray) -> np.ndarray:
    """Leading axes of the mean of Z_k Z_k', scaled to norm 1: (n, r), whatever the order of the systems."""
    k, n, width = stack.shape
    if n <= k * width:
        values, vectors = np.linalg.eigh(np.einsum("kir,kjr->ij", stack, stack, optimize=True) / k)
        keep = slice(-min(n, width), None)
        first = vectors[:, keep] * np.sqrt(np.clip(values[keep], 0, None))
    else:
        u, size, _ = np.linalg.svd(stack.transpose(1, 0, 2).reshape(n, k * width), full_matrices=False)
        first = u[:, :width] * size[:width]
    out = np.zeros((n, width))
    out[:, : first.shape[1]] = first
    return out / np.linalg.norm(out)
