"""Mean of a continuous trace over a position or another variable followed in time: what `rate_map` is for spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from consilience._core._arrays import as_array, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_number
from consilience.units._visits import STRETCHES, visits_of

__all__ = ["MeanMaps", "mean_map"]


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanMaps:
    """mean, low, high : (units, *bins) with an interval for each bin, NaN where the animal was not (low, high: where
    it was in a single stretch of time).   occupancy : (*bins) s spent in each.   edges : of each dimension.   period :
    of each dimension, None for a line.   level : of the intervals.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    occupancy: np.ndarray
    edges: tuple[np.ndarray, ...]
    period: tuple[float | None, ...]
    level: float

    @property
    def centres(self) -> tuple[np.ndarray, ...]:
        """Middles of the bins of each dimension."""
        return tuple((edge[1:] + edge[:-1]) / 2 for edge in self.edges)

    def __repr__(self) -> str:
        size = " x ".join(str(n) for n in self.occupancy.shape)
        return f"<MeanMaps> {len(self.mean)} units, {size} bins, {self.occupancy.sum():.4g} s"


def mean_map(
    values: Any,
    position: Any,
    /,
    *,
    width: float,
    bins: int | Sequence[int] | None = None,
    period: float | Sequence[float | None] | None = None,
    limits: Any = None,
    level: float = 0.95,
) -> MeanMaps:
    """Mean of a trace (dF/F, voltage, BOLD, a latent) in each bin of a position, m_k = mean of x_i over samples i in k.

    The interval of a bin is that of a ratio of sums over 20 stretches of time (linearised): with s_h the sum and n_h
    the samples of the bin in stretch h, the variance of m_k is H / (H - 1) sum_h (s_h - m_k n_h)^2 / n^2, H the
    stretches in which the bin was visited, and t has H - 1 degrees of freedom. Samples of one stretch may depend on
    each other as they like; a trace that wanders more slowly than a stretch is not accounted for.

    Parameters
    ----------
    values : (n, units) samples.   position : (n,) or (n, dimensions) in each; NaN: left out.   width : s between
        samples.
    bins : of the position; default 30 for one dimension, 20 for each of more.   period : 2 pi or 360 for angles, None
        for a line.   limits : (low, high) of each dimension; default from the least to the largest.
    level : of the intervals.

    Returns
    -------
    MeanMaps

    In simulations (12 bins of a heading, 6000 samples, noise correlated over 1, 10 and 50 samples of the 300 of a
    stretch) intervals at 95 % held the mean in 0.94, 0.94 and 0.93 of bins, and over 200 samples in 0.84.

    Raises
    ------
    InputError : other lengths, infinite or NaN values, a position that never changes (``no-structure``).
    ConsilienceWarning : ``angle-units``, ``long-bins``.

    References
    ----------
    Cochran (1977) for the variance of a ratio.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> heading = np.cumsum(rng.normal(0, 0.3, 6000)) % (2 * np.pi)
    >>> trace = np.cos(heading - 1)[:, None] + rng.normal(0, 0.5, (6000, 1))
    >>> maps = cs.units.mean_map(trace, heading, width=0.1, period=2 * np.pi, bins=12)
    >>> maps.mean.shape, round(float(maps.centres[0][maps.mean[0].argmax()]), 1)
    ((1, 12), 0.8)
    """
    who = "cs.units.mean_map"
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    x = np.asarray(to_numpy(as_array(values, name="values", who=who)))
    if x.dtype.kind not in "biuf" or x.ndim != 2:
        raise InputError(
            f"{who}: values (n, units) are expected, got {x.shape} of {x.dtype}.", code="rows-differ"
        )
    x = x.astype(np.float64)
    if not np.isfinite(x).all():
        raise InputError(f"{who}: NaN or infinite values; leave out those samples.", code="nan-values")
    visits = visits_of(
        np.zeros((len(x), 1)),
        position,
        width=width,
        bins=bins,
        period=period,
        limits=limits,
        least=width,
        who=who,
    )
    where = visits.stretch * visits.size + visits.place
    length = STRETCHES * visits.size
    number = np.bincount(where, minlength=length).reshape(STRETCHES, -1).astype(np.float64)
    total = number.sum(axis=0)
    visited = (number > 0).sum(axis=0)
    mean, low, high = (np.full((x.shape[1], visits.size), np.nan) for _ in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(visited > 1, visited / np.maximum(visited - 1, 1), np.nan)
        half = student.ppf((1 + level) / 2, np.maximum(visited - 1, 1))
        for u, column in enumerate(x[visits.known].T):
            middle = column.mean()  # sums around it, so that an offset costs no digits
            sums = np.bincount(where, weights=column - middle, minlength=length).reshape(STRETCHES, -1)
            mean[u] = sums.sum(axis=0) / total
            error = np.sqrt(factor * ((sums - mean[u] * number) ** 2).sum(axis=0)) / total
            low[u], high[u] = mean[u] - half * error + middle, mean[u] + half * error + middle
            mean[u] += middle
    shape = (x.shape[1], *visits.shape)
    return MeanMaps(
        mean=mean.reshape(shape),
        low=low.reshape(shape),
        high=high.reshape(shape),
        occupancy=visits.seconds.reshape(visits.shape),
        edges=visits.edges,
        period=visits.period,
        level=level,
    )
