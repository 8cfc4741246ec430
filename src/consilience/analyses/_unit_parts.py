"""The parts of a `UnitReport` of a network, of a recording and of responses: which verbs the data allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from consilience import units as unit_measures
from consilience._core._errors import InputError, UnknownNameError, nearest, warn
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience._recording import Intervals, Recording, Signal
from consilience._results import Result
from consilience._stimuli import check_stimuli
from consilience.analyses._characterize import characterize
from consilience.analyses._exemplars import exemplars
from consilience.analyses._quality import quality
from consilience.analyses._quality_measures import OF_SPIKES
from consilience.analyses._receptive_field import receptive_field
from consilience.analyses._synthesize import synthesize
from consilience.analyses._unit_quantities import of_units
from consilience.networks import Unit, record_units

__all__ = ["Asked", "are_units", "of_network", "of_recording", "of_responses"]

WHO = "cs.unit_report"
_FEW_TRIALS = 2
_LONGEST = 0.05  # s, of the autocorrelogram
_ISI = 0.1  # s
_UNITS = {"radian": 2 * np.pi, "degree": 360.0}
_EXEMPLARS = 6
_PICTURES = 16 << 20  # bytes of pictures that a report keeps


class Asked:
    """What the caller gave beside the system."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def refuse(self, names: Sequence[str], what: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and value is not False:
                raise InputError(f"{WHO}: {name}= does not go with {what}.", code="bad-parameter")


def are_units(system: Any) -> bool:
    return isinstance(system, (list, tuple)) and bool(system) and all(isinstance(one, Unit) for one in system)


def of_network(
    system: Any, unit: Any, asked: Asked, seed: Seed, how: dict[str, Any]
) -> tuple[str, list[Any], dict[str, Result], dict[str, Any]]:
    asked.refuse(("variable", "trials"), "a network")
    given = system if unit is None else unit
    wanted: list[Unit] = list(given) if isinstance(given, (list, tuple)) else [given]
    if not all(isinstance(one, Unit) for one in wanted):
        raise InputError(
            f"{WHO}: say which units of the network, as net.unit(layer, 12), net.channel(layer, 3) or "
            f"net.direction(layer, vector), got {shorten(given)}.",
            code="bad-unit",
        )
    net = wanted[0].network
    names: list[Any] = [one.name for one in wanted]
    parts: dict[str, Result] = {}
    if asked.stimuli is None and asked.by is not None:
        raise InputError(
            f"{WHO}: by={asked.by!r} is a label of stimuli; pass stimuli=.", code="bad-parameter"
        )
    extra: dict[str, Any] = {}
    shown = None if asked.stimuli is None else record_units(wanted, asked.stimuli)
    if shown is not None:
        extra = _best(shown, check_stimuli(asked.stimuli, who=WHO))
    if shown is not None and asked.by is not None:
        parts["selectivity"] = characterize(
            shown,
            asked.by,
            matched_noise=asked.matched_noise,
            rng=str(seed.child("selectivity")),
            **how,
        )
    if asked.stimulus is not None:
        parts["receptive_field"] = _field(wanted, asked, seed, how)
    if asked.preferred:
        options = dict(asked.preferred) if isinstance(asked.preferred, Mapping) else {}
        options.setdefault("natural", asked.stimuli)
        made = synthesize(
            wanted if len(wanted) > 1 else wanted[0], rng=str(seed.child("preferred")), **options
        )
        parts["preferred"] = of_units(made, {name: name for name in names}, who=WHO)
    return net.name, names, parts, extra


