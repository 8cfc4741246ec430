"""Procrustes similarity, in-sample and held out."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._arrays import Array, array_namespace
from consilience._core._errors import InputError
from consilience.linalg import centre_columns, principal_scores, to_safe_size
from consilience.measures._cka import warn_null
from consilience.measures._contract import Claims, PredictionParts, Predictions, SubsampleParts, measure
from consilience.measures._door import two_systems
from consilience.measures._held_out import held_out_score, scores

__all__ = ["procrustes", "procrustes_held_out"]

_INVARIANT = frozenset({"translation", "scaling", "rotation", "permutation"})
_FEWEST = 8  # stimuli for the held-out form


def procrustes_null(n: int, p: int, q: int) -> float:
    """Expected ||X'Y||_* / (||X|| ||Y||) of independent white Gaussian data, from the limit law of the
    singular values.

    The squared singular values are the spectrum of a product of two independent Wishart matrices. With c =
    p/(n-1), d = q/(n-1) the
    function z(x) = x G(x) - 1 of its Stieltjes transform G solves x z = (1 + z)(c + z)(d + z) (free
    multiplicative convolution), the
    density is -Im(G)/pi, and the value is m E[sqrt(x)] / sqrt(p q), m = n - 1.
    """
    m = n - 1
    c, d = p / m, q / m
    top = (1 + np.sqrt(c)) ** 2 * (1 + np.sqrt(d)) ** 2
    edges = np.linspace(0, 1, 4001)
    x = top * ((edges[1:] + edges[:-1]) / 2) ** 3  # finer near 0, where the density can diverge
    width = top * np.diff(edges**3)
    # imaginary part of the complex roots of z^3 + a z^2 + b z + e (Cardano), 0 where all three are real
    a, b, e = 1 + c + d, c + d + c * d - x, c * d
    r, s = (2 * a**3 - 9 * a * b + 27 * e) / 54, (a * a - 3 * b) / 9
    inner = np.sqrt(np.maximum(r * r - s**3, 0.0))
    one = -np.sign(r) * np.cbrt(np.abs(r) + inner)
    two = np.divide(s, one, out=np.zeros_like(one), where=one != 0)
    imaginary = np.where(r * r > s**3, np.sqrt(3) / 2 * np.abs(one - two), 0.0)
    total = np.sum(imaginary / (np.pi * np.sqrt(x)) * width)
    return float(min(1.0, m * total / np.sqrt(p * q)))


def _claims() -> Claims:
    return Claims(
        label="Procrustes similarity (in-sample)",
        range=(0.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=_INVARIANT,
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

    value = ||X'Y||_* / (||X|| ||Y||), X and Y centred, ||.||_* the sum of singular values, ||.|| the
    Frobenius norm; arccos of it is the angular
    Procrustes distance, a metric (Williams et al. 2021). Independent data score high when units are many (n
    = 100: 0.75 at 100 units, 0.975 at 1000):
    use `procrustes_held_out` there (as `cs.compare` does).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows; p
        and q may differ

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


class _RotationPlan:
    def __init__(self, x: np.ndarray, folds: list[np.ndarray]) -> None:
        self.x, self.folds = x, folds

    def predict(self, y: np.ndarray) -> Predictions:
        n = self.x.shape[0]
        top, left, right = (np.zeros((n, 1)) for _ in range(3))
        for test in self.folds:
            train = np.setdiff1d(np.arange(n), test)
            x_mean, y_mean = self.x[train].mean(axis=0), y[train].mean(axis=0)
            u, _, vt = np.linalg.svd((self.x[train] - x_mean).T @ (y[train] - y_mean), full_matrices=False)
            a, b = self.x[test] - x_mean, y[test] - y_mean
            top[test, 0] = np.einsum("ik,ik->i", a @ u, b @ vt.T)
            left[test, 0], right[test, 0] = np.einsum("ik,ik->i", a, a), np.einsum("ik,ik->i", b, b)
        return Predictions(top, left, right)


def _held_out_claims(*, folds: int = 5, groups: Any = None, rng: Any = 0) -> Claims:
    return Claims(
        label="Procrustes similarity (held out)",
        range=(-1.0, 1.0),
        itself=None,
        symmetric=True,
        invariant=_INVARIANT,
        resample="predictions",
        min_stimuli=_FEWEST,
        converts=True,
        references=("schonemann1966generalized", "williams2021generalized"),
        method=(
            "The best rotation of one system onto the other was fitted with the stimuli of a fold held out; "
            "the value is the normalised overlap of the held-out stimuli."
        ),
    )


def _held_out_parts(*, folds: int = 5, groups: Any = None, rng: Any = 0) -> PredictionParts:
    return PredictionParts(scores, lambda x, tests, owner: _RotationPlan(x, tests), folds=folds)


@measure(claims=_held_out_claims, parts=_held_out_parts)
def procrustes_held_out(x: Array, y: Array, /, *, folds: int = 5, groups: Any = None, rng: Any = 0) -> Array:
    """Procrustes similarity on stimuli held out: 0 for unrelated systems, however many units.

    The rotation Q is fitted on the training stimuli of each fold; value = sum_i <x_i Q, y_i> / sqrt(sum_i
    |x_i|^2 sum_i |y_i|^2) over all held-out
    stimuli i, both as deviations from the training mean.

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
    who = "procrustes_held_out"
    return held_out_score(
        x, y, _held_out_parts(), groups=groups, folds=folds, rng=rng, who=who, fewest=_FEWEST
    )
