"""Orientation and direction selectivity: vector sums of mean responses over angles, and the ratios of two angles."""

from __future__ import annotations

from typing import Literal

import numpy as np

from consilience._core._angles import folded, say_turns
from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._labels import plain_labels
from consilience._core._params import check_number, check_option, shorten
from consilience.units._classes import Classes, as_classes, refuse_negative
from consilience.units._selectivity import Selectivity, check_options, scores_of_index
from consilience.units._spread import form_interval, ratio_interval
from consilience.units._trials import say_silent

__all__ = ["circular_variance", "direction_selectivity", "orientation_selectivity"]

_EVEN = 1e-3  # mean vector of the angles shown, above which a flat unit would look tuned


def orientation_selectivity(
    responses: Array,
    angle: Array,
    /,
    *,
    period: float = 360.0,
    index: Literal["vector", "ratio"] = "vector",
    groups: Array | None = None,
    n_splits: int = 100,
    n_perm: int = 1000,
    n_floor: int = 100,
    level: float = 0.95,
    rng: int = 0,
) -> Selectivity:
    """Orientation selectivity index, OSI = |sum_c r_c exp(2i theta_c)| / sum_c r_c, in [0, 1] for responses >= 0.

    r_c is the mean response to angle theta_c. This vector sum is 1 - circular variance (`circular_variance`).
    ``index="ratio"`` is the other definition in use, (r_pref - r_orth) / (r_pref + r_orth), with the two directions of
    an orientation averaged: larger for the same unit (a cosine of depth d has 0.5 d and d). Say which.

    Both are above 0 by chance. ``corrected`` takes the preferred orientation from one half of the trials of each angle,
    and projects the vector sum of the other half on it, Re(V_b conj(V_a) / |V_a|) / sum r_b, both ways, over many
    splits: 0 on average for an untuned unit; a little low for weak tuning, where halves point to different angles.
    ``counted["unbiased_square"]`` is OSI^2 without bias, (|V|^2 - sum v_c) / ((sum r)^2 - sum v_c), v_c the variance of
    a mean: the products of different trials alone; below 0 for about 6 of 10 untuned units.

    Parameters
    ----------
    responses : (n_trials, units), counts or rates >= 0.   angle : (n_trials,) orientation (0 to half a period) or
        direction (0 to a period), evenly spaced, at least 3, with at least 2 trials each; 0 and a period are one.
    period : a whole turn: 360 for degrees, 2 pi for radians.   groups : (n_trials,) runs: angles are dealt anew within
        them.   n_splits : halves.   n_perm : relabellings; 0 = no p.   n_floor : draws of untuned units; 0 = no floor.
    level : of the interval: of the unbiased square (its variance from that of the means, t), and its root; of the
        ratio by the delta method.   rng : seed.

    Returns
    -------
    Selectivity : preferred is an orientation, in 0 to half a period.

    In simulations of Poisson and twice as variable counts (8 directions, 10 trials each or 4 to 18, mean 1, 5 and 20,
    1000 units each) intervals of the vector sum at 95 % held the truth in 0.95 to 1.00, those of the ratio in 0.93 to
    1.00; corrected values of untuned units were within 0.008 of 0 on average (value 0.02 to 0.15).

    Raises
    ------
    InputError : angles that are not evenly spaced (``uneven-angles``), negative responses (``negative-responses``), an
        angle with one trial (``no-repeats``), NaN.
    ConsilienceWarning : ``silent-units``, ``angle-units`` (more than two periods: degrees?).

    References
    ----------
    Ringach et al. (2002); Mazurek et al. (2014).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> theta = np.tile(np.arange(0, 360, 45), 40)
    >>> rate = 5 * (1 + 0.6 * np.cos(2 * np.deg2rad(theta - 90)))[:, None]  # OSI 0.3
    >>> found = cs.units.orientation_selectivity(np.random.default_rng(0).poisson(rate), theta, n_perm=100)
    >>> bool(found.ci_low[0] < 0.3 < found.ci_high[0]), bool(abs(found.preferred[0] - 90) < 10)
    (True, True)
    """
    return _selectivity(
        "orientation_selectivity",
        responses,
        angle,
        2,
        period,
        index,
        groups,
        n_splits,
        n_perm,
        n_floor,
        level,
        rng,
    )


