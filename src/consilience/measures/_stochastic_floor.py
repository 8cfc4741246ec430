"""What few trials make of a stochastic shape distance: distances between halves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count
from consilience._core._seeds import resolve_seed
from consilience.measures._stochastic_shape import (
    Trials,
    same_stimuli,
    stochastic_shape_distance,
    trials_of,
)

__all__ = ["StochasticFloor", "stochastic_shape_floor"]


class StochasticFloor(NamedTuple):
    """Distances between halves of the trials, means over splits.

    between : of x to y.   within_x, within_y : of a system to itself, what trials of this number make alone.
    ratio : between over the root mean square of the two within; 1 = no more apart than halves of one system.
    """

    between: float
    within_x: float
    within_y: float

    @property
    def ratio(self) -> float:
        floor = float(np.hypot(self.within_x, self.within_y) / np.sqrt(2.0))
        return self.between / floor if floor > 0 else float("inf")


def stochastic_shape_floor(
    x: Any, y: Any, /, *, splits: int = 5, rng: Any = 0, **options: Any
) -> StochasticFloor:
    """What few trials make of a stochastic shape distance: halves of the trials of x and y, within and between.

    Each split halves the trials of every stimulus at random; all three distances are between halves, so they have
    one number of trials and can be compared, unlike the distance from all trials.

    Parameters
    ----------
    x, y : trials, as in `stochastic_shape_distance`, at least 4 of every stimulus
    splits : number of random halvings.   rng : their seed.   options : of `stochastic_shape_distance`.

    Returns
    -------
    StochasticFloor (between, within_x, within_y), ``.ratio``

    Raises
    ------
    InputError : fewer than 4 trials of a stimulus, moments instead of trials, an unknown option.

    References
    ----------
    Duong et al. (2023).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> means = rng.normal(size=(8, 1, 3))
    >>> x, y = (means + rng.normal(size=(8, 40, 3)) for _ in range(2))
    >>> floor = cs.measures.stochastic_shape_floor(x, y, splits=2)
    >>> 0.8 < floor.ratio < 1.2
    True
    """
    who = "stochastic_shape_floor"
    check_count(splits, name="splits", who=who, minimum=1)
    sides = [trials_of(z, name, who) for z, name in ((x, "x"), (y, "y"))]
    same_stimuli(len(sides[0]), len(sides[1]), who)
    fewest = min(len(z) for side in sides for z in side)
    if fewest < 4:
        raise InputError(
            f"{who}: at least 4 trials of every stimulus are needed, got {fewest}.", code="too-few"
        )
    random = resolve_seed(rng, who=who).stream("halves")
    found = []
    for _ in range(splits):
        (a, b), (c, d) = (_halves(side, random) for side in sides)
        found.append([stochastic_shape_distance(*pair, **options) for pair in ((a, c), (a, b), (c, d))])
    return StochasticFloor(*(float(v) for v in np.mean(found, axis=0)))


def _halves(trials: Sequence[np.ndarray], rng: np.random.Generator) -> tuple[Trials, Trials]:
    one, two = [], []
    for z in trials:
        order = rng.permutation(len(z))
        one.append(z[order[: len(z) // 2]])
        two.append(z[order[len(z) // 2 :]])
    return one, two
