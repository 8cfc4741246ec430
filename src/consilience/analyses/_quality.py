"""The verb `quality`: reliability from repeats, regularity and cleanness from spike times, unit by unit."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import resolve_seed
from consilience._recording import Recording
from consilience._responses import check_responses, recorded_cautions
from consilience._responses._check import refuse_result
from consilience._results import Quality
from consilience.analyses._quality_measures import (
    OF_SERIES,
    OF_SPIKES,
    OF_TRIALS,
    of_series,
    of_spikes,
    of_trials,
)
from consilience.stats import fdr
from consilience.units import UnitScores
from consilience.units._seconds import check_refractory

__all__ = ["quality"]

WHO = "cs.quality"
_REFERENCES = {
    "reliability": ("sahani2003linear", "schoppe2016measuring", "miller1968jackknifing"),
    "split_half": ("spearman1910correlation", "brown1910some"),
    "explainable_variance": ("sahani2003linear", "miller1968jackknifing"),
    "tuning_snr": ("sahani2003linear", "miller1968jackknifing"),
    "fano_factor": ("fano1947ionization",),
    "noise_level": ("rupprecht2021database",),
    "firing_rate": ("harville1974bayesian",),
    "drift": ("harville1974bayesian",),
    "cv": ("softky1993highly",),
    "cv2": ("holt1996comparison",),
    "lv": ("shinomoto2003differences",),
    "isi_violations": ("hill2011quality",),
    "contamination": ("hill2011quality", "llobet2022automatic"),
}
_FIELDS = ("value", "ci_low", "ci_high", "null_mean", "p")


def quality(
    data: Recording | xr.DataArray,
    /,
    *,
    trials: xr.DataArray | None = None,
    by: str = "stimulus",
    groups: str | None = None,
    measures: Sequence[str] | None = None,
    refractory: float = 0.0015,
    n_splits: int = 100,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> Quality:
    """How far to trust each unit: reliability of its responses, regularity and cleanness of its spikes.

    From trials: reliability (signal variance / variance of the means over repeats; without groups the same number as
    in `cs.encode`), split_half, explainable_variance (of single trials), tuning_snr, and of counts fano_factor. From
    spike times: firing_rate, cv, cv2, lv, isi_violations, contamination, presence_ratio, drift. From series (time,
    unit), such as fluorescence: noise_level, trace_snr, skewness. Each is a function of `cs.units`, where its equation,
    interval, null and p stand.

    Parameters
    ----------
    data : a `cs.Recording` with spikes, or responses (trial[, time], unit) with repeats; of responses over time the
        mean of each trial is taken (of counts the sum); or a series (time, unit).
    trials : responses of the units of a recording, such as ``rec.epoch(...)``, for what needs repeats.
    by : label on trial: what counts as the same stimulus.
    groups : label on trial, such as "run", "session" or "block", the means of whose values are taken out: an additive
        effect of each group is fitted with the means of the stimuli, so that differences between runs count neither as
        noise nor as signal, and relabellings stay within groups. Of fano_factor: from stimuli that have two or more
        trials in one group. Of measures of trials; stimuli must not each be of one group (``groups-confounded``).
    measures : names; None = all that the data allow.
    refractory : s, at most 0.1, for isi_violations and contamination.
    n_splits : halves for split_half.   n_perm : relabellings; 0 = no p.   level : of intervals.   rng : seed.

    Returns
    -------
    Quality : ``.data``, ``.to_frame()``, ``.select(reliability=0.3)``, ``.plot()``.

    Raises
    ------
    InputError : a stimulus with a single trial (``no-repeats``: needs >= 2 repeats), no spikes, a series of spikes in
        bins (``spikes-in-bins``), units of ``trials`` that are not those of the recording.
    ConsilienceWarning : ``silent-units``, ``observed-guessed`` (the recording does not say when spikes could be seen),
        ``few-spikes``, ``neighbours-alike`` (stimuli in blocks, and a slow drift: reliability is too high),
        ``no-agreement``, ``contamination-unknown``, ``contamination-at-end``, ``spikes-outside``,
        ``observed-differs`` (``observed_by_unit``: the time that all units have in common is used),
        ``not-seconds`` (times look like milliseconds or samples), ``slow-changes``.

    References
    ----------
    Those of the measures: ``result.citations()``.

    Examples
    --------
    >>> import numpy as np, warnings, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> spikes = [np.sort(rng.uniform(0, 600, 3000)), np.sort(rng.uniform(0, 300, 3000))]
    >>> rec = cs.Recording(name="V1", spikes=spikes, observed=cs.Intervals([0], [600]))
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", cs.ConsilienceWarning)
    ...     found = cs.quality(rec, rng=0)
    >>> found.select(presence_ratio=0.9).tolist()
    [0]
    """
    seed = resolve_seed(rng, who=WHO)
    n_splits = check_count(n_splits, name="n_splits", who=WHO, minimum=1)
    n_perm = check_count(n_perm, name="n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    refractory = check_refractory(refractory, who=WHO)
    recording, responses = _given(data, trials)
    if groups is not None and (responses is None or "trial" not in responses.dims):
        raise InputError(
            f"{WHO}: groups={shorten(groups)} is a label on trials, and there are none; pass responses (trial, unit), "
            "or trials= with a recording.",
            code="bad-parameter",
        )
    with collect_cautions() as cautions:
        found: dict[str, UnitScores] = {}
        about: dict[str, Any] = {}
        names, counts = _names(recording, responses), {}
        options = {
            "groups": groups,
            "n_splits": n_splits,
            "n_perm": n_perm,
            "level": level,
            "refractory": refractory,
        }
        table: dict[str, Callable[[], UnitScores]] = {}
        silent = np.zeros(names.size, dtype=bool)
        if responses is not None and responses.dims == ("time", "unit"):
            table, about = of_series(responses, level)
            silent |= about.pop("silent")
        elif responses is not None:
            own, about_trials = of_trials(responses, by, seed, options)
            table, about = {**table, **own}, {**about, **about_trials}
            counts["n_trials"] = np.full(names.size, about["n_trials"])
            counts["n_stimuli"] = np.full(names.size, about["n_stimuli"])
            silent |= about.pop("silent")
        if recording is not None:
            own, about_spikes = of_spikes(recording, seed, options)
            table, about = {**table, **own}, {**about, **about_spikes}
            assert recording.spikes is not None
            counts["n_spikes"] = recording.spikes.counts
            silent |= recording.spikes.counts == 0
        wanted = _wanted(measures, list(table))
        said: set[str] = {"silent-units"}
        if silent.any():
            warn(
                "silent-units",
                f"{WHO}: {int(silent.sum())} of {silent.size} units never fire or never vary, e.g. "
                f"{shorten(names[silent][0].item(), 24)}.",
                "Their rate is 0, other numbers are NaN; leave them out, or look whether they were lost.",
            )
        for name in wanted:
            with collect_cautions() as heard:
                found[name] = table[name]()
            for caution in heard:
                if caution.code not in said:
                    warn(caution.code, _named(caution.message, names), _named(caution.remedy, names))
            said |= {caution.code for caution in heard}
        for caution in recorded_cautions(responses) if responses is not None else ():
            if caution.code != "made-up-ids":
                warn(caution.code, caution.message, caution.remedy)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    values = {key: np.stack([getattr(found[name], key) for name in wanted]) for key in _FIELDS}
    values["q"] = np.stack([fdr(p) if np.isfinite(p).any() else p for p in values["p"]])
    return Quality(
        data=xr.Dataset(
            {key: (("measure", "unit"), value) for key, value in values.items()},
            coords={"measure": wanted, "unit": names},
        ),
        counts=xr.Dataset(
            {
                key: ("unit", np.asarray(counts.get(key, np.zeros(names.size)), dtype=np.int64))
                for key in ("n_trials", "n_stimuli", "n_spikes")
            },
            coords={"unit": names},
        ),
        settings={
            "verb": "quality",
            "by": by,
            "measures": list(wanted),
            **options,
            **about,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=(
            *dict.fromkeys(key for name in wanted for key in _REFERENCES.get(name, ())),
            "benjamini1995controlling",
        ),
        methods=_methods(wanted, options, about),
    )


def _given(data: Any, trials: Any) -> tuple[Recording | None, xr.DataArray | None]:
    if isinstance(data, Recording):
        if data.spikes is None:
            raise InputError(
                f"{WHO}: the recording has no spikes; cut trials from its signals and pass those, "
                "cs.quality(rec.epoch(on=..., of=signal)).",
                code="too-few",
            )
        if data.spikes.times.size == 0:
            raise InputError(f"{WHO}: no unit of the recording has a spike.", code="too-few")
        return data, None if trials is None else _averaged(trials, "trials")
    refuse_result(data, who=WHO, name="data", expected="a recording or responses")
    if not isinstance(data, xr.DataArray):
        raise InputError(
            f"{WHO}: data must be a cs.Recording or responses, got {type(data).__name__}; plain arrays go to the "
            "functions of cs.units.",
            code="not-responses",
        )
    if trials is not None:
        raise InputError(
            f"{WHO}: trials= goes with a recording; data are responses already.", code="bad-parameter"
        )
    if data.dims == ("time", "unit"):
        if data.attrs.get("kind") == "count" or data.attrs.get("reduce") == "rate":
            raise InputError(
                f"{WHO}: data are spikes in bins over time, and a series is judged as a continuous trace "
                f"({', '.join(OF_SERIES)}); for rates, regularity and cleanness pass the recording itself, "
                "cs.quality(rec), or trials with repeats.",
                code="spikes-in-bins",
            )
        return None, check_responses(data, who=WHO, name="data")
    return None, _averaged(data, "data")


def _averaged(data: Any, name: str) -> xr.DataArray:
    """Responses (trial, unit), valid trials only."""
    if isinstance(data, xr.DataArray) and data.dims == ("time", "unit"):
        raise InputError(
            f"{WHO}: {name} is a series (time, unit), and trials are needed; cut them with rec.epoch(...).",
            code="bad-dims",
        )
    valid = data.coords["valid"] if isinstance(data, xr.DataArray) and "valid" in data.coords else None
    if valid is not None and valid.dims == ("trial", "time"):
        rows = valid.values.any(axis=1)
        mean = (
            data.where(valid).mean("time", skipna=True, keep_attrs=True).drop_vars("valid", errors="ignore")
        )
        return check_responses(mean.isel(trial=rows), who=WHO, name=name)
    data = check_responses(data, who=WHO, name=name)
    if "valid" in data.coords:
        data = data.isel(trial=data["valid"].values).drop_vars("valid")
    if "time" in data.dims:
        count = data.attrs.get("kind") == "count"
        data = data.sum("time", keep_attrs=True) if count else data.mean("time", keep_attrs=True)
    return data


def _named(text: str, names: np.ndarray) -> str:
    """Numbers of units in a warning of `cs.units`, which knows no names, become their names."""

    def name(found: re.Match[str]) -> str:
        number = int(found[2])
        return f"{found[1]} {shorten(names[number].item(), 24)}" if number < names.size else found[0]

    return re.sub(r"\b([Uu]nit) (\d+)\b", name, text)


def _names(recording: Recording | None, responses: xr.DataArray | None) -> np.ndarray:
    if recording is None:
        assert responses is not None
        if "unit" in responses.coords:
            return np.asarray(responses["unit"].values)
        return np.arange(responses.sizes["unit"])
    names = recording.unit_names
    if responses is not None:
        own = responses["unit"].values if "unit" in responses.coords else np.arange(responses.sizes["unit"])
        if [str(name) for name in own.tolist()] != [str(name) for name in names.tolist()]:
            raise InputError(
                f"{WHO}: trials must have the {names.size} units of the recording, in their order, got {own.size}: "
                f"{shorten(own.tolist())}; cut them with rec.epoch(...), after rec.select(...) if only some are meant.",
                code="units-differ",
            )
    return names


def _wanted(measures: Sequence[str] | None, known: list[str]) -> list[str]:
    if measures is None:
        return known
    asked = [measures] if isinstance(measures, str) else list(measures)
    if not asked:
        raise InputError(f"{WHO}: measures is empty; None takes all.", code="bad-parameter")
    for name in asked:
        if name in (*OF_TRIALS, *OF_SPIKES, *OF_SERIES) and name not in known:
            need = "trials with repeats (trials=)" if name in OF_TRIALS else "a recording with spike times"
            need = "a series (time, unit)" if name in OF_SERIES else need
            if name == "fano_factor":
                need = "counts of spikes (kind='count'), with groups= two or more of a stimulus in one group"
            raise InputError(
                f"{WHO}: {name} needs {need}; these data give {', '.join(known)}.", code="bad-parameter"
            )
        check_option(name, known, name="measures", who=WHO)
    return list(dict.fromkeys(asked))


def _methods(wanted: Sequence[str], options: dict[str, Any], about: dict[str, Any]) -> tuple[str, ...]:
    said = []
    if any(name in OF_TRIALS for name in wanted):
        low, high = about["repeats"]
        said.append(
            f"Reliability was estimated from {about['n_trials']} trials of {about['n_stimuli']} stimuli ({low} to "
            f"{high} repeats): signal variance is the variance of the mean responses less that which noise adds. "
            + (
                f"An additive effect of each {options['groups']} was fitted with the means of stimuli and taken out. "
                if options["groups"]
                else ""
            )
            + "Intervals are jackknife intervals over stimuli"
            + (
                f", p-values from {options['n_perm']} relabellings of the trials"
                f"{' within it' if options['groups'] else ''}."
                if options["n_perm"]
                else "."
            )
        )
    if any(name in OF_SERIES for name in wanted):
        said.append(
            f"Traces were judged over {about['n_samples']} samples; noise was estimated from the median absolute "
            "difference of samples that follow each other."
        )
    if any(name in OF_SPIKES for name in wanted):
        said.append(
            f"Spike trains were judged over {about['seconds']:g} s of observed time; intervals shorter than "
            f"{1000 * options['refractory']:g} ms counted as violations of the refractory period."
        )
    return tuple(said)
