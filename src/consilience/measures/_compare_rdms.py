"""Comparison of two RDMs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from consilience._core._arrays import Array, as_same_library, n_from_condensed
from consilience._core._errors import InputError, UnknownNameError
from consilience._core._params import check_option
from consilience.measures._bures import bures, kernel_root
from consilience.measures._contract import PairParts
from consilience.measures._ranks import RhoParts, TauParts, rank, untied_squares
from consilience.measures._rdm_door import check_varies, condensed_rdm, kept_pairs, pair_weights
from consilience.measures._whitened import check_covariance, whitened_vector
from consilience.stats import weighted_concordance

__all__ = ["METHODS", "PREPARE", "check_method", "check_varies", "compare_rdms", "rdm_parts"]

Method = Literal[
    "cosine",
    "pearson",
    "spearman",
    "kendall",
    "rho_a",
    "whitened_cosine",
    "whitened_pearson",
    "bures",
]
METHODS: tuple[str, ...] = get_args(Method)
# what the methods are called elsewhere
_ELSEWHERE = {
    "corr": "pearson",
    "correlation": "pearson",
    "cosine_cov": "whitened_cosine",
    "corr_cov": "whitened_pearson",
    "tau-a": "kendall",
    "tau_a": "kendall",
    "tau": "kendall",
    "rho-a": "rho_a",
    "rho": "spearman",
}


def check_method(method: object, who: str) -> str:
    """``method`` if it is one of `METHODS`; the field's other names lead to ours."""
    ours = _ELSEWHERE.get(method) if isinstance(method, str) else None
    if ours is not None:
        listed = ", ".join(repr(option) for option in METHODS)
        raise UnknownNameError(
            f"{who}: method must be one of {listed}, got {method!r}. Did you mean {ours!r}?",
            code="unknown-option",
        )
    return str(check_option(method, METHODS, name="method", who=who))


def _centre(v: np.ndarray) -> np.ndarray:
    return v - v.mean()


# condensed RDM -> the vector that a comparison is made of; bures has none
PREPARE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cosine": lambda v: np.asarray(v, dtype=np.float64),
    "pearson": _centre,
    "spearman": rank,
    "kendall": rank,
    "rho_a": rank,
    "whitened_cosine": lambda v: whitened_vector(v, centred=False),
    "whitened_pearson": lambda v: whitened_vector(v, centred=True),
}
_PARTS: dict[str, type[PairParts]] = {"kendall": TauParts, "rho_a": RhoParts}


def rdm_parts(
    method: str, prepare: Callable[[Array], np.ndarray], rdm_distance: Callable[[str], str]
) -> PairParts:
    """Parts of a comparison of RDMs by ``method``; ``prepare`` makes the pair vector of responses."""
    make = PREPARE[method]
    return _PARTS.get(method, PairParts)(
        prepare,
        from_rdm=lambda v, _: check_varies(make(np.asarray(v, dtype=np.float64)), v),
        rdm_distance=rdm_distance,
        again=make if make is rank else None,
        diagonal=method.startswith("whitened"),
    )


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def _weighted(a: np.ndarray, b: np.ndarray, method: str, w: np.ndarray) -> float:
    """Value of entries ``a``, ``b`` under pair weights ``w`` > 0, all (P,)."""
    if method == "kendall":
        x, y = rank(a), rank(b)
        below = w.sum() ** 2 - w @ w
        return float(weighted_concordance(x[None], y[None], w[None])[0, 0, 0] / below)
    if method in ("spearman", "rho_a"):
        a, b = rank(a), rank(b)
    if method in ("pearson", "spearman"):
        a, b = (v - (w @ v) / w.sum() for v in (a, b))
    if method == "rho_a":
        below = (untied_squares(a[None])[0] @ w) * (untied_squares(b[None])[0] @ w)
        return float((a * w) @ b / np.sqrt(below))
    return _cosine(a * np.sqrt(w), b * np.sqrt(w))


def _value(a: np.ndarray, b: np.ndarray, method: str, sigma: np.ndarray | None, kept: np.ndarray) -> float:
    if method == "bures":
        return bures(kernel_root(a, name="a"), kernel_root(b, name="b"))
    if method.startswith("whitened"):
        centred = method == "whitened_pearson"
        one, two = (whitened_vector(v, centred=centred, sigma=sigma, kept=kept) for v in (a, b))
        return _cosine(one, two)
    one, two = (PREPARE[method](v[kept]) for v in (a, b))
    kind = _PARTS.get(method, PairParts)
    return float(kind(prepare=lambda x: x).combine(one[None], two[None])[0, 0])


