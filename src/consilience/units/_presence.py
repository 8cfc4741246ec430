"""Presence: in how much of the recording a unit fires at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.units._scores import UnitScores, nothing
from consilience.units._trains import Trains, as_trains
from consilience.units._trials import say_silent

__all__ = ["binned_counts", "presence_ratio"]

_SURE = 30  # spikes per bin at which an empty bin does not happen: exp(-30)


def binned_counts(trains: Trains, bins: int) -> np.ndarray:
    """(units, bins) spikes in ``bins`` equal stretches of the observed time, pieces end to end."""
    units = trains.counts.size
    at = trains.clock(trains.times, trains.piece) / (trains.total / bins)
    flat = trains.owner * bins + np.minimum(at.astype(np.int64), bins - 1)
    return np.bincount(flat, minlength=units * bins).reshape(units, bins)


def presence_ratio(
    trains: Any, /, *, observed: Any, width: float = 60.0, n_perm: int = 1000, rng: int = 0
) -> UnitScores:
    """Fraction of stretches of the recording, ``width`` seconds each, in which the unit has a spike.

    A unit that fires rarely misses stretches by chance: null_mean is what its spikes, thrown at random over the
    recording, would give. A ratio below that (small p) tells of a unit that was lost, found late, or silent for long.

    Parameters
    ----------
    trains : list of (n_spikes,) spike times in s, one per unit, or `cs.SpikeTrains`.
    observed : (start, stop), (pieces, 2) or `cs.Intervals`, in s; pieces are laid end to end and cut into equal
        stretches as near to ``width`` as divides them.
    n_perm : times the spikes are thrown; 0 = no p.   rng : seed.

    Returns
    -------
    UnitScores : value in [0, 1], 0 for a silent unit. No interval: it describes this recording.
        p : one-sided, that the ratio is as high as by chance.   counted["bins"].

    Raises
    ------
    InputError : ``observed-missing``; fewer than 2 stretches; times that are no numbers, NaN.
    ConsilienceWarning : ``silent-units``, ``unsorted-spikes``.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> found = cs.units.presence_ratio([np.arange(0, 600.0, 2)], observed=(0, 1200))  # gone after half the time
    >>> float(found.value[0]), round(float(found.null_mean[0]), 3), round(float(found.p[0]), 3)
    (0.5, 1.0, 0.001)
    """
    who = "cs.units.presence_ratio"
    width = check_number(width, name="width", who=who, low=0.0)
    n_perm = check_count(n_perm, name="n_perm", who=who)
    seed = resolve_seed(rng, who=who)
    found = as_trains(trains, observed, who=who, needed=True)
    say_silent(found.counts == 0, who=who, given="their presence is 0")
    bins = round(found.total / width)
    if bins < 2:
        raise InputError(
            f"{who}: {found.total:g} s observed are less than 2 stretches of width={width:g} s; give a smaller width.",
            code="too-few",
        )
    value = (binned_counts(found, bins) > 0).mean(axis=1)
    n = found.counts.astype(np.float64)
    null = 1 - (1 - 1 / bins) ** n
    p, draw = nothing(n.size), seed.stream("thrown")
    for u in np.flatnonzero(n > 0) if n_perm else ():
        if n[u] > _SURE * bins:
            below = 0 if value[u] < 1 else n_perm
        else:
            thrown = draw.multinomial(int(n[u]), np.full(bins, 1 / bins), size=n_perm)
            below = int(((thrown > 0).mean(axis=1) <= value[u] + 1e-12).sum())
        p[u] = (below + 1) / (n_perm + 1)
    return UnitScores(
        value=value,
        ci_low=nothing(n.size),
        ci_high=nothing(n.size),
        null_mean=np.where(n > 0, null, np.nan),
        p=p,
        counted={"bins": np.full(n.size, bins)},
    )
