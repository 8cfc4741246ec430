"""How a participation ratio settles as units, or stimuli, are added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from consilience._core._arrays import Array
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.populations._participation_ratio import FINITE, inverse_of
from consilience.populations._repeats import as_samples

__all__ = ["Saturation", "saturation"]

_FEWEST = {"units": 2, "stimuli": 6}


@dataclass(frozen=True, kw_only=True, eq=False)
class Saturation:
    """n : (steps,) numbers of units or stimuli.   value : (steps,) the PR, mean of its inverse over random subsets.
    low, high : (steps,) middle ``level`` of single subsets.   plain : (steps,) the same without any correction.
    """

    n: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    plain: np.ndarray
    along: str
    level: float


def saturation(
    trials: Array,
    stimulus: Array | None = None,
    /,
    *,
    along: Literal["units", "stimuli"] = "units",
    correct: Literal["both", "stimuli", "none"] = "both",
    n_steps: int = 6,
    n_draws: int = 10,
    level: float = 0.95,
    rng: int = 0,
) -> Saturation:
    """`participation_ratio` of random subsets of units or of stimuli, 1/8 to all of them in equal ratios.

    The plain value rises with both numbers and says little of what more would bring. One that is corrected for both is
    flat, but for chance, where subsets are samples of one population; where it drifts, they are not.

    Parameters
    ----------
    trials, stimulus, correct : as of `participation_ratio`.   along : what is drawn.   n_steps : sizes, at least 2.
    n_draws : subsets of each size.   level : of the band.   rng : seed.

    Returns
    -------
    Saturation

    Raises
    ------
    InputError : as `participation_ratio`.

    References
    ----------
    Gao et al. (2017); Chun et al. (2026).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(100, 5)) @ np.random.default_rng(1).normal(size=(5, 80))
    >>> found = cs.populations.saturation(x, along="units")
    >>> found.n.tolist()
    [10, 15, 23, 35, 53, 80]
    >>> bool(np.all(np.diff(found.plain) > 0))
    True
    """
    who = "cs.populations.saturation"
    along = check_option(along, ("units", "stimuli"), name="along", who=who)
    correct = check_option(correct, FINITE, name="correct", who=who)
    n_steps = check_count(n_steps, name="n_steps", who=who, minimum=2)
    n_draws = check_count(n_draws, name="n_draws", who=who, minimum=1)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    draw = resolve_seed(rng, who=who).stream("subsets")
    x, counts, _ = as_samples(trials, stimulus, who=who, few=_FEWEST["stimuli"])
    whole = x.shape[1] if along == "units" else counts.size
    least = min(max(_FEWEST[along], whole // 8), whole)
    sizes = np.unique(np.round(np.geomspace(least, whole, n_steps)).astype(np.int64))
    rule, plain = inverse_of(correct), inverse_of("none")
    owner = np.repeat(np.arange(counts.size), counts)
    found, bare = [], []
    for size in sizes:
        values = []
        for _ in range(n_draws if size < whole else 1):
            chosen = np.sort(draw.choice(whole, size, replace=False))
            if along == "units":
                part = (x[:, chosen], counts)
            else:
                rows = x[np.isin(owner, chosen)]
                part = (rows - rows.mean(axis=0), counts[chosen])
            values.append((rule(*part), plain(*part)))
        inverse = np.array(values)
        found.append([inverse[:, 0].mean(), *np.quantile(inverse[:, 0], [(1 + level) / 2, (1 - level) / 2])])
        bare.append(inverse[:, 1].mean())
    with np.errstate(divide="ignore"):
        value, low, high = (np.where(v > 0, 1.0 / np.where(v > 0, v, 1.0), np.inf) for v in np.array(found).T)
    return Saturation(
        n=sizes,
        value=value,
        low=low,
        high=high,
        plain=1.0 / np.array(bare),
        along=along,
        level=level,
    )