def direction_selectivity(
    responses: Array,
    angle: Array,
    /,
    *,
    period: float = 360.0,
    index: Literal["vector", "ratio"] = "vector",
    groups: Array | None = None,
    n_splits: int = 100,
    n_perm: int = 1000,
    n_floor: int = 100,
    level: float = 0.95,
    rng: int = 0,
) -> Selectivity:
    """Direction selectivity index, DSI = |sum_c r_c exp(i theta_c)| / sum_c r_c, in [0, 1] for responses >= 0.

    ``index="ratio"`` is (r_pref - r_null) / (r_pref + r_null), r_null the response to the opposite direction. All else,
    the correction too, as in `orientation_selectivity`, with exp(i theta) in the place of exp(2i theta).

    Not to be confused with orientation selectivity: a unit that responds alike to opposite directions has DSI 0.

    Parameters
    ----------
    responses : (n_trials, units), counts or rates >= 0.   angle : (n_trials,) directions over the whole period, evenly
        spaced, at least 3, with at least 2 trials each.
    period, groups, n_splits, n_perm, n_floor, level, rng : as in `orientation_selectivity`.

    Returns
    -------
    Selectivity : preferred is a direction, in 0 to a period.

    Raises
    ------
    InputError : as in `orientation_selectivity`; orientations, which cover half a turn, are ``uneven-angles`` here.
    ConsilienceWarning : ``silent-units``, ``angle-units``.

    References
    ----------
    Mazurek et al. (2014).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> theta = np.tile(np.arange(0, 360, 45), 40)
    >>> rate = 5 * (1 + 0.6 * np.cos(np.deg2rad(theta - 90)))[:, None]  # DSI 0.3
    >>> found = cs.units.direction_selectivity(np.random.default_rng(0).poisson(rate), theta, n_perm=100)
    >>> bool(found.ci_low[0] < 0.3 < found.ci_high[0])
    True
    """
    return _selectivity(
        "direction_selectivity",
        responses,
        angle,
        1,
        period,
        index,
        groups,
        n_splits,
        n_perm,
        n_floor,
        level,
        rng,
    )


def circular_variance(
    responses: Array,
    angle: Array,
    /,
    *,
    harmonic: Literal[1, 2] = 2,
    period: float = 360.0,
    groups: Array | None = None,
    n_splits: int = 100,
    n_perm: int = 1000,
    n_floor: int = 100,
    level: float = 0.95,
    rng: int = 0,
) -> Selectivity:
    """Circular variance of tuning, 1 - |sum_c r_c exp(h i theta_c)| / sum_c r_c; 0 = one angle only, 1 = untuned.

    h = 2, of orientations, is 1 - OSI; h = 1, of directions, 1 - DSI: every field of the result is that of
    `orientation_selectivity` or `direction_selectivity` taken from 1 (p stays: small where the unit is tuned). By
    chance it is too *low*.

    Parameters
    ----------
    responses, angle, period, groups, n_splits, n_perm, n_floor, level, rng : as in `orientation_selectivity`.
    harmonic : h.

    Returns
    -------
    Selectivity

    Raises
    ------
    InputError, ConsilienceWarning : as in `orientation_selectivity`.

    References
    ----------
    Ringach et al. (2002).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> theta = np.tile(np.arange(0, 180, 45), 2)
    >>> one = np.where(theta == 45, 4.0, 0.0)[:, None]
    >>> float(cs.units.circular_variance(one, theta, n_perm=0, n_floor=0).value[0])
    0.0
    """
    who = "circular_variance"
    check_option(str(harmonic), ("1", "2"), name="harmonic", who=f"cs.units.{who}")
    found = _selectivity(
        who, responses, angle, int(harmonic), period, "vector", groups, n_splits, n_perm, n_floor, level, rng
    )
    return Selectivity(
        value=1 - found.value,
        corrected=1 - found.corrected,
        ci_low=1 - found.ci_high,
        ci_high=1 - found.ci_low,
        null_mean=1 - found.null_mean,
        floor=1 - found.floor,
        p=found.p,
        preferred=found.preferred,
        stability=found.stability,
        level=found.level,
    )


