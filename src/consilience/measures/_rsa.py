"""Representational similarity analysis."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from consilience._core._arrays import Array, array_namespace, as_matrix, as_same_library, same_rows, to_numpy
from consilience._core._params import check_option
from consilience.linalg import constant_columns, to_safe_size
from consilience.measures._bures import bures
from consilience.measures._cka import warn_null
from consilience.measures._compare_rdms import PREPARE, Method, check_method, check_varies, rdm_parts
from consilience.measures._contract import Claims, PairParts, SubsampleParts, measure
from consilience.measures._held_out import scores
from consilience.measures._procrustes_null import procrustes_null
from consilience.measures._rdm import DISTANCES, GRAM_OF, rdm, rdm_of_gram, spread_of_rounding

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
    "rho_a": "rho-a",
    "whitened_cosine": "whitened cosine",
    "whitened_pearson": "whitened Pearson correlation",
    "bures": "normalised Bures similarity",
}
_PAPERS = {
    "kendall": ("kendall1938new",),
    "rho_a": ("schutt2023statistical",),
    "whitened_cosine": ("diedrichsen2021comparing",),
    "whitened_pearson": ("diedrichsen2021comparing",),
    "bures": ("harvey2023duality",),
}
_NULL_TEXT = {
    "cosine": "near 1: RDMs are positive; prefer another method",
    "whitened_cosine": "about 1/sqrt((1 + n/p)(1 + n/q)), as biased CKA: goes to 1 as units outnumber stimuli",
    "bures": "as in-sample Procrustes: goes to 1 as units outnumber stimuli",
}


_INSTEAD = {
    "whitened_cosine": "method='whitened_pearson'",
    "bures": "method='whitened_pearson', or procrustes_held_out",
}


def _null(distance: str, method: str) -> Any:
    if method == "bures":
        lost = 1 if distance == "correlation" else 0  # its patterns have no mean over units
        return lambda n, p, q: procrustes_null(n, max(p - lost, 1), max(q - lost, 1))
    if method == "whitened_cosine":
        return lambda n, p, q: _whitened_null(distance, n, p, q)
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


def _whitened_null(distance: str, n: int, p: int, q: int) -> float:
    """E[tr(K L)] / sqrt(E[tr(K K)] E[tr(L L)]) of centred kernels of independent Gaussian patterns.

    Lengths that vary (Euclidean): sqrt(p q / ((p + n)(q + n))). Patterns of length 1: with v = 1/p, or 1/(p - 1)
    for the correlation, the variance of their products, tr(K K) is (n - 1)(1 + v (n^2 - 2n + 2)/n).
    """
    if distance in ("euclidean", "sqeuclidean"):
        return float(np.sqrt(p * q / ((p + n) * (q + n))))
    lost = 1 if distance == "correlation" else 0
    noise = [(n * n - 2 * n + 2) / n / max(units - lost, 1) for units in (p, q)]
    return float(1 / np.sqrt((1 + noise[0]) * (1 + noise[1])))


def _claims(*, distance: str = "correlation", method: str = "spearman") -> Claims:
    check_option(distance, DISTANCES, name="distance", who="rsa")
    check_method(method, "rsa")
    kernels = method == "bures"
    return Claims(
        label=f"RSA ({distance} distance, {_WORDS[method]})",
        range=(0.0, 1.0) if kernels else (-1.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=_INVARIANT[distance],
        null=_null(distance, method),
        null_text=_NULL_TEXT.get(method, "0"),
        resample="subsample" if kernels else "pairs",
        takes_rdms=not kernels,
        min_stimuli=4,
        converts=True,
        references=("kriegeskorte2008representational", "nili2014toolbox", *_PAPERS.get(method, ())),
        method=(
            f"Representational dissimilarity matrices ({distance} distance between the patterns of each two "
            f"stimuli) were compared by {_WORDS[method]} over pairs of stimuli."
        ),
    )


def _rounding(x: Array, d: np.ndarray, absolute: bool) -> float:
    """Spread of distances ``d`` that is rounding, not structure: that of correlations, or any if no unit varies."""
    if not absolute:
        return spread_of_rounding(d, float(array_namespace(x).finfo(x.dtype).eps))
    return np.inf if to_numpy(constant_columns(x)).all() else 0.0


def _parts(*, distance: str = "correlation", method: str = "spearman") -> PairParts | SubsampleParts:
    def vector(x: Array) -> np.ndarray:
        absolute = distance in ("euclidean", "sqeuclidean")
        work = to_safe_size(x) if absolute else x
        made = to_numpy(rdm(work, distance=distance))  # type: ignore[arg-type]
        return check_varies(made, made, rounding=_rounding(x, made, absolute))

    if method == "bures":

        def points(x: Array) -> np.ndarray:
            vector(x)  # the same refusals
            return scores(_unit_rows(x, distance))

        return SubsampleParts(points, bures)

    def from_gram(gram: np.ndarray, eps: float) -> np.ndarray:
        made = rdm_of_gram(gram, distance)
        rounding = 0.0 if distance in ("euclidean", "sqeuclidean") else spread_of_rounding(made, eps)
        return np.asarray(PREPARE[method](check_varies(made, made, rounding=rounding)))

    parts = rdm_parts(method, lambda x: PREPARE[method](vector(x)), rdm_distance=lambda other: distance)
    parts.from_gram, parts.gram = from_gram, GRAM_OF[distance]
    return parts


def _unit_rows(x: Array, distance: str) -> np.ndarray:
    """Points whose squared distances are those of the RDM, up to a factor."""
    rows = np.asarray(to_numpy(to_safe_size(x)), dtype=np.float64)
    if distance in ("euclidean", "sqeuclidean"):
        return rows
    rows = rows / np.abs(rows).max(axis=1, keepdims=True)
    if distance == "correlation":
        rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@measure(claims=_claims, parts=_parts)
def rsa(
    x: Array,
    y: Array,
    /,
    *,
    distance: Literal["correlation", "euclidean", "sqeuclidean", "cosine"] = "correlation",
    method: Method = "spearman",
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
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike; 0 for unrelated systems, except by
    ``"cosine"``, ``"whitened_cosine"`` (biased linear CKA for Euclidean distances) and ``"bures"`` (in-sample
    Procrustes similarity for these).

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, a flat pattern, an RDM without
        structure.
    ConsilienceWarning ``null-not-zero`` : whitened cosine or Bures of independent data of this size would be above
        0.1.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008); Nili et al. (2014); see `compare_rdms` for each method.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(20, 50))
    >>> float(cs.measures.rsa(x, 3 * x).round(6))
    1.0
    """
    claims = _claims(distance=distance, method=method)
    x, y = as_matrix(x, name="x", who="rsa", min_rows=4), as_matrix(y, name="y", who="rsa", min_rows=4)
    same_rows(x, y, who="rsa")
    if method in _INSTEAD:
        warn_null(claims, x.shape[0], x.shape[1], y.shape[1], _INSTEAD[method])
    parts = _parts(distance=distance, method=method)
    one, two = parts.prepare(x), parts.prepare(y)
    value = (
        parts.value(one, two) if isinstance(parts, SubsampleParts) else parts.combine(one[None], two[None])
    )
    return as_same_library(np.asarray(value).reshape(()), x)