def compare_rdms(
    a: Array,
    b: Array,
    /,
    *,
    method: Method = "cosine",
    missing: Literal["raise", "omit"] = "raise",
    weights: Array | None = None,
    sigma_k: Array | None = None,
) -> Array:
    """Similarity of two RDMs of the same stimuli.

    Parameters
    ----------
    a, b : condensed RDM (n(n-1)/2,) in SciPy's order, or square (n, n)
    method : with a, b the P entries and r, s their ranks (ties get mean ranks) minus (P + 1)/2,
        ``"cosine"``  a.b / (|a| |b|), not 0 for independent RDMs
        ``"pearson"``  the cosine after the mean is taken off
        ``"spearman"``  the cosine of r and s
        ``"kendall"``  tau-a = (concordant - discordant) / all pairs of pairs, which does not favour models that
            predict ties
        ``"rho_a"``  12 r.s / (P^3 - P): the Spearman correlation expected when ties are broken at random, so
            that ties are not favoured either
        ``"whitened_cosine"``  a'V^-1 b / sqrt(a'V^-1 a b'V^-1 b), V the covariance of the entries of an RDM of
            noise; equals biased linear CKA for squared Euclidean distances, so it is not 0 for independent ones
        ``"whitened_pearson"``  the same after the constant RDM is projected out (in that metric), 0 for
            independent ones
        ``"bures"``  tr((K^1/2 L K^1/2)^1/2) / sqrt(tr K tr L) of the kernels K, L = -H D H / 2 (H centres): for
            squared Euclidean distances the Procrustes similarity, inflated by units as that is
    missing : ``"omit"`` leaves out pairs with NaN in a or b (not for bures, which needs all).
    weights : one number >= 0 per pair, condensed or square; pairs of weight 0 are left out. Ranks are those
        of the pairs left, unweighted. Not for the whitened methods, whose weights are V, nor bures.
    sigma_k : for the whitened methods, the (n,) variances or (n, n) covariance of the noise of the conditions'
        patterns (up to a factor), e.g. 1 / repeats; None = alike and independent. Not together with missing
        pairs.

    Returns
    -------
    0-d array of the library of ``a`` (computed in NumPy), in [-1, 1] (bures: [0, 1]); 1 for equal RDMs (tau-a
        and rho-a: less where ``a`` has ties).

    Raises
    ------
    InputError : other shapes or sizes, NaN, fewer than 3 stimuli, an RDM all of whose entries are equal, weights
        or sigma_k that do not fit.
    ConsilienceWarning ``not-euclidean`` : bures of distances that no points have.

    Not to be confused with ``tau-b``, which divides by untied pairs. Elsewhere the whitened methods are called
    cosine_cov and corr_cov; there, with missing pairs or sigma_k, corr_cov takes off the plain mean instead.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008); Nili et al. (2014); Kendall (1938); Schuett et al. (2023) for rho-a;
    Diedrichsen et al. (2021) for whitening; Harvey, Larsen & Williams (2023) for Bures.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    >>> float(cs.measures.compare_rdms(a, b, method="kendall").round(4))
    0.3333
    >>> x, y = np.random.default_rng(0).normal(size=(2, 20, 50))
    >>> one, two = (cs.measures.rdm(z, distance="sqeuclidean") for z in (x, y))
    >>> float(cs.measures.compare_rdms(one, two, method="whitened_pearson").round(3))
    0.011
    """
    who = "compare_rdms"
    check_method(method, who)
    check_option(missing, ("raise", "omit"), name="missing", who=who)
    one, two = (condensed_rdm(v, name, missing=missing) for v, name in ((a, "a"), (b, "b")))
    if one.size != two.size:
        raise InputError(
            f"compare_rdms: a and b must be of the same stimuli, got {one.size} and {two.size} pairs.",
            code="rows-differ",
        )
    by_kernel = method == "bures" or method.startswith("whitened")
    if weights is not None and by_kernel:
        raise InputError(
            f"{who}: weights= do not go with method={method!r}, which uses all pairs of a condition together; "
            "leave pairs out as NaN with missing='omit', or use sigma_k=, or another method.",
            code="bad-weights",
        )
    if sigma_k is not None and not method.startswith("whitened"):
        raise InputError(
            f"{who}: sigma_k= belongs to the whitened methods, got method={method!r}; leave it out, or use "
            "method='whitened_cosine'.",
            code="bad-covariance",
        )
    w = np.ones(one.size) if weights is None else pair_weights(weights, one.size, who=who)
    kept = kept_pairs(one, two, np.where(w > 0, w, np.nan), who=who)
    if not kept.all() and (method == "bures" or sigma_k is not None):
        raise InputError(
            f"{who}: {int((~kept).sum())} of {kept.size} pairs are missing, and "
            f"{'method=bures' if method == 'bures' else 'sigma_k='} needs all of them; drop those stimuli, or use "
            f"{'another method' if method == 'bures' else 'sigma_k=None'}.",
            code="nan-values",
        )
    n = n_from_condensed(one.size)
    assert n is not None
    sigma = None if sigma_k is None else check_covariance(sigma_k, n, who)
    for v in (one, two):
        check_varies(v, v[kept])
    if weights is None:
        value = _value(one, two, method, sigma, kept)
    else:
        value = _weighted(one[kept], two[kept], method, w[kept])
    return as_same_library(np.asarray(value), a) if hasattr(a, "shape") else np.asarray(value)[()]
