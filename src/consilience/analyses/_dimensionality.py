"""The verb `dimensionality`: how many dimensions a population has, with interval, null, saturation and spectrum."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses import recorded_cautions
from consilience._responses._check import refuse_result
from consilience._responses._pseudo import PseudoPopulation
from consilience._results import Dimensionality
from consilience.analyses._checks import check_resamples
from consilience.analyses._dimensionality_entries import (
    checked,
    drawn,
    labelled_by,
    over_time_of,
    population_of,
)
from consilience.analyses._dimensionality_measures import (
    OF_SERIES,
    OF_TRIALS,
    Population,
    Row,
    default_methods,
    refuse_single_trials,
    row_of,
    say_of_noise,
)
from consilience.analyses._dimensionality_tables import tables
from consilience.analyses._match import check_match, each_system, match_systems
from consilience.analyses._one_trial import one_trial_as_series

__all__ = ["dimensionality"]

WHO = "cs.dimensionality"
_REFERENCES = {
    "participation_ratio": ("chun2026estimating", "gao2017theory", "himeno2014estimations"),
    "participation_ratio_units": ("chun2026estimating", "himeno2014estimations"),
    "effective_rank": ("roy2007effective",),
    "cvpca": ("stringer2019high", "pospisil2025revisiting"),
    "svca": ("stringer2019spontaneous",),
    "shared": ("williamson2016scaling",),
    "two_nn": ("facco2017estimating",),
    "mle": ("levina2004maximum", "mackay2005comments"),
    "local_pca": ("fukunaga1971algorithm",),
}
_ALL = tuple(dict.fromkeys((*OF_TRIALS, *OF_SERIES)))
_DRAWS = 10


def dimensionality(
    data: xr.DataArray | PseudoPopulation | Mapping[str, xr.DataArray | PseudoPopulation],
    /,
    *,
    measures: Sequence[str] | None = None,
    by: str = "stimulus",
    match: str | Sequence[str] | None = None,
    n_match: int = _DRAWS,
    fit: tuple[int, int] | None = None,
    gap: int | None = None,
    n_perm: int = 100,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> Dimensionality:
    """How many dimensions a population has, by several definitions, each with interval, null and what it is blind to.

    Responses (trial, unit) of a noiseless kind (activation, latent) are used as they are, one row for each stimulus.
    Those of the others (count, rate, dff, bold, voltage) hold noise, and **need repeats**: of a single trial each, the
    dimensions of noise and signal cannot be told apart, and this is refused rather than guessed. Rows of one
    ``by`` that differ (exemplars of a category) are repeats whatever the kind: their scatter is taken off like noise.
    Of (trial, time, unit) the mean over time is taken (of counts the sum). A series (time, unit) is split in stretches
    of time (svca).

    Each method is a function of `cs.populations`, where equation, interval, null and what noise and copies do stand:
    participation_ratio (of infinitely many such units and stimuli), participation_ratio_units (of these units, over
    infinitely many stimuli), cvpca (the exponent of the spectrum), effective_rank, two_nn, mle, local_pca; of trials
    and series shared (number of factors by cross-validation, cs.models.FactorAnalysis); of series svca. They answer
    different questions, so there is no one number; ceilings do not exist.

    Parameters
    ----------
    data : responses, a `cs.pseudo_population`, or a mapping of several systems, side by side.
    measures : names; None: of noiseless data all but shared, of noisy ones participation_ratio,
        participation_ratio_units, cvpca and shared, of series svca and shared.
    by : label on trial: what counts as the same stimulus; rows of it are its repeats.
    match : of several systems, what is made equal first: names out of stimuli, bins, units, trials, snr, or "all".
        Values are then medians over ``n_match`` draws, as are the ends of intervals, spectra and saturation.
    n_match : draws of that, and of pseudo-trials.
    fit : ranks (first, last) of the power law.   gap : samples between stretches of series.
    n_perm : of the null, each unit's stimuli in an order of their own (at most 20 for neighbours and effective rank, 3
        for shared); 0 = none.   level : of intervals.   rng : seed.

    Returns
    -------
    Dimensionality : ``.data``, ``.spectrum``, ``.saturation``, ``.extrapolated``, ``.to_frame()``, ``.plot()``.

    Raises
    ------
    InputError : noise and a single trial of a stimulus (``no-repeats``), fewer than 5 stimuli or 2 units (``too-few``),
        a method that the data do not allow, no unit that varies; single values that are missing
        (``missing="mask_values"``), of (trial, unit) with other measures than ``["shared"]``, which None then takes, of
        (trial, time, unit) with all (``masked-values``).
    ConsilienceWarning : ``noise-counts`` (methods that see noise as dimensions), ``constant-units``, ``points-merged``,
        ``no-exponent`` (of cvpca by name; else a note in the table), ``measures-left-out`` (too few points for one that
        was not named), ``one-trial``, ``stimuli-differ``, ``stimuli-not-shared`` (of ``match``),
        ``unbounded-dimension`` (the data do not bound the dimensionality above).

    References
    ----------
    Those of the methods: ``result.citations()``.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> ids = np.repeat(np.arange(60), 4)
    >>> signal = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 40))
    >>> v1 = cs.responses(signal[ids] + 3 * rng.normal(size=(240, 40)), stimulus=ids, repeat="count", kind="rate")
    >>> found = cs.dimensionality(v1, measures=["participation_ratio"], rng=0)
    >>> at = found.data.sel(measure="participation_ratio")
    >>> bool(at["ci_low"].item() < 5 < at["ci_high"].item())
    True
    """
    seed = resolve_seed(rng, who=WHO)
    check_resamples(n_perm, "n_perm", who=WHO)
    n_match = check_count(n_match, name="n_match", who=WHO, minimum=1)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    refuse_result(data, who=WHO, name="data", expected="responses, or a mapping of them")
    asked = check_match(match, who=WHO)
    options: dict[str, Any] = {"n_perm": n_perm, "level": level, "fit": _fit(fit), "gap": gap}
    wanted = _wanted(measures)
    with collect_cautions() as cautions:
        notes: dict[str, Any] = {}
        given = {name: one_trial_as_series(one, who=WHO) for name, one in each_system(data, who=WHO)}
        pseudo = {name for name, one in given.items() if isinstance(one, PseudoPopulation)}
        over_time = {name: word for name, one in given.items() if (word := over_time_of(one))}
        fixed = {
            name: labelled_by(
                checked(one, name, gaps=wanted == ("shared",) or not (wanted or asked)), by, name
            )
            for name, one in given.items()
            if not isinstance(one, PseudoPopulation)
        }
        draws: list[dict[str, Population]] = []
        for k in range(n_match if asked or pseudo else 1):
            own = seed.child(f"match{k}")
            made_of = {
                name: fixed[name] if name in fixed else drawn(one, by, name, own)
                for name, one in given.items()
            }
            if asked:
                made_of, notes = match_systems(made_of, match=asked, seed=own, who=WHO)
            draws.append(
                {
                    name: draws[0][name] if k and not asked and name in fixed else population_of(name, one)
                    for name, one in made_of.items()
                }
            )
        if asked and "stimuli" not in asked:
            _say_of_stimuli(draws[0])
        options["named"] = wanted or ()
        used = {name: _methods_of(one, wanted) for name, one in draws[0].items()}
        if wanted is None:
            _say_left_out(draws[0], used)
        for name, one in draws[0].items():
            refuse_single_trials(one, used[name], who=WHO)
            say_of_noise(one, used[name], who=WHO)
        rows: list[dict[str, dict[str, Row]]] = []
        for k, draw in enumerate(draws):
            rows.append(
                {
                    name: rows[0][name]
                    if k and one is draws[0][name]
                    else _rows(one, used[name], seed.child(f"{name}{k}"), _lighter(options, k))
                    for name, one in draw.items()
                }
            )
        made = tables(rows, draws, seed, options)
        _say_of_bounds(made["data"])
        for entry in fixed.values():
            for caution in recorded_cautions(entry):
                if caution.code != "made-up-ids":
                    warn(caution.code, caution.message, caution.remedy)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    listed = [str(name) for name in made["data"]["measure"].values.tolist()]
    return Dimensionality(
        data=made["data"],
        spectrum=made["spectrum"],
        saturation=made["saturation"],
        extrapolated=made["extrapolated"],
        counts=made["counts"],
        settings={
            "verb": "dimensionality",
            "measures": listed,
            "by": by,
            "match": list(asked),
            "n_match": len(draws) if asked or pseudo else 0,
            "pseudo": sorted(pseudo),
            "over_time": over_time,
            "matched": {key: value for key, value in notes.items() if key not in ("snr_before",)},
            "kinds": {name: one.kind for name, one in draws[0].items()},
            "n_perm": n_perm,
            "level": level,
            "fit": list(options["fit"]) if options["fit"] else None,
            "gap": gap,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=tuple(dict.fromkeys(key for name in listed for key in _REFERENCES[name])),
        methods=_sentences(listed, asked, n_match, pseudo=bool(pseudo), over_time=over_time),
    )


def _wanted(measures: Any) -> tuple[str, ...] | None:
    if measures is None:
        return None
    listed = [measures] if isinstance(measures, str) else list(measures)
    if not listed:
        raise InputError(f"{WHO}: measures is empty; None takes what the data allow.", code="bad-parameter")
    for name in listed:
        check_option(name, _ALL, name="measures", who=WHO)
    return tuple(dict.fromkeys(listed))


def _fit(fit: Any) -> tuple[int, int] | None:
    if fit is None:
        return None
    try:
        low, high = (int(v) for v in fit)
    except (TypeError, ValueError):
        low = high = 0
    if not 1 <= low < high:
        raise InputError(
            f"{WHO}: fit must be (first, last) rank, 1 <= first < last, got {shorten(fit)}.",
            code="bad-parameter",
        )
    return low, high


def _say_of_stimuli(systems: dict[str, Population]) -> None:
    sizes = {name: int(one.stimulus.max()) + 1 for name, one in systems.items() if one.stimulus is not None}
    if len(set(sizes.values())) < 2:
        return
    said = ", ".join(f"{shorten(name, 30)} {size}" for name, size in list(sizes.items())[:4])
    warn(
        "stimuli-differ",
        f"{WHO}: match= leaves the numbers of stimuli as they are ({said}); the corrected participation ratios allow "
        "for that, all else rises with them.",
        "Add 'stimuli' to match.",
    )


def _methods_of(population: Population, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    if wanted is None:
        return ("shared",) if np.isnan(population.x).any() else default_methods(population)
    allowed = OF_SERIES if population.stimulus is None else OF_TRIALS
    refused = [name for name in wanted if name not in allowed]
    if refused:
        what = "a series (time, unit)" if population.stimulus is None else "trials"
        raise InputError(
            f"{WHO}: {population.name!r} is {what}, of which {', '.join(refused)} cannot be had; of it there are "
            f"{', '.join(allowed)}.",
            code="bad-parameter",
        )
    return wanted


def _say_left_out(systems: dict[str, Population], used: dict[str, tuple[str, ...]]) -> None:
    """Of data with missing values only `shared` is had."""
    for name, one in systems.items():
        left = [method for method in default_methods(one) if method not in used[name]]
        if left and np.isnan(one.x).any():
            warn(
                "measures-left-out",
                f"{WHO}: {', '.join(left)} of {name!r} left out: {int(np.isnan(one.x).sum())} single values are "
                "missing, which only shared takes.",
                "Leave out the units or trials that have some, or fill them on purpose.",
            )


def _lighter(options: dict[str, Any], draw: int) -> dict[str, Any]:
    """The null is drawn once, of the first of several matched draws."""
    return options if draw == 0 else {**options, "n_perm": 0}


def _rows(
    population: Population, methods: tuple[str, ...], seed: Seed, options: dict[str, Any]
) -> dict[str, Row]:
    out = {}
    for method in methods:
        row = row_of(method, population, seed, options, who=WHO)
        if row is not None:
            out[method] = row
    if not out:
        raise InputError(
            f"{WHO}: {population.name!r} has too little data for {', '.join(methods)}; ask for one by name, and it "
            "says what it takes.",
            code="too-few",
        )
    return out


def _say_of_bounds(data: xr.Dataset) -> None:
    if "participation_ratio" not in data["measure"].values:
        return
    at = data.sel(measure="participation_ratio")
    open_ended = [
        str(name)
        for name, high in zip(at["system"].values.tolist(), at["ci_high"].values.tolist())
        if high == float("inf")
    ]
    if open_ended:
        warn(
            "unbounded-dimension",
            f"{WHO}: the corrected participation ratio of {', '.join(map(repr, open_ended[:3]))}"
            f"{' and others' if len(open_ended) > 3 else ''} has no upper bound: too few stimuli, units or repeats.",
            "Read the lower end, or participation_ratio_units, or record more.",
        )


def _sentences(
    listed: list[str], asked: tuple[str, ...], n_match: int, *, pseudo: bool, over_time: dict[str, str]
) -> tuple[str, ...]:
    said = []
    if "participation_ratio" in listed or "participation_ratio_units" in listed:
        said.append(
            "Participation ratios were computed from unbiased estimates of the squared trace of the covariance and of "
            "the trace of its square (products of distinct stimuli, distinct trials and, for the population value, "
            "distinct units; Chun et al. 2026); intervals are a jackknife over stimuli and units, less its bias."
        )
    if "cvpca" in listed:
        said.append(
            "The spectrum over stimuli was cross-validated between halves of the trials (Stringer et al. 2019), and "
            "its exponent corrected by simulation of power laws with the same numbers of stimuli, units and trials "
            "and the same signal to noise."
        )
    if "svca" in listed:
        said.append(
            "Shared variance components were fitted between random halves of the units on half of the stretches of "
            "time and evaluated on the others, against circular shifts of one half (Stringer et al. 2019)."
        )
    if asked:
        said.append(
            f"Systems were made equal in {', '.join(asked)}; values are medians over {n_match} random draws."
        )
    if pseudo:
        said.append(f"Units were recorded apart; values are medians over {n_match} draws of pseudo-trials.")
    for word in dict.fromkeys(over_time.values()):
        said.append(f"Responses over time were taken as their {word} over time.")
    return tuple(said)
