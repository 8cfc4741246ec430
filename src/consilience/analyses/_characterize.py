"""The verb `characterize`: tuning and selectivity of every unit, with bias, floor and chance beside them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._angles import folded
from consilience._core._errors import (
    Caution,
    ConsilienceWarning,
    InputError,
    collect_cautions,
    warn,
)
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses import check_responses, recorded_cautions
from consilience._results import UnitTable
from consilience.analyses._characterize_measures import CIRCULAR, OF_CLASSES, REFERENCES, measures_of
from consilience.analyses._characterize_rows import label_of, period_of, rows_of, say_left_out, systems_of
from consilience.analyses._characterize_series import SERIES_REFERENCES, series_table
from consilience.analyses._characterize_tables import joined, methods, of_which, say_few
from consilience.analyses._matched_noise import as_neurons
from consilience.stats import trial_mean_interval
from consilience.units import Selectivity
from consilience.units._classes import as_classes

__all__ = ["characterize"]

WHO = "cs.characterize"
_FIELDS = ("value", "corrected", "ci_low", "ci_high", "null_mean", "floor", "p", "stability")


def characterize(
    data: xr.DataArray | Mapping[str, xr.DataArray],
    /,
    by: Any = "category",
    *,
    measures: Sequence[str] | str | None = None,
    period: float | Sequence[float | None] | None = None,
    bins: int | Sequence[int] | None = None,
    groups: str | None = None,
    rows: str | None = None,
    matched_noise: xr.DataArray | Mapping[str, Any] | None = None,
    n_splits: int = 100,
    n_perm: int = 1000,
    n_floor: int = 100,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | Seed | None = None,
) -> UnitTable:
    """What each unit is tuned to and how sharply: indices as published, corrected, against chance and an untuned floor.

    The same call for neurons, voxels and units of a network. By a class label: class_selectivity, lifetime_sparseness,
    d_prime, roc_auc, eta_squared, mutual_information; by an angle: orientation_selectivity, direction_selectivity,
    circular_variance, and those. Each is a function of `cs.units`, where its equation, correction and interval stand.
    Ratios are left out for responses below 0 (dF/F, BOLD, layers before a rectification), and that is said.

    A series (time, unit) is tuned to a variable that was followed in time: direction_score (of an angle),
    spatial_information, information_rate; of traces copula_information. Their chance is that of shifts on a circle
    (``n_perm``), never of shuffled times; they have no floor, and their stretches of time no splits.

    What is resampled, split and dealt anew are *rows*: single trials where each value of ``by`` is one stimulus;
    *stimuli* (means over their repeats) where a class has several, so that what is said holds for other stimuli of
    the class. A network's rows are its images: there is no trial noise, and the spread over images takes its place.

    Parameters
    ----------
    data : responses (trial[, time], unit); over time the mean of each trial is taken (of counts the sum). Or a mapping
        {system: responses}, such as layers: one table, with ``system`` on unit, and NaN where one of them allows no
        such measure. Or a series (time, unit).
    by : label on trial: class, stimulus, or angle. Of a series the variable that was followed (heading, place): a
        series of the same times, as `Recording.bin` with ``of`` gives, an array, or a label on time.
    measures : names; None = all that data and label allow.   bins : of the variable of a series.
    period : of an angle, the whole turn: 360, or 2 pi for radians. Numbers named orientation, direction, heading or
        angle (head_direction too) are taken as angles, in degrees where they go beyond 2 pi, labels and series alike.
    groups : label on trial, such as "run": labels are dealt anew within it (mutual_information has no p then).
    rows : "trials" or "stimuli", where the choice above is not meant.
    matched_noise : neurons to which units of a network are made alike first: counts with repeats, or {"mean": ...,
        "fano": ..., "n_trials": ...} as of `cs.units.matched_noise`. What comes out is of drawn counts.
    n_splits : halves.   n_perm : relabellings; 0 = no p.   n_floor : draws of untuned units; 0 = no floor.
    level : of intervals.   rng : seed.

    Returns
    -------
    UnitTable : ``.data``, ``.to_frame()``, ``.sort("d_prime")``, ``.select(q=0.05)``, ``.profile()``, ``.plot()``.

    Raises
    ------
    UnknownNameError : no such label on trial.   InputError : a value of ``by`` with a single row (``no-repeats``),
        measures that the data do not allow, angles that are not evenly spaced (``uneven-angles``).
    ConsilienceWarning : ``negative-responses`` (ratios were left out), ``silent-units``, ``no-period`` (a series that
        jumps as an angle does), ``uneven-angles`` (of indices that were left out), ``angle-units``, ``text-angles``,
        ``few-draws`` (``n_perm`` is too small for q of so many units).

    References
    ----------
    Those of the measures: ``result.citations()``.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> angle = np.tile(np.arange(0, 360, 45), 10)
    >>> rate = 5 * (1 + np.outer(np.cos(2 * np.deg2rad(angle)), [0.8, 0.0]))
    >>> v1 = cs.responses(np.random.default_rng(0).poisson(rate), stimulus=angle, repeat="count", kind="count",
    ...                   system="V1").assign_coords(direction=("trial", angle))
    >>> found = cs.characterize(v1, "direction", measures=["orientation_selectivity"], n_perm=200, rng=0)
    >>> (found.data["q"].sel(measure="orientation_selectivity").values < 0.05).tolist()
    [True, False]
    """
    seed = resolve_seed(rng, who=WHO)
    options = {
        "n_splits": check_count(n_splits, name="n_splits", who=WHO, minimum=1),
        "n_perm": check_count(n_perm, name="n_perm", who=WHO),
        "n_floor": check_count(n_floor, name="n_floor", who=WHO),
        "level": check_number(level, name="level", who=WHO, low=0.0, high=1.0),
    }
    if isinstance(data, xr.DataArray) and data.dims == ("time", "unit"):
        return _of_series(data, by, measures, period, bins, seed, options)
    if bins is not None:
        raise InputError(f"{WHO}: bins= goes with a series (time, unit).", code="bad-parameter")
    if period is not None:
        period = check_number(period, name="period", who=WHO, low=0.0)
    if rows is not None:
        check_option(rows, ("trials", "stimuli"), name="rows", who=WHO)
    several = isinstance(data, Mapping)
    systems = systems_of(data)
    about: dict[str, Any] = {}
    found, kept = [], [caution for one in systems.values() for caution in recorded_cautions(one)]
    heard: dict[Caution, list[str]] = {}
    for name, one in systems.items():
        own = seed if not several else seed.child(name)
        with collect_cautions() as cautions:
            made, about = _of_system(
                one, by, measures, period, groups, rows, matched_noise, own, options, about
            )
        for caution in cautions:
            names = heard.setdefault(caution, [])
            names += [name] * (name not in names)
        found.append((name, made))
    cautions = [of_which(caution, names, len(systems)) for caution, names in heard.items()]
    table = joined(found, several=several)
    with collect_cautions() as few:
        say_few(table["data"], int(options["n_perm"]))
    cautions = [*cautions, *few]
    said = tuple(dict.fromkeys([*kept, *cautions]))
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    wanted = table["data"]["measure"].values.tolist()
    return UnitTable(
        **table,
        settings={
            "verb": "characterize",
            "system": ", ".join(systems) if several else next(iter(systems)),
            "by": by,
            "measures": wanted,
            "groups": groups,
            **options,
            **about,
        },
        seed=str(seed),
        warnings=said,
        references=(
            *dict.fromkeys(key for name in wanted for key in REFERENCES.get(name, ())),
            "benjamini1995controlling",
        ),
        methods=methods(by, about, options),
    )


def _of_series(
    data: xr.DataArray, by: Any, measures: Any, period: Any, bins: Any, seed: Seed, options: dict[str, Any]
) -> UnitTable:
    """Tuning to a variable that was followed in time."""
    data = check_responses(data, who=WHO, name="data")
    with collect_cautions() as cautions:
        made, about = series_table(
            data, by, measures=measures, period=period, bins=bins, seed=seed, options=options
        )
        name = str(data.attrs.get("system") or "data")
        table = joined([(name, made)], several=False)
        say_few(table["data"], int(options["n_perm"]))
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=3)
    wanted = table["data"]["measure"].values.tolist()
    said = f"Tuning of units to {about['by']} was characterized over {about['n_rows']} bins of time"
    if options["n_perm"]:
        said += f", against {options['n_perm']} shifts in time, with the false discovery rate over units"
    return UnitTable(
        **table,
        settings={
            "verb": "characterize",
            "system": name,
            "measures": wanted,
            "n_perm": options["n_perm"],
            "level": options["level"],
            **about,
        },
        seed=str(seed),
        warnings=tuple(dict.fromkeys([*recorded_cautions(data), *cautions])),
        references=(
            *dict.fromkeys(key for one in wanted for key in SERIES_REFERENCES.get(one, ())),
            "benjamini1995controlling",
        ),
        methods=(said + ".",),
    )


def _of_system(
    data: xr.DataArray,
    by: str,
    measures: Any,
    period: float | None,
    groups: str | None,
    rows: str | None,
    matched: Any,
    seed: Seed,
    options: dict[str, Any],
    before: dict[str, Any],
) -> tuple[dict[str, xr.Dataset | xr.DataArray], dict[str, Any]]:
    noise: dict[str, Any] = {}
    if matched is not None:
        data, noise = as_neurons(data, matched, seed.child("matched noise"), who=WHO)
    data, what = rows_of(data, by, groups, rows)
    label = label_of(data, by, "by")
    turn = period_of(by, label, period)
    if turn is not None:
        label = folded(label, turn)
    x = np.asarray(data.values, dtype=np.float64)
    classes = as_classes(x, label, who=WHO)  # refused here, in the verb's name
    within = None if groups is None else label_of(data, groups, "groups")
    table = measures_of(x, label, within, turn, seed, options)
    wanted = _wanted(measures, table, bool((x < 0).any()), turn, by, classes.names)
    made: dict[str, Selectivity] = {}
    names = np.asarray(data["unit"].values) if "unit" in data.coords else np.arange(x.shape[1])
    if classes.silent.any():
        warn(
            "silent-units",
            f"{WHO}: {int(classes.silent.sum())} of {names.size} units never fire or never vary, e.g. "
            f"{shorten(names[classes.silent][0].item(), 24)}.",
            "Their numbers are NaN; leave them out, or look whether they were lost.",
        )
    for name in wanted:
        with collect_cautions() as heard:
            made[name] = table[name]()
        for caution in heard:
            if caution.code != "silent-units":
                warn(caution.code, caution.message, caution.remedy)
    values = {
        key: np.where(classes.silent, np.nan, np.stack([getattr(made[name], key) for name in wanted]))
        for key in _FIELDS
    }
    about = {
        "period": turn,
        "rows": what,
        "n_rows": len(x),
        "kind": str(data.attrs.get("kind", "activation")),
        **noise,
    }
    if before and (before["n_rows"], before["rows"]) != (about["n_rows"], about["rows"]):
        raise InputError(
            f"{WHO}: systems differ in their rows, {before['n_rows']} {before['rows']} and {about['n_rows']} "
            f"{about['rows']}; characterize them one by one.",
            code="rows-differ",
        )
    preferred = np.stack([_named(made[name].preferred) for name in wanted])
    preferred[:, classes.silent] = np.nan if preferred.dtype.kind == "f" else ""
    means, variances, middle, fano = classes.described()
    low, high = trial_mean_interval(
        means, variances, classes.counts[:, None], level=options["level"], counts=classes.whole
    )
    coords = {"measure": wanted, "unit": names}
    both = ("condition", "unit")
    return {
        "data": xr.Dataset(
            {key: (("measure", "unit"), value) for key, value in values.items()}, coords=coords
        ),
        "preferred": xr.DataArray(preferred, dims=("measure", "unit"), coords=coords, name="preferred"),
        "curves": xr.Dataset(
            {
                "mean": (both, means),
                "ci_low": (both, low),
                "ci_high": (both, high),
                "n_rows": ("condition", classes.counts.astype(np.int64)),
            },
            coords={"condition": classes.names, "unit": names},
        ),
        "units": xr.Dataset({"mean": ("unit", middle), "fano": ("unit", fano)}, coords={"unit": names}),
    }, about


def _named(labels: np.ndarray) -> np.ndarray:
    """Labels that are no text as float64, so that angles and numbers stand side by side."""
    return labels.astype(np.float64) if labels.dtype.kind in "biuf" else labels


def _wanted(
    measures: Any, table: Mapping[str, Any], negative: bool, period: float | None, by: str, labels: np.ndarray
) -> list[str]:
    known = [*CIRCULAR, *OF_CLASSES]
    if measures is None:
        left = [name for name in OF_CLASSES if name not in table]
        if negative and left:
            warn(
                "negative-responses",
                f"{WHO}: some responses are below 0, and ratios ({', '.join(left)}) are left out.",
                "Of such data d_prime, roc_auc and eta_squared are defined; for ratios pass rates, or a layer after "
                "its rectification.",
            )
        if period is not None and not negative:
            say_left_out([name for name in CIRCULAR if name not in table], labels, period, by)
        shown = [name for name in table if name != "circular_variance"]
        angles = period is not None and (negative or any(name in CIRCULAR for name in shown))
        return [
            name for name in shown if not angles or name not in ("class_selectivity", "d_prime", "roc_auc")
        ]
    asked = [measures] if isinstance(measures, str) else list(measures)
    if not asked:
        raise InputError(f"{WHO}: measures is empty; None takes all.", code="bad-parameter")
    for name in asked:
        check_option(name, known, name="measures", who=WHO)
        if name in table:
            continue
        if name in CIRCULAR and period is None:
            raise InputError(
                f"{WHO}: {name} needs an angle; say its whole turn with period= (360, or 2 * np.pi), {by} has none.",
                code="bad-parameter",
            )
        if negative:
            raise InputError(
                f"{WHO}: {name} is a ratio, and some responses are below 0; use d_prime, roc_auc or eta_squared.",
                code="negative-responses",
            )
        raise InputError(
            f"{WHO}: {name} needs 3 or more {'directions' if 'direc' in name else 'orientations'}, evenly spaced, of a "
            f"turn of period={period:g}; {by} has others.",
            code="uneven-angles",
        )
    return list(dict.fromkeys(asked))
