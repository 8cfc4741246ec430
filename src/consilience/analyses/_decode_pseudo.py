"""`decode` of a pseudo-population: a design for every draw of pseudo-trials."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience._responses._pseudo import PseudoPopulation
from consilience.analyses._decode_design import Design, from_trials, sides_of, varying_units
from consilience.analyses._decode_target import WHO, read_target
from consilience.stats import multinomial_weights

__all__ = ["designs_of_draws"]


def designs_of_draws(
    population: PseudoPopulation,
    target: Any,
    *,
    cv: int,
    groups: Any,
    folds: Any,
    train_on: Any,
    test_on: Any,
    time: Any,
    n_draws: int,
    seed: Seed,
) -> list[Design]:
    """Training and test pseudo-trials are made of different trials in every draw."""
    if not isinstance(target, str) or target not in population.labels:
        raise InputError(
            f"{WHO}: the target of a pseudo-population must be one of its labels, {sorted(population.labels)}; got "
            f"{shorten(target)}. Name others in cs.pseudo_population(by=...).",
            code="unknown-label",
        )
    if groups not in ("auto", "trial", None) or folds is not None:
        raise InputError(
            f"{WHO}: groups= and folds= are not for pseudo-populations, whose folds hold different trials by "
            "themselves; train_on= and test_on= tell conditions apart.",
            code="bad-parameter",
        )
    counts = population.counts
    out = []
    for k in range(n_draws):
        own = seed.child(f"pseudo{k}")
        data = population.draw(cv, own.stream("draw"))
        found = read_target(data, target, circular=False)
        values = np.asarray(data.values)
        times = None
        if values.ndim == 3 and time == "each":
            x, times = values, population.times
        elif values.ndim == 3 and time == "mean":
            x = values.mean(axis=1)[:, None, :]
        else:
            x = values.reshape(len(values), 1, -1)
        units = np.arange(x.shape[2]) if x.shape[2] != population.units.size else population.units
        if k == 0:
            x, units = varying_units(x, units, "the pseudo-population")
            kept = units
        else:
            x = x[:, :, np.isin(units, kept)]
        sides = sides_of(data, train_on, test_on)
        apart = sides is not None and not (sides[0] & sides[1]).any()
        made = from_trials(
            data,
            x,
            times,
            kept,
            found,
            cv=cv,
            groups="trial",
            folds=None if apart else "fold",
            sides=sides,
            seed=own,
        )
        # rows of a draw are made of different trials, so each is drawn by itself; the mean over draws varies less than
        # one draw does, so nothing is added for the training rows' part but the variance over draws
        rows = len(x)
        made = replace(
            made,
            factor=1.0,
            deal=None,
            blocks=rows,
            owner=np.arange(rows),
            weights=functools.partial(multinomial_weights, rows),
        )
        made.settings.update(
            pseudo=True,
            folds=None,
            n_folds=cv,
            n_sessions=len(population.sessions),
            least_trials=int(counts.min()),
        )
        out.append(made)
    return out
