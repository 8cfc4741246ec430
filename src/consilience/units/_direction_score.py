"""How sharply a unit is tuned to a direction or another angle: mean vector, chance taken off, preferred direction."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import f as fisher
from scipy.stats import t as student

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.units._scores import UnitScores
from consilience.units._trials import say_silent
from consilience.units._visits import STRETCHES, Visits, jackknifed, shifts_of, visits_of

__all__ = ["direction_score"]


def direction_score(
    counts: Any,
    angle: Any,
    /,
    *,
    width: float,
    period: float,
    bins: int = 36,
    n_shift: int = 1000,
    least: float | None = None,
    level: float = 0.95,
    rng: int = 0,
) -> UnitScores:
    """Mean vector length of the rates over an angle, R = |sum_k r_k exp(i theta_k)| / sum_k r_k, with chance taken off.

    Of rates, not of spikes, so that directions taken often do not count more. R is above 0 for any unit: the value is
    the root of R^2 less the bias that 20 stretches of time, left out one by one, show (a jackknife, exact for squares),
    with the sign of that difference, so that a unit without direction is 0 on average. `tuning_curve` gives the curve
    itself, and R without correction.

    Parameters
    ----------
    counts : (n, units) spikes in consecutive bins of time.   angle : (n,) in each; NaN: left out.   width : s, of these
        bins.   period : 2 pi for radians, 360 for degrees.   bins : of the angle.
    n_shift : circular shifts of the counts against the angle; 0 = no p.   least : s, the smallest; default 5
        autocorrelation times of the angle, at most a quarter of all.
    level : of the intervals, jackknife over the stretches, t.   rng : seed.

    Returns
    -------
    UnitScores : value in about [-0.3, 1]; null_mean of it under shifts (of the mean of R^2); p of R against shifts.
        counted: ``plain``, R; ``plain_null``, its mean under shifts; ``preferred``, the direction of the mean vector,
        with ``preferred_low`` and ``preferred_high`` around it (not wrapped; a whole period where it is unknown);
        ``hotelling_p``, of no mean vector given how it varies between the stretches: the Rayleigh test takes spikes as
        independent, which those of neighbouring bins of time are not.

    In simulations (7680 units over 600 s, 0.5 and 5 spikes/s, R of 0, 0.14, 0.6 and 0.7, gains that were steady or of
    log sd 0.5 over 2, 10 and 60 s) the value was off by at most 0.017 on average, R itself by up to 0.064, intervals at
    95 % held the truth in 0.88 to 0.99, and the preferred direction, of units that have one, in 0.91 to 0.98. Without
    direction p was at most 0.05 in 0.04 to 0.07 (shifts) and 0.03 to 0.10 (Hotelling). The interval of the direction of
    a unit without one says nothing: look at p first.

    Raises
    ------
    InputError : other lengths, infinite values, negative counts, directions that were never taken (``too-few``).
    ConsilienceWarning : ``silent-units``, ``angle-units``, ``rates-as-counts``, ``long-bins``.

    References
    ----------
    Batschelet (1981); Efron & Stein (1981) for the jackknife of squares.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> heading = np.cumsum(rng.normal(0, 0.3, 6000)) % (2 * np.pi)
    >>> rate = np.stack([10 * np.exp(2 * np.cos(heading - 1) - 2), np.full(6000, 0.5)], axis=1)
    >>> found = cs.units.direction_score(rng.poisson(0.1 * rate), heading, width=0.1, period=2 * np.pi, n_shift=200)
    >>> bool(found.value[0] > 0.6), bool(abs(found.counted["preferred"][0] - 1) < 0.1), bool(abs(found.value[1]) < 0.1)
    (True, True, True)
    """
    who = "cs.units.direction_score"
    n_shift = check_count(n_shift, name="n_shift", who=who)
    level = check_number(level, name="level", who=who, low=0.0, high=1.0)
    draw = resolve_seed(rng, who=who).stream("shifts")
    visits = visits_of(counts, angle, width=width, bins=bins, period=period, least=least, who=who, dims=1)
    cells, stays = visits.cells()
    total, seconds = cells.sum(axis=1), stays.sum(axis=0)
    _visited(seconds, who)
    say_silent(total.sum(axis=1) == 0, who=who, given="they have no direction")
    middle = 2 * np.pi * (np.arange(bins) + 0.5) / bins
    turn = np.exp(1j * middle)
    mean = _vector(total, seconds, turn)
    rest = seconds - stays
    left = np.stack([_vector(total - cells[:, k], rest[k], turn) for k in range(STRETCHES)])
    centre, low, high = (_root(end) for end in jackknifed(np.abs(mean) ** 2, np.abs(left) ** 2, level))
    preferred, away = _preferred(mean, left, level)
    null, square, p = _shifted(visits, np.abs(mean), seconds, turn, shifts_of(visits, n_shift, draw))
    scale = float(period) / (2 * np.pi)
    known = total.sum(axis=1) > 0
    return UnitScores(
        value=np.where(known, centre, np.nan),
        ci_low=np.where(known, low, np.nan),
        ci_high=np.where(known, np.minimum(high, 1.0), np.nan),
        null_mean=np.where(known, _root(square - (np.abs(mean) ** 2 - centre * np.abs(centre))), np.nan),
        p=p,
        level=level,
        counted={
            "plain": np.where(known, np.abs(mean), np.nan),
            "plain_null": np.where(known, null, np.nan),
            "preferred": np.where(known, preferred * scale, np.nan),
            "preferred_low": np.where(known, (preferred - away) * scale, np.nan),
            "preferred_high": np.where(known, (preferred + away) * scale, np.nan),
            "hotelling_p": np.where(known, _hotelling(mean, left), np.nan),
        },
    )


def _visited(seconds: np.ndarray, who: str) -> None:
    if not seconds.all():
        raise InputError(
            f"{who}: {int((seconds == 0).sum())} of {seconds.size} bins of the angle were never visited, and a mean "
            "vector needs all; fewer bins, or an angle that goes all the way round.",
            code="too-few",
        )


def _vector(spikes: np.ndarray, seconds: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(...,) complex mean vector of spikes (..., bins); bins without time count as without spikes."""
    rate = spikes / np.where(seconds > 0, seconds, np.inf)
    every = rate.sum(axis=-1)
    return np.asarray((rate * turn).sum(axis=-1) / np.where(every > 0, every, 1.0))


