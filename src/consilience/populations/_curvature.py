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
from consilience.stats._steps import step_lengths, step_products
from consilience.stats._tensor_door import as_tensor

__all__ = ["Curvature", "curvature", "repeat_angle"]

WHO = "cs.populations.curvature"


@dataclass(frozen=True, kw_only=True, eq=False)
class Curvature:
    """Angles between a step and the next, degrees.

    value : the mean over conditions.   ci_low, ci_high : its t interval over conditions, cut at 0 and 180;
    NaN of fewer than 3.   each : (conditions,).   naive : the mean of the plain angles of the condition means, which
    noise drives to 120.
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

        c = arccos(sum_t <v_t . v_(t+1)> / (r sqrt(sum_t <v_t . v_t> sum_t <v_(t+1) . v_(t+1)>))),
        r = sum_t l_t l_(t+1) / sqrt(sum_t l_t^2 sum_t l_(t+1)^2),

    <> the mean over pairs of different trials, l_t the length of a step: steps weigh by it, and r, 1 at a steady speed,
    takes out what an uneven one does to the quotient (without it, a line run through at speeds 1, 2, 1, 2 ... would
    have 37 degrees). l_t^2 is <v_t . v_t> drawn to its mean by the share of its variance that is noise; of 2 repeats,
    which cannot tell, r = 1. Near 0 the angle is biased up, as it is never negative. Without repeats the value is the
    naive one: compare only systems of the same noise. It depends on the step: a finer sampling of the same path has
    smaller angles. Whether it is less than that of a walk of unrelated steps, or more than noise makes of a line, is
    asked by `cs.structure` (nulls "steps" and "line").

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
    each = np.array([repeat_angle(values[number == k]) for k in range(names.size)]) if corrected else plain
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
        ci_low=float(np.clip(value - half, 0.0, 180.0)),
        ci_high=float(np.clip(value + half, 0.0, 180.0)),
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


def repeat_angle(trials: np.ndarray) -> float:
    """The angle, degrees, from products of different trials (repeats, time, units) of one condition; NaN where they do
    not agree that it moves.
    """
    steps = np.diff(trials, axis=1)
    square, after = step_products(steps)
    early, late = float(square[:-1].sum()), float(square[1:].sum())
    if min(early, late) <= 0:
        return float("nan")
    length = step_lengths(steps)
    size = float(np.sqrt((length[:-1] ** 2).sum() * (length[1:] ** 2).sum()))
    even = float(length[:-1] @ length[1:]) / size if size > 0 else 1.0
    if even <= 0:
        return float("nan")
    cosine = float(after.sum()) / (even * np.sqrt(early * late))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
