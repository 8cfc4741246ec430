"""The verb `characterize`: tuning and selectivity of every unit, with bias, floor and chance beside them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from consilience.analyses._matched_noise import as_neurons
from consilience.stats import fdr, trial_mean_interval
from consilience.units import Selectivity
from consilience.units._classes import as_classes

__all__ = ["characterize"]

WHO = "cs.characterize"
_USUAL = 1000  # relabellings
_ALPHA = 0.05
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
    cautions = [_of_which(caution, names, len(systems)) for caution, names in heard.items()]
    table = _joined(found, several=several)
    with collect_cautions() as few:
        _say_few(table["data"], int(options["n_perm"]))
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
        methods=_methods(by, about, options),
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
        table = _joined([(name, made)], several=False)
        _say_few(table["data"], int(options["n_perm"]))
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
    means, variances = classes.moments()
    means, variances = means * classes.scale, variances * classes.scale**2
    low, high = trial_mean_interval(
        means, variances, classes.counts[:, None], level=options["level"], counts=classes.whole
    )
    free = (classes.counts - 1)[:, None]
    middle = means.mean(axis=0)
    pooled = (variances * free).sum(axis=0) / free.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        fano = np.where((middle > 0) & ~(x < 0).any(axis=0), pooled / middle, np.nan)
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


def _of_which(caution: Caution, names: list[str], n: int) -> Caution:
    """The caution with the systems that it is about, unless it is about all of them."""
    if len(names) == n:
        return caution
    listed = ", ".join(shorten(name, 30) for name in names[:3]) + (", ..." if len(names) > 3 else "")
    return replace(
        caution, message=f"{caution.message.rstrip('.')} (of {len(names)} of {n} systems: {listed})."
    )


def _joined(found: list[tuple[str, dict[str, Any]]], *, several: bool) -> dict[str, Any]:
    """Tables of systems side by side, with q over all units; NaN where a system has no such measure."""
    if several:
        there = {name for _, made in found for name in made["data"]["measure"].values.tolist()}
        order = max((made["data"]["measure"].values.tolist() for _, made in found), key=len)
        every = [*order, *sorted(there - set(order))]
        parts: dict[str, list[Any]] = {}
        for name, made in found:
            told = [f"{name}/{unit}" for unit in made["data"]["unit"].values.tolist()]
            for key, one in made.items():
                if "measure" in one.dims:
                    text = isinstance(one, xr.DataArray) and one.dtype.kind not in "fc"
                    one = one.reindex(measure=every, fill_value="" if text else np.nan)
                system = np.full(len(told), name, dtype=object).astype(str)
                kept = one.assign_coords(unit=("unit", told), system=("unit", system))
                parts.setdefault(key, []).append(kept)
        options: dict[str, Any] = {"dim": "unit", "join": "exact", "combine_attrs": "drop"}
        table = {
            key: xr.concat(ones, **options, data_vars="minimal", coords="minimal", compat="equals")
            if isinstance(ones[0], xr.Dataset)
            else xr.concat(ones, **options)
            for key, ones in parts.items()
        }
    else:
        table = dict(found[0][1])
    p = table["data"]["p"].values
    q = np.stack([fdr(row) if np.isfinite(row).any() else row for row in p])
    table["data"] = table["data"].assign(q=(("measure", "unit"), q))
    return table


def _say_few(data: xr.Dataset, n_perm: int) -> None:
    """Warns where no unit is told from chance, some of them beyond all relabellings: more of these may tell them."""
    if not n_perm or n_perm >= _USUAL:
        return
    least = (1 + 1e-9) / (n_perm + 1)
    for p, q in zip(data["p"].values, data["q"].values):
        at_end, known = int((p <= least).sum()), int(np.isfinite(p).sum())
        if known * least > _ALPHA and at_end > 2 * known * least and not (q <= _ALPHA).any():
            warn(
                "few-draws",
                f"{WHO}: with n_perm={n_perm} q <= {_ALPHA:g} needs {int(np.ceil(known * least / _ALPHA))} of "
                f"{known} units beyond all draws, not {at_end}.",
                f"n_perm={_USUAL}, or more.",
            )
            return


def _methods(by: str, about: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[str, ...]:
    said = (
        f"Tuning of units to {by} was characterized from {about['n_rows']} {about['rows']}"
        + (" (means over repeats)" if about["rows"] == "stimuli" else "")
        + ". Indices were corrected for their bias by choosing what is preferred on one half and scoring it on the "
        f"other ({options['n_splits']} splits), or by taking the variance of means off squares."
    )
    if options["n_perm"]:
        said += f" p-values are from {options['n_perm']} relabellings"
        said += ", with the false discovery rate over units." if options["n_perm"] else "."
    if options["n_floor"]:
        said += (
            " Untuned units with the mean, spread and number of trials of each unit were drawn for the floor."
        )
    if about.get("matched_noise"):
        said += (
            " Units were first given trials and noise of neurons: counts with the neurons' mean, Fano factor and "
            f"{about['matched_noise']['n_trials']} trials of each stimulus."
        )
    return (said,)
