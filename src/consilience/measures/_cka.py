"""Centred kernel alignment."""

from __future__ import annotations

import functools
from typing import Any, Literal

import numpy as np
from scipy.special import chdtri

from consilience._core._arrays import (
    Array,
    array_namespace,
    condensed_indices,
    float64,
    to_numpy,
)
from consilience._core._errors import InputError, warn
from consilience._core._params import check_option
from consilience.linalg import centre_columns, cross, squared_distances, to_safe_size
from consilience.linalg._gram import centred_gram
from consilience.measures._contract import Claims, PairParts, measure, square_of
from consilience.measures._door import two_systems

__all__ = ["cka"]

_FEW = 500  # stimuli; up to here the places of the pairs are kept between calls, 1 MB each
KERNELS = ("linear", "rbf")
_RDM_DISTANCES = {"correlation": "correlation", "sqeuclidean": "euclidean"}


def _biased_null(n: int, p: int, q: int) -> float:
    """E[HSIC] / sqrt(E[HSIC_xx] E[HSIC_yy]) for independent white Gaussian data: sqrt(p q / ((p + n)(q +
    n))).
    """
    return float(np.sqrt(p * q / ((p + n) * (q + n))))


def _biased_rbf_null(n: int, p: int, q: int) -> float:
    """The same for the Gaussian kernel: 1 / sqrt((1 + n v_p / d_p^2)(1 + n v_q / d_q^2)).

    v is the variance of an entry of the centred kernel off the diagonal, d = 1 - E[k] its mean on it, from
    the Gaussian integrals E[k], E[k^2] and E_x[E_y[k]^2] at the median squared distance of p units.
    """

    def noise(units: int) -> float:
        m = 2.0 * float(chdtri(units, 0.5))  # median of chi-square
        mean = (1 + 2 / m) ** (-units / 2)
        square = (1 + 4 / m) ** (-units / 2)
        shared = ((1 + 1 / m) ** 2 * (1 + 2 / (m + 1))) ** (-units / 2)
        return (square - 2 * shared + mean * mean) / (1 - mean) ** 2

    return float(1 / np.sqrt((1 + n * noise(p)) * (1 + n * noise(q))))


