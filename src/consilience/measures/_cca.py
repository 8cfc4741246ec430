"""Canonical correlation analysis, in-sample and held out."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._arrays import Array, to_numpy
from consilience.linalg import level_columns, principal_scores
from consilience.measures._canonical import (
    canonical_null,
    check_regularization,
    mean_correlation,
    squared_null,
    varying_scores,
    whiten,
)
from consilience.measures._canonical_plan import CanonicalPlan, shrunk_whitener
from consilience.measures._cka import warn_null
from consilience.measures._contract import SIMILARITIES, Claims, PredictionParts, SubsampleParts, measure
from consilience.measures._door import two_systems
from consilience.measures._held_out import alignment_claims, alignment_parts, held_out_score, scores

__all__ = ["cca", "cca_held_out"]


# -- in-sample ---------------------------------------------------------------------------------------------


def _value(x: Array, y: Array, regularization: float) -> Array:
    """Without regularisation the units come in at one scale, whatever it was."""
    level = regularization == 0
    a, b = (whiten(varying_scores(z, who="cca", level=level), regularization=regularization) for z in (x, y))
    return mean_correlation(a, b)


def _claims(*, regularization: float = 0.0) -> Claims:
    plain = regularization == 0
    return Claims(
        label="mean canonical correlation (in-sample)",
        range=(0.0, 1.0),
        itself=1.0 if plain else None,
        symmetric=True,
        invariant=SIMILARITIES | {"unit_scaling", "affine"} if plain else SIMILARITIES,
        null=canonical_null if plain else lambda n, p, q: float("nan"),
        null_text="mean squared value max(p, q)/(n-1); 1 once max(p, q) >= n-1",
        inflation=squared_null if plain else None,
        resample="subsample",
        held_out="cca_held_out",
        references=("hotelling1936relations",),
        method=(
            "The canonical correlations of the two systems were computed on all stimuli and averaged "
            "(in-sample: inflated when units are many)."
        ),
    )


def _parts(*, regularization: float = 0.0) -> SubsampleParts:
    check_regularization(regularization, "cca")
    if regularization:
        return SubsampleParts(scores, lambda x, y: float(_value(x, y, regularization)))

    def prepare(x: Array) -> np.ndarray:
        return to_numpy(principal_scores(level_columns(x)))

    def value(x: np.ndarray, y: np.ndarray) -> float:
        a, b = (whiten(varying_scores(z, who="cca")) for z in (x, y))
        return float(mean_correlation(a, b))

    return SubsampleParts(prepare, value)


@measure(claims=_claims, parts=_parts)
def cca(x: Array, y: Array, /, *, regularization: float = 0.0) -> Array:
    """Mean canonical correlation, in-sample: how much of two systems is shared up to any linear
    transformation.

    value = mean over k = min(rank x, rank y) of the singular values of Sxx^-1/2 Sxy Syy^-1/2, S the
    covariances of the centred data; with regularization c: Sxx replaced by (1 - c) Sxx + c m I, m its mean
    eigenvalue over its rank. Independent data of full rank give a mean *squared* value of max(p, q)/(n-1),
    and exactly 1 once max(p, q) >= n - 1: use `cca_held_out` there (as `cs.compare` does).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    regularization : c in [0, 1).

    Returns
    -------
    0-d array of the library of ``x``, in [0, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation.
    ConsilienceWarning ``null-not-zero`` : max(p, q)/(n-1) > 0.1.

    References
    ----------
    Hotelling (1936).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 3))
    >>> float(cs.measures.cca(x, x @ rng.normal(size=(3, 3))).round(6))
    1.0
    """
    check_regularization(regularization, "cca")
    x, y = two_systems(x, y, who="cca")
    claims = _claims(regularization=regularization)
    warn_null(claims, x.shape[0], x.shape[1], y.shape[1], "cs.measures.cca_held_out")
    return _value(x, y, regularization)


# -- held out ----------------------------------------------------------------------------------------------


def _held_out_claims(**options: Any) -> Claims:
    return alignment_claims(
        label="mean canonical correlation (held out)",
        itself=1.0,
        references=("hotelling1936relations", "ledoit2004well"),
        method=(
            "Canonical directions (covariances shrunk by Ledoit-Wolf) were fitted with the stimuli of a "
            "fold held out; the correlations of the held-out projections were averaged over components."
        ),
    )


def _held_out_parts(*, regularization: float | None = None, folds: int = 5, **split: Any) -> PredictionParts:
    whitener = shrunk_whitener(regularization, "cca_held_out")
    return alignment_parts(
        lambda x, tests: CanonicalPlan(x, tests, whitener), folds=folds, who="cca_held_out"
    )


@measure(claims=_held_out_claims, parts=_held_out_parts)
def cca_held_out(
    x: Array,
    y: Array,
    /,
    *,
    regularization: float | None = None,
    folds: int = 5,
    groups: Any = None,
    rng: Any = 0,
) -> Array:
    """Mean canonical correlation on stimuli held out: 0 for unrelated systems, however many units.

    Directions are fitted on the training stimuli of each fold; value = mean over min(p, q, n_train - 1)
    components of the correlation of both sides' projections of the held-out stimuli (deviations from the
    training mean, each fold in units of its training spread). Components that fit the training stimuli equally
    well, as they do once units outnumber stimuli and nothing is shrunk, each count as their mean.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    regularization : c in [0, 1) as in `cca`; None = Ledoit-Wolf shrinkage of each side's training covariance
        (then the value is no longer exactly invariant to affine transformations).
    folds : number of folds.   groups : n labels never split.   rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike. With few stimuli and more units than
    stimuli the mean over unrelated systems is a little below 0 (simulated: -0.017 at 15 stimuli, -0.007 at
    30, nothing to be seen at 60), because the correlation of a component is pooled over folds; permuted
    stimuli share it, so p does not.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds.

    References
    ----------
    Hotelling (1936); Ledoit & Wolf (2004).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> float(cs.measures.cca_held_out(x, x)) > 0.99
    True
    """
    parts = _held_out_parts(regularization=regularization, folds=folds)
    return held_out_score(x, y, parts, groups=groups, rng=rng, who="cca_held_out")
