"""A network's units with the trials and the noise of neurons, so that indices of both compare fairly."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience._core._seeds import resolve_seed
from consilience.units._untuned import counts_like

__all__ = ["matched_noise"]


def matched_noise(
    activations: Array,
    /,
    *,
    mean: Any,
    fano: Any = 1.0,
    n_trials: int = 1,
    rng: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Counts of spikes that noiseless units would fire, had they the mean count and Fano factor of neurons.

    Activations are scaled to a mean of ``mean`` over the rows, lambda = mean * a / mean(a), and each trial is drawn
    with mean lambda and variance ``fano`` * lambda: Poisson where that is 1, negative binomial above, binomial below
    (there the nearest Fano factor that whole numbers can have). Ratios of mean responses (class selectivity,
    sparseness, OSI) are those of the activations, up to the noise that the neurons' have too; what differs between a
    network and neurons afterwards is not the number of trials. The spread over rows (images) is the unit's own.

    Parameters
    ----------
    activations : (n, units), >= 0: a row per stimulus.   mean : mean count over the rows, one number, or one of each
        unit (units,), or those of any other number of neurons (m,), of which each unit is dealt one.   fano : variance
        over mean of single trials of one stimulus, given like mean (dealt with it, where both are of m neurons).
    n_trials : of each row.   rng : seed.

    Returns
    -------
    (counts, row) : (n * n_trials, units) float64 whole numbers, trials of a row side by side, and (n * n_trials,) the
        row of ``activations`` of each.

    Raises
    ------
    InputError : negative activations (``negative-responses``): layers before a rectification; NaN; a mean or Fano
        factor that is not above 0.

    References
    ----------
    Goris et al. (2014) for the negative binomial.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> a = np.array([[0.0, 1.0], [2.0, 1.0]])
    >>> counts, row = cs.units.matched_noise(a, mean=5.0, n_trials=1000)
    >>> counts.shape, counts[row == 0, 0].max().item(), abs(counts.mean(axis=0) - 5).max().item() < 0.3
    ((2000, 2), 0.0, True)
    """
    who = "cs.units.matched_noise"
    x = np.asarray(to_numpy(as_matrix(activations, name="activations", who=who)), dtype=np.float64)
    n_trials = check_count(n_trials, name="n_trials", who=who, minimum=1)
    if (x < 0).any():
        raise InputError(
            f"{who}: {int((x < 0).any(axis=0).sum())} of {x.shape[1]} units have negative activations, and no count "
            "has a negative mean. Record the layer after its rectification, or rectify them: np.maximum(x, 0).",
            code="negative-responses",
        )
    seed = resolve_seed(rng, who=who)
    units = x.shape[1]
    means, fanos = (_positive(v, name, who) for v, name in ((mean, "mean"), (fano, "fano")))
    if means.size > 1 and fanos.size > 1 and means.size != fanos.size:
        raise InputError(
            f"{who}: mean and fano must be of the same neurons, got {means.size} and {fanos.size}.",
            code="bad-parameter",
        )
    size = max(means.size, fanos.size)
    if size not in (1, units):
        dealt = seed.stream("neurons").permutation(np.resize(np.arange(size), max(units, size)))[:units]
        means, fanos = (v if v.size == 1 else v[dealt] for v in (means, fanos))
    middle = x.mean(axis=0)
    rate = np.where(middle > 0, x / np.where(middle > 0, middle, 1.0), 0.0) * means
    row = np.repeat(np.arange(len(x)), n_trials)
    return counts_like(rate[row], fanos, 1, (row.size, units), seed.stream("trials")), row


def _positive(value: Any, name: str, who: str) -> np.ndarray:
    try:
        given = np.atleast_1d(np.asarray(to_numpy(value), dtype=np.float64))
    except (TypeError, ValueError):
        given = np.empty(0)
    if given.ndim != 1 or not given.size or not np.isfinite(given).all() or (given <= 0).any():
        raise InputError(
            f"{who}: {name} must be a number above 0, or one of each unit or neuron, got {shorten(value)}.",
            code="bad-parameter",
        )
    return given
