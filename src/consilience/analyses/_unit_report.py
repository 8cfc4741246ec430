"""The verb `unit_report`: all that the data tell of one unit, or of many; the same for neurons and networks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import (
    Caution,
    ConsilienceWarning,
    InputError,
    collect_cautions,
)
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import resolve_seed
from consilience._recording import Recording
from consilience._responses._check import refuse_result
from consilience._results import Result, UnitReport
from consilience.analyses._unit_parts import Asked, are_units, of_network, of_recording, of_responses
from consilience.analyses._unit_quantities import PART, further, of_units, table_of
from consilience.networks import Network, Unit
from consilience.stats import fdr

__all__ = ["unit_report"]

WHO = "cs.unit_report"


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
    numbers: Mapping[str, Any] | None = None,
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
    numbers : further numbers of the units that are known, such as the impact of a lesion, depth or width of the spike:
        {name: values}, one for each unit; {unit: value}; or a Dataset (unit) with value, and ci_low, ci_high, p... A
        name with a dot (``lesion.accuracy``) says the part that it stands with.
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
    refuse_result(system, who=WHO, name="system", expected="responses")
    seed = resolve_seed(rng, who=WHO)
    n_perm = check_count(n_perm, name="n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    width = check_number(bin, name="bin", who=WHO, low=0.0)
    how = {"n_perm": n_perm, "level": level}
    asked = Asked(
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
    extra: dict[str, Any] = {}
    with collect_cautions() as cautions, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConsilienceWarning)  # said once, below
        if isinstance(system, (Network, Unit)) or are_units(system):
            name, names, parts, extra = of_network(system, unit, asked, seed, how)
        elif isinstance(system, Recording):
            name, names, parts, extra = of_recording(system, unit, asked, seed, how)
        elif isinstance(system, xr.DataArray):
            name, names, parts, extra = of_responses(system, unit, asked, seed, how)
        else:
            raise InputError(
                f"{WHO}: system must be a cs.Recording, responses, a cs.Network or units of one, got "
                f"{type(system).__name__}.",
                code="bad-system",
            )
        parts |= _given(results, names)
        more = further(numbers, names, who=WHO)
        if not parts:
            raise InputError(
                f"{WHO}: nothing to say of {name}: name a label of trials (by), a variable that was followed, a "
                "stimulus for the receptive field, preferred stimuli (of a network), or results.",
                code="nothing-asked",
            )
    said = _said(parts, cautions)
    for caution in said:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    data = table_of(parts, names, more)
    if len(names) > 1:
        p = data["p"].values
        q = np.stack([fdr(row) if np.isfinite(row).any() else row for row in p]) if len(p) else p
        data = data.assign(q=(("quantity", "unit"), q))
    return UnitReport(
        data=data,
        parts=parts,
        **extra,
        settings={"verb": "unit_report", "system": name, "by": by, "bin": width, "parts": list(parts), **how},
        seed=str(seed),
        warnings=said,
        references=tuple(dict.fromkeys(key for part in parts.values() for key in part.references)),
        methods=tuple(dict.fromkeys(text for part in parts.values() for text in part.methods)),
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