def _claims(*, kernel: str = "linear", debiased: bool = True) -> Claims:
    if not isinstance(debiased, bool):
        raise InputError(f"cka: debiased must be True or False, got {debiased!r}.", code="bad-parameter")
    check_option(kernel, KERNELS, name="kernel", who="cka")
    form = "debiased" if debiased else "biased"
    biased = (
        (_biased_null, "sqrt(p q / ((p + n)(q + n))) for white data: goes to 1 as units outnumber stimuli")
        if kernel == "linear"
        else (_biased_rbf_null, "a closed form for white data that goes to 1 as units outnumber stimuli")
    )
    words = "linear kernel" if kernel == "linear" else "Gaussian kernel, width the median distance"
    return Claims(
        label=f"{'linear' if kernel == 'linear' else 'RBF'} CKA ({form})",
        range=(-1.0, 1.0) if debiased else (0.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=frozenset({"translation", "scaling", "rotation", "permutation"}),
        null=(lambda n, p, q: 0.0) if debiased else biased[0],
        null_text="0" if debiased else biased[1],
        resample="pairs",
        takes_rdms=True,
        min_stimuli=4,
        references=("kornblith2019similarity",)
        + (("song2012feature", "szekely2014partial") if debiased else ()),
        method=f"Centred kernel alignment ({words}) was computed in its {form} form"
        + (", from U-centred kernels (unbiased HSIC)." if debiased else "."),
    )


def _kernel(x: Array, kernel: str) -> Array:
    """Kernel matrix (n, n), float64."""
    if kernel == "linear":
        return _linear(x)
    return _gaussian(squared_distances(centre_columns(to_safe_size(x))), array_namespace(x))


def _linear(x: Array) -> Array:
    """Gram matrix of ``x``, or, where its squares left the range of their dtype, of ``x`` over a power of two.

    Its diagonal shows both overflow and vanishing, which spares the data two passes.
    """
    xp = array_namespace(x)
    with np.errstate(over="ignore", invalid="ignore"):
        k = centred_gram(x)
        top = float(xp.max(xp.linalg.diagonal(k)))
    low, high = (2.0**-200, 2.0**200) if x.dtype == xp.float64 else (2.0**-60, 2.0**100)
    if low < top < high:
        return k
    safe = to_safe_size(x)
    return k if safe is x else centred_gram(safe)


def _gaussian(squared: Array, xp: Any) -> Array:
    n = squared.shape[0]
    above = to_numpy(
        xp.take(xp.reshape(squared, (-1,)), xp.asarray(condensed_indices(n), device=squared.device))
    )
    median = float(np.median(above))
    if median <= 0:
        raise InputError(
            "cka: more than half of the stimuli have the same pattern, so the median distance is 0; use "
            "kernel='linear'.",
            code="flat-kernel",
        )
    return xp.exp(squared / (-2.0 * median))


def _pairs(n: int) -> np.ndarray:
    return _few_pairs(n) if n <= _FEW else condensed_indices(n)


@functools.lru_cache(maxsize=4)
def _few_pairs(n: int) -> np.ndarray:
    return condensed_indices(n)


def _vector(k: Array, debiased: bool) -> Array:
    """Pair vector of a kernel: U-centred off-diagonal entries (debiased), or doubly centred entries with
    the diagonal (biased).
    """
    xp = array_namespace(k)
    n = k.shape[0]
    index = xp.asarray(_pairs(n), device=k.device)
    if not debiased:
        row = xp.mean(k, axis=0)
        centred = k - row[:, None] - row[None, :] + xp.mean(row)
        pairs = xp.take(xp.reshape(centred, (-1,)), index)
        return xp.concat([pairs, xp.linalg.diagonal(centred) * float(np.sqrt(0.5))])
    off = k - xp.eye(n, dtype=k.dtype, device=k.device) * k
    row = xp.sum(off, axis=0)
    # Szekely & Rizzo (2014), eq. 3.3: zero diagonal, rows that sum to 0
    centred = off - row[:, None] / (n - 2) - row[None, :] / (n - 2) + xp.sum(row) / ((n - 1) * (n - 2))
    return xp.take(xp.reshape(centred, (-1,)), index)


def _check_structure(vector: Array, size: float) -> Array:
    """Refuses a kernel in which all stimuli look alike (or all are equally far apart): rounding is not
    structure.
    """
    xp = array_namespace(vector)
    if float(xp.max(xp.abs(vector))) <= 1e-12 * size:
        raise InputError(
            "cka: a system has no structure over stimuli (all patterns equal, or all equally far apart), "
            "so CKA is not defined; check its data.",
            code="no-structure",
        )
    return vector


def _parts(*, kernel: str = "linear", debiased: bool = True) -> PairParts:
    def prepare(x: Array) -> Array:
        k = _kernel(x, kernel)
        return _check_structure(_vector(k, debiased), float(array_namespace(k).max(abs(k))) or 1.0)

    def from_rdm(d: np.ndarray, distance: str) -> np.ndarray:
        if distance not in _RDM_DISTANCES:
            raise InputError(
                f"cka: an RDM of {distance!r} distances is no kernel; CKA needs 'sqeuclidean' or "
                "'correlation' ones: say so with "
                "cs.rdm_data(..., distance=...) if it is, or use measure='rsa'.",
                code="rdm-without-kernel",
            )
        n = (1 + int(np.sqrt(1 + 8 * d.size))) // 2
        squared = square_of(np.asarray(d, dtype=np.float64), n)
        k = -0.5 * squared if kernel == "linear" else _gaussian(squared, np)
        return _check_structure(_vector(k, debiased), float(np.abs(k).max()))

    def rdm_distance(other: str) -> str:
        from_rdm_needs = _RDM_DISTANCES.get(other)
        if from_rdm_needs is None:
            raise InputError(
                f"cka: an RDM of {other!r} distances is no kernel; CKA needs 'sqeuclidean' or "
                "'correlation' ones: say so with "
                "cs.rdm_data(..., distance=...) if it is, or use measure='rsa'.",
                code="rdm-without-kernel",
            )
        return from_rdm_needs

    return PairParts(prepare, from_rdm=from_rdm, rdm_distance=rdm_distance, diagonal=not debiased)


def _linear_in_feature_space(x: Array, y: Array) -> Array:
    """Debiased linear CKA from p x q products, for more stimuli than units: equal to the Gram route,
    without n x n.
    """
    xp = array_namespace(x, y)
    x, y = centre_columns(to_safe_size(x)), centre_columns(to_safe_size(y))
    n = x.shape[0]

    def hsic(a: Array, b: Array, u: Array, v: Array) -> Array:
        c = cross(a, b)
        uv = xp.sum(u * v)
        # with centred columns the off-diagonal row sums of a Gram matrix are minus its diagonal (Song et
        # al. 2012, eq. 5)
        return xp.sum(c * c) - uv + xp.sum(u) * xp.sum(v) / ((n - 1) * (n - 2)) - 2 * uv / (n - 2)

    u, v = (float64(xp.sum(float64(a) * float64(a), axis=1)) for a in (x, y))
    below = hsic(x, x, u, u) * hsic(y, y, v, v)
    if float(below) <= 0:
        raise InputError(
            "cka: a system has no structure over stimuli (all patterns equal, or all equally far apart), "
            "so CKA is not defined; check its data.",
            code="no-structure",
        )
    return hsic(x, y, u, v) / xp.sqrt(below)


@measure(claims=_claims, parts=_parts)
def cka(
    x: Array, y: Array, /, *, kernel: Literal["linear", "rbf"] = "linear", debiased: bool = True
) -> Array:
    """Centred kernel alignment: how alike the stimulus-by-stimulus similarities of two systems are.

    value = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)), K and L the kernel matrices of x and y.
    Debiased (default): HSIC by U-centred kernels, A_ij = K_ij - r_i/(n-2) - r_j/(n-2) + s/((n-1)(n-2)) for
    i != j and 0 for i = j, with r the
    off-diagonal row sums and s their sum; HSIC = sum A_ij B_ij / (n (n-3)), which is unbiased (Song et al.
    2012; Szekely & Rizzo 2014).
    Biased: HSIC = tr(K H L H); goes to 1 for *independent* data as units outnumber stimuli.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows, n >= 4
    kernel : ``"linear"`` x_i . x_j, or ``"rbf"`` exp(-|x_i - x_j|^2 / (2 m)), m the median squared distance.
    debiased : False gives the biased form, with a warning (code ``null-not-zero``) where its expected null
        exceeds 0.1.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1] (biased: [0, 1]); higher = more alike; 0 for independent
    systems (debiased).

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, a system without structure.

    References
    ----------
    Kornblith et al. (2019); Song et al. (2012); Szekely & Rizzo (2014).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(20, 50))
    >>> rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(50, 50)))[0]
    >>> float(cs.measures.cka(x, 3 * x @ rotation + 5).round(6))
    1.0
    """
    who = "cka"
    check_option(kernel, KERNELS, name="kernel", who=who)
    x, y = two_systems(x, y, who=who)
    n, p, q = x.shape[0], x.shape[1], y.shape[1]
    if not debiased:
        warn_null(_claims(kernel=kernel, debiased=False), n, p, q, "the debiased form (debiased=True)")
    if debiased and kernel == "linear" and p + q < n:
        return _linear_in_feature_space(x, y)
    parts = _parts(kernel=kernel, debiased=debiased)
    a, b = parts.prepare(x), parts.prepare(y)
    xp = array_namespace(a, b)
    return xp.sum(a * b) / xp.sqrt(xp.sum(a * a) * xp.sum(b * b))


def warn_null(claims: Claims, n: int, p: int, q: int, instead: str, *, stacklevel: int = 3) -> None:
    """Warns (code ``null-not-zero``) where independent data would score above 0.1."""
    if claims.inflated(n, p, q):
        null = claims.null(n, p, q)
        warn(
            "null-not-zero",
            f"{claims.label}: {p} and {q} units over {n} stimuli would score {null:.2f} even if unrelated.",
            f"Use {instead}, more stimuli or fewer units, or read the value against its null.",
            stacklevel=stacklevel,
        )
