"""`ablate` of recorded data: units taken out of a decoder or encoder that was fitted to responses, on rows held out."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions, warn
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import resolve_seed
from consilience._results._ablation import Ablation
from consilience.analyses._ablate_recorded_runs import (
    Orders,
    Plan,
    impact_order,
    run_lesions,
    selectivity_order,
)
from consilience.analyses._ablate_recorded_tables import (
    Numbers,
    agreement_of,
    curves_table,
    off_scores,
    parts_table,
)
from consilience.analyses._checks import check_resamples
from consilience.analyses._given_orders import Listed, doubt_few_orders, orders_asked
from consilience.analyses._recorded_fits import Task, fits_of, in_words_of
from consilience.analyses._recorded_scores import Scorer
from consilience.analyses._recorded_task import (
    Fitting,
    drawn_rows,
    parts_of,
    read_task,
    task_settings,
    units_of,
)
from consilience.models._removed_units import HOWS
from consilience.units._tuning_strength import MEASURES

__all__ = ["ablate_recorded"]

WHO = "cs.ablate"
SCORES = {
    "classes": ("balanced_accuracy", "accuracy"),
    "numbers": ("r",),
    "angles": ("circular_error",),
    "units": ("r",),
}
_AGREE = 0.7  # rank correlation of impacts below which choices of how disagree
_USUAL = Fitting()
_REFITTED = 20  # random orders at most, of models that are fitted anew


def ablate_recorded(
    data: Any,
    /,
    target: Any,
    *,
    evaluate: str = "accuracy",
    model: Any = None,
    parts: Any = None,
    how: Any = "mean",
    order: Any = ("random", "selectivity"),
    refit: bool = False,
    score: str | None = None,
    fitting: Fitting = _USUAL,
    steps: Any = None,
    n_orders: int = 100,
    n_draws: int = 5,
    n_boot: int = 1000,
    n_perm: int = 0,
    n_deals: int = 3,
    single: bool = True,
    curves: bool = True,
    level: float = 0.95,
    rng: Any = None,
) -> Ablation:
    """See `cs.ablate`: here of a model that is fitted to responses, as `decode` and `encode` fit it.

    how : what stands in place of a removed unit on test rows: "mean" of training rows, "zero", "resample" (another
    training row), "noise", a number, a function of (rows, units); or "refit" (also ``refit=True``): the model is fitted
    anew without the unit, so that what is lost is what no other unit knows. order : "selectivity" by
    `cs.units.tuning_strength` and "impact" are found on training rows of each fold; a bare list goes by names, ids or
    places of units in the data, dropped ones too; {name: scores} has a score for each unit (or part), highest first.
    score : "balanced_accuracy" or "accuracy" of classes; r of numbers and encoders; "circular_error" of angles (impact
    = what it grows by).

    Intervals of impacts are of models fitted to this many rows: bootstrap of test rows (blocks of a series), variance
    doubled for the training rows' part, with that over deals of the folds; p is of t with the blocks' degrees of
    freedom. Figures of simulations: docs/howto/lesions-of-decoders.md.
    """
    if evaluate != "accuracy":
        raise InputError(
            f"{WHO}: evaluate= is for networks; of recorded data score= names the score, such as 'balanced_accuracy', "
            "'r' or 'circular_error'.",
            code="bad-parameter",
        )
    if check_count(n_perm, name="n_perm", who=WHO):
        raise InputError(
            f"{WHO}: n_perm= is for networks; p of recorded data is of t from n_boot= draws of rows.",
            code="bad-parameter",
        )
    seed = resolve_seed(rng, who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    n_orders = check_count(n_orders, name="n_orders", who=WHO, minimum=2)
    n_draws = check_count(n_draws, name="n_draws", who=WHO, minimum=1)
    n_deals = check_count(n_deals, name="n_deals", who=WHO)
    with collect_cautions() as cautions, in_words_of(WHO):
        check_resamples(n_boot, "n_boot", who=WHO)
        task, checked = read_task(data, target, model, fitting, seed=seed, who=WHO)
        units = units_of(task, checked, who=WHO)
        names, columns, numbers = parts_of(checked, units, task.x.shape[1], parts, who=WHO)
        known = SCORES[task.kind]
        score = check_option(score or known[0], known, name=f"score of {task.kind}", who=WHO)
        hows = _hows(how, refit)
        segments, weights, blocks, deal = drawn_rows(task, n_boot, seed)
        scorer = Scorer(task, score, segments)
        removed = _steps(steps, len(names)) if curves else np.empty(0, np.int64)
        asked, fixed = (
            _orders(order, task, columns, scorer, _listed(checked, names, numbers)) if curves else ({}, {})
        )
        permute = seed.stream("orders").permutation
        random = np.stack([permute(len(names)) for _ in range(n_orders)])
        plan = Plan(columns, Orders(random, asked), removed, bool(single))
        fits = fits_of(task)
        others = [deal(seed.child(f"deal{k}")) for k in range(n_deals)] if deal and n_boot else []
        other_fits = [fits_of(task, splits) for splits in others]
        factor = 1.0 if others and task.kind == "classes" else 2.0  # as in decode
        made, off = {}, {}
        for name, one in hows.items():
            count = 0 if not curves else min(n_orders, _REFITTED) if name == "refit" else n_orders
            options: dict[str, Any] = {"n_random": count, "n_draws": n_draws, "seed": seed.child("lesions")}
            run = run_lesions(task, fits, plan, one, scorer, **options)
            again = []
            if name != "refit":
                again = [run_lesions(task, f, plan, one, scorer, **options) for f in other_fits]
            made[name] = Numbers(run, again, weights, blocks, level, higher=scorer.higher, factor=factor)
            if name != "refit":
                off[name] = off_scores(task, fits, plan, one, level, seed.stream(f"off {name}"))
        table = parts_table(made, task, names, off, single=bool(single))
        lines = curves_table(made, plan, fixed, off) if curves else None
        agreement = agreement_of(made, table, level)
        _doubt(table, agreement)
        if asked:
            doubt_few_orders(min(one.run.n_random for one in made.values()))
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=4)  # the caller of cs.ablate
    said = task_settings(task, checked)
    settings = {
        "verb": "ablate",
        **said,
        "layer": f"{said['model_name']} of {shorten(said['target'], 60)}",
        "kind": "units" if parts is None else "groups of units",
        "evaluate": score,
        "higher": scorer.higher,
        "how": list(hows),
        "order": ["random", *asked] if curves else [],
        "selectivity": MEASURES[task.kind],
        "n_units": int(units.size),
        "n_parts": len(names),
        "n_orders": n_orders,
        "n_draws": n_draws,
        "n_boot": n_boot,
        "n_deals": len(others),
        "level": level,
        "doubled": factor == 2.0,
        "recorded": True,
    }
    return Ablation(
        data=table.assign_coords(
            layer=("part", np.array([settings["system"]] * table.sizes["part"], dtype=str)),
            unit=("part", numbers[: table.sizes["part"]]),
        ),
        curves=lines,
        agreement=agreement,
        settings=settings,
        seed=str(seed),
        warnings=tuple(cautions),
        references=_references(settings),
        methods=_methods(settings),
    )


def _doubt(table: xr.Dataset, agreement: xr.Dataset | None) -> None:
    if agreement is None:
        return
    for k in range(agreement.sizes["pair"]):
        at = agreement.isel(pair=k)
        if float(at["correlation"]) < _AGREE or int(at["n_apart"]) > 0.2 * int(at["n_parts"]):
            warn(
                "lesions-disagree",
                f"{at['a'].item()} and {at['b'].item()}: rank correlation of impacts {float(at['correlation']):.2f}, "
                f"{int(at['n_apart'])} of {int(at['n_parts'])} parts differ by more than half of the larger impact.",
                "Report both; 'mean' and 'resample' keep inputs nearer to what the model was fitted to than 'zero'.",
            )


def _references(said: dict[str, Any]) -> tuple[str, ...]:
    out = ["morcos2018importance"]
    if said["task"] == "classes" and said["evaluate"] == "balanced_accuracy":
        out.append("brodersen2010balanced")
    if said["n_boot"]:
        out.append("nadeau2003inference")
    return tuple(out)


def _methods(said: dict[str, Any]) -> tuple[str, ...]:
    held = "contiguous stretches of time" if "block_steps" in said else f"folds of {said['rows']}"
    words = {
        "mean": "its mean over training rows",
        "zero": "zero",
        "resample": "the value of another training row, drawn whatever its target",
        "noise": "Gaussian noise of its training mean and standard deviation",
    }
    instead = [words.get(h, h) for h in said["how"] if h != "refit"]
    lines = [
        f"{said['model_name']} was fitted to {said['system'][:100]} ({said['n_units']} units) to tell "
        f"{said['target'][:200]}, and lesioned on {held} held out: a removed unit was replaced by "
        f"{'; '.join(instead)}."
        if instead
        else f"{said['model_name']} was fitted anew without the removed units.",
        "Impact is the held-out score of the intact model minus that of the lesioned one."
        if said["higher"]
        else "Impact is the held-out error of the lesioned model minus that of the intact one.",
    ]
    if "refit" in said["how"]:
        lines.append(
            "Where said (refit), the model was fitted anew to the units that were left: what they still know."
        )
    if len(said["order"]) > 1:
        lines.append(
            f"Units were removed one after the other in {said['n_orders']} random orders"
            + (
                f" and by tuning ({said['selectivity']}), found on the training rows of each fold"
                if any("selectivity" in o for o in said["order"])
                else ""
            )
            + "; areas are under the score against the share of units removed."
        )
    if said["n_boot"]:
        what = f"blocks of {said['block_steps']} samples" if "block_steps" in said else f"test {said['rows']}"
        lines.append(
            f"Intervals and p are from {said['n_boot']} bootstrap draws of {what}, the same for intact and lesioned "
            "models"
            + (", their variance doubled for the part of the training rows" if said["doubled"] else "")
            + ("; the variance over deals of the folds is added." if said["n_deals"] else ".")
        )
    lines.append(
        "A lesion of a model that was fitted to undisturbed activity tells what the model uses; that the brain would "
        "lose the same is a prediction, and it assumes that the readout is causal."
    )
    return tuple(lines)


def _hows(how: Any, refit: bool) -> dict[str, Any]:
    listed = list(how) if isinstance(how, (list, tuple)) else [how]
    out: dict[str, Any] = {}
    for one in listed:
        if isinstance(one, str):
            out[check_option(one, (*HOWS, "refit"), name="how", who=WHO)] = one
        elif callable(one):
            out[getattr(one, "__name__", "function")] = one
        else:
            value = check_number(one, name="how", who=WHO, low=-np.inf, high=np.inf)
            out[f"{value:g}"] = value
    if refit:
        out["refit"] = "refit"
    if not out:
        raise InputError(
            f"{WHO}: how is empty; name at least one of {', '.join(HOWS)}.", code="bad-parameter"
        )
    return out


def _steps(steps: Any, size: int) -> np.ndarray:
    if steps is None:
        return np.unique(np.round(np.linspace(0, size, min(size, 20) + 1)).astype(np.int64))
    listed = sorted(
        {check_count(s, name="steps", who=WHO, maximum=size) for s in np.atleast_1d(steps).tolist()}
    )
    return np.unique([0, *listed, size]).astype(np.int64)


def _orders(
    order: Any, task: Task, columns: np.ndarray, scorer: Scorer, parts: Listed
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    out: dict[str, Any] = {}
    same: dict[str, np.ndarray] = {}
    known = ("random", "selectivity", "-selectivity", "impact", "-impact")
    for name, one in orders_asked(order, parts, known):
        if isinstance(one, np.ndarray):
            out[name], same[name] = _always(one), one
        elif check_option(one, known, name="order", who=WHO) != "random":
            sign = -1.0 if name[0] == "-" else 1.0
            out[name] = (
                selectivity_order(task, columns, sign)
                if "selectivity" in name
                else impact_order(task, columns, scorer, sign)
            )
    return out, same


def _listed(data: xr.DataArray, names: list[str], numbers: np.ndarray) -> Listed:
    """How parts go by in order=: single units by their place, id or name among all units of the data."""
    if (numbers < 0).any():
        return Listed(names, np.arange(len(names)), len(names))
    every = np.asarray(data["unit"].values if "unit" in data.coords else np.arange(data.sizes["unit"]))
    ids = every if every.dtype.kind in "iu" else np.empty(0, np.int64)
    dropped = [str(v) for v in every.tolist() if str(v) not in set(names)]
    return Listed(names, numbers, every.size, ids, dropped)


def _always(order: np.ndarray) -> Any:
    return lambda _fit: order
