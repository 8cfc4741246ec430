"""Time rescaling: spike times of a true model, in units of its own expected count, are those of a Poisson process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from consilience._core._errors import InputError
from consilience._core._params import check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.stats._likelihood import as_columns, check_means, check_observed

__all__ = ["TimeRescaling", "time_rescaling"]

WHO = "time_rescaling"


@dataclass(frozen=True, kw_only=True)
class TimeRescaling:
    """What `time_rescaling` found, one entry per unit.

    statistic : (t,) Kolmogorov-Smirnov distance of the rescaled intervals from uniform, 0 ... 1, lower = better.
    p : (t,) of the hypothesis that the model is true.   band : (t,) distance that a true model stays below with
    probability `level`.   n_intervals : (t,).   uniform : t arrays, sorted, that would be uniform on (0, 1).
    level, observation, seed : as asked.
    """

    statistic: np.ndarray
    p: np.ndarray
    band: np.ndarray
    n_intervals: np.ndarray
    uniform: tuple[np.ndarray, ...]
    level: float
    observation: str
    seed: str


def time_rescaling(
    y: Any,
    predicted: Any,
    /,
    *,
    observation: str = "poisson",
    level: float = 0.95,
    rng: Any = None,
) -> TimeRescaling:
    """Test that spikes come from the model: rescaled intervals against a uniform distribution.

    With m_k the expected count of bin k given the past, the time of a spike in bin k is M = sum_{j<k} m_j + d;
    intervals tau of M are exponential if the model is true, z = 1 - exp(-tau) uniform (Brown et al. 2002). In bins d is
    not known, and taking the bin's end rejects true models (Haslinger et al. 2010). It is drawn from its distribution
    given what the bin holds: c spikes of "poisson" counts are c uniform points of (0, m_k), which is exact for any
    count; a "bernoulli" spike is an exponential variable cut at q_k = -log(1 - m_k), q_k is summed in place of m_k, and
    the next interval starts after the bin (Haslinger's correction). Trials may be joined end to end: time in which the
    cell is not watched does not count.

    The test sees what the intervals show: a wrong rate, missing refractoriness or bursts. Where bins hold many spikes
    it sees little. Score samples that were not in the fit: on training samples p is too large.

    Parameters
    ----------
    y : (n, t) or (n,) spike counts in order of time; "bernoulli": 0 or 1.
    predicted : the same shape, expected counts (probabilities of a spike) given the past, from any model.
    observation : "poisson" or "bernoulli".   level : of the band.   rng : seed of the draws of d.

    Raises
    ------
    InputError : ``rows-differ``, ``nan-values``, ``wrong-observation``, ``out-of-range`` (negative expected counts, or
        probabilities above 1).

    References
    ----------
    Brown, Barbieri, Ventura, Kass & Frank (2002); Haslinger, Pipa & Brown (2010).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> rate = 0.1 * np.exp(np.sin(np.arange(5000) / 50))
    >>> spikes = rng.poisson(rate)
    >>> right = cs.stats.time_rescaling(spikes, rate, rng=0)
    >>> wrong = cs.stats.time_rescaling(spikes, np.full(5000, rate.mean()), rng=0)
    >>> bool(right.p[0] > 0.05), bool(wrong.p[0] < 0.001)
    (True, True)
    """
    observation = check_option(observation, ("poisson", "bernoulli"), name="observation", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    y, m, _ = as_columns(y, predicted, who=WHO)
    check_observed(y, observation, who=WHO)
    if (y != np.floor(y)).any():
        raise InputError(f"{WHO}: y must be whole numbers of spikes.", code="wrong-observation")
    check_means(m, observation, who=WHO)
    draw = seed.stream("places")
    found = [
        np.sort(_uniform(y[:, u].astype(np.int64), m[:, u], observation, draw)) for u in range(y.shape[1])
    ]
    tested = [stats.kstest(z, "uniform") if z.size > 1 else None for z in found]
    count = np.array([z.size for z in found])
    return TimeRescaling(
        statistic=np.array([np.nan if k is None else k.statistic for k in tested]),
        p=np.array([np.nan if k is None else k.pvalue for k in tested]),
        band=np.array([stats.kstwo.ppf(level, k) if k > 1 else np.nan for k in count]),
        n_intervals=count,
        uniform=tuple(found),
        level=level,
        observation=observation,
        seed=str(seed),
    )


def _uniform(y: np.ndarray, m: np.ndarray, observation: str, rng: np.random.Generator) -> np.ndarray:
    """1 - exp(-interval) of every interval that ends with a spike; the last, cut by the end, is left out."""
    u = rng.random(int(y.sum()))
    bins = np.repeat(np.arange(y.size), y)
    if observation == "poisson":
        start = np.cumsum(m) - m
        return -np.expm1(-np.diff(np.sort(start[bins] + u * m[bins]), prepend=0.0))
    q = -np.log1p(-np.minimum(m, 1 - 1e-12))
    end = np.cumsum(q)
    # a bin that held its spike cannot hold another: the next interval starts at its end
    place, after = (end - q)[bins] - np.log1p(u * np.expm1(-q[bins])), np.append(0.0, end[bins][:-1])
    return -np.expm1(after - place)
