"""Squared correlation of a prediction with the noise-free response, without bias for few repeats."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array
from consilience.units._prediction import Products, prediction_scores
from consilience.units._scores import UnitScores

__all__ = ["r2_er"]


def _rule(of: Products) -> tuple[np.ndarray, np.ndarray]:
    flat, n = of.predicted <= 0, of.n - 1
    top = (n * of.cross) ** 2 - of.leak
    return np.where(flat, 0.0, top / (n * n * np.where(flat, 1.0, of.predicted))), of.signal


def r2_er(
    prediction: Array,
    trials: Array,
    stimulus: Array,
    /,
    *,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int = 0,
) -> UnitScores:
    """Squared correlation of a prediction with the expected response (r2_ER), noise taken off both terms.

    r2_ER = ((sum a b)^2 - sum a^2 v / k) / (sum a^2 (n - 1) S), a and b the centred predictions and mean responses, v
    / k the noise variance of each mean: what noise adds to the numerator is taken off too. CC_norm squared has no such
    term and is 1/(n - 1) times (1 / SNR of the means) too high on average. Differs from the paper in that the noise
    variance may differ between stimuli (they equalise it by a square root first). 0 on average for an unrelated
    prediction up to 1 / (n - 1) of chance correlation with the signal itself; values below 0 and above 1 are kept.

    Parameters
    ----------
    prediction : (n_trials, units), one row per trial, equal for trials of one stimulus; in any units.
    trials : (n_trials, units).   stimulus : (n_trials,), at least 3 stimuli of at least 2 trials; numbers may differ.
    n_perm : relabellings of the predictions; 0 = no p.   level : of the interval for other stimuli
        (Fieller's of a ratio, jackknife covariances, t).

    Returns
    -------
    UnitScores : NaN where CC_max is below 0.1 (said); the interval is (-inf, inf) where that of the signal holds 0.

    In simulations (20 to 200 stimuli, 2 or 10 repeats) intervals at 95 % held the truth in 0.92 to 1.0 (with 20
    stimuli and a perfect prediction in 0.90); infinite ones among them.

    Raises
    ------
    InputError : shapes that differ, a stimulus with one trial (``no-repeats``), NaN.
    ConsilienceWarning : ``silent-units``, ``ceiling-too-low``.

    References
    ----------
    Pospisil & Bair (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> stimulus = np.repeat(np.arange(200), 4)
    >>> signal = rng.normal(size=(200, 1))
    >>> model = 0.6 * signal + 0.8 * rng.normal(size=(200, 1))  # squared correlation 0.36 with the signal
    >>> found = cs.units.r2_er(model[stimulus], signal[stimulus] + rng.normal(size=(800, 1)), stimulus)
    >>> bool(found.ci_low[0] < 0.36 < found.ci_high[0])
    True
    """
    return prediction_scores(
        prediction, trials, stimulus, _rule, who="cs.units.r2_er", n_perm=n_perm, level=level, rng=rng
    )