def _root(square: np.ndarray) -> np.ndarray:
    return np.sign(square) * np.sqrt(np.abs(square))


def _preferred(mean: np.ndarray, left: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Direction and half of its interval, radians; half a turn where nothing is known."""
    k = len(left)
    off = np.angle(left * np.conj(np.where(np.abs(mean) > 0, mean, 1.0)))
    error = np.sqrt((k - 1) / k * ((off - off.mean(axis=0)) ** 2).sum(axis=0))
    away = np.minimum(np.pi, student.ppf((1 + level) / 2, k - 1) * error)
    return np.mod(np.angle(mean), 2 * np.pi), away


def _hotelling(mean: np.ndarray, left: np.ndarray) -> np.ndarray:
    """(units,) p of a mean vector of 0, from its jackknife covariance."""
    k = len(left)
    away = left - left.mean(axis=0)
    parts = np.stack([away.real, away.imag], axis=-1)
    covariance = (k - 1) / k * np.einsum("kui,kuj->uij", parts, parts)
    vector = np.stack([mean.real, mean.imag], axis=-1)[..., None]
    fine = np.linalg.det(covariance) > 1e-300
    safe = np.where(fine[:, None, None], covariance, np.eye(2))
    square = (vector * np.linalg.solve(safe, vector)).sum(axis=(1, 2))
    return np.where(fine, fisher.sf((k - 2) / (2 * (k - 1)) * square, 2, k - 2), 1.0)


def _shifted(
    visits: Visits, value: np.ndarray, seconds: np.ndarray, turn: np.ndarray, shifts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of R and of R^2 under shifts, and p."""
    if not shifts.size:
        nothing = np.full(value.size, np.nan)
        return nothing, nothing, nothing
    mean, square, p = np.empty(value.size), np.empty(value.size), np.empty(value.size)
    for u in range(value.size):
        length = np.concatenate([np.abs(_vector(some, seconds, turn)) for some in visits.moved(u, shifts)])
        mean[u], square[u] = length.mean(), np.mean(length**2)
        p[u] = (1 + int((length >= value[u] - 1e-9).sum())) / (1 + shifts.size)
    return mean, square, p
