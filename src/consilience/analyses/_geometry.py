"""The verb `geometry`: how the conditions of one or several populations lie to each other."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import (
    ConsilienceWarning,
    InputError,
    UnknownNameError,
    collect_cautions,
    nearest,
    warn,
)
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses import check_responses, recorded_cautions
from consilience._responses._check import refuse_result
from consilience._responses._match import iterate_systems
from consilience._responses._pseudo import PseudoPopulation
from consilience._results import Geometry
from consilience.analyses._checks import check_device
from consilience.analyses._geometry_baseline import baseline_systems, refuse_other_sizes, with_gain
from consilience.analyses._geometry_measures import GEOMETRY, Conditions
from consilience.analyses._geometry_tables import sentences, tables_of
from consilience.analyses._match import check_match, flat_over_time, match_systems
from consilience.analyses._missing_labels import refuse_missing_label, say_omitted
from consilience.linalg import to_safe_size
from consilience.networks._progress import announce_long
from consilience.populations import PopulationScore

__all__ = ["geometry"]

WHO = "cs.geometry"
_DRAWS = 5


def geometry(
    data: xr.DataArray | PseudoPopulation | Mapping[str, xr.DataArray | PseudoPopulation],
    /,
    *,
    by: str | Sequence[str],
    methods: str | Sequence[str] | None = None,
    match: str | Sequence[str] | None = None,
    baseline: Mapping[int, Mapping[str, xr.DataArray] | xr.DataArray] | None = None,
    n_draws: int = _DRAWS,
    standardise: bool = True,
    n_null: int = 200,
    level: float = 0.95,
    device: str | None = None,
    progress: bool | None = None,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> Geometry:
    """How the conditions of a population lie to each other: is a difference coded alike everywhere, what can be told.

    Each measure is a function of `cs.populations`, where equation, interval and null stand; trials are held out in all
    that are accuracies. ccgp (`cross_condition_generalisation`), parallelism (`parallelism_score`) and shattering
    (`shattering_dimensionality`) are of conditions; several labels in ``by`` make their cells the conditions, and each
    label is then looked at across the others.

    Parameters
    ----------
    data : responses (trial[, time], unit), of which the mean over time is taken (of counts the sum); a
        `cs.pseudo_population`; or a mapping of several systems, such as layers of a network, side by side.
    by : label or labels on trial that make the conditions. Trials of a condition may be repeats, or exemplars of a
        category.
    methods : names; None: all that the data allow; capacity, radius and dimension from 15 conditions on, which their
        theory wants, ccgp and parallelism of one label up to 16, as their cost grows with the cube of conditions.
    match : of several systems, what is made equal first: names out of stimuli, bins, units, trials, snr, or "all".
    baseline : {seed: {name: responses}}, untrained (or otherwise broken) copies of the systems under the same names, of
        one system also {seed: responses}, with as many units and trials (or ``match``), and 3 seeds or more: the
        interval of the gain holds the spread between copies. They are measured in the same way, without a null;
        ``.data`` then has ``baseline`` (mean over seeds) and ``gain``, value - baseline, with an interval of both
        (`cs.stats.gain_over`; no end is beyond what the ranges of measures allow), and ``.baselines`` each seed.
        Measures whose interval is over trials (ccgp, parallelism, shattering, noise_alignment) have no contributions of
        conditions, and the intervals of both are taken for independent; where ``gain_paired`` is False, the interval is
        so: too wide where system and copies rise and fall together.
    n_draws : of ``match``, and of pseudo-trials. Values, ends of intervals and p are then medians over draws.
    standardise : z-score each unit over the trials, so that none rules by its scale.
    n_null : draws of the null, 0 = none; no p is below 1 / (n_null + 1). Where draws take long there are fewer: at most
        100 of shattering, held_out and noise_alignment, and of capacity, whose note says how many.
    level : of intervals.   rng : seed.
    device : torch device on which the programmes of capacity are solved, such as "cuda"; None = NumPy.
    progress : False says nothing; else the time that several systems will take is said once the first is measured,
        where it is more than 5 s.

    Returns
    -------
    Geometry : ``.data``, ``.counts``, ``.to_frame()``, ``.plot()``.

    Raises
    ------
    InputError : a measure that the conditions do not allow, fewer than 2 conditions, too few trials.
    UnknownNameError : a label that is not there.
    ConsilienceWarning : ``constant-units``, ``few-seeds``, ``measures-left-out``, and those of the measures.

    References
    ----------
    Those of the measures: ``result.citations()``.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> ids = np.repeat(np.arange(8), 12)
    >>> apart = cs.responses(rng.normal(size=(8, 50))[ids] + rng.normal(size=(96, 50)), stimulus=ids, repeat="count",
    ...                      kind="rate", system="apart")
    >>> found = cs.geometry(apart, by="stimulus", methods="shattering", n_null=50, rng=0)
    >>> round(found.data["value"].item(), 2)
    0.98
    """
    n_null = check_count(n_null, name="n_null", who=WHO)
    n_draws = check_count(n_draws, name="n_draws", who=WHO, minimum=1)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    check_device(device, who=WHO)
    labels = _labels(by)
    asked = check_match(match, who=WHO)
    wanted = None if methods is None else _methods_asked(methods)
    refuse_result(data, who=WHO, name="data", expected="responses, or a mapping of them")
    with collect_cautions() as cautions:
        systems = dict(_systems(data))
        bases = baseline_systems(baseline, systems, who=WHO)
        copies = {key for names in bases.values() for key in names.values()}
        pseudo = {name for name, one in systems.items() if isinstance(one, PseudoPopulation)}
        if asked and pseudo:
            raise InputError(
                f"{WHO}: match= is for responses; draw the pseudo-population first, population.draw(folds, rng).",
                code="bad-parameter",
            )
        rows: dict[str, list[dict[tuple[str, str], PopulationScore]]] = {}
        counts: dict[str, dict[str, int]] = {}
        conditions: dict[str, tuple[str, ...]] = {}
        notes: dict[str, Any] = {}
        first, began = True, time.perf_counter()
        for draw in range(n_draws if asked or pseudo else 1):
            own = seed.child(f"draw{draw}")
            made: Mapping[str, Any] = systems
            if asked:
                made, notes = match_systems(systems, match=asked, seed=own, who=WHO)
            if bases and not draw:
                shown = {
                    name: _drawn(one, own.child(name)) if name in pseudo else one
                    for name, one in made.items()
                }
                refuse_other_sizes(shown, bases, labels, who=WHO)
            for name, one in made.items():
                if draw and not asked and name not in pseudo:
                    continue
                drawn = _drawn(one, own.child(name)) if name in pseudo else one
                shuffles = 0 if name in copies else n_null
                found = _conditions(
                    name, drawn, labels, standardise, shuffles, level, device, own.child(name)
                )
                counts.setdefault(name, found.sizes)
                conditions.setdefault(name, found.names)
                rows.setdefault(name, []).append(_measured(found, wanted))
                if first:
                    first = False
                    left = len(made) * (n_draws if asked or len(pseudo) == len(made) else 1) - 1
                    announce_long(
                        WHO, f"{left} more to measure", left * (time.perf_counter() - began), progress
                    )
        _refuse_none(rows, wanted)
        _say_recorded(systems)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    found_methods = [m for m in GEOMETRY if any(m == key[0] for draws in rows.values() for key in draws[0])]
    tables = tables_of(rows, counts, found_methods, labels)
    if bases:
        tables = with_gain(tables, rows, conditions, bases, level=level, who=WHO)
    return Geometry(
        **tables,
        settings={
            "verb": "geometry",
            "by": list(labels),
            "methods": found_methods,
            "match": list(asked),
            "matched": {k: v for k, v in notes.items() if isinstance(v, (int, float, str))},
            "n_draws": n_draws if asked or pseudo else 1,
            "pseudo": sorted(pseudo),
            "standardise": bool(standardise),
            "baseline_seeds": list(bases),
            "n_null": n_null,
            "level": level,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=tuple(dict.fromkeys(key for m in found_methods for key in GEOMETRY[m].references)),
        methods=sentences(
            found_methods, asked, n_draws, bool(pseudo), standardise, list(bases), tables["data"]
        ),
    )


def _labels(by: Any) -> tuple[str, ...]:
    given = [by] if isinstance(by, str) else list(by) if isinstance(by, Sequence) else []
    if not given or not all(isinstance(name, str) for name in given) or len(set(given)) < len(given):
        raise InputError(
            f"{WHO}: by must be a label on trial, or several different ones; got {shorten(by)}.",
            code="bad-parameter",
        )
    return tuple(given)


def _methods_asked(methods: Any) -> tuple[str, ...]:
    given = [methods] if isinstance(methods, str) else list(methods)
    if not given:
        raise InputError(f"{WHO}: methods is empty; None takes all.", code="bad-parameter")
    return tuple(check_option(name, GEOMETRY, name="methods", who=WHO) for name in dict.fromkeys(given))


def _systems(data: Any) -> Any:
    if isinstance(data, PseudoPopulation):
        yield data.system, data
        return
    if isinstance(data, Mapping) and any(isinstance(one, PseudoPopulation) for one in data.values()):
        yield from ((str(name), one) for name, one in data.items())
        return
    yield from iterate_systems(data, who=WHO, side="data")


def _drawn(population: PseudoPopulation, seed: Seed) -> xr.DataArray:
    return population.draw(int(population.counts.min()), seed.stream("pseudo"))


def _conditions(
    name: str,
    data: Any,
    labels: tuple[str, ...],
    standardise: bool,
    n_null: int,
    level: float,
    device: str | None,
    seed: Seed,
) -> Conditions:
    checked = check_responses(data, who=WHO, name=f"data[{name!r}]")
    if "trial" not in checked.dims:
        raise InputError(
            f"{WHO}: {shorten(name, 40)} is a series (time, unit), and conditions are of trials; cut it with "
            "rec.epoch(...).",
            code="bad-dims",
        )
    if "valid" in checked.coords:
        valid = checked["valid"]
        if valid.dims != ("trial",):
            raise InputError(
                f"{WHO}: trials of {shorten(name, 40)} have unequal lengths; take a window that all have, "
                ".sel(time=slice(...)).",
                code="bad-dims",
            )
        say_omitted(int((~valid.values).sum()), valid.size, WHO)
        checked = checked.isel(trial=valid.values).drop_vars("valid")
    known = [str(c) for c, coord in checked.coords.items() if coord.dims == ("trial",)]
    for label in labels:
        if label not in known:
            raise UnknownNameError(
                f"{WHO}: no coordinate {shorten(label, 40)} on trial of {shorten(name, 40)}.{nearest(label, known)}",
                code="unknown-label",
            )
        refuse_missing_label(checked[label].values, label, WHO)
    x = np.asarray(flat_over_time(checked).values, dtype=np.float64)
    still = np.ptp(x, axis=0) <= 1e-12 * np.maximum(np.abs(x).max(axis=0), np.finfo(np.float64).tiny)
    if still.any() and not still.all():
        warn(
            "constant-units",
            f"{WHO}: {int(still.sum())} of {still.size} units of {shorten(name, 40)} never vary and are left out.",
            "They say nothing about conditions.",
        )
        x = x[:, ~still]
    if standardise and not still.all():
        x = x / np.abs(x).max(axis=0)  # squares of very large or small values have no place among floats
        x -= x.mean(axis=0)
        x /= np.abs(x).max(axis=0)
        x /= x.std(axis=0)
    else:
        x = np.asarray(to_safe_size(x))
    columns = [np.unique(checked[label].values, return_inverse=True) for label in labels]
    cells, condition = np.unique(np.stack([c[1] for c in columns]), axis=1, return_inverse=True)
    levels = {label: c[0][cells[k]] for k, (label, c) in enumerate(zip(labels, columns, strict=True))}
    names = tuple(" ".join(str(levels[label][c]) for label in labels) for c in range(cells.shape[1]))
    if len(names) < 2:
        raise InputError(
            f"{WHO}: {shorten(name, 40)} has one condition, {shorten(names[0], 40)}; at least 2 are needed.",
            code="too-few",
        )
    return Conditions(
        x=x,
        condition=np.asarray(condition).reshape(-1),
        names=names,
        factors=levels,
        n_null=n_null,
        level=level,
        device=device,
        rng=int(seed.stream("measures").integers(2**62)),
    )


def _measured(
    conditions: Conditions, wanted: tuple[str, ...] | None
) -> dict[tuple[str, str], PopulationScore]:
    """(measure, of) -> score."""
    out = {}
    fewest, count = int(np.bincount(conditions.condition).min()), len(conditions.names)
    for name in GEOMETRY if wanted is None else wanted:
        entry = GEOMETRY[name]
        least, most = entry.unasked
        if wanted is None and (count < least or (count > most and len(conditions.factors) == 1)):
            continue
        lacking = ""
        if fewest < entry.needs_trials:
            lacking = f"{entry.needs_trials} trials of each condition, and one has {fewest}"
        elif count < entry.needs_conditions:
            lacking = f"{entry.needs_conditions} conditions, and there are {count}"
        elif entry.crossed and len(conditions.factors) < 2:
            lacking = "two labels that cross in by="
        if lacking and wanted is None:
            warn(
                "measures-left-out",
                f"{WHO}: {name} needs at least {lacking}.",
                "It is not in the result; ask for it by name to be refused.",
            )
            continue
        if lacking:
            raise InputError(f"{WHO}: {name} needs at least {lacking}.", code="too-few")
        for of, score in entry.function(conditions).items():
            out[name, of] = score
    return out


def _refuse_none(rows: Mapping[str, list[dict[Any, Any]]], wanted: tuple[str, ...] | None) -> None:
    if not any(draws[0] for draws in rows.values()):
        raise InputError(
            f"{WHO}: {'none of the measures' if wanted is None else shorten(list(wanted))} can be had of these "
            "conditions; most need 4 conditions with several trials each.",
            code="too-few",
        )


def _say_recorded(systems: Mapping[str, Any]) -> None:
    for one in systems.values():
        if not isinstance(one, xr.DataArray):
            continue
        for caution in recorded_cautions(one):
            if caution.code != "made-up-ids":
                warn(caution.code, caution.message, caution.remedy)
