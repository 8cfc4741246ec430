"""Effective rank: the exponential of the entropy of the singular values."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import stats

from consilience._core._arrays import Array
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.populations._dimension import Dimension, groups_left_out, jackknife_variance, null_ends
from consilience.populations._intrinsic import shuffled_points
from consilience.populations._repeats import as_samples

__all__ = ["effective_rank"]

_GROUPS = 20


def effective_rank(
    responses: Array,
    /,
    *,
    of: Literal["singular values", "variances"] = "singular values",
    n_perm: int = 20,
    level: float = 0.95,
    rng: int = 0,
) -> Dimension:
    """exp(- sum p log p), p the singular values of the centred responses over their sum (Roy & Vetterli 2007).

    n for n equal values; small ones count for more than in the participation ratio. With ``of="variances"`` p are the
    squares over their sum. **There is no correction**: the value is at most min(stimuli - 1, units), is too low for few
    of them (of 100 unrelated units and 100 stimuli it is 80, not 100), and counts noise as dimensions. Compare values
    of equal stimuli, units and noise only (``match=`` of `cs.dimensionality`).

    Parameters
    ----------
    responses : (stimuli, units), at least 5 stimuli.   n_perm : null, each unit's stimuli in an order of their own.
    level : of the interval.   rng : seed.

    Returns
    -------
    Dimension : interval from a jackknife over 20 groups of stimuli: of the expectation at this number of stimuli.

    Raises
    ------
    InputError : fewer than 5 stimuli, NaN, no unit that varies.

    References
    ----------
    Roy & Vetterli (2007).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(500, 4)) @ np.eye(4, 50)
    >>> round(cs.populations.effective_rank(x).value, 2)
    4.0
    """
    who = "cs.populations.effective_rank"
    of = check_option(of, ("singular values", "variances"), name="of", who=who)
    n_perm = check_count(n_perm, name="n_perm", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    x, *_ = as_samples(responses, None, who=who)
    power = 1.0 if of == "singular values" else 2.0
    value = _rank(x, power)
    groups = groups_left_out(len(x), _GROUPS, seed.stream("groups"))
    without = np.array([_rank(np.delete(x, group, axis=0), power) for group in groups])
    width = stats.t.ppf((1 + level) / 2, without.size - 1) * np.sqrt(jackknife_variance(without))
    shuffles = seed.stream("shuffles")
    null = np.array([_rank(shuffled_points(x, shuffles), power) for _ in range(n_perm)])
    return Dimension(
        value=value,
        ci_low=max(1.0, float(value - width)),
        ci_high=float(value + width),
        resampled="jackknife over stimuli",
        level=level,
        n_samples=len(x),
        n_units=x.shape[1],
        **null_ends(null, value, level),
    )


def _rank(x: np.ndarray, power: float) -> float:
    x = x - x.mean(axis=0)
    product = x @ x.T if len(x) <= x.shape[1] else x.T @ x
    square = np.maximum(np.linalg.eigvalsh(product), 0.0)
    square = square[square > 1e-12 * square.max()]
    p = square ** (power / 2)
    p = p / p.sum()
    return float(np.exp(-np.sum(p * np.log(p))))
