"""Signal to noise of a whole population, and noise that brings it down to a wanted value."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_number
from consilience._core._seeds import resolve_seed
from consilience.populations._repeats import as_trials_of
from consilience.stats import explainable

__all__ = ["add_noise", "signal_to_noise"]


def signal_to_noise(trials: Array, stimulus: Array, /) -> float:
    """Signal variance of all units together over their noise variance in single trials.

    SNR = sum_u S_u / sum_u W_u; S_u the variance of unit u's means over stimuli less what noise adds to it, W_u the
    mean variance of single trials around them (`cs.units.tuning_snr` is S_u / W_u). Unbiased above and below, so it can
    be negative; inf without noise, NaN without either.

    Parameters
    ----------
    trials : (n_trials, units).   stimulus : (n_trials,), at least 2 stimuli with at least 2 trials each.

    Raises
    ------
    InputError : a stimulus with one trial (``no-repeats``), fewer than 2 stimuli, NaN.

    References
    ----------
    Sahani & Linden (2003).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> cs.populations.signal_to_noise(np.array([[0.0], [2.0], [10.0], [12.0]]), [0, 0, 1, 1])  # S = 49, W = 2
    24.5
    """
    signal, noise = _variances(trials, stimulus, "cs.populations.signal_to_noise")
    above, below = float(signal.sum()), float(noise.sum())
    if below > 0:
        return above / below
    return float("inf") if above > 0 else float("nan")


def add_noise(
    trials: Array,
    stimulus: Array,
    /,
    *,
    snr: float,
    rng: int | np.random.Generator = 0,
    noiseless: bool = False,
) -> np.ndarray:
    """Trials with normal noise added, independent of unit and trial, so that `signal_to_noise` becomes ``snr``.

    The variance to add, sum_u S_u / snr - sum_u W_u, is dealt to the units in proportion to their signal S_u (units
    without signal get none), so that no unit loses its signal before the others do. It holds on average over noise:
    one draw is off by sampling error.

    Parameters
    ----------
    trials : (n_trials, units).   stimulus : (n_trials,), at least 2 trials each; any number if ``noiseless``.
    snr : above 0, not above that of the trials.   rng : seed.   noiseless : trials hold no noise (a network), so W = 0
        and no repeats are needed.

    Returns
    -------
    (n_trials, units)

    Raises
    ------
    InputError : ``snr-too-high``: above that of the trials, from which noise cannot be taken.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> ids = np.repeat(np.arange(50), 10)
    >>> x = np.random.default_rng(0).normal(size=(50, 100))[ids]  # ten copies: no noise
    >>> noisy = cs.populations.add_noise(x, ids, snr=0.5, noiseless=True)
    >>> round(cs.populations.signal_to_noise(noisy, ids), 1)
    0.5
    """
    who = "cs.populations.add_noise"
    snr = check_number(snr, name="snr", who=who, low=0.0)
    x = np.asarray(to_numpy(as_matrix(trials, name="trials", who=who, min_rows=2)), dtype=np.float64)
    if noiseless:
        names, first = np.unique(np.asarray(stimulus), return_index=True)
        if names.size < 2:
            raise InputError(f"{who}: at least 2 stimuli are needed, got {names.size}.", code="too-few")
        signal, noise = x[first].var(axis=0, ddof=1), np.zeros(x.shape[1])
    else:
        signal, noise = _variances(x, stimulus, who)
    held = np.maximum(signal, 0.0)
    added = float(signal.sum()) / snr - float(noise.sum())
    if not held.sum() > 0 or added < -1e-9 * float(noise.sum()):
        have = float(signal.sum()) / max(float(noise.sum()), 1e-300)
        raise InputError(
            f"{who}: the trials have a signal to noise of {have:.3g}, and noise can only be added; got snr={snr:.3g}. "
            "Bring the other system down to this one.",
            code="snr-too-high",
        )
    deviation = np.sqrt(max(added, 0.0) * held / held.sum())
    generator = rng if isinstance(rng, np.random.Generator) else resolve_seed(rng, who=who).stream("noise")
    return np.asarray(x + generator.standard_normal(x.shape) * deviation)


def signal_z(trials: Array, stimulus: Array, /) -> float:
    """sum_u S_u over the standard error that it has where no unit has signal and noise is independent between units:
    var S_u = 2 (W_u / k)^2 (1 / (n - 1) + 1 / (n (k - 1))), n stimuli, k repeats.
    """
    signal, noise = _variances(trials, stimulus, "cs.populations.signal_to_noise")
    number = np.unique(np.asarray(stimulus), return_counts=True)[1]
    n, k = number.size, float(1.0 / np.mean(1.0 / number))
    error = float(np.sqrt(2 * np.sum((noise / k) ** 2) * (1 / (n - 1) + 1 / (n * (k - 1)))))
    return float(signal.sum()) / error if error > 0 else float("inf")


def _variances(trials: Array, stimulus: Array, who: str) -> tuple[np.ndarray, np.ndarray]:
    """(S, W), (units,) each, in squared units of the trials."""
    x, number, _ = as_trials_of(trials, stimulus, who=who)
    counts = np.bincount(number)
    means, noise = explainable(x - x.mean(axis=0), number)
    single = (noise * counts[:, None]).mean(axis=0)
    return means.var(axis=0, ddof=1) - noise.mean(axis=0), single
