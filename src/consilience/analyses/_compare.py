"""The verb `compare`: how alike systems are, every pair under every measure, with intervals, nulls and
ceilings.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, ConsilienceWarning, InputError, collect_cautions
from consilience._core._params import check_number
from consilience._core._seeds import resolve_seed
from consilience._results import Comparison
from consilience.analyses._best import best_of
from consilience.analyses._blocks import run_block
from consilience.analyses._design import Design
from consilience.analyses._inputs import aligned_systems

__all__ = ["compare"]

from consilience.analyses._checks import (
    WHO,
    MeasureLike,
    baseline_sides,
    can_choose,
    check_device,
    check_memory,
    check_resamples,
    check_size,
    resolve_measures,
    say_of_few_relabellings,
    say_of_groups_and_refit,
    say_what_lacks,
)
from consilience.analyses._inputs import people_of
from consilience.analyses._tables import best_table, draws_array, gap_table, pair_table, stack_seeds
from consilience.analyses._words import methods_of, references_of, settings_of


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
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
    baseline: Mapping[int, Mapping[str, xr.DataArray]] | None = None,
    held_out: bool = True,
    refit: bool = False,
    groups: str | None = None,
    device: str | None = None,
) -> Comparison:
    """How alike the systems of side a and those of side b represent the same stimuli.

    Every pair, under every measure, in one call: value, interval over stimuli (and over subjects, and both,
    where a side has several), one-sided stimulus-permutation p, null, noise ceiling in the same measure, and
    the best system of a side, nested. Each system is prepared once; the same resamples serve all pairs, so
    that pairs can be compared draw by draw.

    Parameters
    ----------
    a, b : responses (trial, unit), RDM data, or a mapping {name: either}. Matched by stimulus id, never by
        row; repeats are averaged (after their noise ceiling is taken); units that do not vary are dropped,
        with a warning.
    measure : a name of `cs.measures.names()`, a measure function, `functools.partial` of one with options,
        any function (x, y) -> float, or a list of these. cca, svcca and procrustes are computed in their
        held-out form unless ``held_out=False``.
    by : the coordinate that identifies what is matched: "stimulus", or a label such as "category"
        (responses are then averaged per label, and have no noise ceiling: halves of a label's trials would
        differ in their stimuli too).
    join : "exact" refuses stimuli that not all systems have; "inner" leaves them out and says so.
    n_boot, n_perm : resamples for intervals, permutations for p; 0 = none (their fields are NaN, draws None).
    level : of the intervals.   rng : seed, or the ``seed`` of a result; None draws one and
        records it.
    baseline : {seed: {name: responses}}, untrained (or otherwise broken) copies of side a under the same
        names; their rows stand in ``.baselines`` and their nested best in ``.best()``.
    refit : held-out measures only: intervals by refitting everything with groups of stimuli left out,
        instead of weighting held-out predictions.
    groups : a label on trial (such as "category" or "session"): stimuli of one group are never on both sides of a
        fold of a held-out measure, nor of a split that chooses the best system.
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
            a,
            b,
            measure,
            by,
            join,
            n_boot,
            n_perm,
            level,
            rng,
            baseline,
            held_out,
            refit,
            groups,
            device,
            cautions,
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
    groups: str | None,
    device: Any,
    cautions: list[Caution],
) -> Comparison:
    check_resamples(n_boot, "n_boot")
    check_resamples(n_perm, "n_perm")
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    for name, flag in (("held_out", held_out), ("refit", refit)):
        if not isinstance(flag, (bool, np.bool_)):
            raise InputError(f"{WHO}: {name} must be True or False, got {flag!r}.", code="bad-parameter")
    seed = resolve_seed(rng, who=WHO)
    check_device(device)
    measures = resolve_measures(measure, held_out)
    sides = {"a": a, "b": b, **baseline_sides(baseline, a)}
    systems, ids, owner, data_references = aligned_systems(sides, by=by, join=join, who=WHO, groups=groups)
    n = len(ids)
    check_size(n, measures)
    check_memory(measures, systems, n, n_boot, n_perm)
    design = Design.draw(
        n, seed=seed, n_boot=n_boot, n_perm=n_perm, level=level, refit=refit, groups=owner, ids=ids
    )
    seeds = [int(key) for key in (baseline or {})]
    say_of_groups_and_refit(measures, systems, owner, groups, n_boot, n_perm, refit)
    say_what_lacks(measures, systems["a"], systems["b"], n, n_boot, by)
    say_of_few_relabellings(measures, systems, n, n_perm)

    tables: list[xr.Dataset] = []
    draws: list[xr.DataArray] = []
    of_people: dict[str, list[xr.DataArray]] = {"subject_draws": [], "both_draws": []}
    left_out: list[xr.DataArray] = []
    gaps: list[xr.Dataset] = []
    base_tables: list[list[xr.Dataset]] = []
    base_draws: list[list[xr.DataArray]] = []
    best: dict[str, list[xr.Dataset]] = {"a": [], "b": []}
    for one in measures:
        block = run_block(one, systems["a"], systems["b"], design, who=WHO, device=device)
        others = {
            s: run_block(one, systems[f"baseline {s}"], systems["b"], design, who=WHO, device=device)
            for s in seeds
        }
        tables.append(pair_table(one, block, systems["a"], systems["b"], design))
        base_tables.append(
            [pair_table(one, others[s], systems[f"baseline {s}"], systems["b"], design) for s in seeds]
        )
        if n_boot:
            gaps.append(gap_table(one, block, systems))
        if block.left_out is not None:
            left_out.append(draws_array(one, block, systems, "left_out", ids))
        if block.draws is not None:
            draws.append(draws_array(one, block, systems))
            for which, kept in of_people.items():
                if getattr(block, which) is not None and np.isfinite(getattr(block, which)).any():
                    kept.append(draws_array(one, block, systems, which))
            base_draws.append([draws_array(one, others[s], systems) for s in seeds])
        for side, other in (("a", "b"), ("b", "a")):
            if len(systems[side]) > 1 and can_choose(one, owner):
                people = np.array([people_of(s) for s in systems[other]])
                of_side = np.array([people_of(s) for s in systems[side]])
                count = np.maximum(people, of_side.max())
                found = best_of(
                    block,
                    others if side == "a" else {},
                    side,
                    design,
                    draws=one.claims.resample in ("pairs", "predictions"),
                    n_subjects=count,
                )
                best[side].append(best_table(one, found, systems[side], systems[other], other))
    data = xr.concat(tables, dim="measure")
    data.attrs.update(by=by, level=level)
    return Comparison(
        data=data,
        draws=xr.concat(draws, dim="measure", join="outer") if draws else None,
        baselines=stack_seeds(base_tables, seeds) if seeds else None,
        baseline_draws=stack_seeds(base_draws, seeds) if seeds and base_draws else None,
        subject_draws=_joined(of_people["subject_draws"]),
        both_draws=_joined(of_people["both_draws"]),
        leave_one_out=_joined(left_out),
        ceiling_gap=xr.concat(gaps, dim="measure") if gaps else None,
        best_a=xr.concat(best["a"], dim="measure") if best["a"] else None,
        best_b=xr.concat(best["b"], dim="measure") if best["b"] else None,
        settings=settings_of(measures, systems, ids, by, join, n_boot, n_perm, level, held_out, refit, seeds)
        | {"groups": groups},
        seed=str(seed),
        warnings=tuple(cautions),
        references=references_of(measures, systems, n_boot, n_perm, data_references),
        methods=methods_of(measures, n, n_boot, n_perm, level, refit, systems, seeds),
    )


def _joined(draws: list[xr.DataArray]) -> xr.DataArray | None:
    return xr.concat(draws, dim="measure", join="outer") if draws else None