def of_recording(
    rec: Recording, unit: Any, asked: Asked, seed: Seed, how: dict[str, Any]
) -> tuple[str, list[Any], dict[str, Result], dict[str, Any]]:
    asked.refuse(("stimuli", "preferred", "matched_noise"), "a recording")
    if rec.spikes is None:
        raise InputError(
            f"{WHO}: the recording has no spikes; pass responses of its signals, rec.epoch(..., of=...) or "
            "rec.bin(width, of=...).",
            code="too-few",
        )
    if rec.observed is None and rec.observed_by_unit is None:  # of all units, whichever are asked for
        rec = replace(rec, observed=rec.span())
        assert rec.observed is not None
        warn(
            "observed-guessed",
            f"{WHO}: the time observed is not known; {rec.observed.start.min():g} to {rec.observed.stop.max():g} s is "
            "taken.",
            "It is from the first to the last entry; say when spikes could be seen with cs.Recording(observed=...).",
        )
    if unit is not None:
        rec = rec.select(_named(unit, rec.unit_names.tolist()))
    assert rec.spikes is not None
    names = rec.unit_names.tolist()
    trials = asked.trials
    if trials is not None and "unit" in trials.coords:
        lacking = [name for name in names if name not in trials["unit"].values.tolist()]
        if lacking:
            raise InputError(
                f"{WHO}: trials have no unit {shorten(lacking[0])}; cut them from this recording, rec.epoch(...).",
                code="units-differ",
            )
        trials = trials.sel(unit=names)
    parts: dict[str, Result] = {}
    repeats = trials if trials is not None and _repeats(trials) else None
    if rec.spikes.times.size:
        parts["quality"] = quality(
            rec, trials=repeats, measures=_judged(repeats, spikes=True), rng=str(seed.child("quality")), **how
        )
    else:
        warn("silent-units", f"{WHO}: {shorten(names)} never fire.", "Look whether their spikes were lost.")
    if trials is not None and asked.by is not None:
        parts["selectivity"] = characterize(trials, asked.by, rng=str(seed.child("selectivity")), **how)
    elif asked.by is not None:
        raise InputError(
            f"{WHO}: by={asked.by!r} is a label of trials; pass trials=rec.epoch(...).", code="bad-parameter"
        )
    if asked.variable is not None:
        series, variable = _followed(rec, asked)
        parts["tuning"] = characterize(
            series,
            variable,
            period=asked.period,
            rng=str(seed.child("tuning")),
            **how,
        )
    if asked.stimulus is not None:
        parts["receptive_field"] = _field(rec, asked, seed, how)
    extra = {} if repeats is None else _best(repeats)
    return str(rec.name), names, parts, {"trains": _trains(rec), **extra}


def _followed(rec: Recording, asked: Asked) -> tuple[xr.DataArray, Any]:
    """Counts in bins, and the variable in the same bins."""
    wanted = asked.variable
    each = [wanted] if isinstance(wanted, str) else wanted
    if isinstance(each, (list, tuple)) and all(isinstance(one, str) for one in each):
        lacking = [one for one in each if one not in rec.signals]
        if lacking:
            known = list(rec.signals)
            raise UnknownNameError(
                f"{WHO}: the recording has no signal {shorten(lacking[0])}.{nearest(lacking[0], known)}"
            )
        within = rec.span(rec.signals[each[0]])
        for one in each[1:]:
            within = within & rec.span(rec.signals[one])
        rec = _turning(rec, each, asked.period)
        series = rec.bin(asked.width, within=within)
        followed = [rec.bin(asked.width, of=one, within=within) for one in each]
        return series, followed if len(followed) > 1 else followed[0]
    if isinstance(wanted, xr.DataArray) and "time" in wanted.coords:
        step = float(np.median(np.diff(wanted["time"].values)))
        ends = wanted["time"].values[[0, -1]] + np.array([-step / 2, step / 2])
        return rec.bin(step, within=Intervals(ends[:1], ends[1:])), wanted
    raise InputError(
        f"{WHO}: variable must be the name of a signal, a list of names, or a series (time,) with its times, got "
        f"{shorten(wanted)}.",
        code="bad-parameter",
    )


def _turning(rec: Recording, names: Sequence[str], period: Any) -> Recording:
    """The recording with signals that are said to be angles in a unit of angles, so that they are averaged as such."""
    turns = list(period) if isinstance(period, (list, tuple)) else [period] * len(names)
    signals = dict(rec.signals)
    for name, turn in zip(names, turns):
        if turn is None or signals[name].unit:
            continue
        unit = next((unit for unit, full in _UNITS.items() if np.isclose(turn, full, rtol=1e-3)), None)
        if unit is None:
            raise InputError(
                f"{WHO}: a signal of a recording is an angle in radians (period=2 * np.pi) or degrees (period=360), "
                f"got period={turn:g} for {name}; of another turn scale it, or pass a series, variable=...",
                code="bad-parameter",
            )
        one = signals[name]
        signals[name] = Signal(
            one.values, one.time, kind=one.kind, unit=unit, channels=one.channels, columns=one.columns
        )
    return replace(rec, signals=signals)


