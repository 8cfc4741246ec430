"""Distances of spike counts: the symmetrised Kullback-Leibler divergence of Poisson distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._arrays import (
    Array,
    array_namespace,
    as_same_library,
    condensed_indices,
    float64,
    to_numpy,
)
from consilience._core._errors import InputError
from consilience._core._params import check_number
from consilience.measures._repeats import Trials, as_trials, cross_distances, fold_means

__all__ = ["check_counts", "poisson_crossvalidated", "poisson_crossvalidated_square", "poisson_distances"]


def check_counts(x: Array, *, name: str, who: str) -> None:
    """Refuses values below 0, which no count or rate has."""
    xp = array_namespace(x)
    if float(xp.min(x)) < 0:
        rows, columns = np.nonzero(to_numpy(x) < 0)
        raise InputError(
            f"{who}: {name} has {rows.size} values below 0, first at (trial {rows[0]}, unit {columns[0]}); Poisson "
            "distances need counts or rates, neither centred nor z-scored.",
            code="negative-counts",
        )


def smoothed(x: Any, prior_rate: float, prior_weight: float, who: str) -> Any:
    """(x + rate weight) / (1 + weight): as if ``weight`` of an observation of ``rate`` had been seen too."""
    check_number(prior_rate, name="prior_rate", who=who, low=0.0)
    check_number(prior_weight, name="prior_weight", who=who, low=0.0)
    return (x + prior_rate * prior_weight) / (1 + prior_weight)


def poisson_distances(x: Array, prior_rate: float, prior_weight: float, *, who: str) -> Array:
    """Sum over units of (r_i - r_j) (log r_i - log r_j), (n, n) float64, r the smoothed rates of x (n, p)."""
    check_counts(x, name="x", who=who)
    rates = smoothed(float64(x), prior_rate, prior_weight, who)
    xp = array_namespace(rates)
    logs = xp.log(rates)
    k = (rates - xp.mean(rates, axis=0)) @ (logs - xp.mean(logs, axis=0)).T
    d = xp.linalg.diagonal(k)
    k = k + k.T
    out = d[:, None] + d[None, :] - k
    return xp.where(out < 0, xp.zeros_like(out), out)


def poisson_crossvalidated(
    trials: Array,
    stimulus: Array,
    /,
    *,
    folds: Array | None = None,
    prior_rate: float = 1.0,
    prior_weight: float = 0.1,
    square: bool = False,
    rng: int = 0,
) -> Array:
    """Cross-validated symmetrised Poisson divergence of each two stimuli, per unit; 0 on average for equal ones.

    d_ij = 1/p mean over folds m of (r_i^-m - r_j^-m) . (log r_i^m - log r_j^m), r^m = (mean count + rate weight) /
    (1 + weight) of a stimulus in fold m, r^-m its mean over the other folds. Negative values are kept. rsatoolbox
    0.3.2 returns the last fold's term only; this is the mean over all folds.

    Parameters
    ----------
    trials : array (n trials, p units), counts or rates, >= 0.   stimulus, folds, square, rng : see `crossnobis`.
    prior_rate, prior_weight : a prior rate (in the unit of the data) and the trials it is worth, which keep log r
        finite for silent units (rsatoolbox's prior_lambda, prior_weight).

    Returns
    -------
    float64 array of the library of ``trials``: (n(n-1)/2,) or (n, n)

    Raises
    ------
    InputError : values below 0 (code ``negative-counts``), and as for `crossnobis`.

    References
    ----------
    Schuett et al. (2023).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> counts = np.random.default_rng(0).poisson([[2.0, 9.0], [9.0, 2.0]] * 20)
    >>> float(cs.measures.poisson_crossvalidated(counts, ["a", "b"] * 20)[0]) > 5
    True
    """
    who = "poisson_crossvalidated"
    made = as_trials(trials, stimulus, folds, who=who, rng=rng)
    d = poisson_crossvalidated_square(made, prior_rate, prior_weight, who=who)
    out = d if square else np.take(d.reshape(-1), condensed_indices(len(d)))
    return as_same_library(out, trials) if hasattr(trials, "shape") and hasattr(trials, "dtype") else out


def poisson_crossvalidated_square(
    made: Trials, prior_rate: float, prior_weight: float, *, who: str
) -> np.ndarray:
    """`poisson_crossvalidated` of checked trials: (n, n)."""
    check_counts(made.x, name="trials", who=who)
    present = made.present
    means = smoothed(fold_means(made, centre=False), prior_rate, prior_weight, who)
    logs = np.log(means)
    logs -= logs.mean(axis=1, keepdims=True)
    means -= means.mean(axis=1, keepdims=True)
    return cross_distances(means, present, b=logs, who=who, stimuli=made.stimuli.tolist()) / made.x.shape[1]
