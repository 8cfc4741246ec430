"""Comparison of two RDMs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import stats

from consilience._core._arrays import Array, as_array, as_same_library, n_from_condensed, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_option
from consilience.measures._contract import PairParts
from consilience.stats._pairs import square

__all__ = ["METHODS", "compare_rdms", "rdm_parts"]

METHODS = ("cosine", "pearson", "spearman", "kendall")
_SIGNS = 1 << 24  # entries of the concordance matrix per block


def _centre(v: np.ndarray) -> np.ndarray:
    return v - v.mean()


def _rank(v: np.ndarray) -> np.ndarray:
    # distances that differ by rounding only (binary patterns make many) are ties, on every machine
    ranks = stats.rankdata(np.round(v / (np.max(np.abs(v)) or 1.0), 12))
    return ranks - (v.size + 1) / 2


PREPARE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cosine": lambda v: np.asarray(v, dtype=np.float64),
    "pearson": _centre,
    "spearman": _rank,
    "kendall": _rank,
}


def tau_a(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-a of two vectors in O(P log P): tau-b sqrt((N - T_a)(N - T_b)) / N, N pairs, T ties
    (Kendall 1938).
    """
    n = a.size * (a.size - 1) / 2
    ties = [float(sum(c * (c - 1) / 2 for c in np.unique(v, return_counts=True)[1])) for v in (a, b)]
    if n in ties:
        return 0.0
    tau_b = float(stats.kendalltau(a, b, variant="b").statistic)
    return tau_b * np.sqrt((n - ties[0]) * (n - ties[1])) / n


