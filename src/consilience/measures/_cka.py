"""Centred kernel alignment."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from scipy.special import chdtri

from consilience._core._arrays import (
    Array,
    array_namespace,
    condensed_indices,
    to_numpy,
)
from consilience._core._errors import InputError, warn
from consilience._core._params import check_option
from consilience.linalg import centre_columns, squared_distances, to_safe_size
from consilience.linalg._gram import centred_gram, distances_of_gram
from consilience.linalg._moments import Moments, moments_of, shift_of
from consilience.measures._centred import check_structure, pair_vector
from consilience.measures._cka_units import SampledParts, sampled_cka
from consilience.measures._contract import Claims, PairParts, measure, square_of
from consilience.measures._door import two_systems

__all__ = ["cka", "debiased_cka", "debiased_hsic", "warn_null"]

KERNELS = ("linear", "rbf")
UNITS = ("all", "sampled")
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


def _claims(*, kernel: str = "linear", debiased: bool = True, units: str = "all") -> Claims:
    if not isinstance(debiased, bool):
        raise InputError(f"cka: debiased must be True or False, got {debiased!r}.", code="bad-parameter")
    check_option(kernel, KERNELS, name="kernel", who="cka")
    if check_option(units, UNITS, name="units", who="cka") == "sampled":
        return _sampled_claims(kernel, debiased)
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


def _sampled_claims(kernel: str, debiased: bool) -> Claims:
    if kernel != "linear" or not debiased:
        raise InputError(
            "cka: units='sampled' is there for the debiased linear form only; leave kernel and debiased at their "
            "defaults, or use units='all'.",
            code="bad-parameter",
        )
    return Claims(
        label="linear CKA (debiased over stimuli and units)",
        range=(-math.inf, math.inf),
        itself=None,
        symmetric=True,
        invariant=frozenset({"translation", "scaling", "permutation"}),
        null=lambda n, p, q: math.nan,
        null_text="0 where both populations have structure over stimuli; not defined for white data",
        resample="pairs",
        min_stimuli=4,
        converts=True,
        references=("kornblith2019similarity", "song2012feature", "chun2025estimating"),
        method=(
            "Linear centred kernel alignment was estimated for the populations of which the recorded units are a "
            "random sample: unbiased over stimuli (U-centred kernels), and squared lengths from pairs of different "
            "units."
        ),
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


def _parts(*, kernel: str = "linear", debiased: bool = True, units: str = "all") -> PairParts:
    if check_option(units, UNITS, name="units", who="cka") == "sampled":
        _sampled_claims(kernel, debiased)
        return SampledParts()

    def prepare(x: Array) -> Array:
        k = _kernel(x, kernel)
        return check_structure(pair_vector(k, debiased), float(array_namespace(k).max(abs(k))) or 1.0)

    def from_gram(gram: np.ndarray, eps: float) -> np.ndarray:
        k = gram if kernel == "linear" else _gaussian(distances_of_gram(gram), np)
        return np.asarray(check_structure(pair_vector(k, debiased), float(np.abs(k).max()) or 1.0))

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
        return check_structure(pair_vector(k, debiased), float(np.abs(k).max()))

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

    return PairParts(
        prepare, from_rdm=from_rdm, rdm_distance=rdm_distance, diagonal=not debiased, from_gram=from_gram
    )


def _linear_in_feature_space(x: Array, y: Array) -> Array:
    """Debiased linear CKA from p x q products, for more stimuli than units: equal to the Gram route,
    without n x n.
    """
    xp = array_namespace(x, y)
    with np.errstate(over="ignore", invalid="ignore"):
        found = moments_of(x, y, shift_of(x), shift_of(y), threads=True).centred()
    low, high = (2.0**-200, 2.0**200) if x.dtype == xp.float64 else (2.0**-60, 2.0**100)
    if not (low < float(found.a) < high and low < float(found.b) < high):
        x, y = to_safe_size(centre_columns(to_safe_size(x))), to_safe_size(centre_columns(to_safe_size(y)))
        found = moments_of(x, y, shift_of(x), shift_of(y), threads=True).centred()
    return debiased_cka(found)


def debiased_cka(m: Moments) -> Array:
    """Debiased linear CKA from the moments of centred systems."""
    xp = array_namespace(m.xx)
    top, xx, yy = debiased_hsic(m)
    if float(xx) <= 1e-12 * float(m.a) ** 2 or float(yy) <= 1e-12 * float(m.b) ** 2:
        raise InputError(
            "cka: a system has no structure over stimuli (all patterns equal, or all equally far apart), "
            "so CKA is not defined; check its data.",
            code="no-structure",
        )
    return top / xp.sqrt(xx * yy)


def debiased_hsic(m: Moments) -> tuple[Array, Array, Array]:
    """n (n - 3) times the unbiased HSIC of x and y, x and x, y and y."""
    xp = array_namespace(m.xx)
    n = m.n

    def hsic(c: Array, uv: Array, u: Array, v: Array) -> Array:
        # with centred columns the off-diagonal row sums of a Gram matrix are minus its diagonal (Song et
        # al. 2012, eq. 5)
        return xp.sum(c * c) - uv + u * v / ((n - 1) * (n - 2)) - 2 * uv / (n - 2)

    return hsic(m.xy, m.ab, m.a, m.b), hsic(m.xx, m.aa, m.a, m.a), hsic(m.yy, m.bb, m.b, m.b)


@measure(claims=_claims, parts=_parts)
def cka(
    x: Array,
    y: Array,
    /,
    *,
    kernel: Literal["linear", "rbf"] = "linear",
    debiased: bool = True,
    units: Literal["all", "sampled"] = "all",
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
    units : ``"all"``: the value of these units. ``"sampled"``: an estimate of the value of the two populations
        of which the units are random samples. With few units, or noise of single units, HSIC(K, K) is too large,
        and the plain value too low; here it is the mean over pairs of *different* units u != v of
        HSIC(x_u x_u', x_v x_v'), while HSIC(K, L) needs no correction as long as no unit is in both systems. The
        result is not clipped (above 1: warning ``above-one``), and 0 where a system has no structure that other
        units would show (warning ``units-too-few`` below a tenth of it). Its interval is over stimuli, for these
        units.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1] (biased: [0, 1]; sampled: not bounded); higher = more alike; 0
    for independent systems (debiased).

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, a system without structure.

    References
    ----------
    Kornblith et al. (2019); Song et al. (2012); Szekely & Rizzo (2014); Chun et al. (2025) for sampled units.

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
    if check_option(units, UNITS, name="units", who=who) == "sampled":
        _sampled_claims(kernel, debiased)
        return sampled_cka(*two_systems(x, y, who=who))
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