def _selectivity(
    name: str,
    responses: Array,
    angle: Array,
    harmonic: int,
    period: float,
    index: str,
    groups: Array | None,
    n_splits: int,
    n_perm: int,
    n_floor: int,
    level: float,
    rng: int,
) -> Selectivity:
    who = f"cs.units.{name}"
    options = check_options(n_splits=n_splits, n_perm=n_perm, n_floor=n_floor, level=level, rng=rng, who=who)
    check_option(index, ("vector", "ratio"), name="index", who=who)
    turn = check_number(period, name="period", who=who, low=0.0)
    shown = folded(plain_labels(angle, name="angle", who=who), turn)
    classes = as_classes(responses, shown, who=who, groups=groups)
    refuse_negative(classes.x, who=who)
    theta = angles_of(classes.names, turn, harmonic, who=who)
    say_silent(classes.silent, who=who)
    made = VectorIndex(theta, harmonic, turn) if index == "vector" else RatioIndex(theta, harmonic, turn, who)
    found = scores_of_index(classes, made, options)
    if isinstance(made, VectorIndex):
        moments = [(part.moments(), part.counts[:, None]) for _, part in classes.parts()]
        square = [made.square(means, spread / n)[0] for (means, spread), n in moments]
        found.counted["unbiased_square"] = np.where(classes.silent, np.nan, np.concatenate(square))
    return found


def angles_of(names: np.ndarray, turn: float, harmonic: int, *, who: str) -> np.ndarray:
    """Angles (k,) in radians, refused where a flat unit would have a vector sum."""
    if names.dtype.kind not in "iuf":
        raise InputError(
            f"{who}: angle must hold numbers, got {shorten(names[0].item(), 40)} ({names.dtype}).",
            code="bad-label",
        )
    values = names.astype(np.float64)
    say_turns(values, turn, who=who, given=f"period={turn:g}", stacklevel=4)
    theta = 2 * np.pi * values / turn
    flat = abs(np.exp(1j * harmonic * theta).mean())
    distinct = np.unique(np.round(np.exp(1j * harmonic * theta), 6)).size
    if distinct < 3 or flat > _EVEN:
        what = f"a unit that responds alike to all would have an index of {flat:.2f}"
        what = what if distinct >= 3 else f"they are {distinct} different ones"
        raise InputError(
            f"{who}: angle must hold at least 3 evenly spaced {'orientations' if harmonic == 2 else 'directions'} of a "
            f"turn of {turn:g}, got {shorten(values.tolist())}: {what}. Is period= the whole turn (360, or 2 * np.pi "
            "for radians)? Directions cover the whole turn, orientations half of it. Leave out what breaks the "
            "spacing, or use eta_squared.",
            code="uneven-angles",
        )
    return np.asarray(theta)


