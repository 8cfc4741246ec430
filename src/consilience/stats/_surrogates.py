"""Surrogates by moving what was measured: circular shifts, random phases, shuffled conditions and trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_option, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience.linalg._noise import labelled
from consilience.stats._series import autocorrelation_time
from consilience.stats._steps import shuffled_steps, straightened
from consilience.stats._tensor_door import as_ragged, as_tensor, refuse_ragged
from consilience.stats._tensor_max_entropy import tensor_max_entropy

__all__ = [
    "SURROGATES",
    "circularly_shifted",
    "phase_randomised",
    "shuffled_conditions",
    "shuffled_trials",
    "surrogates",
]

_OWN = ("trial", "unit")
Surrogates = Callable[..., Iterator[np.ndarray]]


def circularly_shifted(
    x: Array,
    /,
    *,
    n: int = 1,
    rng: int | str | Seed | np.random.Generator | None = 0,
    own: Sequence[str] = _OWN,
    least: int | None = None,
) -> Iterator[np.ndarray]:
    """Surrogates with each series moved on a circle by a lag of its own: when it happens is lost, what happens is kept.

    z_t = x_((t - lag) mod T). Of every series the values, their distribution and (but for the seam where end meets
    beginning) their autocorrelation are kept; time-locking and the relations in time of series with different lags are
    destroyed. A trial that starts and ends at different values has a step at the seam, which a statistic of speed sees:
    compare with `phase_randomised`, which has none.

    Parameters
    ----------
    x : (trials or conditions, time, units), finite; a long series is x[None]. Trials that end before others: NaN from
        there on, or a list of (time, units) arrays; each goes round at its own length.
    n : surrogates.   rng : seed.
    own : what has a lag of its own: ("trial", "unit") each unit in each trial; ("unit",) each unit, the same in all
        trials; ("trial",) each trial, the same for all units, so that relations of units within a trial stay.
    least : the shortest lag, in bins, in either direction; None = the autocorrelation time of the slowest unit, at most
        a quarter of the shortest trial.

    Yields
    ------
    (trials or conditions, time, units) float64, NaN past the end of a trial

    Raises
    ------
    InputError : not three axes, NaN but at ends, ``least`` above half of the shortest trial.

    References
    ----------
    Harris (2020).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.arange(6.0).reshape(1, 6, 1)
    >>> next(cs.stats.circularly_shifted(x, least=2, rng=1))[0, :, 0]
    array([3., 4., 5., 0., 1., 2.])
    """
    who = "cs.stats.circularly_shifted"
    n = check_count(n, name="n", who=who)
    values, lengths = as_ragged(x, who=who)
    shape, long, short = _own_shape(own, values, who), values.shape[1], int(lengths.min())
    if least is None:
        slow = autocorrelation_time(np.moveaxis(values, 1, 0).reshape(long, -1))
        least = int(np.ceil(min(slow.reshape(len(values), -1).mean(axis=0).max(), short / 4)))
    least = check_count(least, name="least", who=who, maximum=short // 2)
    stream, time = resolve_seed(rng, who=who).stream("circular"), np.arange(long)[:, None]
    ends = lengths[:, None, None]
    top: Any = max(short - least, least)
    if shape[0] > 1 and short < long:  # each trial has the lags of its length
        top = np.maximum(ends - least, least)

    def one() -> np.ndarray:
        lag = stream.integers(least, top + 1, size=shape)
        at = np.where(time < ends, (time - lag) % ends, time)
        return np.take_along_axis(values, np.broadcast_to(at, values.shape), axis=1)

    return (one() for _ in range(n))


def phase_randomised(
    x: Array,
    /,
    *,
    n: int = 1,
    rng: int | str | Seed | np.random.Generator | None = 0,
    own: Sequence[str] = _OWN,
) -> Iterator[np.ndarray]:
    """Surrogates with the power of every frequency kept and the phases drawn at random.

    Z_f = X_f exp(i phi_f), phi uniform; the mean, and the highest frequency of an even number of bins but for its sign,
    stay. Each series keeps its power spectrum, so its (circular) autocorrelation; its values become nearly Gaussian,
    and time-locking is lost. Series with the *same* phases keep their cross-spectra: the covariances of units at all
    lags (Prichard & Theiler 1994). A rotation, or any other linear dynamics, *is* a set of covariances at lags, so
    ``own=("trial",)`` keeps it and is no null for it; with phases of their own units keep none.

    Parameters
    ----------
    x : (trials or conditions, time, units), finite. Trials that end before others: NaN from there on, or a list of
        (time, units) arrays; each has the frequencies of its own length.   n : surrogates.   rng : seed.
    own : what has phases of its own: ("trial", "unit") each unit in each trial; ("unit",) each unit, the same in all
        trials, which must be of one length; ("trial",) each trial, the same for all units.

    Yields
    ------
    (trials or conditions, time, units) float64, NaN past the end of a trial

    Raises
    ------
    InputError : not three axes, NaN but at ends; unequal lengths with own=("unit",) (``ragged``).

    References
    ----------
    Theiler et al. (1992); Prichard & Theiler (1994).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(1, 64, 1))
    >>> z = next(cs.stats.phase_randomised(x, rng=0))
    >>> [bool(np.allclose(np.abs(np.fft.rfft(z, axis=1)), np.abs(np.fft.rfft(x, axis=1)))), bool(np.allclose(z, x))]
    [True, False]
    """
    who = "cs.stats.phase_randomised"
    n = check_count(n, name="n", who=who)
    values, lengths = as_ragged(x, who=who)
    trials, _, units = _own_shape(own, values, who)
    if trials == 1 and np.unique(lengths).size > 1:
        raise InputError(
            f"{who}: trials of {int(lengths.min())} to {int(lengths.max())} bins have different frequencies, so they "
            "cannot have the same phases; own=('trial', 'unit'), or cut them all to one length.",
            code="ragged",
        )
    groups = [(int(k), np.flatnonzero(lengths == k)) for k in np.unique(lengths)]
    spectra = [np.fft.rfft(values[rows, :long], axis=1) for long, rows in groups]
    stream = resolve_seed(rng, who=who).stream("phase")

    def one() -> np.ndarray:
        out = np.full(values.shape, np.nan)
        for (long, rows), spectrum in zip(groups, spectra, strict=True):
            own_phases, free = min(trials, rows.size), (long - 1) // 2
            turn = np.ones((own_phases, spectrum.shape[1], units), dtype=complex)
            turn[:, 1 : free + 1] = np.exp(2j * np.pi * stream.random((own_phases, free, units)))
            if long % 2 == 0:  # the highest frequency is real
                turn[:, -1] = stream.choice([-1.0, 1.0], size=(own_phases, units))
            out[rows, :long] = np.fft.irfft(spectrum * turn, long, axis=1)
        return out

    return (one() for _ in range(n))


def shuffled_conditions(
    x: Array, /, *, n: int = 1, rng: int | str | Seed | np.random.Generator | None = 0
) -> Iterator[np.ndarray]:
    """Surrogates with the conditions of each unit in an order of its own: what units share in their tuning is lost.

    Each unit keeps its time courses, and how much they differ between conditions; that units prefer the *same*
    conditions is destroyed, and with it their covariance over conditions, but not what the mean over conditions has. It
    asks whether structure is more than that of units tuned independently. It is no null for dynamics: time courses
    that every unit has in every condition stay, and a rejection can come from shared tuning alone.

    ``x`` : (conditions, time, units), finite.   n : surrogates.   rng : seed.

    Yields
    ------
    (conditions, time, units) float64

    Raises
    ------
    InputError : not three axes, NaN, a single condition.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(5, 8, 3))
    >>> z = next(cs.stats.shuffled_conditions(x, rng=0))
    >>> bool((np.sort(z, axis=0) == np.sort(x, axis=0)).all())
    True
    """
    who = "cs.stats.shuffled_conditions"
    n = check_count(n, name="n", who=who)
    refuse_ragged(x, "a condition cannot take the place of one of another length", who=who)
    values = as_tensor(x, who=who, least=(2, 1, 1))
    stream = resolve_seed(rng, who=who).stream("conditions")

    def one() -> np.ndarray:
        order = stream.permuted(np.tile(np.arange(len(values))[:, None], values.shape[2]), axis=0)
        return np.take_along_axis(values, order[:, None, :], axis=0)

    return (one() for _ in range(n))


def shuffled_trials(
    x: Array,
    condition: Array | None = None,
    /,
    *,
    n: int = 1,
    rng: int | str | Seed | np.random.Generator | None = 0,
) -> Iterator[np.ndarray]:
    """Surrogates with the trials of each unit, within conditions, in an order of its own: noise correlations are lost.

    The mean of every condition, so tuning and time courses, and the variability of each unit are kept exactly; that
    units vary *together* from trial to trial is destroyed. A statistic of the means of conditions has the same value on
    every surrogate.

    Parameters
    ----------
    x : (trials, time, units), finite. Trials that end before others: NaN from there on, or a list of (time, units)
        arrays; those of one condition and one length change places.
    condition : (trials,) labels; None = all trials are of one condition.   n : surrogates.   rng : seed.

    Yields
    ------
    (trials, time, units) float64, NaN past the end of a trial

    Raises
    ------
    InputError : not three axes, NaN but at ends, no condition with two trials (``no-repeats``), trials as long as no
        other of their condition (``ragged``).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(6, 8, 3))
    >>> z = next(cs.stats.shuffled_trials(x, ["a", "b"] * 3, rng=0))
    >>> bool(np.allclose(z[::2].mean(axis=0), x[::2].mean(axis=0)))
    True
    """
    who = "cs.stats.shuffled_trials"
    n = check_count(n, name="n", who=who)
    values, lengths = as_ragged(x, who=who)
    if condition is None:
        number = np.zeros(len(values), dtype=np.int64)
    else:
        number = labelled(condition, len(values), name="condition", who=who)[1]
    groups = [np.flatnonzero(number == k) for k in range(int(number.max()) + 1)]
    if max(map(len, groups)) < 2:
        raise InputError(
            f"{who}: each of {len(groups)} conditions has a single trial, so there is nothing to shuffle; pass single "
            "trials, not averages.",
            code="no-repeats",
        )
    if np.unique(lengths).size > 1:
        alone = sum(
            int((np.unique(lengths[rows], return_counts=True)[1] == 1).sum())
            for rows in groups
            if rows.size > 1
        )
        if alone:
            raise InputError(
                f"{who}: of {len(values)} trials {alone} are as long as no other of their condition, so their units "
                "cannot change places; cut trials to lengths that several have, or all to one.",
                code="ragged",
            )
        groups = [rows[lengths[rows] == k] for rows in groups for k in np.unique(lengths[rows])]
    stream = resolve_seed(rng, who=who).stream("trials")

    def one() -> np.ndarray:
        out = np.empty_like(values)
        for rows in groups:
            order = stream.permuted(np.tile(rows[:, None], values.shape[2]), axis=0)
            out[rows] = np.take_along_axis(values, order[:, None, :], axis=0)
        return out

    return (one() for _ in range(n))


# the names that verbs take as null=
SURROGATES: dict[str, Surrogates] = {
    "tensor_max_entropy": tensor_max_entropy,
    "circular": circularly_shifted,
    "phase": phase_randomised,
    "conditions": shuffled_conditions,
    "trials": shuffled_trials,
    "steps": shuffled_steps,
    "line": straightened,
}


def surrogates(name: str, /, *, who: str = "cs.stats.surrogates") -> Surrogates:
    """The function that makes surrogates of this name: "tensor_max_entropy", "circular", "phase", "conditions",
    "trials", "steps" or "line".

    >>> import consilience as cs
    >>> cs.stats.surrogates("phase").__name__
    'phase_randomised'
    """
    return SURROGATES[check_option(name, SURROGATES, name="null", who=who)]


def _own_shape(own: Any, values: np.ndarray, who: str) -> tuple[int, int, int]:
    """(trials or 1, 1, units or 1): how many lags or phases are drawn."""
    names = [own] if isinstance(own, str) else list(own)
    if not names or not set(names) <= set(_OWN):
        raise InputError(
            f"{who}: own must be 'trial', 'unit' or both, got {shorten(own)}.", code="bad-parameter"
        )
    return len(values) if "trial" in names else 1, 1, values.shape[2] if "unit" in names else 1
