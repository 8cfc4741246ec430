"""Distance correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammaln, hyp2f1

from consilience._core._arrays import Array, array_namespace
from consilience._core._errors import InputError
from consilience.linalg import centre_columns, squared_distances, to_safe_size
from consilience.linalg._gram import distances_of_gram
from consilience.measures._centred import check_structure, pair_vector
from consilience.measures._cka import warn_null
from consilience.measures._contract import SIMILARITIES, Claims, PairParts, measure, square_of
from consilience.measures._door import two_systems

__all__ = ["distance_correlation"]

_WHO, _LABEL = "distance_correlation", "distance correlation"
# distances of RDMs: whether their square root is Euclidean
_SQUARED = {"sqeuclidean": True, "euclidean": True, "correlation": True, "cosine": True}


def _spread(p: int) -> float:
    """Distance variance of a standard normal vector of p numbers over its squared mean distance (Szekely, Rizzo
    & Bakirov 2007; Dueck et al. 2014).
    """
    first = np.exp(gammaln(p / 2) + gammaln(p / 2 + 1) - 2 * gammaln((p + 1) / 2))
    return float(first - 2 * hyp2f1(-0.5, -0.5, p / 2, 0.25) + 1)


def _plain_null(n: int, p: int, q: int) -> float:
    """n E[dCov^2] / sqrt(n E[dVar^2_x] n E[dVar^2_y]) for independent white Gaussian data."""
    return float(1 / np.sqrt((1 + n * _spread(p)) * (1 + n * _spread(q))))


def _claims(*, debiased: bool = True) -> Claims:
    if not isinstance(debiased, bool):
        raise InputError(f"{_WHO}: debiased must be True or False, got {debiased!r}.", code="bad-parameter")
    return Claims(
        label=f"squared distance correlation ({'bias-corrected' if debiased else 'biased'})",
        range=(-1.0, 1.0) if debiased else (0.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=SIMILARITIES,
        null=(lambda n, p, q: 0.0) if debiased else _plain_null,
        null_text="0"
        if debiased
        else "a closed form for white data that goes to 1 as units outnumber stimuli",
        resample="pairs",
        takes_rdms=True,
        min_stimuli=4,
        references=("szekely2007measuring", "szekely2014partial"),
        method=(
            "The squared distance correlation was computed from U-centred Euclidean distances (bias-corrected)."
            if debiased
            else "The squared distance correlation was computed from doubly centred Euclidean distances."
        ),
    )


def _parts(*, debiased: bool = True) -> PairParts:
    def prepare(x: Array) -> Array:
        d = array_namespace(x).sqrt(squared_distances(centre_columns(to_safe_size(x))))
        return check_structure(
            -pair_vector(d, debiased), float(array_namespace(d).max(d)), who=_WHO, label=_LABEL
        )

    def from_gram(gram: np.ndarray, eps: float) -> np.ndarray:
        d = np.sqrt(distances_of_gram(gram))
        return np.asarray(check_structure(-pair_vector(d, debiased), float(d.max()), who=_WHO, label=_LABEL))

    def from_rdm(d: np.ndarray, distance: str) -> np.ndarray:
        rdm_distance(distance)
        root = np.sqrt(np.maximum(np.asarray(d, dtype=np.float64), 0.0))
        n = (1 + int(np.sqrt(1 + 8 * root.size))) // 2
        return check_structure(
            -pair_vector(square_of(root, n), debiased), float(root.max()), who=_WHO, label=_LABEL
        )

    def rdm_distance(other: str) -> str:
        if other not in _SQUARED:
            raise InputError(
                f"{_WHO}: an RDM of {other!r} distances cannot be turned into Euclidean ones; it takes "
                f"{', '.join(map(repr, _SQUARED))}: say so with cs.rdm_data(..., distance=...) if it is one, or "
                "use measure='rsa'.",
                code="rdm-without-kernel",
            )
        return other

    return PairParts(
        prepare, from_rdm=from_rdm, rdm_distance=rdm_distance, diagonal=not debiased, from_gram=from_gram
    )


@measure(claims=_claims, parts=_parts)
def distance_correlation(x: Array, y: Array, /, *, debiased: bool = True) -> Array:
    """Squared distance correlation: any dependence between two systems, linear or not, by Euclidean distances.

    value = <A, B> / sqrt(<A, A> <B, B>), A and B the centred matrices of Euclidean distances |x_i - x_j| (not
    squared) of the stimuli. Debiased (default): U-centred, A_ij = a_ij - a_i./(n-2) - a_.j/(n-2) +
    a_../((n-1)(n-2)) for i != j, 0 for i = j; expectation 0 for independent systems. ``debiased=False``: doubly
    centred, the plain V-statistic, which goes to 1 for *independent* data as units outnumber stimuli.
    In the population it is 0 only if the two are independent.

    Both forms are the *squared* distance correlation; other packages report its root for the plain form. CKA is
    the same of a kernel: with the kernel |x_i| + |x_j| - |x_i - x_j| they agree. An RDM enters by the roots of
    its distances, which are Euclidean (this library's "euclidean" distances are squared, see `rdm`).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows, n >= 4
    debiased : False gives the plain form, with a warning (code ``null-not-zero``) where its expected null
        exceeds 0.1.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1] (plain: [0, 1]); higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, a system without structure.

    References
    ----------
    Szekely, Rizzo & Bakirov (2007); Szekely & Rizzo (2014).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(300, 1))
    >>> float(cs.measures.distance_correlation(x, x**2)) > 0.1 > abs(float(cs.measures.cka(x, x**2)))
    True
    """
    claims = _claims(debiased=debiased)
    x, y = two_systems(x, y, who=_WHO)
    if not debiased:
        warn_null(claims, x.shape[0], x.shape[1], y.shape[1], "the debiased form (debiased=True)")
    parts = _parts(debiased=debiased)
    a, b = parts.prepare(x), parts.prepare(y)
    xp: Any = array_namespace(a, b)
    return xp.sum(a * b) / xp.sqrt(xp.sum(a * a) * xp.sum(b * b))
