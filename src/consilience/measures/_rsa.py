"""Representational similarity analysis."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from consilience._core._arrays import Array, array_namespace, as_matrix, as_same_library, same_rows, to_numpy
from consilience._core._params import check_option
from consilience.linalg import constant_columns, to_safe_size
from consilience.measures._compare_rdms import METHODS, PREPARE, check_varies, rdm_parts
from consilience.measures._contract import Claims, PairParts, measure
from consilience.measures._rdm import DISTANCES, rdm

__all__ = ["rsa"]

_INVARIANT = {
    "correlation": frozenset({"scaling", "permutation", "stimulus_shift", "stimulus_scaling"}),
    "cosine": frozenset({"scaling", "permutation", "rotation", "stimulus_scaling"}),
    "euclidean": frozenset({"scaling", "permutation", "rotation", "translation"}),
    "sqeuclidean": frozenset({"scaling", "permutation", "rotation", "translation"}),
}
_WORDS = {
    "cosine": "cosine",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
    "kendall": "Kendall's tau-a",
}


def _null(distance: str, method: str) -> Any:
    if method != "cosine":
        return lambda n, p, q: 0.0
    # mean and variance of a distance between independent Gaussian patterns: 1, 1/(p-1); 2, 8/p; 1, 1/p
    spread = {
        "correlation": lambda p: 1 / max(p - 1, 1),
        "euclidean": lambda p: 2 / p,
        "sqeuclidean": lambda p: 2 / p,
        "cosine": lambda p: 1 / p,
    }[distance]
    return lambda n, p, q: float(1 / np.sqrt((1 + spread(p)) * (1 + spread(q))))


def _claims(*, distance: str = "correlation", method: str = "spearman") -> Claims:
    check_option(distance, DISTANCES, name="distance", who="rsa")
    check_option(method, METHODS, name="method", who="rsa")
    return Claims(
        label=f"RSA ({distance} distance, {_WORDS[method]})",
        range=(-1.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=_INVARIANT[distance],
        null=_null(distance, method),
        null_text="0" if method != "cosine" else "near 1: RDMs are positive; prefer another method",
        resample="pairs",
        takes_rdms=True,
        min_stimuli=4,
        converts=True,
        references=("kriegeskorte2008representational", "nili2014toolbox")
        + (("kendall1938new",) if method == "kendall" else ()),
        method=(
            f"Representational dissimilarity matrices ({distance} distance between the patterns of each two "
            f"stimuli) were compared by {_WORDS[method]} over pairs of stimuli."
        ),
    )


def _rounding(x: Array, absolute: bool) -> float:
    """Spread of distances that is rounding, not structure: that of correlations, or any if no unit varies."""
    if not absolute:
        return 16 * float(array_namespace(x).finfo(x.dtype).eps)
    return np.inf if to_numpy(constant_columns(x)).all() else 0.0


def _parts(*, distance: str = "correlation", method: str = "spearman") -> PairParts:
    def prepare(x: Array) -> np.ndarray:
        absolute = distance in ("euclidean", "sqeuclidean")
        work = to_safe_size(x) if absolute else x
        vector = to_numpy(rdm(work, distance=distance))  # type: ignore[arg-type]
        return check_varies(PREPARE[method](vector), vector, rounding=_rounding(x, absolute))

    return rdm_parts(method, prepare, rdm_distance=lambda other: distance)


@measure(claims=_claims, parts=_parts)
def rsa(
    x: Array,
    y: Array,
    /,
    *,
    distance: Literal["correlation", "euclidean", "sqeuclidean", "cosine"] = "correlation",
    method: Literal["cosine", "pearson", "spearman", "kendall"] = "spearman",
) -> Array:
    """Representational similarity: how alike the RDMs of two systems are.

    value = compare(RDM(x), RDM(y)), the comparison running over the n(n-1)/2 pairs of stimuli. Needs no
    match of units.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows, n >= 4
    distance : see `rdm`.   method : see `compare_rdms`.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike; 0 for unrelated systems (not for
    ``method="cosine"``).

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, a flat pattern, an RDM without
        structure.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008); Nili et al. (2014).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(20, 50))
    >>> float(cs.measures.rsa(x, 3 * x).round(6))
    1.0
    """
    check_option(distance, DISTANCES, name="distance", who="rsa")
    check_option(method, METHODS, name="method", who="rsa")
    x, y = as_matrix(x, name="x", who="rsa", min_rows=4), as_matrix(y, name="y", who="rsa", min_rows=4)
    same_rows(x, y, who="rsa")
    parts = _parts(distance=distance, method=method)
    value = parts.combine(parts.prepare(x)[None], parts.prepare(y)[None])[0, 0]
    return as_same_library(np.asarray(value), x)
