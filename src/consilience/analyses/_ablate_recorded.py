"""`ablate` of recorded data: units taken out of a decoder or encoder that was fitted to responses, on rows held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience.analyses import _decode, _encode
from consilience.analyses._ablate_recorded_runs import (
    Orders,
    Plan,
    Run,
    impact_order,
    run_lesions,
    selectivity_order,
)
from consilience.analyses._checks import check_resamples
from consilience.analyses._recorded_fits import Task, fits_of, in_words_of
from consilience.analyses._recorded_scores import HIGHER, Scorer
from consilience.models._removed_units import HOWS
from consilience.stats import block_weights, fdr
from consilience.stats._held_out_change import area_under, held_out_change

__all__ = ["RecordedLesions", "lesions_of_recorded", "read_task", "parts_of"]

WHO = "cs.ablate"
SCORES = {
    "classes": ("balanced_accuracy", "accuracy"),
    "numbers": ("r",),
    "angles": ("circular_error",),
    "units": ("r",),
}
_REFITTED = 20  # random orders at most, of models that are fitted anew


def read_task(
    data: Any,
    target: Any,
    *,
    model: Any,
    cv: int,
    groups: Any,
    folds: Any,
    gap: Any,
    time: str | None,
    delays: Any,
    circular: bool,
    standardise: bool,
    seed: Seed,
    who: str,
) -> tuple[Task, xr.DataArray]:
    """What is fitted, as in `cs.decode` or, where ``target`` are responses of units, as in `cs.encode`."""
    cv = check_count(cv, name="cv", who=who, minimum=2)
    with in_words_of(who):
        if isinstance(target, xr.DataArray) and target.dims[-1:] == ("unit",) and "kind" in target.attrs:
            return _encoder(data, target, model, cv=cv, groups=groups, gap=gap, delays=delays, seed=seed)
        if delays is not None:
            raise InputError(
                f"{who}: delays= is for encoders, where target are responses of units.", code="bad-parameter"
            )
        if time == "each":
            raise InputError(
                f"{who}: time='each' is for cs.decode; here time='mean', or None for all times together.",
                code="bad-parameter",
            )
        checked, design = _decode._design(
            data,
            target,
            model,
            circular=bool(circular),
            gap=gap,
            shuffle=False,
            time=time,
            seed=seed,
            cv=cv,
            groups=groups,
            folds=folds,
            train_on=None,
            test_on=None,
        )
        chosen = _decode._model(model, design.target)
        found = design.target
        if found.classes is not None:
            kind, names = "classes", [str(c) for c in found.classes.tolist()]
        else:
            kind, names = "angles" if found.circular else "numbers", found.names
        task = Task(
            kind,
            np.asarray(design.x[:, 0], np.float64),
            names,
            design.splits,
            chosen,
            _decode._standardise(standardise, chosen),
            design=design,
            direct=kind == "angles" and bool(getattr(chosen, "circular", False)),
        )
        return task, checked


def _encoder(data: Any, target: xr.DataArray, model: Any, **options: Any) -> tuple[Task, xr.DataArray]:
    if isinstance(data, Mapping):
        raise InputError(
            "cs.encode: bands of predictors have no lesions here; cs.variance_partition tells what each band adds.",
            code="bad-parameter",
        )
    options["groups"] = None if options["groups"] == "auto" else options["groups"]
    found = _encode._data(data, target, by="stimulus", join="exact", **options)
    chosen = _encode._model(model, list(found.bands.values()))
    return Task(
        "units",
        found.x,
        [str(u) for u in found.units.tolist()],
        found.splits,
        chosen,
        standardise=False,
        encoding=found,
    ), data


def parts_of(
    data: xr.DataArray, units: np.ndarray, columns: int, parts: Any, *, who: str
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(names, (P, p) bool: the columns of each part, unit of each part or -1).

    parts : None: each unit; the name of a coordinate on unit: its groups; or {name: units or True/False per unit}.
    """
    every = np.asarray(data["unit"].values if "unit" in data.coords else np.arange(data.sizes["unit"]))
    repeated = columns // units.size if units.size and columns % units.size == 0 else 1
    if repeated * units.size != columns:
        raise InputError(f"{who}: units and columns do not agree.", code="bad-dims")

    def wide(rows: np.ndarray) -> np.ndarray:
        return np.tile(rows, (1, repeated))

    own = np.array([str(u) for u in units.tolist()])
    if parts is None:
        return own.tolist(), wide(np.eye(units.size, dtype=bool)), np.flatnonzero(np.isin(every, units))
    if isinstance(parts, str):
        if parts not in data.coords or data[parts].dims != ("unit",):
            known = sorted(str(c) for c in data.coords if data[c].dims == ("unit",))
            raise InputError(
                f"{who}: parts={parts!r} is no coordinate on unit; there are {shorten(known)}.",
                code="unknown-label",
            )
        label = np.asarray(data[parts].values)[np.isin(every, units)]
        levels = list(dict.fromkeys(label.tolist()))
        return (
            [str(v) for v in levels],
            wide(np.stack([label == v for v in levels])),
            np.full(len(levels), -1),
        )
    if not isinstance(parts, Mapping) or not parts:
        raise InputError(
            f"{who}: parts must be None (each unit), the name of a coordinate on unit, or {{name: units}}; got "
            f"{shorten(parts)}.",
            code="bad-parameter",
        )
    rows = []
    for name, given in parts.items():
        rows.append(units_named(given, every, who=who, name=str(name))[np.isin(every, units)])
        if not rows[-1].any():
            raise InputError(f"{who}: part {shorten(name)} holds no unit that varies.", code="too-few")
    return [str(n) for n in parts], wide(np.stack(rows)), np.full(len(rows), -1)


