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

    eigenvalues : (k,) complex, EM carried on until it is flat.   modulus_interval : (k, 2), within 0 and 1.
    time_constants : (k,) and time_constant_interval : (k, 2), seconds; inf where the interval reaches a modulus of 1.
    frequencies : (k,) and frequency_interval : (k, 2), Hz; all of them where the modulus can be 0; NaN for real
    eigenvalues, whose frequency is 0 (or the fastest) by themselves.
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


def _fisher(size: np.ndarray) -> np.ndarray:
    """Inverse hyperbolic tangent of signed moduli: near 1 half the log of the time constant, near 0 the modulus."""
    most = np.exp(-1 / _SLOWEST)
    return np.arctanh(np.clip(size, -most, most))


def _time(modulus: np.ndarray) -> np.ndarray:
    """Time constants in bins."""
    with np.errstate(divide="ignore"):
        return np.where(modulus < 1, -1 / np.log(np.where(modulus < 1, modulus, 0.5)), np.inf)


def jackknifed_eigenvalues(
    values: np.ndarray, subsets: np.ndarray, level: float, bin_width: float
) -> Eigenvalues:
    """values : (k,) of all data.   subsets : (groups, k), each without one group, in any order.

    Moduli on the scale of Fisher's z, their sign that of the part along the whole's eigenvalue. A modulus interval
    reaches 0 too where the jackknife's disc about an eigenvalue in the complex plane holds 0: small moduli are biased
    up; its frequency can then be any.
    """
    groups = len(subsets)
    subsets = np.array([matched_eigenvalues(values, row) for row in subsets])
    quantile = stats.t.ppf((1 + level) / 2, groups - 1)

    def variance(parts: np.ndarray) -> np.ndarray:
        away = np.abs(parts - parts.mean(axis=0))
        return np.asarray((groups - 1) / groups * (away**2).sum(axis=0))

    size = np.abs(values)
    along = (subsets * values.conj()).real
    centre = _fisher(size)
    half = quantile * np.sqrt(variance(_fisher(np.where(along < 0, -1, 1) * np.abs(subsets))))
    ends = np.tanh(np.stack([np.maximum(centre - half, 0.0), centre + half], axis=1))
    ends[ends >= np.exp(-1 / (0.999 * _SLOWEST))] = 1.0
    # of two dimensions, half of the variance in each; of a real one all, as of several near 0 the larger comes first
    each = np.where((subsets.imag != 0).any(axis=0) | (values.imag != 0), 0.5, 1.0) * variance(subsets)
    ends[size**2 <= 2 * stats.f.ppf(level, 2, groups - 1) * each, 0] = 0.0

    angle = np.abs(np.angle(values))
    width = quantile * np.sqrt(variance(np.abs(np.angle(subsets))))
    ends_angle = np.clip(angle[:, None] + width[:, None] * np.array([-1.0, 1.0]), 0.0, np.pi)
    ends_angle[ends[:, 0] == 0] = 0.0, np.pi
    ends_angle[values.imag == 0] = np.nan
    return Eigenvalues(
        eigenvalues=values,
        modulus_interval=ends,
        time_constants=bin_width * _time(size),
        time_constant_interval=bin_width * _time(ends),
        frequencies=angle / (2 * np.pi * bin_width),
        frequency_interval=ends_angle / (2 * np.pi * bin_width),
        real_parts=(subsets.imag == 0).mean(axis=0),
        level=level,
        groups=groups,
    )
