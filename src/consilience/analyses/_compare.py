"""The verb `compare`: how alike systems are, every pair under every measure, with intervals, nulls and
ceilings.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import resolve_seed
from consilience._results import Comparison
from consilience.analyses._best import BestOf, best_of
from consilience.analyses._blocks import Block, Design, both_interval, run_block
from consilience.analyses._inputs import System, aligned_systems
from consilience.measures import Measure, as_measure
from consilience.stats import max_statistic_p, p_value, percentile_interval

__all__ = ["compare"]

_WHO = "cs.compare"
MeasureLike = str | Callable[..., Any] | Measure


def compare(
    a: xr.DataArray | Mapping[str, xr.DataArray],
    b: xr.DataArray | Mapping[str, xr.DataArray],
    /,
    measure: MeasureLike | Sequence[MeasureLike] = "rsa",
    *,
    by: str = "stimulus",
    join: Literal["exact", "inner"] = "exact",
    n_boot: int = 1000,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int | np.random.Generator | np.random.SeedSequence | None = None,
    baseline: Mapping[int, Mapping[str, xr.DataArray]] | None = None,
    held_out: bool = True,
    refit: bool = False,
    device: str | None = None,
) -> Comparison:
    """How alike the systems of side a and those of side b represent the same stimuli.

    Every pair, under every measure, in one call: value, interval over stimuli (and over subjects, and both,
    where a side has several),
    one-sided stimulus-permutation p, null, noise ceiling in the same measure, and the best system of a
    side, nested. Each system is prepared
    once; the same resamples serve all pairs, so that pairs can be compared draw by draw.

    Parameters
    ----------
    a, b : responses (trial, unit), RDM data, or a mapping {name: either}. Matched by stimulus id, never by
        row; repeats are averaged (after
        their noise ceiling is taken); units that do not vary are dropped, with a warning.
    measure : a name of `cs.measures.names()`, a measure function, `functools.partial` of one with options,
        any function (x, y) -> float, or a
        list of these. cca, svcca and procrustes are computed in their held-out form unless
        ``held_out=False``.
    by : the coordinate that identifies what is matched: "stimulus", or a label such as "category"
        (responses are then averaged per label).
    join : "exact" refuses stimuli that not all systems have; "inner" leaves them out and says so.
    n_boot, n_perm : resamples for intervals, permutations for p; 0 = none (their fields are NaN, draws None).
    level : of the intervals.   rng : seed; None draws one and records it.
    baseline : {seed: {name: responses}}, untrained (or otherwise broken) copies of side a under the same
        names; their rows stand in
        ``.baselines`` and their nested best in ``.best()``.
    refit : held-out measures only: intervals by refitting everything with groups of stimuli left out,
        instead of conditional on the folds.
    device : torch device on which systems are prepared, such as "cuda"; None = NumPy.

    Returns
    -------
    Comparison : ``.data`` over (measure, a, b), ``.draws``, ``.best(side)``, ``.to_frame()``, ``.plot()``,
        ``.save(path)``.

    Raises
    ------
    InputError : ids that do not match, NaN, too few stimuli, a measure that does not fit the data; the text
        says what to do.

    References
    ----------
    Schuett et al. (2023) for subjects and stimuli together; Nili et al. (2014) for ceilings; each measure's
    own.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.normal(size=(30, 8))
    >>> ids = [f"image{i}" for i in range(30)]
    >>> v1 = cs.responses(signal @ rng.normal(size=(8, 40)), stimulus=ids, system="V1")
    >>> it = cs.responses(signal @ rng.normal(size=(8, 50)), stimulus=ids, system="IT")
    >>> result = cs.compare(v1, it, measure="cka", n_boot=200, n_perm=200, rng=0)
    >>> 0.5 < result.value < 1, result.p < 0.05
    (True, True)
    """
    with collect_cautions() as cautions:
        result = _compare(
            a, b, measure, by, join, n_boot, n_perm, level, rng, baseline, held_out, refit, device, cautions
        )
    for caution in result.warnings:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    return result


def _compare(
    a: Any,
    b: Any,
    measure: Any,
    by: str,
    join: str,
    n_boot: int,
    n_perm: int,
    level: float,
    rng: Any,
    baseline: Any,
    held_out: bool,
    refit: bool,
    device: Any,
    cautions: list[Caution],
) -> Comparison:
    _check_resamples(n_boot, "n_boot")
    _check_resamples(n_perm, "n_perm")
    level = check_number(level, name="level", who=_WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=_WHO)
    measures = _measures(measure, held_out)
    sides = {"a": a, "b": b, **_baseline_sides(baseline, a)}
    systems, ids, data_references = aligned_systems(sides, by=by, join=join, who=_WHO)
    n = len(ids)
    _check_size(n, measures)
    design = Design.draw(n, seed=seed, n_boot=n_boot, n_perm=n_perm, level=level, refit=refit)
    seeds = [int(key) for key in (baseline or {})]
    _say_what_lacks(measures, systems["a"], systems["b"], n, n_boot)

    tables: list[xr.Dataset] = []
    draws: list[xr.DataArray] = []
    base_tables: list[list[xr.Dataset]] = []
    base_draws: list[list[xr.DataArray]] = []
    best: dict[str, list[xr.Dataset]] = {"a": [], "b": []}
    for one in measures:
        block = run_block(one, systems["a"], systems["b"], design, who=_WHO, device=device)
        others = {
            s: run_block(one, systems[f"baseline {s}"], systems["b"], design, who=_WHO, device=device)
            for s in seeds
        }
        tables.append(_table(one, block, systems["a"], systems["b"], design))
        base_tables.append(
            [_table(one, others[s], systems[f"baseline {s}"], systems["b"], design) for s in seeds]
        )
        if block.draws is not None:
            draws.append(_draws(one, block, systems))
            base_draws.append([_draws(one, others[s], systems) for s in seeds])
        for side, other in (("a", "b"), ("b", "a")):
            if len(systems[side]) > 1:
                people = np.array([_people(s) for s in systems[other]])
                of_side = np.array([_people(s) for s in systems[side]])
                count = np.maximum(people, of_side.max())
                found = best_of(
                    block,
                    others if side == "a" else {},
                    side,
                    design,
                    draws=one.claims.resample in ("pairs", "predictions"),
                    n_subjects=count,
                )
                best[side].append(_best_table(one, found, systems[side], systems[other], other))
    data = xr.concat(tables, dim="measure")
    data.attrs.update(by=by, level=level)
    return Comparison(
        data=data,
        draws=xr.concat(draws, dim="measure", join="outer") if draws else None,
        baselines=_stack_seeds(base_tables, seeds) if seeds else None,
        baseline_draws=_stack_seeds(base_draws, seeds) if seeds and base_draws else None,
        best_a=xr.concat(best["a"], dim="measure") if best["a"] else None,
        best_b=xr.concat(best["b"], dim="measure") if best["b"] else None,
        settings=_settings(measures, systems, ids, by, join, n_boot, n_perm, level, held_out, refit, seeds),
        seed=str(seed),
        warnings=tuple(cautions),
        references=_references(measures, systems, n_boot, n_perm, data_references),
        methods=_methods(measures, n, n_boot, n_perm, level, refit, systems, seeds),
    )


# -- checks
# ----------------------------------------------------------------------------------------------------------


def _check_resamples(count: object, name: str) -> None:
    check_count(count, name=name, who=_WHO, minimum=0)
    if count == 1:
        raise InputError(
            f"{_WHO}: {name}=1 says nothing; use 0 for none, or some hundreds.", code="bad-parameter"
        )


def _measures(measure: Any, held_out: bool) -> list[Measure]:
    specs = list(measure) if isinstance(measure, Sequence) and not isinstance(measure, str) else [measure]
    if not specs:
        raise InputError(
            f"{_WHO}: measure is an empty list; give at least one name, such as 'rsa'.", code="bad-measure"
        )
    found = [as_measure(spec, who=_WHO, held_out=held_out) for spec in specs]
    keys = [one.key for one in found]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(
                f"{_WHO}: measure {key!r} is listed more than once; list it once.", code="repeated-name"
            )
    return found


def _baseline_sides(baseline: Any, a: Any) -> dict[str, Any]:
    if baseline is None:
        return {}
    if not isinstance(baseline, Mapping) or not baseline:
        raise InputError(
            f"{_WHO}: baseline must be a mapping {{seed: {{name: responses}}}}, got {shorten(baseline)}.",
            code="bad-baseline",
        )
    if not isinstance(a, Mapping):
        a = {str(a.attrs.get("system") or "a") if isinstance(a, xr.DataArray) else "a": a}
    out = {}
    for seed, systems in baseline.items():
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise InputError(
                f"{_WHO}: baseline keys are seeds (whole numbers), got {shorten(seed)}.", code="bad-baseline"
            )
        if not isinstance(systems, Mapping) or [str(k) for k in systems] != [str(k) for k in a]:
            raise InputError(
                f"{_WHO}: baseline {seed} must have the systems of side a under the same names in the same "
                f"order, got {shorten(list(systems) if isinstance(systems, Mapping) else systems)}.",
                code="bad-baseline",
            )
        out[f"baseline {int(seed)}"] = systems
    return out


def _check_size(n: int, measures: list[Measure]) -> None:
    for one in measures:
        need = max(one.claims.min_stimuli, 4)
        if n < need:
            raise InputError(
                f"{_WHO}: measure {one.key!r} needs at least {need} stimuli, got {n}.", code="too-few"
            )


def _say_what_lacks(measures: list[Measure], a: list[System], b: list[System], n: int, n_boot: int) -> None:
    without = [s.name for s in (*a, *b) if not s.noiseless and s.trials is None and _people(s) < 2]
    if without:
        warn(
            "ceiling-missing",
            "No noise ceiling for "
            f"{', '.join(shorten(name, 30) for name in without[:3])}{', ...' if len(without) > 3 else ''}: "
            "it takes repeats of every stimulus or several subjects.",
            "Read the values without one, or pass unaveraged trials with repeat='count'.",
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
            if x.x is not None and y.x is not None and one.claims.inflated(n, x.x.shape[1], y.x.shape[1])
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


# -- tables
# ----------------------------------------------------------------------------------------------------------


def _people(system: System) -> int:
    return 1 if system.rdms is None else len(system.rdms)


def _table(measure: Measure, block: Block, a: list[System], b: list[System], design: Design) -> xr.Dataset:
    shape = block.values.shape
    blank = np.full(shape, np.nan)
    people = np.array([[max(_people(x), _people(y)) for y in b] for x in a])
    low, high = block.interval if block.interval is not None else (blank, blank)
    both = both_interval(block, design, people) or (blank, blank)
    single = (
        percentile_interval(block.subject_draws, block.values, design.level)
        if block.subject_draws is not None
        else (blank, blank)
    )
    has_null = block.null is not None
    ceiling_low = block.ceiling_low if block.ceiling_low is not None else blank
    ceiling_high = block.ceiling_high if block.ceiling_high is not None else blank
    low_ceiling = np.isfinite(ceiling_low) & ~(ceiling_high >= 0.1)
    if low_ceiling.any():
        warn(
            "ceiling-too-low",
            f"{measure.key}: the noise ceiling of "
            f"{', '.join(shorten(b[j].name, 30) for j in np.flatnonzero(low_ceiling.any(axis=0))[:3])} is "
            "below 0.1, so no ratio is given.",
            "The data hold too little signal for this measure: more repeats, or other units.",
        )
    expected = [
        [
            measure.claims.null(design.n, x.n_units, y.n_units)
            if x.x is not None and y.x is not None
            else _null_of_rdms(measure, design.n)
            for y in b
        ]
        for x in a
    ]  # type: ignore[arg-type]
    columns = {
        "value": block.values,
        "value_pooled": block.pooled if block.pooled is not None else blank,
        "ci_low": low,
        "ci_high": high,
        "ci_subjects_low": single[0],
        "ci_subjects_high": single[1],
        "ci_both_low": both[0],
        "ci_both_high": both[1],
        "p": p_value(block.values, block.null) if has_null else blank,
        "p_fwer": max_statistic_p(block.values, block.null, axis=0)
        if has_null and block.null is not None
        else blank,
        "null_mean": block.null.mean(axis=0) if block.null is not None else blank,
        "null_expected": np.array(expected, dtype=np.float64),
        "ceiling_low": ceiling_low,
        "ceiling_high": ceiling_high,
        "ratio": np.divide(block.values, ceiling_high, out=blank.copy(), where=ceiling_high >= 0.1),
        "n_stimuli": np.full(shape, design.n),
        "n_subjects": people,
        "n_units_a": np.array([[x.n_units] * len(b) for x in a]),
        "n_units_b": np.array([[y.n_units for y in b]] * len(a)),
    }
    coords = {"measure": [measure.key], "a": [s.name for s in a], "b": [s.name for s in b]}
    return xr.Dataset(
        {name: (("measure", "a", "b"), np.asarray(v)[None]) for name, v in columns.items()}, coords=coords
    )


def _null_of_rdms(measure: Measure, n: int) -> float:
    """The stated null where the number of units is not known: only if it does not depend on it."""
    few, many = measure.claims.null(n, 10, 10), measure.claims.null(n, 1000, 1000)
    return few if few == many else float("nan")


def _draws(measure: Measure, block: Block, systems: dict[str, list[System]]) -> xr.DataArray:
    assert block.draws is not None
    coords = {
        "measure": [measure.key],
        "a": [s.name for s in systems["a"]],
        "b": [s.name for s in systems["b"]],
        "draw": np.arange(len(block.draws)),
    }
    return xr.DataArray(
        np.moveaxis(block.draws, 0, -1)[None], dims=("measure", "a", "b", "draw"), coords=coords
    )


def _stack_seeds(parts: list[list[Any]], seeds: list[int]) -> Any:
    by_seed = [
        xr.concat([of_measure[i] for of_measure in parts], dim="measure", join="outer")
        for i in range(len(seeds))
    ]
    return xr.concat(by_seed, dim=xr.IndexVariable("seed", np.array(seeds)))


def _best_table(
    measure: Measure, found: BestOf, side: list[System], others: list[System], dim: str
) -> xr.Dataset:
    names = np.array([s.name for s in side], dtype=object)
    blank = np.full(len(others), np.nan)
    low, high = found.interval or (blank, blank)
    both_low, both_high = found.both or (blank, blank)
    columns: dict[str, Any] = {
        "value": found.value,
        "ci_low": low,
        "ci_high": high,
        "ci_both_low": both_low,
        "ci_both_high": both_high,
        "chosen": names[found.chosen],
        "share": found.share,
        "naive": names[found.naive],
        "naive_value": found.naive_value,
        "p": found.p if found.p is not None else blank,
    }
    data: dict[str, Any] = {name: (("measure", dim), np.asarray(v)[None]) for name, v in columns.items()}
    coords: dict[str, Any] = {"measure": [measure.key], dim: [s.name for s in others]}
    if found.differences:
        coords["seed"] = list(found.differences)
        rows = list(found.differences.values())
        pairs = {
            "baseline_value": [r[0] for r in rows],
            "difference": [r[1] for r in rows],
            "difference_low": [r[2][0] if r[2] else blank for r in rows],
            "difference_high": [r[2][1] if r[2] else blank for r in rows],
            "difference_both_low": [r[3][0] if r[3] else blank for r in rows],
            "difference_both_high": [r[3][1] if r[3] else blank for r in rows],
        }
        data.update({name: (("seed", "measure", dim), np.array(v)[:, None]) for name, v in pairs.items()})
    return xr.Dataset(data, coords=coords)


# -- what was done, in words
# -----------------------------------------------------------------------------------------


def _settings(
    measures: list[Measure],
    systems: dict[str, list[System]],
    ids: np.ndarray,
    by: str,
    join: str,
    n_boot: int,
    n_perm: int,
    level: float,
    held_out: bool,
    refit: bool,
    seeds: list[int],
) -> dict[str, Any]:
    def side(name: str) -> list[dict[str, Any]]:
        return [
            {
                "name": s.name,
                "kind": s.kind,
                "units": None if s.x is None else int(s.x.shape[1]),
                "subjects": _people(s),
                "distance": s.distance,
            }
            for s in systems[name]
        ]

    return {
        "verb": "compare",
        "by": by,
        "join": join,
        "measures": [
            {
                "key": m.key,
                "label": m.claims.label,
                "function": getattr(m.function, "__name__", m.name),
                "options": {k: _plain(v) for k, v in m.options.items()},
                "resample": m.claims.resample,
            }
            for m in measures
        ],
        "n_boot": int(n_boot),
        "n_perm": int(n_perm),
        "level": level,
        "held_out": bool(held_out),
        "refit": bool(refit),
        "baseline_seeds": seeds,
        "a": side("a"),
        "b": side("b"),
        "n_stimuli": len(ids),
        "stimuli_sha256": hashlib.sha256("\x1f".join(map(str, ids.tolist())).encode()).hexdigest(),
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else shorten(value)


def _references(
    measures: list[Measure],
    systems: dict[str, list[System]],
    n_boot: int,
    n_perm: int,
    of_data: tuple[str, ...],
) -> tuple[str, ...]:
    keys = [key for one in measures for key in one.claims.references]
    if n_perm:
        keys.append("phipson2010permutation")
    several = any(_people(s) > 1 for group in systems.values() for s in group)
    if several:
        keys.append("nili2014toolbox")
        if n_boot:
            keys.append("schutt2023statistical")
    if n_boot and any(one.claims.resample == "subsample" for one in measures):
        keys.append("shao1989general")
    return tuple(dict.fromkeys([*keys, *of_data]))


_RULES = {
    "pairs": "stimuli were resampled by weights on pairs of different stimuli (percentile interval)",
    "predictions": "held-out predictions were resampled, conditional on the fitted folds (percentile interval)",
    "subsample": "a delete-d jackknife over stimuli covers the expectation at this number of stimuli only",
    "none": "no interval over stimuli is given",
}


def _methods(
    measures: list[Measure],
    n: int,
    n_boot: int,
    n_perm: int,
    level: float,
    refit: bool,
    systems: dict[str, list[System]],
    seeds: list[int],
) -> tuple[str, ...]:
    lines = [f"Systems were matched by stimulus id ({n} stimuli); repeats were averaged."]
    for one in measures:
        rule = _RULES[one.claims.resample]
        if refit and one.claims.resample == "predictions":
            rule = "everything was refitted with groups of stimuli left out (grouped jackknife)"
        tail = f" For its {level:.0%} interval, {rule} ({n_boot} draws)." if n_boot else ""
        lines.append(one.claims.method + tail)
    if n_perm:
        lines.append(
            f"P-values are one-sided, (b + 1)/(m + 1), from {n_perm} random relabellings of the stimuli; "
            "the p of a best system uses the maximum over "
            "the systems of its side."
        )
    if any(_people(s) > 1 for group in systems.values() for s in group):
        lines.append(
            "Where a system has several subjects, values are means over subjects (sessions averaged "
            "first), ceilings leave out one subject at a time "
            "(low) or none (high), and intervals for new stimuli and new subjects together use the "
            "variance 2 (s2_subjects + s2_stimuli) - s2_both."
        )
    lines.append(
        "The best system of a side was chosen on one random half of the stimuli and scored on the other, "
        "averaged over 10 splits in both directions."
    )
    if seeds:
        lines.append(
            f"The same was done with {len(seeds)} baseline copies (seeds {', '.join(map(str, seeds))}); "
            "differences use the same resamples."
        )
    return tuple(lines)
