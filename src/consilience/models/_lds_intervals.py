"""How well the eigenvalues of a linear dynamical system are known: the jackknife over groups of trials."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.optimize import linear_sum_assignment

from consilience._core._errors import InputError
from consilience.models._trials import Trials

__all__ = ["Eigenvalues", "in_runs", "jackknifed_eigenvalues", "matched_eigenvalues"]

_SLOWEST = 1e6  # bins: longer time constants are not told apart from a modulus of 1


@dataclass(frozen=True, kw_only=True)
class Eigenvalues:
    """Eigenvalues of A with intervals, in the order of ``LDS.eigenvalues_``.

    eigenvalues : (k,) complex, EM carried on until it is flat.   modulus_interval : (k, 2).   time_constants : (k,)
    and time_constant_interval : (k, 2), seconds; inf where the interval reaches a modulus of 1.   frequencies : (k,)
    and frequency_interval : (k, 2), Hz; NaN for real eigenvalues, whose frequency is 0 (or the fastest) by themselves.
    real_parts : (k,) share of the refits in which the eigenvalue was real.   level : of the intervals.   groups : left
    out one after the other.
    """

    eigenvalues: np.ndarray
    modulus_interval: np.ndarray
    time_constants: np.ndarray
    time_constant_interval: np.ndarray
    frequencies: np.ndarray
    frequency_interval: np.ndarray
    real_parts: np.ndarray
    level: float
    groups: int


def in_runs(trials: Trials, groups: int, least: int, *, who: str) -> Trials:
    """The same when there are as many trials as groups; else trials cut into runs of neighbouring bins."""
    if len(trials) >= groups:
        return trials
    pieces = -(-groups // len(trials))
    lengths = np.concatenate(
        [np.diff(np.arange(pieces + 1) * length // pieces) for length in trials.lengths.tolist()]
    )
    if lengths.min() < least:
        raise InputError(
            f"{who}: groups={groups} of {len(trials)} trials need runs of at least {least} bins, got "
            f"{int(lengths.min())}; use fewer groups.",
            code="too-few",
        )
    return replace(trials, lengths=lengths, form="list", span=int(lengths.max()))


def matched_eigenvalues(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``other`` (k,) in the order that brings each nearest to ``reference`` (k,), conjugates taken as they are."""
    _, column = linear_sum_assignment(np.abs(reference[:, None] - other))
    return other[column]


def _log_time(values: np.ndarray) -> np.ndarray:
    """log of the time constant in bins."""
    size = np.clip(np.abs(values), 1e-12, np.exp(-1 / _SLOWEST))
    return -np.log(-np.log(size))


def jackknifed_eigenvalues(
    values: np.ndarray, subsets: np.ndarray, level: float, bin_width: float
) -> Eigenvalues:
    """values : (k,) of all data.   subsets : (groups, k), each without one group, in any order."""
    groups = len(subsets)
    subsets = np.array([matched_eigenvalues(values, row) for row in subsets])
    quantile = stats.t.ppf((1 + level) / 2, groups - 1)

    def width(parts: np.ndarray) -> np.ndarray:
        away = parts - parts.mean(axis=0)
        return np.asarray(quantile * np.sqrt((groups - 1) / groups * (away**2).sum(axis=0)))

    centre, half = _log_time(values), width(_log_time(subsets))
    ends = np.exp(np.stack([centre - half, centre + half], axis=1))
    ends[ends >= 0.999 * _SLOWEST] = np.inf
    size = np.abs(values)
    angle = np.abs(np.angle(values))
    turns = np.abs(np.angle(subsets))
    real = values.imag == 0
    ends_angle = np.clip(angle[:, None] + width(turns)[:, None] * np.array([-1.0, 1.0]), 0.0, np.pi)
    ends_angle[real] = np.nan
    whole = np.where(size < 1, np.exp(_log_time(values)), np.inf)
    return Eigenvalues(
        eigenvalues=values,
        modulus_interval=np.exp(-1 / ends),
        time_constants=bin_width * whole,
        time_constant_interval=bin_width * ends,
        frequencies=angle / (2 * np.pi * bin_width),
        frequency_interval=ends_angle / (2 * np.pi * bin_width),
        real_parts=(subsets.imag == 0).mean(axis=0),
        level=level,
        groups=groups,
    )
