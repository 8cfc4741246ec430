"""Procrustes similarity, in-sample and held out."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from scipy.special import gammaln

from consilience._core._arrays import Array, array_namespace
from consilience._core._errors import InputError
from consilience.linalg import centre_columns, principal_scores, to_safe_size
from consilience.measures._cka import warn_null
from consilience.measures._contract import (
    SIMILARITIES,
    Claims,
    PredictionParts,
    Predictions,
    SubsampleParts,
    measure,
)
from consilience.measures._door import two_systems
from consilience.measures._held_out import (
    alignment_claims,
    alignment_parts,
    deviations,
    held_out_score,
    scores,
)

__all__ = ["procrustes", "procrustes_held_out"]


@functools.lru_cache(maxsize=1024)
def procrustes_null(n: int, p: int, q: int) -> float:
    """Expected ||X'Y||_* / (||X|| ||Y||) of independent white Gaussian data of n stimuli, p and q units.

    The squared singular values of X'Y/m are the spectrum of a product of two independent Wishart matrices.
    With m = n - 1, c = p/m and d = q/m, the function w(x) = x G(x) - 1 of its Stieltjes transform G solves
    x w = (1 + w)(c + w)(d + w) (free multiplicative convolution), the density is -Im(G)/pi, and their sum of
    sqrt(x) tends to m E[sqrt(x)]. Real data differ from that limit by the integral of d sqrt(x)/dx times
    arg(F)/(2 pi), F = -w^2 x'(w)/(cd) = 1 - ((1 + c + d) w^2 + 2 w^3)/(cd): Bai & Silverstein (2004), Theorem
    1.1, for Y given X, and again for X. The lengths ||X|| and ||Y|| are chi variables, independent of the
    directions.
    """
    m = n - 1
    c, d = p / m, q / m
    top = (1 + np.sqrt(c)) ** 2 * (1 + np.sqrt(d)) ** 2
    edges = np.linspace(0, 1, 4001)
    x = top * ((edges[1:] + edges[:-1]) / 2) ** 3  # finer near 0, where the density can diverge
    width = top * np.diff(edges**3)
    # complex root of w^3 + a w^2 + b w + e (Cardano), on the support: where not all three are real
    a, b, e = 1 + c + d, c + d + c * d - x, c * d
    r, s = (2 * a**3 - 9 * a * b + 27 * e) / 54, (a * a - 3 * b) / 9
    one = -np.sign(r) * np.cbrt(np.abs(r) + np.sqrt(np.maximum(r * r - s**3, 0.0)))
    two = np.divide(s, one, out=np.zeros_like(one), where=one != 0)
    w = -(one + two) / 2 - a / 3 - 1j * np.sqrt(3) / 2 * np.abs(one - two)
    limit = -m * w.imag / (np.pi * np.sqrt(x))
    finite = np.angle(1 - ((1 + c + d) * w**2 + 2 * w**3) / (c * d)) / (4 * np.pi * np.sqrt(x))
    total = np.sum(np.where(r * r > s**3, limit + finite, 0.0) * width)
    return float(min(1.0, m * total / (_mean_length(m * p) * _mean_length(m * q))))


def _mean_length(k: int) -> float:
    """Expected length of a vector of k standard normal numbers."""
    return float(np.sqrt(2) * np.exp(gammaln((k + 1) / 2) - gammaln(k / 2)))


def _claims() -> Claims:
    return Claims(
        label="Procrustes similarity (in-sample)",
        range=(0.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=SIMILARITIES,
        null=procrustes_null,
        null_text="about 0.85 sqrt(p/n) for p < n/10 units on both sides; 0.75 at p = n; goes to 1 beyond",
        resample="subsample",
        held_out="procrustes_held_out",
        references=("schonemann1966generalized", "williams2021generalized"),
        method=(
            "The best rotation of one system onto the other was fitted on all stimuli (Procrustes, "
            "in-sample: inflated when units are many)."
        ),
    )


def _similarity(x: Array, y: Array) -> Array:
    xp = array_namespace(x, y)
    below = xp.sqrt(xp.sum(x * x) * xp.sum(y * y))
    if x.shape[1] == 0 or y.shape[1] == 0 or float(below) <= 0:
        raise InputError(
            "procrustes: a system has the same pattern for all stimuli, so there is nothing to align.",
            code="no-structure",
        )
    return xp.sum(xp.linalg.svdvals(x.T @ y)) / below


def _parts() -> SubsampleParts:
    return SubsampleParts(scores, lambda x, y: float(_similarity(x - x.mean(axis=0), y - y.mean(axis=0))))


@measure(claims=_claims, parts=_parts)
def procrustes(x: Array, y: Array, /) -> Array:
    """Procrustes similarity, in-sample: overlap of two systems after the best rotation of one onto the other.

    value = ||X'Y||_* / (||X|| ||Y||), X and Y centred, ||.||_* the sum of singular values, ||.|| the Frobenius
    norm; arccos of it is the angular Procrustes distance, a metric (Williams et al. 2021). Independent data
    score high when units are many (n = 100: 0.75 at 100 units, 0.975 at 1000): use `procrustes_held_out`
    there (as `cs.compare` does).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows; p and
        q may differ

    Returns
    -------
    0-d array of the library of ``x``, in [0, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation.
    ConsilienceWarning ``null-not-zero`` : independent data of this size would score above 0.1.

    References
    ----------
    Schoenemann (1966); Williams et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 4))
    >>> rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    >>> float(cs.measures.procrustes(x, 2 * x @ rotation).round(6))
    1.0
    """
    who = "procrustes"
    x, y = two_systems(x, y, who=who)
    warn_null(_claims(), x.shape[0], x.shape[1], y.shape[1], "cs.measures.procrustes_held_out")
    return _similarity(*(principal_scores(centre_columns(to_safe_size(z))) for z in (x, y)))


# -- held out ----------------------------------------------------------------------------------------------


class _RotationPlan:
    """The rotation fitted on the training stimuli of each fold, both sides' held-out stimuli under it."""

    def __init__(self, x: np.ndarray, folds: list[np.ndarray]) -> None:
        self.n, self.folds = x.shape[0], folds
        self.sides = [deviations(x, test) for test in folds]

    def predict(self, y: np.ndarray) -> Predictions:
        top, left, right = (np.zeros((self.n, 1)) for _ in range(3))
        for (x_in, a), test in zip(self.sides, self.folds):
            y_in, b = deviations(y, test)
            u, size, vt = np.linalg.svd(x_in.T @ y_in, full_matrices=False)
            known = size > size[0] * 1e-12  # the training stimuli say nothing on how the others rotate
            top[test, 0] = np.einsum("ik,ik->i", a @ u[:, known], b @ vt[known].T)
            left[test, 0], right[test, 0] = np.einsum("ik,ik->i", a, a), np.einsum("ik,ik->i", b, b)
        return Predictions(top, left, right)


