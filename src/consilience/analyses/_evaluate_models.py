"""The verb `evaluate_models`: how well models of an RDM explain the RDMs of subjects, with all tests."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from sklearn.base import clone

from consilience._core._errors import Caution, ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import resolve_seed
from consilience._responses._check import refuse_result
from consilience._results import ModelEvaluation
from consilience.analyses._checks import check_resamples
from consilience.analyses._evaluation import EXACT, Table
from consilience.analyses._evaluation_runs import ASSIGNMENTS, cross_validated, plain
from consilience.analyses._evaluation_tables import Draws, tables_of
from consilience.analyses._inputs import System, aligned_systems
from consilience.analyses._models import caution_few_relabellings, constant_rdm, safe_rdms
from consilience.measures import rdm
from consilience.measures._compare_rdms import check_method
from consilience.models._rdm import FixedRDM, RDMModel
from consilience.stats import multinomial_weights, p_value, permutations

__all__ = ["evaluate_models"]

_WHO = "cs.evaluate_models"
_LOST = 0.05  # share of draws without a value that is worth saying


def evaluate_models(
    models: Mapping[str, Any],
    data: xr.DataArray | Mapping[str, xr.DataArray],
    /,
    *,
    method: str = "cosine",
    join: Literal["exact", "inner"] = "exact",
    cv: int | tuple[int, int] | None = None,
    n_boot: int = 1000,
    n_perm: int = 1000,
    level: float = 0.95,
    correction: Literal["holm", "fdr", "max", "none"] = "holm",
    distance: str = "correlation",
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> ModelEvaluation:
    """How well models of an RDM explain the RDMs of subjects: values, ceilings, and tests between all models.

    Each model's value is the mean over subjects of `compare_rdms`. Stimuli, subjects, and both are resampled as
    weights; all models share the draws, so that differences are paired. Intervals and tests are t; an interval is cut
    at -1 and 1 (of a difference at -2 and 2), beyond which no value lies, which leaves its coverage as it is.

    For fixed models, variances of values and differences come from components (`cs.stats.crossed_components`): the
    jackknife over stimuli, less what it counts twice, and the subjects' spread; degrees of freedom over both are
    Satterthwaite's. Ceilings and cross-validated models have the variance of the draws, over both
    `cs.stats.two_factor_variance`, with min(subjects, stimuli) - 1 degrees of freedom (one subject: stimuli - 1).

    With a model that is fitted, all models are cross-validated over stimuli and subjects: fitted on the training
    stimuli of the training subjects, scored on the test stimuli of the test subjects. The value is the mean over 20
    assignments to folds. Each draw has two new assignments of the stimuli and subjects drawn (copies stay
    together), and what their choice adds is taken out of the variance, which is never below that of the models
    held as fitted to all of the data.

    In simulations tests of two equal fixed models at 5 % rejected 4.5 % of the time (30 stimuli, 8 subjects), 3 % where
    the models correlate, 4 % with 60 stimuli and 20 subjects (200 data sets each); intervals of a value covered 93 to
    97 %. Those of two equal models under cross-validation are conservative with few subjects: 1 to 2 % (40 stimuli, 8
    subjects), 7 % (4 of 60) with 60 stimuli and 20 subjects.

    Parameters
    ----------
    models : {name: model}, a model being RDM data with one RDM, responses (their RDM by ``distance``), or one of
        `cs.models.FixedRDM`, `SelectRDM`, `WeightedRDM`, `InterpolateRDM` made of RDM data (or a mapping of it),
        whose ``method`` is then that of this call.
    data : RDM data (sessions are averaged within a subject), responses, or {subject: responses}.
    method : as in `compare_rdms`, without "bures"; "cosine" or "pearson" where a model is fitted.
    join : "exact" refuses stimuli that not all have; "inner" leaves them out and says so.
    cv : folds of stimuli, or (of stimuli, of subjects); None = 2 to 5 each, by their number. Used where a model
        is fitted.
    n_boot, n_perm : resamples, and relabelled stimuli for p; 0 = none.
    level : of the intervals.
    correction : of the p of all models, of all pairs of models, and of all tests against the ceiling, each a
        family: "holm", "fdr" (Benjamini-Hochberg), "max" (step-down maximum over the draws), "none".
    distance : by which responses become RDMs.
    rng : seed; None draws one and records it.

    Returns
    -------
    ModelEvaluation : ``.data``, ``.pairs``, ``.ceilings``, ``.subjects``, ``.draws``, ``.plot()``.

    Raises
    ------
    InputError : ids that do not match, arrays without ids, a fitted model with a rank or whitened method, too few
        stimuli for the folds.

    References
    ----------
    Schuett, Kipnis, Diedrichsen & Kriegeskorte (2023); Nili et al. (2014) for ceilings.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> a, b = (cs.measures.rdm(rng.normal(size=(20, 10))) for _ in range(2))
    >>> brain = a + 0.3 * rng.random((6, 190))
    >>> ids = [f"image{i}" for i in range(20)]
    >>> models = {"a": cs.rdm_data(a, stimulus=ids), "b": cs.rdm_data(b, stimulus=ids)}
    >>> people = cs.rdm_data(brain, stimulus=ids, subject=list("uvwxyz"))
    >>> found = cs.evaluate_models(models, people, method="pearson", n_boot=200, n_perm=200, rng=0)
    >>> found.pairs_frame().loc[0, "p"] < 0.05
    np.True_
    """
    with collect_cautions() as cautions:
        result = _evaluate(
            models, data, method, join, cv, n_boot, n_perm, level, correction, distance, rng, cautions
        )
    for caution in result.warnings:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    return result


def _evaluate(
    models: Any,
    data: Any,
    method: str,
    join: str,
    cv: Any,
    n_boot: int,
    n_perm: int,
    level: float,
    correction: str,
    distance: str,
    rng: Any,
    cautions: list[Caution],
) -> ModelEvaluation:
    method = check_method(method, _WHO)
    check_resamples(n_boot, "n_boot", who=_WHO)
    check_resamples(n_perm, "n_perm", who=_WHO)
    level = check_number(level, name="level", who=_WHO, low=0.0, high=1.0)
    check_option(correction, ("holm", "fdr", "max", "none"), name="correction", who=_WHO)
    seed = resolve_seed(rng, who=_WHO)
    refuse_result(models, who=_WHO, name="models")
    if not isinstance(models, Mapping) or not models:
        raise InputError(
            f"{_WHO}: models must be a mapping {{name: model}}, got {shorten(models)}.", code="bad-models"
        )
    if method == "bures":
        raise InputError(f"{_WHO}: bures has no ceiling or draws; use another method.", code="bad-parameter")
    estimators, people, ids, of_data = _ready(models, data, method, join, distance)
    fitted = any(model._fitted for model in estimators.values())
    if fitted and method not in EXACT:
        raise InputError(
            f"{_WHO}: models are fitted and cross-validated for method='cosine' or 'pearson', got {method!r}; "
            "use one of these, or fixed models only.",
            code="bad-models",
        )
    n, s = len(ids), len(people.rdms) if people.rdms is not None else 0
    assert people.rdms is not None
    _check_structure(estimators, people, method)
    if n_perm:
        fixed = {name: m.components()[0] for name, m in estimators.items() if len(m.components()) == 1}
        caution_few_relabellings(fixed, n)
    if s == 1:
        warn(
            "ceiling-missing",
            "No noise ceiling and no interval over subjects: the data have one RDM.",
            "Give the RDMs of several subjects, or of parts of the data (runs, sessions) as {part: RDM data}.",
        )
    table = Table(list(estimators.values()), people.rdms, n, method)
    folds = _fold_counts(cv, n, s) if fitted else (0, 0)
    w = multinomial_weights(n, n_boot, seed.stream("stimuli")) if n_boot else None
    u = multinomial_weights(s, n_boot, seed.stream("subjects")) if n_boot and s > 1 else None
    orders = permutations(n, n_perm, seed.stream("permutations")) if n_perm else None
    run = cross_validated if fitted else plain
    draws, null, each = run(table, w, u, orders, seed, *folds)
    if s == 1:  # one RDM is its own mean: 1, which bounds nothing
        draws.value[-1] = np.nan
        for found in draws.factors.values():
            found[..., -1] = np.nan
    _say_of_flat_draws(list(estimators), draws)
    p = p_value(draws.value[: len(estimators)], null) if null is not None else None
    names = list(estimators)
    parts = tables_of(names, draws, p, null, level=level, correction=correction, n=n, s=s)
    kinds = [type(model).__name__.removesuffix("RDM").lower() for model in estimators.values()]
    parts["data"]["kind"] = ("model", np.array(kinds, dtype=object))
    parts["data"]["n_parts"] = ("model", np.diff(table.rows))
    subjects = xr.DataArray(
        each,
        dims=("model", "subject"),
        coords={"model": names, "subject": np.array(people.subjects, dtype=object)},
    )
    return ModelEvaluation(
        **parts,
        subjects=subjects,
        settings={
            "verb": "evaluate_models",
            "method": method,
            "join": join,
            "cross_validated": fitted,
            "folds": list(folds),
            "n_boot": int(n_boot),
            "n_perm": int(n_perm),
            "level": level,
            "correction": correction,
            "distance": distance,
            "models": {
                name: {
                    "kind": kind,
                    **{k: v for k, v in model.get_params().items() if isinstance(v, (str, int, float, bool))},
                }
                for (name, model), kind in zip(estimators.items(), kinds)
            },
            "n_stimuli": n,
            "n_subjects": s,
            "stimuli_sha256": hashlib.sha256("\x1f".join(map(str, ids.tolist())).encode()).hexdigest(),
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=tuple(
            dict.fromkeys(
                ["kriegeskorte2008representational", "schutt2023statistical", "nili2014toolbox"]
                + (["efron1981jackknife", "satterthwaite1946approximate"] if n_boot else [])
                + (["phipson2010permutation"] if n_perm else [])
                + list(of_data)
            )
        ),
        methods=_methods(method, n, s, fitted, folds, n_boot, n_perm, level, correction, not fitted),
    )


def _ready(
    models: Mapping[str, Any], data: Any, method: str, join: str, distance: str
) -> tuple[dict[str, RDMModel], System, np.ndarray, tuple[str, ...]]:
    """Estimators over the common stimuli, the subjects as one system, ids, references."""
    owner: dict[str, str] = {}
    flat: dict[str, Any] = {}
    for name, model in models.items():
        given = model._given() if isinstance(model, RDMModel) else model
        refuse_result(given, who=_WHO, name=f"models[{name!r}]")
        several = given if isinstance(given, Mapping) else {"": given}
        for part, entry in several.items():
            if not isinstance(entry, xr.DataArray):
                raise InputError(
                    f"{_WHO}: model {name!r} must be made of RDM data or responses, which have stimulus ids, got "
                    f"{type(entry).__name__}; wrap RDMs with cs.rdm_data(rdms, stimulus=ids).",
                    code="bad-models",
                )
            key = f"{name}: {part}" if part else str(name)
            owner[key] = name
            flat[key] = entry
    systems, ids, _, references = aligned_systems(
        {"models": flat, "data": data}, by="stimulus", join=join, who=_WHO
    )
    if len(ids) < 4:
        raise InputError(f"{_WHO}: at least 4 common stimuli are needed, got {len(ids)}.", code="too-few")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in models}
    for key, system in zip(flat, systems["models"]):
        parts[owner[key]].append(_rdms_of(system, distance))
    out: dict[str, RDMModel] = {}
    for name, model in models.items():
        stacked = safe_rdms(np.concatenate(parts[name]), who=f"{_WHO}, model {name!r}", together=True)
        if not isinstance(model, RDMModel):
            if len(stacked) > 1:
                raise InputError(
                    f"{_WHO}: model {name!r} has {len(stacked)} RDMs; say what they are with "
                    "cs.models.SelectRDM, WeightedRDM or InterpolateRDM, or pass their mean.",
                    code="bad-models",
                )
            model = FixedRDM(stacked)
        else:
            model = clone(model).set_params(**{"rdm" if isinstance(model, FixedRDM) else "rdms": stacked})
        model.set_params(method=method)
        if method in EXACT or not model._fitted:
            model.options()
        out[str(name)] = model
    brain = systems["data"]
    if len(brain) == 1 and brain[0].rdms is not None:
        safe = safe_rdms(brain[0].rdms, who=_WHO, together=False)
        return out, replace(brain[0], rdms=safe), ids, references
    rows = np.concatenate([_rdms_of(one, distance) for one in brain])
    if len(rows) != len(brain):
        raise InputError(
            f"{_WHO}: in a mapping each entry of data is one subject, with one RDM or responses; got "
            f"{len(rows)} RDMs for {len(brain)} entries.",
            code="bad-parameter",
        )
    rows = safe_rdms(rows, who=_WHO, together=False)
    people = System("data", "rdm", rdms=rows, subjects=tuple(one.name for one in brain), distance=distance)
    return out, people, ids, references


def _say_of_flat_draws(names: list[str], draws: Draws) -> None:
    """Warns of models that many resamples of the stimuli leave without structure."""
    if "stimuli" not in draws.factors:
        return
    lost = 1 - np.isfinite(draws.factors["stimuli"]).mean(axis=(0, 1))[: len(names)]
    for name, share in zip(names, lost):
        if share > _LOST:
            warn(
                "draws-undefined",
                f"In {share:.0%} of the resamples model {shorten(name, 40)} has no structure left, for want of the "
                "stimuli that it tells apart; they were left out of its intervals and tests.",
                "Read them with care, or use more stimuli of each kind.",
            )


def _check_structure(models: Mapping[str, RDMModel], people: System, method: str) -> None:
    """Refuses RDMs that have nothing to compare: all zeros for a cosine, all entries equal for the others."""
    assert people.rdms is not None
    named = [
        (f"model {name!r}" + (f" (part {k + 1})" if len(model.components()) > 1 else ""), vector)
        for name, model in models.items()
        for k, vector in enumerate(model.components())
    ]
    subjects = people.subjects or tuple(map(str, range(len(people.rdms))))
    named += [(f"subject {who!r}", vector) for who, vector in zip(subjects, people.rdms)]
    for name, vector in named:
        size = float(np.max(np.abs(vector)))
        spread = size if method in ("cosine", "whitened_cosine") else float(np.ptp(vector))
        if spread <= 1e-12 * size:
            raise constant_rdm(vector, _WHO, name)


def _rdms_of(system: System, distance: str) -> np.ndarray:
    if system.rdms is not None:
        return system.rdms
    in_blocks = system.distances(distance)
    found = rdm(system.x, distance=distance) if in_blocks is None else in_blocks  # type: ignore[arg-type]
    return np.asarray(found, dtype=np.float64)[None]


def _fold_counts(cv: Any, n: int, s: int) -> tuple[int, int]:
    def usual(count: int) -> int:
        left = 0.632 * count  # of them differ in a draw
        return 2 if left < 12 else 3 if left < 24 else 4 if left < 40 else 5

    of_subjects = 1 if s == 1 else max(2, min(5, int(0.632 * s)))
    pair = (usual(n), of_subjects) if cv is None else cv if isinstance(cv, tuple) else (cv, of_subjects)
    if len(pair) != 2:
        raise InputError(f"{_WHO}: cv must be one number or two, got {shorten(cv)}.", code="bad-parameter")
    stimuli = check_count(pair[0], name="cv (stimuli)", who=_WHO, minimum=2, maximum=max(2, n // 3))
    if n < 3 * stimuli:
        raise InputError(
            f"{_WHO}: {stimuli} folds of stimuli need at least {3 * stimuli} stimuli, got {n}.",
            code="too-few",
        )
    return stimuli, check_count(pair[1], name="cv (subjects)", who=_WHO, minimum=1, maximum=s)


def _methods(
    method: str,
    n: int,
    s: int,
    fitted: bool,
    folds: tuple[int, int],
    n_boot: int,
    n_perm: int,
    level: float,
    correction: str,
    fixed: bool,
) -> tuple[str, ...]:
    lines = [
        f"Model RDMs were compared with the RDMs of {s} subject{'s' * (s != 1)} over {n} stimuli by {method}; a "
        "model's value is the mean over subjects."
    ]
    if fitted:
        lines.append(
            f"All models were cross-validated over stimuli ({folds[0]} folds) and subjects ({folds[1]}): fitted on "
            f"the training stimuli of the training subjects and scored on the others, mean over {ASSIGNMENTS} "
            "assignments to folds."
        )
    if n_boot:
        what = "Stimuli, subjects and both were" if s > 1 else "Stimuli were"
        lines.append(
            f"{what} resampled {n_boot} times; {level:.0%} intervals and tests between models and against the lower "
            "noise ceiling use the same draws and Student's t"
            + (" with the two-factor variance of Schuett et al. (2023)" if s > 1 else "")
            + (
                "; values and differences of models with variance components of stimuli and subjects instead."
                if fixed
                else "."
            )
        )
    if n_perm:
        lines.append(f"P-values of single models are one-sided, from {n_perm} relabellings of the stimuli.")
    if correction != "none":
        word = {"holm": "Holm's method", "fdr": "the false discovery rate", "max": "the maximum statistic"}
        lines.append(f"P-values were corrected for the number of models or pairs by {word[correction]}.")
    return tuple(lines)
