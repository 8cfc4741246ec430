"""Signal to noise of a unit: variance between stimuli over variance between repeats."""

from __future__ import annotations

from consilience._core._arrays import Array
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.units._scores import UnitScores
from consilience.units._signal import signal_scores
from consilience.units._trials import as_repeats, say_silent

__all__ = ["tuning_snr"]


def tuning_snr(
    trials: Array,
    stimulus: Array,
    /,
    *,
    groups: Array | None = None,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int = 0,
) -> UnitScores:
    """Signal variance over the noise variance of single trials, S / W.

    S = V - N and W as in `explainable_variance`, which is SNR / (SNR + 1); of the mean of k repeats SNR / (SNR + 1/k).
    0 on average for a unit without tuning, as the noise in the means is taken off: the plain ratio V / W is 1/k there.
    Its root is the noise-ceiling SNR of Allen et al. (2022), and for two stimuli d'^2 / 2 (S then is half the squared
    difference of the means).

    Parameters
    ----------
    trials : (n_trials, units).   stimulus : (n_trials,), at least 2 trials each, numbers may differ.
    groups : (n_trials,) runs, sessions or blocks whose means are taken out: an additive effect of each is fitted with
        the means of the stimuli, and counted as degrees of freedom. Each must share stimuli with others.
    n_perm : relabellings; 0 = no p.   level : of the interval for other stimuli (needs 3).   rng : seed.

    Returns
    -------
    UnitScores : value in [-1/k, inf]; inf without noise, NaN for a unit that never varies.

    The interval is that of `explainable_variance`, on this scale, with the same coverage.

    Raises
    ------
    InputError : a stimulus with one trial (``no-repeats``), fewer than 2 stimuli, NaN, groups that share no
        stimuli (``groups-confounded``).
    ConsilienceWarning : ``silent-units``.

    References
    ----------
    Sahani & Linden (2003); Allen et al. (2022); Miller (1968) for the interval.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.array([[0.0], [2.0], [10.0], [12.0]])  # V = 50, W = 2, N = 1
    >>> float(cs.units.tuning_snr(x, [0, 0, 1, 1], n_perm=0).value[0])
    24.5
    """
    who = "cs.units.tuning_snr"
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    repeats = as_repeats(trials, stimulus, who=who, groups=groups)
    say_silent(repeats.silent, who=who)
    value, low, high, null, p = signal_scores(
        repeats, "snr", n_perm=n_perm, level=level, rng=seed.stream("permutations")
    )
    return UnitScores(value=value, ci_low=low, ci_high=high, null_mean=null, p=p, level=level)