def _held_out_claims(**options: Any) -> Claims:
    return alignment_claims(
        label="Procrustes similarity (held out)",
        itself=None,
        references=("schonemann1966generalized", "williams2021generalized"),
        method=(
            "The best rotation of one system onto the other was fitted with the stimuli of a fold held out; "
            "the value is the normalised overlap of the held-out stimuli."
        ),
    )


def _held_out_parts(*, folds: int = 5, **split: Any) -> PredictionParts:
    return alignment_parts(_RotationPlan, folds=folds, who="procrustes_held_out")


@measure(claims=_held_out_claims, parts=_held_out_parts)
def procrustes_held_out(x: Array, y: Array, /, *, folds: int = 5, groups: Any = None, rng: Any = 0) -> Array:
    """Procrustes similarity on stimuli held out: 0 for unrelated systems, however many units.

    The rotation Q is fitted on the training stimuli of each fold; value = sum_i <x_i Q, y_i> / sqrt(sum_i
    |x_i|^2 sum_i |y_i|^2) over all held-out stimuli i, both as deviations from the training mean. Directions in
    which the training stimuli do not vary (there are some once units outnumber them) have no rotation: they
    count in the lengths, not in the overlap.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    folds : number of folds.   groups : n labels never split.   rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds.

    References
    ----------
    Schoenemann (1966); Williams et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> float(cs.measures.procrustes_held_out(x, x)) > 0.99
    True
    """
    parts = _held_out_parts(folds=folds)
    return held_out_score(x, y, parts, groups=groups, rng=rng, who="procrustes_held_out")