def units_named(given: Any, every: np.ndarray, *, who: str, name: str) -> np.ndarray:
    """(units,) bool of ids, or True/False for each unit."""
    listed = np.atleast_1d(np.asarray(given))
    if listed.dtype.kind == "b":
        if listed.shape != every.shape:
            raise InputError(
                f"{who}: {name!r} must have True or False for each of {every.size} units, got shape {listed.shape}.",
                code="bad-parameter",
            )
        return listed
    missing = [v for v in listed.tolist() if v not in set(every.tolist())]
    if missing:
        raise InputError(
            f"{who}: {name!r} names unit {shorten(missing[0])}, which the data do not have; its units are "
            f"{shorten(every[:8].tolist())}.",
            code="unknown-name",
        )
    return np.isin(every, listed)


class RecordedLesions:
    """All numbers of `ablate` of recorded data, by how. data, curves, areas : {how: {name: array}}."""

    def __init__(self, task: Task, plan: Plan, parts: list[str], score: str, higher: bool) -> None:
        self.task, self.plan, self.parts, self.score, self.higher = task, plan, parts, score, higher
        self.single: dict[str, dict[str, np.ndarray]] = {}
        self.curves: dict[str, dict[str, dict[str, np.ndarray]]] = {}
        self.areas: dict[str, dict[str, dict[str, Any]]] = {}
        self.intact: dict[str, float] = {}
        self.settings: dict[str, Any] = {}


