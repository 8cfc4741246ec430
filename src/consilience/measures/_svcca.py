"""SVCCA: canonical correlation between leading principal components, in-sample and held out."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal

from consilience._core._arrays import Array, array_namespace, to_numpy
from consilience._core._params import check_count, check_number
from consilience.measures._canonical import (
    canonical_null,
    mean_correlation,
    squared_null,
    varying_scores,
    warn_cut,
    whiten,
)
from consilience.measures._canonical_plan import CanonicalPlan, Whitener
from consilience.measures._cka import warn_null
from consilience.measures._contract import SIMILARITIES, Claims, PredictionParts, SubsampleParts, measure
from consilience.measures._door import two_systems
from consilience.measures._held_out import alignment_claims, alignment_parts, held_out_score, scores

__all__ = ["svcca", "svcca_held_out"]


def _check_truncation(threshold: float, k: int | None, who: str) -> None:
    check_number(threshold, name="threshold", who=who, low=1e-9, high=1.0, closed=True)
    if k is not None:
        check_count(k, name="k", who=who, minimum=1)


def _kept(values: np.ndarray, threshold: float, k: int | None) -> int:
    """How many components: ``k``, or the fewest that hold ``threshold`` of the variance.

    ``values``: variances, the largest first. Components at rounding level are never kept.
    """
    rank = int(np.sum(values > values[0] * 1e-12))
    if k is not None:
        return min(k, rank)
    share = np.cumsum(values) / values.sum()
    return min(rank, int(np.searchsorted(share, threshold - 1e-12) + 1))


# -- in-sample ---------------------------------------------------------------------------------------------


def _leading(x: Array, threshold: float, k: int | None) -> Array:
    """The scores of the components kept, (n, kept)."""
    z = varying_scores(x, who="svcca")
    values = to_numpy(array_namespace(z).sum(z * z, axis=0))
    return z[:, : _kept(values, threshold, k)]


def _both(x: Array, y: Array, threshold: float, k: int | None) -> tuple[Array, Array]:
    a, b = (_leading(z, threshold, k) for z in (x, y))
    if k is not None:
        warn_cut(k, max(a.shape[1], b.shape[1]), "k", stacklevel=4)
    return a, b


@functools.lru_cache(maxsize=1024)
def _kept_of_white(n: int, p: int, threshold: float, k: int | None) -> tuple[tuple[int, float], ...]:
    """How many components are kept of white Gaussian data (n, p), and how often: ((number, share), ...).

    Their variances are drawn as eigenvalues of the tridiagonal model of a Wishart matrix (Dumitriu & Edelman
    2002), up to 200 times, at a fixed seed: with few components left out, the number depends on how the
    smallest ones vary, which the limit law of Marchenko & Pastur (1967) does not tell.
    """
    rank, size = min(p, n - 1), max(p, n - 1)
    if k is not None or threshold >= 1 or rank == 1:
        return ((min(rank, k or rank), 1.0),)
    rng = np.random.default_rng(0)
    counts: list[int] = []
    for _ in range(int(np.clip(10**7 // rank**2, 2, 200))):
        diagonal = rng.chisquare(size - np.arange(rank))
        below = rng.chisquare(rank - 1 - np.arange(rank - 1))
        between = np.sqrt(diagonal[:-1] * below)
        diagonal[1:] += below
        counts.append(_kept(eigvalsh_tridiagonal(diagonal, between)[::-1], threshold, None))
    kept, often = np.unique(counts, return_counts=True)
    return tuple(zip(kept.tolist(), (often / len(counts)).tolist()))


def _claims(*, threshold: float = 0.99, k: int | None = None) -> Claims:
    def kept(n: int, units: int) -> tuple[tuple[int, float], ...]:
        return _kept_of_white(n, units, threshold, k)

    def null(n: int, p: int, q: int) -> float:
        return sum(a * b * canonical_null(n, i, j) for i, a in kept(n, p) for j, b in kept(n, q))

    def inflation(n: int, p: int, q: int) -> float:
        one, two = (sum(number * share for number, share in kept(n, units)) for units in (p, q))
        return squared_null(n, one, two)

    return Claims(
        label="SVCCA (in-sample)",
        range=(0.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=SIMILARITIES,
        null=null,
        null_text="that of CCA between the components kept, their number that of white data",
        inflation=inflation,
        resample="subsample",
        held_out="svcca_held_out",
        references=("raghu2017svcca", "hotelling1936relations"),
        method=(
            "Each system was reduced to its leading principal components and the mean canonical correlation "
            "taken (SVCCA, in-sample: inflated when components are many)."
        ),
    )


def _parts(*, threshold: float = 0.99, k: int | None = None) -> SubsampleParts:
    _check_truncation(threshold, k, "svcca")

    def value(x: np.ndarray, y: np.ndarray) -> float:
        a, b = _both(x, y, threshold, k)
        return float(mean_correlation(whiten(a), whiten(b)))

    return SubsampleParts(scores, value)


@measure(claims=_claims, parts=_parts)
def svcca(x: Array, y: Array, /, *, threshold: float = 0.99, k: int | None = None) -> Array:
    """SVCCA, in-sample: mean canonical correlation between the leading principal components of two systems.

    Each centred system is reduced to the fewest principal components that hold ``threshold`` of its variance
    (or to ``k``); the value is the mean canonical correlation between them, over the smaller number of
    components. (Elsewhere "SVCCA" also means: a fixed 20 components, a threshold on singular values instead
    of variance, or the mean over only the correlations that hold 98 %.)

    Where fewer components are left out than a tenth of the stimuli (many units, high ``threshold``), subsets
    of nine tenths of them keep every component and score 1 whatever the data, so the interval of `cs.compare`
    is too narrow (unrelated data, 100 x 1000: it holds the null in 25 %); read such a value against its null,
    or use `svcca_held_out`.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    threshold : share of variance kept, in (0, 1].   k : number of components kept instead.

    Returns
    -------
    0-d array of the library of ``x``, in [0, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation.
    ConsilienceWarning ``null-not-zero`` : components kept / (n-1) > 0.1, so unrelated data would score high;
        use `svcca_held_out`.

    References
    ----------
    Raghu et al. (2017).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> float(cs.measures.svcca(x, 2 * x[:, ::-1]).round(6))
    1.0
    """
    _check_truncation(threshold, k, "svcca")
    x, y = two_systems(x, y, who="svcca")
    a, b = _both(x, y, threshold, k)
    warn_null(_claims(threshold=1.0), x.shape[0], a.shape[1], b.shape[1], "cs.measures.svcca_held_out")
    return mean_correlation(whiten(a), whiten(b))


# -- held out ----------------------------------------------------------------------------------------------


def _whitener(threshold: float, k: int | None) -> Whitener:
    def whitener(z: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(z.T @ z / z.shape[0])
        values, vectors = values[::-1], vectors[:, ::-1]
        keep = _kept(values, threshold, k)
        return vectors[:, :keep] / np.sqrt(values[:keep])

    return whitener


def _held_out_claims(**options: Any) -> Claims:
    return alignment_claims(
        label="SVCCA (held out)",
        itself=1.0,
        references=("raghu2017svcca", "hotelling1936relations"),
        method=(
            "Each system was reduced to its leading principal components and canonical directions were "
            "fitted between them (SVCCA), with the stimuli of a fold held out; the correlations of the "
            "held-out projections were averaged over components."
        ),
    )


def _held_out_parts(
    *, threshold: float = 0.99, k: int | None = None, folds: int = 5, **split: Any
) -> PredictionParts:
    _check_truncation(threshold, k, "svcca_held_out")
    whitener = _whitener(threshold, k)
    return alignment_parts(
        lambda x, tests: CanonicalPlan(x, tests, whitener, kept=k), folds=folds, who="svcca_held_out"
    )


@measure(claims=_held_out_claims, parts=_held_out_parts)
def svcca_held_out(
    x: Array,
    y: Array,
    /,
    *,
    threshold: float = 0.99,
    k: int | None = None,
    folds: int = 5,
    groups: Any = None,
    rng: Any = 0,
) -> Array:
    """SVCCA on stimuli held out: components and canonical directions from the training stimuli, correlations
    from the others.

    Components that fit the training stimuli equally well (perfectly, as many do once the components kept of
    both sides outnumber the training stimuli) are not told apart by them: each counts as their mean.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    threshold, k : components kept, as in `svcca`, counted in the training stimuli of each fold.
    folds : number of folds.   groups : n labels never split.   rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike; 0 for unrelated systems (simulated with 30
    stimuli: 0.004 at 15 units, nothing to be seen at 5 or 60).

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds.

    References
    ----------
    Raghu et al. (2017).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> float(cs.measures.svcca_held_out(x, x)) > 0.99
    True
    """
    parts = _held_out_parts(threshold=threshold, k=k, folds=folds)
    return held_out_score(x, y, parts, groups=groups, rng=rng, who="svcca_held_out")
