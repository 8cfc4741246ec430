"""How much a trajectory bends from one step to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from consilience._core._arrays import Array
from consilience._core._errors import InputError, warn
from consilience._core._params import check_number
from consilience.linalg._centre import safe_power
from consilience.linalg._noise import labelled
from consilience.stats._tensor_door import as_tensor

__all__ = ["Curvature", "curvature"]

WHO = "cs.populations.curvature"


@dataclass(frozen=True, kw_only=True, eq=False)
class Curvature:
    """Angles between a step and the next, degrees.

    value : the mean over conditions.   ci_low, ci_high : its t interval over conditions; NaN of fewer than 3.
    each : (conditions,).   naive : the mean of the plain angles of the condition means, which noise drives to 120.
    corrected : whether ``value`` is corrected for noise, by repeats.   names : (conditions,) labels.
    """

    value: float
    ci_low: float
    ci_high: float
    each: np.ndarray
    naive: float
    corrected: bool
    names: np.ndarray


def curvature(x: Array, condition: Array | None = None, /, *, level: float = 0.95) -> Curvature:
    """Mean angle between successive steps of a population's trajectory: 0 where it is straight.

    v_t = x_(t+1) - x_t, c_t = arccos(v_t . v_(t+1) / (||v_t|| ||v_(t+1)||)), in degrees, mean over t: the curvature of
    Henaff et al. (2019), who compare it between a representation and its input (straightening = the difference).

    Noise bends: v_t and v_(t+1) share the noise of x_(t+1) with opposite signs, so pure noise has cos c = -1/2, 120
    degrees, and any noise pulls towards that. With repeats (``condition`` given, two trials or more of each) products
    are taken between different trials only, which removes it,

        c = arccos(sum_t <v_t . v_(t+1)> / sqrt(sum_t <v_t . v_t> sum_t <v_(t+1) . v_(t+1)>)),

    <> the mean over pairs of different trials: steps weigh by their length, which is the same for a steady speed. Near
    0 it is biased up, as an angle is never negative. Without repeats the value is the naive one: compare only systems
    of the same noise. It depends on the step: a finer sampling of the same path has smaller angles.

    Parameters
    ----------
    x : (trials or conditions, time, units), finite, at least 3 bins.
    condition : (trials,) label of each trial; None = each row is a trajectory of its own.   level : of the interval.

    Returns
    -------
    Curvature

    Raises
    ------
    InputError : fewer than 3 bins, NaN, no step anywhere (``no-structure``).
    ConsilienceWarning : ``no-agreement``, the repeats of a condition do not agree on its steps: its curvature is NaN.

    References
    ----------
    Henaff, Goris & Simoncelli (2019).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> t = np.arange(13) * np.pi / 6  # steps of 30 degrees on a circle
    >>> x = np.stack([np.cos(t), np.sin(t)], axis=1)[None]
    >>> round(cs.populations.curvature(x).value, 6)
    30.0
    """
    values = as_tensor(x, who=WHO, least=(1, 3, 1))
    values = values / safe_power(values)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    if condition is None:
        names, number = np.arange(len(values)), np.arange(len(values))
    else:
        names, number = labelled(condition, len(values), name="condition", who=WHO)
    counts = np.bincount(number, minlength=names.size)
    means = np.stack([values[number == k].mean(axis=0) for k in range(names.size)])
    if not np.diff(means, axis=1).any():
        raise InputError(f"{WHO}: the trajectories never move.", code="no-structure")
    plain = _plain(means)
    corrected = bool(counts.min() >= 2)
    each = np.array([_between(values[number == k]) for k in range(names.size)]) if corrected else plain
    lost = ~np.isfinite(each)
    if corrected and lost.any():
        warn(
            "no-agreement",
            f"{WHO}: the repeats of {int(lost.sum())} of {lost.size} conditions do not agree on how it moves.",
            "Longer steps (wider bins), more repeats, or smoothing.",
        )
    known = each[np.isfinite(each)]
    value = float(known.mean()) if known.size else np.nan
    half = np.nan
    if known.size >= 3:
        half = float(student.ppf((1 + level) / 2, known.size - 1) * known.std(ddof=1) / np.sqrt(known.size))
    return Curvature(
        value=value,
        ci_low=value - half,
        ci_high=value + half,
        each=each,
        naive=float(np.nanmean(plain)) if np.isfinite(plain).any() else np.nan,
        corrected=corrected,
        names=names,
    )


def _plain(means: np.ndarray) -> np.ndarray:
    """(conditions,) mean angle, degrees; steps of no length have none."""
    v = np.diff(means, axis=1)
    size = np.linalg.norm(v, axis=2)
    moves = size > 1e-12 * max(float(np.abs(means).max()), 1e-300)
    both = moves[:, :-1] & moves[:, 1:]
    cos = (v[:, :-1] * v[:, 1:]).sum(axis=2) / np.where(both, size[:, :-1] * size[:, 1:], 1.0)
    angle = np.where(both, np.degrees(np.arccos(np.clip(cos, -1, 1))), 0.0)
    count = both.sum(axis=1)
    return np.where(count > 0, angle.sum(axis=1) / np.maximum(count, 1), np.nan)


def _between(trials: np.ndarray) -> float:
    """The angle from products of different trials (repeats, time, units) of one condition."""
    v = np.diff(trials, axis=1)
    m = len(v)
    total = v.sum(axis=0)

    def product(a: slice, b: slice) -> float:
        own = np.einsum("rtu,rtu->", v[:, a], v[:, b])
        return float(np.einsum("tu,tu->", total[a], total[b]) - own) / (m * (m - 1))

    early, late = slice(None, -1), slice(1, None)
    size = product(early, early), product(late, late)
    if min(size) <= 0:
        return float("nan")
    return float(np.degrees(np.arccos(np.clip(product(early, late) / np.sqrt(size[0] * size[1]), -1, 1))))