def lesions_of_recorded(
    data: Any,
    /,
    *,
    target: Any,
    model: Any = None,
    parts: Any = None,
    how: Any = "mean",
    order: Any = ("random", "selectivity"),
    refit: bool = False,
    score: str | None = None,
    time: str | None = "mean",
    delays: Any = None,
    circular: bool = False,
    cv: int = 5,
    groups: Any = "auto",
    folds: str | None = None,
    gap: Any = "auto",
    standardise: bool = True,
    steps: Any = None,
    n_orders: int = 100,
    n_draws: int = 5,
    n_boot: int = 1000,
    n_deals: int = 3,
    single: bool = True,
    curves: bool = True,
    level: float = 0.95,
    rng: Any = None,
) -> RecordedLesions:
    """See `cs.ablate`."""
    seed = resolve_seed(rng, who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    n_orders = check_count(n_orders, name="n_orders", who=WHO, minimum=2)
    n_draws = check_count(n_draws, name="n_draws", who=WHO, minimum=1)
    n_deals = check_count(n_deals, name="n_deals", who=WHO)
    check_resamples(n_boot, "n_boot", who=WHO)
    task, checked = read_task(
        data,
        target,
        model=model,
        cv=cv,
        groups=groups,
        folds=folds,
        gap=gap,
        time=time,
        delays=delays,
        circular=circular,
        standardise=standardise,
        seed=seed,
        who=WHO,
    )
    units = _units_of(task, checked)
    names, columns, _ = parts_of(checked, units, task.x.shape[1], parts, who=WHO)
    score = check_option(
        score or SCORES[task.kind][0], SCORES[task.kind], name=f"score of {task.kind}", who=WHO
    )
    hows = _hows(how, refit)
    segments, weights, blocks, deal = _rows(task, n_boot, seed)
    scorer = Scorer(task, score, segments)
    removed = _steps(steps, len(names)) if curves else np.empty(0, np.int64)
    asked = _orders(order, task, columns, scorer, names) if curves else {}
    rng_orders = seed.stream("orders")
    random = np.stack([rng_orders.permutation(len(names)) for _ in range(n_orders)])
    plan = Plan(columns, Orders(random, asked), removed, bool(single))
    out = RecordedLesions(task, plan, names, score, HIGHER[score])
    fits = fits_of(task)
    others = [deal(seed.child(f"deal{k}")) for k in range(n_deals)] if deal is not None and n_boot else []
    other_fits = [fits_of(task, splits) for splits in others]
    for name, one in hows.items():
        count = 0 if not curves else min(n_orders, _REFITTED) if name == "refit" else n_orders
        options: dict[str, Any] = {"n_random": count, "n_draws": n_draws, "seed": seed.child("lesions")}
        run = run_lesions(task, fits, plan, one, scorer, **options)
        again = []
        if name != "refit":  # the deal moves impacts of one decoder and of refitted ones alike
            again = [run_lesions(task, f, plan, one, scorer, **options) for f in other_fits]
        _fill(out, name, run, again, weights, blocks, level)
    out.settings = {
        "verb": "ablate",
        "system": str(checked.attrs.get("system") or "data"),
        "kind": str(checked.attrs.get("kind", "activation")),
        "target": ", ".join(task.design.target.names) if task.design is not None else task.encoding.names[1],  # type: ignore[union-attr]
        "task": task.kind,
        "model": shorten(task.model, 300),
        "model_name": type(task.model).__name__,
        "score": score,
        "higher": HIGHER[score],
        "how": list(hows),
        "order": ["random", *asked] if curves else [],
        "n_units": int(units.size),
        "n_parts": len(names),
        "cv": cv,
        "n_orders": n_orders,
        "n_draws": n_draws,
        "n_boot": n_boot,
        "n_deals": len(others),
        "blocks": blocks,
        "level": level,
        "standardise": task.standardise,
        **(task.design.settings if task.design is not None else task.encoding.settings),  # type: ignore[union-attr]
    }
    out.settings["seed"] = str(seed)
    return out


def _units_of(task: Task, data: xr.DataArray) -> np.ndarray:
    """Ids of the units that vary; columns of x are these, once for each time or delay."""
    every = np.asarray(data["unit"].values if "unit" in data.coords else np.arange(data.sizes["unit"]))
    if (
        task.design is not None
        and not (data.ndim == 3 and task.design.units.size == task.x.shape[1] != every.size)
        and task.design.units.size == task.x.shape[1]
        and data.ndim < 3
    ):
        return task.design.units
    if task.x.shape[1] % every.size == 0:
        return every
    raise InputError(
        f"{WHO}: {every.size} units became {task.x.shape[1]} columns, some of which do not vary; leave out units that "
        "do not vary at all times.",
        code="constant-units",
    )


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


def _orders(order: Any, task: Task, columns: np.ndarray, scorer: Scorer, names: list[str]) -> dict[str, Any]:
    listed = [order] if isinstance(order, str) or not isinstance(order, (list, tuple, Mapping)) else order
    if isinstance(listed, list) and listed and not any(isinstance(v, (str, np.ndarray)) for v in listed):
        listed = [np.asarray(listed)]
    pairs = listed.items() if isinstance(listed, Mapping) else [(None, one) for one in listed]
    out: dict[str, Any] = {}
    known = ("random", "selectivity", "-selectivity", "impact", "-impact")
    for key, one in pairs:
        if isinstance(one, str):
            name = check_option(one, known, name="order", who=WHO)
            if name != "random":
                sign = -1.0 if name[0] == "-" else 1.0
                out[name] = (
                    selectivity_order(task, columns, sign)
                    if "selectivity" in name
                    else impact_order(task, columns, scorer, sign)
                )
            continue
        values = np.asarray(one)
        if values.shape != (len(names),) or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
            raise InputError(
                f"{WHO}: an order must be one of {', '.join(known)}, one finite score for each of {len(names)} parts "
                f"(the highest goes first), or their numbers in order; got {shorten(one)}.",
                code="bad-parameter",
            )
        given = values.dtype.kind in "iu" and np.array_equal(np.sort(values), np.arange(len(names)))
        fixed = values.astype(np.int64) if given else np.argsort(-values.astype(float), kind="stable")
        out[str(key) if key is not None else "given" + (f" {len(out)}" if "given" in out else "")] = (
            lambda fit, fixed=fixed: fixed
        )
    return out


def _rows(task: Task, n_boot: int, seed: Seed) -> tuple[np.ndarray, np.ndarray | None, int, Any]:
    """(segment of each row, weights (draws, segments) or None, independent items, deals of the folds)."""
    source: Any = task.design if task.design is not None else task.encoding
    n = len(task.x)
    length = source.settings.get("block_steps")
    whole = length is None or task.kind == "classes"
    size = 1 if whole else max(1, int(length) // 5)
    segments = np.arange(n) // size
    deal = source.deal
    if task.encoding is not None and deal is not None:
        inner = deal

        def deal(again: Seed) -> Any:
            return inner(again)[0]

    if not n_boot:
        return segments, None, source.blocks, deal
    rng = seed.stream("bootstrap")
    if whole:
        return segments, source.weights(n_boot, rng), source.blocks, deal
    count = int(segments[-1]) + 1
    return segments, block_weights(count, max(1, round(int(length) / size)), n_boot, rng), source.blocks, deal


def _fill(
    out: RecordedLesions,
    how: str,
    run: Run,
    again: list[Run],
    weights: np.ndarray | None,
    blocks: int,
    level: float,
) -> None:
    sign = 1.0 if out.higher else -1.0
    value = run.split(run.values()[0])
    draws = None if weights is None else run.split(run.values(weights))
    deals = [r.split(r.values()[0]) for r in again]

    def change(of: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ends and p of what ``of`` makes of values."""
        point = np.asarray(of(value))
        if draws is None:
            return (np.full(point.shape, np.nan),) * 3
        more = np.stack([of(d) for d in deals]) if deals else None
        return held_out_change(of(draws), point, level=level, blocks=blocks, deals=more)

    out.intact[how] = float(value["intact"])
    if "single" in value:

        def lost(v: Any) -> Any:
            return sign * (np.asarray(v["intact"])[..., None] - v["single"])

        low, high, p = change(lost)
        made = {"score": value["single"], "impact": lost(value), "ci_low": low, "ci_high": high, "p": p}
        made["q"] = fdr(p) if np.isfinite(p).all() else np.full(p.shape, np.nan)
        each = run.each()[0]
        made["class_impact"] = sign * (each[:1] - each[1:])
        if weights is not None:
            drawn = run.each(weights)
            lost_each = sign * (drawn[:, :1] - drawn[:, 1:])
            more = None
            if again:
                found = [r.each()[0] for r in again]
                more = np.stack([sign * (e[:1] - e[1:]) for e in found])
            made["class_low"], made["class_high"], made["class_p"] = held_out_change(
                lost_each, made["class_impact"], level=level, blocks=blocks, deals=more
            )
        out.single[how] = made
    if not out.plan.steps.size:
        return
    fraction = out.plan.steps / len(out.parts)
    curves, areas = {}, {}
    random_areas = area_under(value["random"], fraction)
    for name in ("random", *out.plan.orders.named):

        def line(v: Any, name: str = name) -> np.ndarray:
            return np.asarray(v[name].mean(axis=-2) if name == "random" else v[name])

        low, high, _ = change(line)
        curves[name] = {"score": line(value), "ci_low": low, "ci_high": high}
        a_low, a_high, _ = change(lambda v: area_under(line(v), fraction))
        areas[name] = {"area": area_under(line(value), fraction), "ci_low": a_low, "ci_high": a_high}
        if name == "random":
            curves[name]["draws"] = value["random"]
            areas[name]["draws"] = random_areas
            continue

        def apart(v: Any) -> np.ndarray:
            return area_under(line(v), fraction) - area_under(v["random"].mean(axis=-2), fraction)

        d_low, d_high, d_p = change(apart)
        below = int((random_areas <= areas[name]["area"] + 1e-12).sum())
        above = int((random_areas >= areas[name]["area"] - 1e-12).sum())
        areas[name] |= {
            "difference": apart(value),
            "difference_low": d_low,
            "difference_high": d_high,
            "difference_p": d_p,
            "p_random": float(np.minimum(1.0, 2 * (np.minimum(below, above) + 1) / (random_areas.size + 1))),
        }
    out.curves[how], out.areas[how] = curves, areas