class VectorIndex:
    """|sum m_c e^{ih theta_c}| / sum m_c; its interval is made of the unbiased square."""

    def __init__(self, theta: np.ndarray, harmonic: int, turn: float) -> None:
        self.w, self.harmonic, self.turn = np.exp(1j * harmonic * theta), harmonic, turn

    def choose(self, means: np.ndarray, /) -> np.ndarray:
        """The vector sum, of length 1."""
        vector = self._vector(means)
        size = np.abs(vector)
        return np.where(size > 0, vector / np.where(size > 0, size, 1.0), 0.0)

    def _vector(self, means: np.ndarray) -> np.ndarray:
        sums = (np.tensordot(w, means, axes=(0, -2)) for w in (self.w.real, self.w.imag))
        return np.asarray(next(sums) + 1j * next(sums))

    def terms(self, chosen: np.ndarray, means: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]:
        return (self._vector(means) * chosen.conj()).real, means.sum(axis=-2)

    def raw(self, means: np.ndarray, /) -> np.ndarray:
        total = means.sum(axis=-2)
        return np.where(total > 0, np.abs(self._vector(means)) / np.where(total > 0, total, 1.0), np.nan)

    def agree(self, one: np.ndarray, other: np.ndarray, /) -> np.ndarray:
        """Less than a sixth of the index's turn apart (by chance 1 in 3)."""
        return np.asarray((one * other.conj()).real >= 0.5)

    def named(self, chosen: np.ndarray, /) -> np.ndarray:
        whole = self.turn / self.harmonic
        angle = np.angle(chosen) / (2 * np.pi) * whole % whole
        return np.where(np.abs(chosen) > 0, np.where(angle == whole, 0.0, angle), np.nan)

    def square(self, means: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(units,) (unbiased square, its denominator), from means and their variances v, (k, units)."""
        below = means.sum(axis=0) ** 2 - v.sum(axis=0)
        below = np.where(below > 0, below, np.nan)
        return (np.abs(self._vector(means)) ** 2 - v.sum(axis=0)) / below, below

    def interval(
        self, means: np.ndarray, variance: np.ndarray, middle: np.ndarray, classes: Classes, level: float, /
    ) -> tuple[np.ndarray, np.ndarray]:
        v = variance
        q, below = self.square(means, classes.moments()[1] / classes.counts[:, None])
        vector, total, noise = self._vector(means), means.sum(axis=0), v.sum(axis=0)
        gradient = (self.w[:, None] * vector.conj()).real - q * total
        c = (self.w[:, None] * self.w.conj()).real
        trace = ((c * c) @ v * v).sum(axis=0) - 2 * q * (c @ v * v).sum(axis=0) + q * q * noise**2
        ends = form_interval(q, below, np.abs(vector) ** 2, gradient, trace, v, classes, level)
        low, high = (np.where(np.isnan(end), np.nan, np.sqrt(np.clip(end, 0.0, 1.0))) for end in ends)
        return low, high


class RatioIndex:
    """(m_pref - m_other) / (m_pref + m_other), other = half of the index's turn away; equal angles are averaged."""

    def __init__(self, theta: np.ndarray, harmonic: int, turn: float, who: str) -> None:
        whole = turn / harmonic
        place = np.round(theta / (2 * np.pi) * turn % whole, 9) % whole
        self.angle, owner = np.unique(np.round(place, 6), return_inverse=True)
        self.fold = (owner == np.arange(self.angle.size)[:, None]).astype(np.float64)
        self.fold /= self.fold.sum(axis=1, keepdims=True)
        away = np.abs((self.angle - self.angle[:, None]) % whole - whole / 2)
        if (away.min(axis=1) > 1e-4 * whole).any():
            raise InputError(
                f"{who}: index='ratio' needs for each angle the one {whole / 2:g} away, got "
                f"{shorten(self.angle.tolist())}; index='vector' does without.",
                code="uneven-angles",
            )
        self.other = away.argmin(axis=1)

    def _folded(self, means: np.ndarray) -> np.ndarray:
        return np.asarray(self.fold @ means)

    def choose(self, means: np.ndarray, /) -> np.ndarray:
        return np.asarray(self._folded(means).argmax(axis=-2))

    def terms(self, chosen: np.ndarray, means: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]:
        folded = self._folded(means)
        one, two = (
            np.take_along_axis(folded, at[..., None, :], axis=-2)[..., 0, :]
            for at in (chosen, self.other[chosen])
        )
        return one - two, one + two

    def raw(self, means: np.ndarray, /) -> np.ndarray:
        num, den = self.terms(self.choose(means), means)
        return np.where(den > 0, num / np.where(den > 0, den, 1.0), np.nan)

    def agree(self, one: np.ndarray, other: np.ndarray, /) -> np.ndarray:
        return np.asarray(one == other)

    def named(self, chosen: np.ndarray, /) -> np.ndarray:
        return np.asarray(self.angle[chosen])

    def interval(
        self, means: np.ndarray, variance: np.ndarray, middle: np.ndarray, classes: Classes, level: float, /
    ) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.choose(means)
        one, two = self.fold[chosen].T, self.fold[self.other[chosen]].T
        return ratio_interval(one - two, one + two, means, variance, middle, self.raw(means), classes, level)
