"""The verb `predict_perturbation`: what silencing or driving units should change, by models of recordings."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._results._predicted_perturbation import PredictedPerturbation
from consilience.analyses import _decode, _encode
from consilience.analyses._perturbation_runs import Act, Outcomes, acts_of, family_changes, half_changes
from consilience.analyses._perturbation_tables import IN_HALVES, doubts, off_inputs, tables, together
from consilience.analyses._recorded_fits import Task, fits_of, in_words_of
from consilience.analyses._recorded_scores import Scorer
from consilience.analyses._recorded_task import Fitting, parts_of, read_task, task_settings, units_of
from consilience.models import LDA, PLSCV, KernelRidgeCV, MaxCorrelation, PoissonNaiveBayes, RidgeCV
from consilience.stats._matched_sets import matched_sets
from consilience.stats._trials_needed import power_of_trials

__all__ = ["predict_perturbation"]

WHO = "cs.predict_perturbation"
SKILL = {"classes": "balanced_accuracy", "numbers": "r", "angles": "circular_error", "units": "r"}
_TRIALS = np.unique(np.round(np.geomspace(2, 10_000, 28)).astype(np.int64))
_KERNEL_ROWS = 500


def predict_perturbation(
    data: xr.DataArray,
    /,
    target: Any,
    *,
    sets: Any,
    act: Any = "silence",
    families: Mapping[str, Any] | None = None,
    n_controls: int = 100,
    n_refits: int = 40,
    power: float = 0.8,
    alpha: float = 0.05,
    trial: int | None = None,
    time: str | None = "mean",
    delays: Any = None,
    circular: bool = False,
    cv: int = 5,
    groups: Any = "auto",
    folds: str | None = None,
    gap: Any = "auto",
    standardise: bool = True,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> PredictedPerturbation:
    """What silencing or driving chosen units should change, predicted by models fitted to undisturbed recordings.

    For a family of models f fitted to training rows and held-out rows x_i: change = mean_i g(f(x_i')) - g(f(x_i)), x'
    with the perturbed units at other values, g the outcome: decoded value and error of numbers; error and signed error
    of angles; accuracy and share of decisions for each class; predicted response of each unit, where ``target`` are
    responses. It is a prediction of a correlational model. A model gives weight to units that are correlated with the
    cause, and where they are not read out the prediction is wrong however narrow its interval: compare families, and
    score the prediction against the experiment.

    Parameters
    ----------
    data, target, circular, time, cv, groups, folds, gap, standardise : see `cs.decode`; with ``target`` the responses
        of other units, see `cs.encode` (``delays``).
    sets : {name: units, or True/False for each unit}, or the name of a coordinate on unit (cell type, area).
    act : "silence" (responses 0), ("to", value), ("add", value), ("sd", k standard deviations), or a list of them.
    families : {name: model}. None: of classes `LDA`, logistic regression, and naive Bayes of counts or
        `MaxCorrelation`; else ridge, PLS, and kernel ridge up to 500 rows.
    n_controls : random sets of other units, each member matched to one of the 4 nearest in mean response;
        without units of other named sets, where enough are left.
    n_refits : fits to random halves of the rows (stretches of a series), with other seeds of models that have one,
        tested on the other half: the spread of the change among them is its standard error (McCarthy 1969).
    power, alpha : of the two-sided t test of perturbed against intact trials, by which trials are counted.
    trial : of a series, steps that make one trial; default the length of stretches that are independent.
    level : of intervals.   rng : seed.

    Returns
    -------
    PredictedPerturbation : ``.data`` by family, ``.families`` together, ``.controls``, ``.power``,
        ``.score(observed)``.

    Raises
    ------
    InputError : sets of units that are not there, no unit left unperturbed, a model that fails.
    ConsilienceWarning : ``correlational-model`` (always), ``families-disagree``, ``off-distribution``, ``no-controls``,
        ``silence-below-zero``, ``unlabelled-units``, and those of `cs.decode`.

    In simulations (300 trials, three sets of units, 150 data sets) intervals at 95 % held the change that is expected
    of models of as many trials in 0.94 to 0.99 (ridge, numbers) and in 0.87 to 0.97 (LDA, share of a class; least for
    units that are only correlated), differences from controls in 0.91 to 0.98. The true causal change was held in 0.94
    to 0.99 by ridge, where the readout was linear and all of its units were recorded. Trials for 0.8 gave 0.79 and 0.85
    in 1000 simulated experiments; more (1.00 at 5 trials) where the perturbation also takes away variance, since both
    arms of numbers are given that of the recorded behaviour. Of series they held 0.90 and 0.92 (units that are read
    out) and 0.95 and 0.96 (only correlated units; ridge, 305 series of 1500 samples correlated over 12, 456 of 600
    over 5): somewhat too narrow.

    References
    ----------
    McCarthy (1969) for half samples; Cohen (1988) for power; Wolff & Olveczky (2018) for what perturbations tell.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> rates = rng.poisson(5, size=(300, 20)).astype(float)
    >>> speed = rates[:, :5].sum(axis=1) + rng.normal(size=300)
    >>> m1 = cs.responses(rates, stimulus=np.arange(300), kind="count", system="M1")
    >>> models = {"ridge": cs.models.RidgeCV(), "PLS": cs.models.PLSCV()}
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", cs.ConsilienceWarning)
    ...     found = cs.predict_perturbation(
    ...         m1, speed, sets={"first": range(5)}, families=models, n_controls=20, n_refits=10, rng=0
    ...     )
    >>> change = found.families["change"].sel(perturbation="silence first", outcome="target")
    >>> bool(-27 < change < -20)  # 5 units of 5 spikes each
    True
    """
    seed = resolve_seed(rng, who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    power = check_number(power, name="power", who=WHO, low=0.0, high=1.0)
    alpha = check_number(alpha, name="alpha", who=WHO, low=0.0, high=1.0)
    n_controls = check_count(n_controls, name="n_controls", who=WHO)
    n_refits = check_count(n_refits, name="n_refits", who=WHO)
    acts = acts_of(act)
    with collect_cautions() as cautions, in_words_of(WHO):
        fitting = Fitting(
            cv=cv,
            groups=groups,
            folds=folds,
            gap=gap,
            time=time,
            delays=delays,
            circular=circular,
            standardise=standardise,
        )
        model = None if not families else _first(families)
        task, checked = read_task(data, target, model, fitting, seed=seed, who=WHO)
        tasks = _families(task, families, standardise, checked)
        units = units_of(task, checked, who=WHO)
        names, columns, _ = parts_of(checked, units, task.x.shape[1], sets, who=WHO)
        if any(a.name == "silence" for a in acts) and (task.x < 0).any():
            warn(
                "silence-below-zero",
                "responses go below 0 (z-scored, dF/F or BOLD?), so that silence, which sets them to 0, is no silence.",
                "act=('to', value), the value that a silent unit has.",
            )
        member = columns[:, : units.size]
        rate = task.x[:, : units.size].mean(axis=0, dtype=np.float64)
        wide = _controls(member, rate, n_controls, names, task.x.shape[1], seed.stream("controls"))
        masks = np.concatenate([columns, *wide])
        fewer = np.concatenate([columns, *(w[:IN_HALVES] for w in wide)])
        outcomes = Outcomes(task)
        trials, length = _trials(task, trial)
        found = {
            name: _family(own, masks, fewer, acts, trials, n_refits, seed.child(name))
            for name, own in tasks.items()
        }
        labels = [f"{a.name} {n}" for a in acts for n in names]
        counts = [len(w) for w in wide]
        data_table, controls = tables(
            found, outcomes.names, labels, counts, len(names), len(acts), level, power, alpha
        )
        off = [off_inputs(task, columns, a, level) for a in acts]
        data_table = data_table.assign(
            n_units=("perturbation", np.tile(member.sum(axis=1), len(acts))),
            rate=("perturbation", np.tile([float(rate[m].mean()) for m in member], len(acts))),
            off_distribution=("perturbation", np.concatenate([o[0] for o in off])),
            off_low=("perturbation", np.concatenate([o[1] for o in off])),
            off_high=("perturbation", np.concatenate([o[2] for o in off])),
        ).assign_coords(
            act=("perturbation", np.repeat([a.name for a in acts], len(names))),
            set=("perturbation", np.tile(np.array(names, dtype=str), len(acts))),
        )
        joined = together(data_table)
        doubts(data_table)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    digest = hashlib.sha256(np.ascontiguousarray(task.x, dtype="<f8").tobytes())
    digest.update(
        np.ascontiguousarray(task.codes if task.kind == "classes" else task.actual, "<f8").tobytes()
    )
    settings = {
        "verb": "predict_perturbation",
        **task_settings(task, checked),
        "families": {n: shorten(t.model, 200) for n, t in tasks.items()},
        "skill": SKILL[task.kind],
        "acts": [a.name for a in acts],
        "sets": {n: shorten(units[m].tolist(), 400) for n, m in zip(names, member)},
        "n_units": int(units.size),
        "n_controls": n_controls,
        "n_refits": n_refits,
        "power": power,
        "alpha": alpha,
        "trial_rows": length,
        "level": level,
        "data_sha256": digest.hexdigest(),
    }
    settings.pop("model"), settings.pop("model_name")
    change = data_table["change"].values
    spread = np.sqrt((data_table["sd"].values ** 2 + data_table["sd_changed"].values ** 2) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.where(spread > 0, change / np.where(spread > 0, spread, 1.0), np.nan)
    return PredictedPerturbation(
        data=data_table,
        families=joined,
        controls=controls,
        power=xr.Dataset(
            {
                "power": (
                    ("family", "perturbation", "outcome", "n"),
                    power_of_trials(_TRIALS.astype(float), effect[..., None], alpha=alpha),
                )
            },
            coords={**{d: data_table[d].values for d in ("family", "perturbation", "outcome")}, "n": _TRIALS},
        ),
        settings=settings,
        seed=str(seed),
        warnings=tuple(cautions),
        references=("mccarthy1969pseudoreplication", "cohen1988statistical", "wolff2018promise"),
        methods=_methods(settings),
    )


def _first(families: Any) -> Any:
    if not isinstance(families, Mapping):
        raise InputError(
            f"{WHO}: families must be {{name: model}}, got {shorten(families)}.", code="bad-parameter"
        )
    return next(iter(families.values()))


def _families(task: Task, given: Any, standardise: bool, data: xr.DataArray) -> dict[str, Task]:
    if not given:
        given = _default(task, str(data.attrs.get("kind", "")))
    out = {}
    for name, model in given.items():
        if task.kind == "units":
            assert task.encoding is not None
            out[str(name)] = replace(task, model=_encode._model(model, list(task.encoding.bands.values())))
            continue
        assert task.design is not None
        chosen = _decode._model(model, task.design.target)
        direct = task.kind == "angles" and bool(getattr(chosen, "circular", False))
        out[str(name)] = replace(
            task, model=chosen, standardise=_decode._standardise(standardise, chosen), direct=direct
        )
    return out


def _default(task: Task, kind: str) -> dict[str, Any]:
    if task.kind == "classes":
        from sklearn.linear_model import LogisticRegression

        out: dict[str, Any] = {"LDA": LDA(), "logistic": LogisticRegression(max_iter=1000)}
        if kind == "count" and float(task.x.min()) >= 0:
            out["naive Bayes"] = PoissonNaiveBayes()
        elif task.x.shape[1] >= 3:
            out["correlation"] = MaxCorrelation()
        return out
    out = {"ridge": RidgeCV(), "PLS": PLSCV()}
    if len(task.x) <= _KERNEL_ROWS:
        out["kernel ridge"] = KernelRidgeCV()
    return out


def _controls(
    member: np.ndarray, rate: np.ndarray, count: int, names: list[str], columns: int, rng: np.random.Generator
) -> list[np.ndarray]:
    out = []
    for name, own in zip(names, member):
        if own.all():
            raise InputError(
                f"{WHO}: set {shorten(name)} holds all units; leave some unperturbed, or the model is asked about "
                "silence alone.",
                code="bad-parameter",
            )
        named = member.any(axis=0) & ~own
        aside = named if own.size - (named | own).sum() >= 2 * own.sum() else np.zeros(own.size, bool)
        found = matched_sets(rate, own, count, rng, aside=aside)
        if count and not len(found):
            warn(
                "no-controls",
                f"set {shorten(name)} holds {int(own.sum())} of {own.size} units, so there are no other sets of as "
                "many units to hold it against.",
                "Sets of at most half of the units.",
            )
        out.append(np.tile(found, (1, columns // member.shape[1])))
    return out


def _trials(task: Task, trial: int | None) -> tuple[np.ndarray, int]:
    """(trial of each row, rows in one)."""
    source: Any = task.design if task.design is not None else task.encoding
    length = source.settings.get("block_steps")
    if length is None:
        if trial is not None:
            raise InputError(
                f"{WHO}: trial= is for series; rows of these data are trials.", code="bad-parameter"
            )
        return np.arange(len(task.x)), 1
    size = check_count(int(length) if trial is None else trial, name="trial", who=WHO, minimum=1)
    return np.arange(len(task.x)) // size, size


def _family(
    task: Task,
    masks: np.ndarray,
    fewer: np.ndarray,
    acts: list[Act],
    trials: np.ndarray,
    n_refits: int,
    seed: Seed,
) -> dict[str, Any]:
    own = Outcomes(task)
    fits = fits_of(task)
    scorer = Scorer(task, SKILL[task.kind], np.arange(len(task.x)))
    total = scorer.empty(1)
    for fit in fits:
        scorer.add(total, fit, fit.predict(fit.x)[None], slice(0, 1))
    means, spreads = zip(*(family_changes(fits, own, masks, a, trials) for a in acts))
    halves = list(half_changes(task, own, fewer, acts, n_refits, seed.stream("halves")))
    observed = own.observed
    count = int(trials[-1]) + 1
    by = np.stack(
        [np.bincount(trials, weights=column, minlength=count) / np.bincount(trials) for column in observed.T],
        axis=1,
    )
    return {
        "skill": float(scorer.values(total)[0, 0]),
        "mean": means,
        "sd": spreads,
        "halves": [np.stack([h[k] for h in halves]) for k in range(len(acts))] if halves else None,
        "observed": by.std(axis=0, ddof=1),
    }


def _methods(said: dict[str, Any]) -> tuple[str, ...]:
    what = f"stretches of {said['block_steps']} samples" if "block_steps" in said else said["rows"]
    lines = [
        f"{said['target'][:200]} was told from {said['n_units']} units of {said['system'][:100]} by "
        f"{', '.join(said['families'])}, fitted to undisturbed activity; responses of chosen units were then changed "
        f"({', '.join(said['acts'])}) on rows held out, and the change of the outcome is the prediction.",
        "This is a prediction of models that were fitted to undisturbed activity; it assumes that the readout is "
        "causal.",
    ]
    if said["n_refits"]:
        lines.append(
            f"Intervals of a family are from {said['n_refits']} fits to random halves of the {what}, with other seeds, "
            "tested on the other half; for any family the union of its intervals is given."
        )
    if said["n_controls"]:
        lines.append(
            f"Controls were {said['n_controls']} random sets of other units, matched in mean response."
        )
    lines.append(
        f"Trials are those of each arm by which a two-sided t test at {said['alpha']:g} finds the change with chance "
        f"{said['power']:g}, from the variance of the outcome from trial to trial"
        + (f" (a trial: {said['trial_rows']} samples)." if said["trial_rows"] > 1 else ".")
    )
    return tuple(lines)
