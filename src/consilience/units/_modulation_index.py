"""Modulation of responses by a stimulus: response against baseline, trial by trial."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from consilience._core._arrays import Array, as_matrix, same_rows, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.units._scores import UnitScores
from consilience.units._trials import powers, say_silent

__all__ = ["modulation_index"]


def modulation_index(
    responses: Array, baseline: Array, /, *, n_perm: int = 1000, level: float = 0.95, rng: int = 0
) -> UnitScores:
    """Response modulation, (r - b) / (r + b), r and b the mean count or rate after and before the event, in [-1, 1].

    1 = no spike in the baseline, -1 = silenced, 0 = no change, so that it is signed and nothing is chosen: a unit
    without modulation has 0 on average. Both windows must have one length, or be rates.

    Not to be confused with selectivity: a unit may respond to all stimuli alike.

    Parameters
    ----------
    responses, baseline : (n_trials, units), >= 0, of the same trials.   n_perm : random exchanges of response and
        baseline of trials; 0 = no p.   level : of the interval: delta method on paired trials, t.   rng : seed.

    Returns
    -------
    UnitScores : p two-sided.   counted["difference"] : r - b.

    Raises
    ------
    InputError : negative values (``negative-responses``: dF/F, BOLD; their difference is what to test there), other
        trials or units.   ConsilienceWarning : ``silent-units``.

    Examples
    --------
    >>> import consilience as cs
    >>> found = cs.units.modulation_index([[3.0], [3.0], [3.0]], [[1.0], [1.0], [1.0]], n_perm=0)
    >>> found.value.tolist()
    [0.5]
    """
    who = "cs.units.modulation_index"
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    r, b = (
        np.asarray(to_numpy(as_matrix(v, name=name, who=who, min_rows=2)), dtype=np.float64)
        for v, name in ((responses, "responses"), (baseline, "baseline"))
    )
    same_rows(r, b, who=who)
    if r.shape != b.shape:
        raise InputError(
            f"{who}: responses and baseline must be of the same units, got {r.shape[1]} and {b.shape[1]}.",
            code="units-differ",
        )
    if (r < 0).any() or (b < 0).any():
        raise InputError(
            f"{who}: negative values, and a difference over a sum that can be 0 has no bounds (dF/F, BOLD). Use the "
            "difference itself, or d_prime of response and baseline.",
            code="negative-responses",
        )
    size = powers(np.concatenate([r, b]))
    r, b = r / size, b / size
    total = (r + b).mean(axis=0)
    say_silent(total == 0, who=who)
    safe = np.where(total > 0, total, np.nan)
    value = (r - b).mean(axis=0) / safe
    left = (r - b - value * (r + b)) / safe
    n = len(r)
    away = student.ppf((1 + level) / 2, n - 1) * np.sqrt(left.var(axis=0, ddof=1) / n)
    p = np.full(value.size, np.nan)
    if n_perm:
        signs = seed.stream("permutations").choice([-1.0, 1.0], size=(n_perm, n))
        seen = np.abs((r - b).sum(axis=0))
        above = (np.abs(signs @ (r - b)) >= seen * (1 - 1e-10)).sum(axis=0)
        p = np.where(total > 0, (1 + above) / (1 + n_perm), np.nan)
    return UnitScores(
        value=value,
        ci_low=value - away,
        ci_high=value + away,
        null_mean=np.where(total > 0, 0.0, np.nan),
        p=p,
        level=level,
        counted={"difference": (r - b).mean(axis=0) * size},
    )
