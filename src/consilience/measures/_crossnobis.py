"""The crossnobis distance: cross-validated, so that noise alone gives 0."""

from __future__ import annotations

from typing import Literal

import numpy as np

from consilience._core._arrays import Array, as_same_library, condensed_indices
from consilience._core._errors import InputError
from consilience._core._params import check_option, shorten
from consilience.linalg._noise import NOISE_METHODS, NoiseCovariance, stimulus_residuals, whitened, whitener
from consilience.linalg._noise_rows import times_precision
from consilience.measures._repeats import (
    Trials,
    as_trials,
    cross_distances,
    in_range,
    safe_means,
    safe_trials,
)

__all__ = ["crossnobis", "crossnobis_of_repeats", "crossnobis_square"]


def crossnobis(
    trials: Array,
    stimulus: Array,
    /,
    *,
    folds: Array | None = None,
    noise: Literal["shrinkage", "shrinkage_diagonal", "diagonal", "full"]
    | NoiseCovariance
    | Array
    | None = "shrinkage",
    square: bool = False,
    rng: int = 0,
) -> Array:
    """Cross-validated squared Mahalanobis distance of each two stimuli, per unit; 0 on average for equal ones.

    d_ij = 1/p mean over folds m of (x_i^m - x_j^m)' P_m (x_i^-m - x_j^-m), x^m the mean pattern of a stimulus in
    fold m, x^-m its mean over the other folds, P_m a noise precision that knows nothing of fold m. The two factors
    have independent noise, so E d_ij = delta' E[P] delta / p whatever the noise, and 0 with no difference: values can
    be **negative**, and are kept. With one P for all folds it is the mean over all pairs of folds, each counted alike.
    Where stimuli lack trials in some folds, a distance is the mean over the pairs of folds that have both.

    Not to be confused with the plain Mahalanobis distance (`rdm`), which is above 0 for noise alone, nor with a sum
    over units: it is divided by p.

    Parameters
    ----------
    trials : array (n trials, p units), not averaged
    stimulus : (n,) stimulus of each trial; the RDM has the distinct ones in sorted order (`numpy.unique`)
    folds : (n,) fold of each trial: the run or session, so that noise is independent between folds. None deals the
        trials of each stimulus at random into as many folds as the rarest has trials (at most 10), which takes
        trials as independent. The value depends on that one deal; `cs.rdms` gives the mean over all deals, or many.
    noise : how to estimate the noise covariance from the residuals of the other folds (`noise_covariance`,
        `stimulus_residuals`); None: none (squared Euclidean); a `NoiseCovariance`, or an array that is a
        **precision** (p, p) or (p,) (what rsatoolbox takes), estimated from other data.
        Units that were not recorded at once have no noise correlation: use "diagonal".
    square : False: condensed (n(n-1)/2,) in SciPy's order; True: (n, n).
    rng : seed of the dealing

    Returns
    -------
    float64 array of the library of ``trials``

    Raises
    ------
    InputError : a single trial or fold, two stimuli without 2 folds in common (code ``no-common-folds``), no
        residuals to estimate noise from (``no-repeats``), singular noise, NaN, distances beyond what a float holds.

    References
    ----------
    Walther et al. (2016); Diedrichsen et al. (2020).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.array([[1.0, 0.0], [0.0, 0.0], [3.0, 0.0], [0.0, 0.0]])
    >>> cs.measures.crossnobis(x, ["a", "b", "a", "b"], folds=[1, 1, 2, 2], noise=None)
    array([1.5])
    """
    who = "crossnobis"
    made = as_trials(trials, stimulus, folds, who=who, rng=rng)
    d = crossnobis_square(made, noise, who=who)
    out = d if square else np.take(d.reshape(-1), condensed_indices(len(d)))
    return as_same_library(out, trials) if hasattr(trials, "shape") and hasattr(trials, "dtype") else out


def crossnobis_square(made: Trials, noise: object, *, who: str) -> np.ndarray:
    """`crossnobis` of checked trials: (n, n)."""
    p = made.x.shape[1]
    means, size = safe_means(made)
    b = None
    if isinstance(noise, str):
        check_option(noise, NOISE_METHODS, name="noise", who=who)
        b = _times_training_precision(made, means, noise, who, size)
        size = 1.0  # the scale of the units is that of their noise
    elif noise is not None:
        root = whitener(noise, p, who=who)
        means = whitened(means.reshape(-1, p), root).reshape(means.shape)
    d = cross_distances(means, made.present, b=b, who=who, stimuli=made.stimuli.tolist()) / p
    return in_range(d, size, who=who)


def crossnobis_of_repeats(made: Trials, noise: object, *, who: str) -> np.ndarray:
    """The mean of `crossnobis` over all deals of the trials into folds, with one noise precision P or None: (n, n).

    It is the mean over all ordered pairs of different repeats, and equals |m_i - m_j|^2 - v_i / R_i - v_j / R_j in
    units whitened by P, over p: m_i the mean of the R_i trials of a stimulus, v_i the unbiased variance about it,
    summed over units. Trials may be unbalanced.
    """
    p = made.x.shape[1]
    x, size = safe_trials(made.x)
    x = x - x.mean(axis=0)
    if noise is not None:
        x = whitened(x, whitener(noise, p, who=who))
    counts = np.bincount(made.stimulus)
    order = np.argsort(made.stimulus, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    means = np.add.reduceat(x[order], starts, axis=0) / counts[:, None]
    apart = x - means[made.stimulus]
    squares = np.bincount(made.stimulus, weights=np.einsum("ij,ij->i", apart, apart))
    k = means @ means.T
    own = np.diag(k) - squares / (counts * (counts - 1.0))
    d = own[:, None] + own[None, :] - 2 * k
    np.fill_diagonal(d, 0.0)
    return in_range(d / p, size, who=who)


def _times_training_precision(
    made: Trials, means: np.ndarray, method: str, who: str, size: float
) -> np.ndarray:
    """For each fold its ``means`` times the precision of noise estimated from all other folds; trials are taken over
    ``size``.

    A unit that is constant (silent) in all other folds adds 0 to x^-m, so its weight does not matter: it is 0.
    """
    out = np.zeros_like(means)
    for m in range(len(made.names)):
        others = made.fold != m
        x = made.x[others] / size
        varies = np.ptp(x, axis=0) > 0
        all_vary = bool(varies.all())
        try:
            r = stimulus_residuals(
                x if all_vary else x[:, varies], made.stimulus[others], runs=made.fold[others]
            )
        except InputError as error:
            if error.code != "no-repeats":
                raise
            raise InputError(
                f"{who}: without fold {shorten(made.names[m].item(), 40)} no stimulus has a second trial in the other "
                "folds to estimate noise from; pass noise=None, or a noise covariance from other data (a GLM's "
                "residuals, a baseline).",
                code="no-repeats",
            ) from None
        if all_vary:
            out[m] = times_precision(means[m], r, method=method)
        else:
            out[m][:, varies] = times_precision(means[m][:, varies], r, method=method)
    return out