class TauParts(PairParts):
    """Kendall's tau-a: the pair vectors are ranks, but a value is a sum of signs over pairs of pairs."""

    def combine(self, a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        if weights is None:
            return np.array([[tau_a(x, y) for y in b] for x in a])
        n = weights.shape[1]
        rows, columns = np.triu_indices(n, 1)
        v = weights[:, rows] * weights[:, columns]
        total = v.sum(axis=1)
        below = total * total - (v * v).sum(axis=1)
        out = np.zeros((weights.shape[0], a.shape[0], b.shape[0]))
        step = max(1, _SIGNS // rows.size)
        for start in range(0, rows.size, step):
            part = slice(start, start + step)
            signs_b = [np.sign(y[part, None] - y[None, :]).astype(np.float32) for y in b]
            for i, x in enumerate(a):
                signs = np.sign(x[part, None] - x[None, :]).astype(np.float32)
                for j, other in enumerate(signs_b):
                    half = v.astype(np.float32) @ (signs * other).T
                    out[:, i, j] += np.einsum("dp,dp->d", half.astype(np.float64), v[:, part])
        return out / below[:, None, None]

    def permute(
        self, a: np.ndarray, b: np.ndarray, orders: np.ndarray, groups: np.ndarray | None = None
    ) -> np.ndarray:
        n = orders.shape[1]
        rows, columns = np.triu_indices(n, 1)
        squares = square(a, n)
        owner = np.arange(b.shape[0]) if groups is None else groups
        out = np.zeros((orders.shape[0], a.shape[0], owner.max() + 1))
        count = np.bincount(owner)
        for k, order in enumerate(orders):
            for i, matrix in enumerate(squares):
                moved = matrix[order[rows], order[columns]]
                for j, y in enumerate(b):
                    out[k, i, owner[j]] += tau_a(moved, y) / count[owner[j]]
        return out


def rdm_parts(
    method: str, prepare: Callable[[Array], np.ndarray], rdm_distance: Callable[[str], str]
) -> PairParts:
    """Parts of a comparison of RDMs by ``method``; ``prepare`` makes the pair vector of responses."""
    make = PREPARE[method]
    kind = TauParts if method == "kendall" else PairParts
    again = make if method in ("spearman", "kendall") else None
    return kind(
        prepare,
        from_rdm=lambda v, _: check_varies(make(np.asarray(v, dtype=np.float64)), v),
        rdm_distance=rdm_distance,
        again=again,
    )


def check_varies(vector: np.ndarray, rdm: np.ndarray, *, rounding: float = 0.0) -> np.ndarray:
    """Refuses an RDM all of whose entries are equal, or differ by at most ``rounding``: it has no structure."""
    spread = float(np.max(rdm) - np.min(rdm))
    if spread <= max(rounding, 1e-12 * float(np.max(np.abs(rdm)) or 1.0)):
        raise InputError(
            f"compare_rdms: all entries of an RDM are equal ({float(rdm.flat[0]):.4g}), so its comparison "
            "is not defined; check the data of that system.",
            code="constant-rdm",
        )
    return vector


def _condensed(x: object, name: str) -> np.ndarray:
    who = "compare_rdms"
    array = to_numpy(as_array(x, name=name, who=who))
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: {name} must hold real numbers, got dtype {array.dtype}; convert it to float first.",
            code="not-numeric",
        )
    array = np.asarray(array, dtype=np.float64)
    if array.ndim == 2 and array.shape[0] == array.shape[1]:
        n = array.shape[0]
        if not np.isfinite(array).all():
            raise InputError(
                f"{who}: {name} has NaN or infinite entries; fill or drop those stimuli first.",
                code="nan-values",
            )
        if np.abs(array - array.T).max(initial=0) > 1e-6 * np.abs(array).max(initial=0):
            raise InputError(
                f"{who}: {name} is not symmetric; average it with its transpose on purpose.",
                code="not-symmetric",
            )
        array = array[np.triu_indices(n, 1)]
    elif array.ndim != 1 or n_from_condensed(array.size) is None:
        raise InputError(
            f"{who}: {name} must be a condensed RDM (n(n-1)/2,) or a square one (n, n), got shape "
            f"{array.shape}; make it with cs.measures.rdm.",
            code="bad-rdm",
        )
    if array.size < 3:
        raise InputError(
            f"{who}: {name} needs at least 3 stimuli (3 pairs), got {array.size} pairs.", code="too-few"
        )
    if not np.isfinite(array).all():
        raise InputError(
            f"{who}: {name} has NaN or infinite entries; fill or drop those stimuli first.", code="nan-values"
        )
    return array


def compare_rdms(
    a: Array, b: Array, /, *, method: Literal["cosine", "pearson", "spearman", "kendall"] = "cosine"
) -> Array:
    """Similarity of two RDMs of the same stimuli.

    Parameters
    ----------
    a, b : condensed RDM (n(n-1)/2,) in SciPy's order, or square (n, n)
    method : ``"cosine"`` a.b/(|a||b|), not 0 for independent RDMs; ``"pearson"``; ``"spearman"`` (ties get mean
        ranks); ``"kendall"`` tau-a = (concordant - discordant) / all pairs of pairs, which does not favour
        models that predict ties (Nili et al. 2014).

    Returns
    -------
    0-d array of the library of ``a`` (computed in NumPy), in [-1, 1]; 1 for equal RDMs (tau-a: less where
    ``a`` has ties).

    Raises
    ------
    InputError : other shapes or sizes, NaN, fewer than 3 stimuli, an RDM all of whose entries are equal.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008); Nili et al. (2014); Kendall (1938).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    >>> float(cs.measures.compare_rdms(a, b, method="kendall").round(4))
    0.3333
    """
    check_option(method, METHODS, name="method", who="compare_rdms")
    one, two = _condensed(a, "a"), _condensed(b, "b")
    if one.size != two.size:
        raise InputError(
            f"compare_rdms: a and b must be of the same stimuli, got {one.size} and {two.size} pairs.",
            code="rows-differ",
        )
    vectors = [check_varies(PREPARE[method](v), v) for v in (one, two)]
    kind = TauParts if method == "kendall" else PairParts
    value = kind(prepare=lambda x: x).combine(vectors[0][None], vectors[1][None])[0, 0]
    return as_same_library(np.asarray(value), a) if hasattr(a, "shape") else np.asarray(value)