def of_responses(
    data: xr.DataArray, unit: Any, asked: Asked, seed: Seed, how: dict[str, Any]
) -> tuple[str, list[Any], dict[str, Result], dict[str, Any]]:
    asked.refuse(("trials", "stimuli", "preferred"), "responses")
    if "unit" not in data.coords and "unit" in data.dims:
        data = data.assign_coords(unit=np.arange(data.sizes["unit"]))
    if "unit" not in data.dims:
        raise InputError(f"{WHO}: responses have no dim unit; make them with cs.responses.", code="bad-dims")
    every = data["unit"].values.tolist()
    if unit is not None:
        data = data.sel(unit=_named(unit, every))
    names = data["unit"].values.tolist()
    parts: dict[str, Result] = {}
    extra: dict[str, Any] = {}
    series = data.dims == ("time", "unit")
    if series:
        if asked.variable is not None:
            parts["tuning"] = characterize(
                data,
                asked.variable,
                period=asked.period,
                rng=str(seed.child("tuning")),
                **how,
            )
    else:
        asked.refuse(("variable",), "trials; it is for series (time, unit)")
        if _repeats(data):
            extra = _best(data)
            parts["quality"] = quality(
                data, measures=_judged(data, spikes=False), rng=str(seed.child("quality")), **how
            )
        if asked.by is not None:
            parts["selectivity"] = characterize(
                data,
                asked.by,
                matched_noise=asked.matched_noise,
                rng=str(seed.child("selectivity")),
                **how,
            )
    if asked.stimulus is not None:
        parts["receptive_field"] = _field(data, asked, seed, how)
    return str(data.attrs.get("system", "responses")), names, parts, extra


def _best(shown: xr.DataArray, stimuli: xr.DataArray | None = None) -> dict[str, Any]:
    """The stimuli that each unit answers most; and themselves, where there are not too many to keep."""
    if "time" in shown.dims or "valid" in shown.coords:
        return {}
    found = exemplars(shown, n=_EXEMPLARS)
    extra: dict[str, Any] = {"exemplars": found}
    if stimuli is not None and stimuli.dtype.kind in "biuf":
        wanted = np.unique(found["stimulus"].values)
        if wanted.size * stimuli[0].nbytes <= _PICTURES:
            extra["pictures"] = stimuli.isel(stimulus=np.isin(stimuli["stimulus"].values, wanted)).copy()
    return extra


def _field(shown: Any, asked: Asked, seed: Seed, how: dict[str, Any]) -> Result:
    given = {key: value for key in ("lags", "method") if (value := getattr(asked, key)) is not None}
    return receptive_field(shown, asked.stimulus, rng=str(seed.child("receptive field")), **given, **how)


def _named(unit: Any, every: list[Any]) -> list[Any]:
    """Names as the data have them: the text of a number is that number, where no other unit has that name."""
    by_text: dict[str, list[Any]] = {}
    for name in every:
        by_text.setdefault(str(name), []).append(name)
    found = []
    for one in unit if isinstance(unit, (list, tuple, np.ndarray)) else [unit]:
        alike = by_text.get(str(one), [])
        if one not in every and len(alike) != 1:
            raise UnknownNameError(
                f"{WHO}: no unit {shorten(one)}; units are {shorten(every)}.{nearest(str(one), list(by_text))}"
            )
        found.append(one if one in every else alike[0])
    return found


def _judged(trials: xr.DataArray | None, *, spikes: bool) -> list[str]:
    """Measures of quality: one of reliability, and of single trials."""
    found = list(OF_SPIKES) if spikes else []
    if trials is not None:
        found = ["reliability", "explainable_variance", *found]
        if trials.attrs.get("kind") == "count":
            found.insert(2, "fano_factor")
    return found


def _repeats(trials: xr.DataArray) -> bool:
    """Whether every stimulus has two or more trials."""
    if "stimulus" not in trials.coords or "trial" not in trials.dims:
        return False
    _, counts = np.unique(trials["stimulus"].values, return_counts=True)
    return bool(counts.size > 1 and counts.min() >= _FEW_TRIALS)


def _trains(rec: Recording) -> xr.Dataset | None:
    """Autocorrelogram and histogram of intervals of each unit."""
    assert rec.spikes is not None
    if not rec.spikes.counts.any():
        return None
    observed = rec.observed if rec.observed is not None else rec.span()
    found = unit_measures.autocorrelogram(rec.spikes, observed=observed, longest=_LONGEST)
    isi = unit_measures.isi_histogram(rec.spikes, observed=observed, longest=_ISI)
    names = rec.unit_names
    return xr.Dataset(
        {
            "autocorrelogram": (("unit", "lag"), found.rates),
            "intervals": (("unit", "interval"), isi.density),
        },
        coords={"unit": names, "lag": found.lags, "interval": (isi.edges[1:] + isi.edges[:-1]) / 2},
    )
