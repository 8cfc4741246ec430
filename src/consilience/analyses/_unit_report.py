"""The verb `unit_report`: all that the data tell of one unit, or of many; the same for neurons and networks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience import units as unit_measures
from consilience._core._errors import (
    Caution,
    ConsilienceWarning,
    InputError,
    UnknownNameError,
    collect_cautions,
    nearest,
)
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._recording import Recording
from consilience._results import Result, UnitReport
from consilience.analyses._characterize import characterize
from consilience.analyses._quality import quality
from consilience.analyses._quality_measures import OF_SPIKES
from consilience.analyses._receptive_field import receptive_field
from consilience.analyses._synthesize import synthesize
from consilience.analyses._unit_quantities import PART, of_units, table_of
from consilience.networks import Network, Unit, record_units
from consilience.stats import fdr

__all__ = ["unit_report"]

WHO = "cs.unit_report"
_FEW_TRIALS = 2
_LONGEST = 0.05  # s, of the autocorrelogram
_ISI = 0.1  # s


def unit_report(
    system: Any,
    unit: Any = None,
    /,
    *,
    by: str | None = None,
    variable: Any = None,
    period: Any = None,
    bin: float = 0.05,
    trials: xr.DataArray | None = None,
    stimuli: Any = None,
    stimulus: Any = None,
    lags: Any = None,
    method: Any = None,
    preferred: bool | Mapping[str, Any] = False,
    matched_noise: Any = None,
    results: Sequence[Result] | Result = (),
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> UnitReport:
    """Everything that the data tell of a unit on one card, and of many in one table.

    Each part is a verb, called with what it needs and left out where that is not given:

    ============  ====================================  ==========================================================
    part          verb                                  needs
    ============  ====================================  ==========================================================
    quality       `cs.quality`                          a recording with spikes, or repeats of stimuli
    selectivity   `cs.characterize` of trials           ``by``: a label of trials (of stimuli, for a network)
    tuning        `cs.characterize` of series           ``variable``, followed in time
    receptive_field  `cs.receptive_field`               ``stimulus``: frames, or images
    preferred     `cs.synthesize`                       a network, and ``preferred=True``
    (any)         computed before                       ``results``
    ============  ====================================  ==========================================================

    Parameters
    ----------
    system : a `cs.Recording`; responses (trial[, time], unit) or (time, unit); a `cs.Network`, or units of one
        (``net.unit(layer, 12)``).
    unit : one name, or a list, of a recording or of responses; of a network what ``net.unit``, ``net.channel`` and
        ``net.direction`` give. None = all.
    by : label on trial, of selectivity.   trials : of a recording, what `Recording.epoch` gives.
    stimuli : of a network, what it is shown: `cs.stimuli` with the label ``by``; also the natural stimuli that
        synthetic ones are held against.
    variable : of tuning: the name of a signal of the recording, a list of names (place: ["x", "y"]), or a series
        (time,).   period : of it, 2 pi or 360 for angles that do not say so.   bin : s, of the series.
    stimulus, lags, method : of the receptive field, as in `cs.receptive_field`.
    preferred : make preferred stimuli; a mapping: options of `cs.synthesize`.
    matched_noise : of a network: the neurons whose number of trials, mean and Fano factor its units are given first, as
        in `cs.characterize`. The selectivity is then of drawn counts.
    results : results of the verbs above, or of `cs.encode`, from which these units are taken rather than computed.
    n_perm : relabellings and shifts; 0 = no p.   level : of intervals.   rng : seed.

    Returns
    -------
    UnitReport : ``.plot()`` draws the card (of many units the table), ``.table(sort=...)`` one row per unit,
        ``.card(unit)``, ``.parts`` the results themselves. q is over the units of the report.

    Raises
    ------
    UnknownNameError : no such unit.   InputError : nothing was asked that these data allow (``nothing-asked``); what
        the verbs refuse.
    ConsilienceWarning : those of the verbs.

    References
    ----------
    Those of the parts: ``report.citations()``.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> category = np.repeat(["car", "face", "hand"], 20)
    >>> rate = np.where(category == "face", 9.0, 3.0)[:, None] * [1, 0] + [0, 4]
    >>> x = cs.responses(np.random.default_rng(0).poisson(rate), stimulus=category, repeat="count", kind="count",
    ...                  unit=["a", "b"], system="IT").assign_coords(category=("trial", category))
    >>> found = cs.unit_report(x, by="category", n_perm=200, rng=0)
    >>> found.table(sort="class_selectivity").index.tolist(), list(found.parts)
    (['a', 'b'], ['quality', 'selectivity'])
    >>> found.card("a").units
    ['a']
    """
    seed = resolve_seed(rng, who=WHO)
    n_perm = check_count(n_perm, name="n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    width = check_number(bin, name="bin", who=WHO, low=0.0)
    how = {"n_perm": n_perm, "level": level}
    asked = _Asked(
        by=by,
        variable=variable,
        period=period,
        width=width,
        trials=trials,
        stimuli=stimuli,
        stimulus=stimulus,
        lags=lags,
        method=method,
        preferred=preferred,
        matched_noise=matched_noise,
    )
    trains = None
    with collect_cautions() as cautions, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConsilienceWarning)  # said once, below
        if isinstance(system, (Network, Unit)) or _are_units(system):
            name, names, parts = _of_network(system, unit, asked, seed, how)
        elif isinstance(system, Recording):
            name, names, parts, trains = _of_recording(system, unit, asked, seed, how)
        elif isinstance(system, xr.DataArray):
            name, names, parts = _of_responses(system, unit, asked, seed, how)
        else:
            raise InputError(
                f"{WHO}: system must be a cs.Recording, responses, a cs.Network or units of one, got "
                f"{type(system).__name__}.",
                code="bad-system",
            )
        parts |= _given(results, names)
        if not parts:
            raise InputError(
                f"{WHO}: nothing to say of {name}: pass by= (selectivity), variable= (tuning), stimulus= (receptive "
                "field), preferred=True (a network), or results=.",
                code="nothing-asked",
            )
    said = _said(parts, cautions)
    for caution in said:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    data = table_of(parts, names)
    if len(names) > 1:
        p = data["p"].values
        q = np.stack([fdr(row) if np.isfinite(row).any() else row for row in p]) if len(p) else p
        data = data.assign(q=(("quantity", "unit"), q))
    return UnitReport(
        data=data,
        parts=parts,
        trains=trains,
        settings={"verb": "unit_report", "system": name, "by": by, "bin": width, "parts": list(parts), **how},
        seed=str(seed),
        warnings=said,
        references=tuple(dict.fromkeys(key for part in parts.values() for key in part.references)),
        methods=tuple(dict.fromkeys(text for part in parts.values() for text in part.methods)),
    )


class _Asked:
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


def _are_units(system: Any) -> bool:
    return isinstance(system, (list, tuple)) and bool(system) and all(isinstance(one, Unit) for one in system)


def _of_network(
    system: Any, unit: Any, asked: _Asked, seed: Seed, how: dict[str, Any]
) -> tuple[str, list[Any], dict[str, Result]]:
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
    if asked.stimuli is not None and asked.by is not None:
        shown = record_units(wanted, asked.stimuli)
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
    return net.name, names, parts


def _of_recording(
    rec: Recording, unit: Any, asked: _Asked, seed: Seed, how: dict[str, Any]
) -> tuple[str, list[Any], dict[str, Result], xr.Dataset | None]:
    asked.refuse(("stimuli", "preferred", "matched_noise"), "a recording")
    if rec.spikes is None:
        raise InputError(
            f"{WHO}: the recording has no spikes; pass responses of its signals, rec.epoch(..., of=...) or "
            "rec.bin(width, of=...).",
            code="too-few",
        )
    if unit is not None:
        _known(unit, rec.unit_names.tolist())
        rec = rec.select(list(unit) if isinstance(unit, (list, tuple, np.ndarray)) else [unit])
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
    parts["quality"] = quality(
        rec, trials=repeats, measures=_judged(repeats, spikes=True), rng=str(seed.child("quality")), **how
    )
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
    return str(rec.name), names, parts, _trains(rec)


def _followed(rec: Recording, asked: _Asked) -> tuple[xr.DataArray, Any]:
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
        series = rec.bin(asked.width, within=within)
        followed = [rec.bin(asked.width, of=one, within=within) for one in each]
        return series, followed if len(followed) > 1 else followed[0]
    if isinstance(wanted, xr.DataArray) and "time" in wanted.coords:
        step = float(np.median(np.diff(wanted["time"].values)))
        ends = wanted["time"].values[[0, -1]] + np.array([-step / 2, step / 2])
        from consilience._recording import Intervals

        return rec.bin(step, within=Intervals(ends[:1], ends[1:])), wanted
    raise InputError(
        f"{WHO}: variable must be the name of a signal, a list of names, or a series (time,) with its times, got "
        f"{shorten(wanted)}.",
        code="bad-parameter",
    )


def _of_responses(
    data: xr.DataArray, unit: Any, asked: _Asked, seed: Seed, how: dict[str, Any]
) -> tuple[str, list[Any], dict[str, Result]]:
    asked.refuse(("trials", "stimuli", "preferred"), "responses")
    if "unit" not in data.coords and "unit" in data.dims:
        data = data.assign_coords(unit=np.arange(data.sizes["unit"]))
    if "unit" not in data.dims:
        raise InputError(f"{WHO}: responses have no dim unit; make them with cs.responses.", code="bad-dims")
    every = data["unit"].values.tolist()
    if unit is not None:
        _known(unit, every)
        data = data.sel(unit=list(unit) if isinstance(unit, (list, tuple, np.ndarray)) else [unit])
    names = data["unit"].values.tolist()
    parts: dict[str, Result] = {}
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
    return str(data.attrs.get("system", "responses")), names, parts


def _field(shown: Any, asked: _Asked, seed: Seed, how: dict[str, Any]) -> Result:
    given = {key: value for key in ("lags", "method") if (value := getattr(asked, key)) is not None}
    return receptive_field(shown, asked.stimulus, rng=str(seed.child("receptive field")), **given, **how)


def _known(unit: Any, every: list[Any]) -> None:
    for one in unit if isinstance(unit, (list, tuple, np.ndarray)) else [unit]:
        if one not in every:
            raise UnknownNameError(
                f"{WHO}: no unit {shorten(one)}; units are {shorten(every)}."
                f"{nearest(str(one), [str(name) for name in every])}"
            )


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


def _given(results: Any, names: list[Any]) -> dict[str, Result]:
    """Parts from results that were computed before."""
    each = [results] if isinstance(results, Result) else list(results)
    found: dict[str, Result] = {}
    for one in each:
        kind = type(one).__name__
        if kind not in PART:
            raise InputError(f"{WHO}: results= takes {', '.join(PART)}; got {kind}.", code="bad-parameter")
        picked = of_units(one, {name: name for name in names}, who=WHO)
        data = picked.data  # type: ignore[attr-defined]
        there = data.sizes.get("target", data.sizes.get("unit", 0))
        if not there:
            raise InputError(
                f"{WHO}: a {kind} among results= has none of the units {shorten(names)}; names must be the same.",
                code="units-differ",
            )
        part = PART[kind]
        if kind == "UnitTable" and one.settings.get("rows") == "bins of time":
            part = "tuning"
        name, k = part, 2
        while name in found:
            name, k = f"{part}_{k}", k + 1
        found[name] = picked
    return found


def _said(parts: Mapping[str, Result], cautions: Sequence[Caution]) -> tuple[Caution, ...]:
    return tuple(
        dict.fromkeys([*(caution for part in parts.values() for caution in part.warnings), *cautions])
    )
