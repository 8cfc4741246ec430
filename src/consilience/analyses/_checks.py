"""What `compare` refuses, and what it warns of, before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._memory import check_fits, gigabytes
from consilience._core._params import check_count, require, shorten
from consilience._responses._check import refuse_result
from consilience.analyses._inputs import System, people_of
from consilience.analyses._models import caution_few_relabellings
from consilience.measures import Measure, as_measure

WHO = "cs.compare"
_FEW_DRAWS = 100
_LARGE = 100_000_000  # bytes worth a word
_OPTION = re.compile(r"[A-Za-z_]\w*=(-?[\d.]+(e-?\d+)?|True|False|None)")
MeasureLike = str | Callable[..., Any] | Measure


def refused_model(model: Any) -> str:
    """What came in place of an estimator; of the text of the command line, the same in Python."""
    from consilience import models

    if not isinstance(model, str):
        return f"got {shorten(model)}"
    given, _, listed = model.partition(":")
    known = {name.lower(): name for name in models.__all__} | {"fa": "FactorAnalysis"}
    name = known.get(given.strip().lower())
    options = [part.strip() for part in listed.split(",") if part.strip()]
    if name is None or not all(_OPTION.fullmatch(part) for part in options):
        instead = "" if name is None else f"; here write cs.models.{name}(...)"
    else:
        instead = f"; here write cs.models.{name}({', '.join(options)})"
    return f"got {shorten(model)}, a text: models are texts on the command line and in studies{instead}"


def check_resamples(count: object, name: str, *, who: str = WHO) -> None:
    check_count(count, name=name, who=who, minimum=0)
    if count == 1:
        raise InputError(
            f"{who}: {name}=1 says nothing; use 0 for none, or some hundreds.", code="bad-parameter"
        )
    if name == "n_boot" and 0 < int(count) < _FEW_DRAWS:  # type: ignore[call-overload]
        warn(
            "few-draws",
            f"n_boot={count}: the ends of an interval rest on the outermost few of {count} draws, and move with rng.",
            "Use n_boot of some hundreds (1000 is usual), or 0 for no intervals.",
        )


def resolve_measures(measure: Any, held_out: bool, *, who: str = WHO) -> list[Measure]:
    specs = list(measure) if isinstance(measure, Sequence) and not isinstance(measure, str) else [measure]
    if not specs:
        raise InputError(
            f"{who}: measure is an empty list; give at least one name, such as 'rsa'.", code="bad-measure"
        )
    found = [as_measure(spec, who=who, held_out=held_out) for spec in specs]
    for one in found:
        for option, instead in (("groups", "groups='label'"), ("rng", "rng=...")):
            if option in one.options:
                raise InputError(
                    f"{who}: {option}= of measure {one.name!r} acts in the plain function only, "
                    "where rows are known; give "
                    f"{who}(..., {instead}) instead.",
                    code="bad-measure",
                )
    found = _told_apart(found)
    keys = [one.key for one in found]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(
                f"{who}: measure {key!r} is listed more than once; list it once.", code="repeated-name"
            )
    return found


def _told_apart(found: list[Measure]) -> list[Measure]:
    """User functions of one name (two lambdas, say) get a number."""
    seen: dict[str, int] = {}
    out: list[Measure] = []
    for one in found:
        count = seen[one.key] = seen.get(one.key, 0) + 1
        if count > 1 and one.parts is None and one.function not in [o.function for o in out]:
            one = replace(one, name=f"{one.name} {count}")
        out.append(one)
    return out


def baseline_sides(baseline: Any, a: Any, *, who: str = WHO, side: str = "side a") -> dict[str, Any]:
    if baseline is None:
        return {}
    refuse_result(baseline, who=who, name="baseline")
    if not isinstance(baseline, Mapping) or not baseline:
        raise InputError(
            f"{who}: baseline must be a mapping {{seed: {{name: responses}}}}, got {shorten(baseline)}.",
            code="bad-baseline",
        )
    if not isinstance(a, Mapping):
        a = {str(a.attrs.get("system") or "a") if isinstance(a, xr.DataArray) else "a": a}
    out = {}
    for seed, systems in baseline.items():
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise InputError(
                f"{who}: baseline keys are seeds (whole numbers), got {shorten(seed)}.", code="bad-baseline"
            )
        if not isinstance(systems, Mapping) or [str(k) for k in systems] != [str(k) for k in a]:
            raise InputError(
                f"{who}: baseline {seed} must have the systems of {side} under the same names in the same "
                f"order, got {shorten(list(systems) if isinstance(systems, Mapping) else systems)}.",
                code="bad-baseline",
            )
        out[f"baseline {int(seed)}"] = systems
    return out


def check_size(n: int, measures: list[Measure], *, who: str = WHO, fewest: int = 4) -> None:
    for one in measures:
        need = max(one.claims.min_stimuli, fewest)
        if n < need:
            raise InputError(
                f"{who}: measure {one.key!r} needs at least {need} stimuli, got {n}.", code="too-few"
            )


def check_device(device: object, *, who: str = WHO) -> None:
    """Refuses what torch does not know, or does not have here, before anything is computed."""
    if device is None:
        return
    torch = require("torch", extra="torch", purpose=f"{who}(device=...)")
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{who}: device must be one that torch has here, such as 'cpu' or 'cuda'; "
            f"{shorten(device)} is not ({reason}).",
            code="bad-device",
        ) from None


def check_memory(
    measures: list[Measure],
    systems: Mapping[str, list[System]],
    n: int,
    n_boot: int,
    n_perm: int,
    *,
    who: str = WHO,
) -> None:
    """Refuses what would not fit: pair vectors of all systems, the draws, or the permutations."""
    sides = [s for group in systems.values() for s in group]
    people = max(people_of(s) for s in sides)
    pairs = (len(sides) - len(systems["b"])) * len(systems["b"])
    by_pairs = any(one.claims.resample == "pairs" for one in measures)
    # matrices of one system, then its vector
    vectors = 8 * n * n * (sum(people_of(s) for s in sides) + 4) if by_pairs else 0
    if by_pairs:  # products of trials that are read in blocks
        vectors += 8 * sum(s.trials.sizes["trial"] ** 2 for s in sides if s.trials is not None and _apart(s))
    # weights or orders and their copies; weights of 256 pairs of stimuli; values and what is taken from them
    draws = n_boot * (32 * n + 8 * 256 * by_pairs + 8 * pairs * (4 * people + 8 + len(measures)))
    permuted = n_perm * (16 * n + 8 * pairs * (people + 3))
    whole = [one.key for one in measures if getattr(one.parts, "from_gram", None) is None]
    loaded = (
        {s.name: s.responses.nbytes for s in sides if s.responses is not None and _apart(s)} if whole else {}
    )
    largest = max(loaded.values(), default=0)
    needed = vectors + draws + permuted + largest
    free = check_fits(needed)
    if free is None:
        if loaded and sum(loaded.values()) >= _LARGE:
            named = ", ".join(shorten(name, 30) for name in loaded)
            warn(
                "read-whole",
                f"{', '.join(whole)} cannot be computed in blocks, so {named} will be loaded: "
                f"{gigabytes(sum(loaded.values()))} of memory.",
                "rsa, cka, distance_correlation and mutual_knn read files and dask arrays in blocks.",
            )
        return
    remedy = {
        vectors: "compare fewer systems at a time, or fewer stimuli",
        draws: "use a smaller n_boot (1000 is usual), or compare fewer systems at a time",
        permuted: "use a smaller n_perm (with 10000 p can be as low as 0.0001), or compare fewer systems at a "
        "time",
        largest: f"{', '.join(whole)} loads systems whole: use rsa, cka, distance_correlation or mutual_knn, which "
        "read them in blocks, or fewer units",
    }[max(vectors, draws, permuted, largest)]
    raise InputError(
        f"{who}: {len(sides)} systems over {n} stimuli with n_boot={shorten(n_boot, 30)} and "
        f"n_perm={shorten(n_perm, 30)} need about {gigabytes(needed)} of memory, and {free} is free; {remedy}.",
        code="too-large",
    )


def _apart(system: System) -> bool:
    """Are its responses in a file or a dask array?"""
    return system.responses is not None and system.responses.on_disk


def say_what_lacks(
    measures: list[Measure], a: list[System], b: list[System], n: int, n_boot: int, by: str
) -> None:
    both = {s.name for s in a} & {s.name for s in b}
    without = [
        shorten(s.name, 30) + f" (side {side})" * (s.name in both)
        for side, systems in (("a", a), ("b", b))
        for s in systems
        if not s.noiseless and s.trials is None and people_of(s) < 2
    ]
    named = f"{', '.join(without[:3])}{', ...' if len(without) > 3 else ''}"
    if without and by != "stimulus":
        warn(
            "ceiling-missing",
            f"No noise ceiling for {named}: with by={by!r} all trials of a label are averaged, and halves of them "
            "would differ in their stimuli, not in noise alone.",
            "Read the values without one, or compare by stimulus.",
        )
    elif without:
        warn(
            "ceiling-missing",
            f"No noise ceiling for {named}: it takes repeats of every stimulus or several subjects.",
            "Read the values without one, or pass unaveraged trials with repeat='count'.",
        )
    shared = {s for x in a for s in x.subjects} & {s for y in b for s in y.subjects}
    if n_boot and shared and any(people_of(x) > 1 for x in a) and any(people_of(y) > 1 for y in b):
        warn(
            "shared-subjects",
            f"{len(shared)} subject{' is' if len(shared) == 1 else 's are'} on both sides; values average over all "
            "pairs of subjects, a person's own included, and intervals over subjects draw the sides together.",
            "Read intervals over subjects with care, or compare each person alone.",
        )
    for one in measures:
        if one.claims.resample == "none" and n_boot:
            warn(
                "no-interval",
                f"{one.key} states no way of resampling stimuli, so it gets no interval.",
                "Register it with parts (docs: extending) to get one.",
            )
        pairs = [
            (x, y)
            for x in a
            for y in b
            if x.responses is not None
            and y.responses is not None
            and one.claims.inflated(n, x.responses.shape[1], y.responses.shape[1])
        ]
        if pairs:
            x, y = max(pairs, key=lambda pair: max(pair[0].n_units, pair[1].n_units))
            null = one.claims.null(n, int(x.n_units), int(y.n_units))
            remedy = (
                "Leave held_out=True"
                if one.claims.held_out
                else "Use another form of it, more stimuli or fewer units"
            )
            warn(
                "null-not-zero",
                f"{one.claims.label}: with {n} stimuli {len(pairs)} of {len(a) * len(b)} pairs would score "
                f"above 0.1 even if unrelated (up to {null:.2f}, "
                f"{int(x.n_units)} and {int(y.n_units)} units).",
                f"{remedy}, or read each value against null_mean and null_expected.",
            )


def say_of_few_relabellings(
    measures: list[Measure], systems: Mapping[str, list[System]], n: int, n_perm: int
) -> None:
    """Of RDM data, whose null relabels stimuli: which have so few different relabellings that p is bounded."""
    if n_perm and any(one.claims.resample == "pairs" for one in measures):
        known = {s.name: s.rdms.mean(axis=0) for side in systems.values() for s in side if s.rdms is not None}
        caution_few_relabellings(known, n, what="RDM data")


FEWEST_GROUPS = 4


def can_choose(measure: Measure, owner: np.ndarray | None) -> bool:
    """Can a best system be chosen on half of the stimuli and scored on the other? Not by a measure that rises as
    stimuli get fewer, nor where halves of whole groups would have a single one.
    """
    enough = owner is None or np.unique(owner).size >= FEWEST_GROUPS
    return measure.claims.resample != "subsample" and enough


def say_of_groups_and_refit(
    measures: list[Measure],
    systems: Mapping[str, list[System]],
    owner: np.ndarray | None,
    groups: str | None,
    n_boot: int,
    n_perm: int,
    refit: bool,
) -> None:
    several = any(len(systems[side]) > 1 for side in ("a", "b"))
    if owner is not None and (n_boot or n_perm):
        warn(
            "groups-not-resampled",
            f"groups={groups!r} keeps stimuli of one {groups} on one side of folds and halves; intervals and p still "
            "treat stimuli as drawn one by one, and are too narrow where those of a group are near copies.",
            f"Where they are, average over them (by={groups!r}) and compare what is left.",
        )
    kinds = 0 if owner is None else np.unique(owner).size
    if several and owner is not None and kinds < FEWEST_GROUPS:
        warn(
            "best-not-chosen",
            f"groups={groups!r} has {kinds} group{'' if kinds == 1 else 's'}, too few to choose the best system on "
            "half of them and score it on the other.",
            f"Use at least {FEWEST_GROUPS} groups, or read the plain values.",
        )
    in_sample = [one.key for one in measures if one.claims.resample == "subsample"]
    if several and in_sample:
        warn(
            "best-not-chosen",
            f"{', '.join(in_sample)}: in-sample values rise as stimuli get fewer, so the best system cannot be chosen "
            "on half of the stimuli and scored on the other.",
            "Use the held-out form (held_out=True), or read the plain values against their null.",
        )
    if refit and several and n_boot and any(one.claims.resample == "predictions" for one in measures):
        warn(
            "refit-not-in-best",
            "refit=True refits for the intervals of single pairs; those of the best system weight held-out "
            "predictions.",
            "Read the interval of the pair beside that of the best.",
        )
