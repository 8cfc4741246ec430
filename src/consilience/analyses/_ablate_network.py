"""`ablate` of a network shown stimuli: intact, single parts, orders, curves, doubts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._memory import check_fits, gigabytes
from consilience.analyses._ablate_doubts import agreements, check_other_hows, compared_with, say_doubts
from consilience.analyses._ablate_orders import CHOSEN, Order, read_orders
from consilience.analyses._ablate_runs import Curves, Job, Side, how_name, say_cost, steps_of
from consilience.analyses._ablate_scores import Scores, effects
from consilience.analyses._ablate_tables import agreement_table, curve_table, part_table
from consilience.analyses._evaluate_outputs import Labels, make_score, read_labels
from consilience.analyses._given_orders import doubt_few_orders
from consilience.stats import OffDistribution, stratified_folds

__all__ = ["Made", "Wanted", "ablate_network"]

WHO = "cs.ablate"
_FEWEST = 4
_FEWEST_FAR = 16  # stimuli for a covariance of either half


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is asked for, checked. hows : choices of ``how``.   select : None, or stimuli and target for orders."""

    hows: list[Any]
    order: Any
    steps: Any
    curves: bool
    single: bool
    select: Any
    target: Any
    n_boot: int
    n_perm: int
    level: float
    check_how: bool


@dataclass(frozen=True, eq=False)
class Made:
    data: xr.Dataset
    curves: xr.Dataset | None
    agreement: xr.Dataset | None
    settings: dict[str, Any]
    methods: tuple[str, ...]


def ablate_network(job: Job, wanted: Wanted) -> Made:
    """Everything of one network and its stimuli."""
    n, parts = job.data.shape[0], job.parts
    if n < _FEWEST:
        raise InputError(f"{WHO}: needs at least {_FEWEST} stimuli, got {n}.", code="too-few")
    orders = read_orders(wanted.order, parts.names) if wanted.curves else []
    steps = steps_of(wanted.steps, len(parts))
    _check_memory(job, wanted, steps)
    by_looking = any(one.kind in CHOSEN for one in orders)
    choose_rows, score_rows = _split(job, by_looking and wanted.select is None)
    everything = np.arange(n)
    singles: dict[str, Scores] = {}
    curves: dict[str, Curves] = {}
    unchanged: dict[str, np.ndarray] = {}
    intact: Scores | None = None
    total, share, route = 0.0, 1.0, "full"
    for how in wanted.hows:
        name = how_name(how)
        with job.open(how) as run:
            if intact is None:
                job.outputs = run.intact
                job.off = _off(job, run)
            side = job.side(everything)
            if intact is None:
                intact = job.scores(run, side, None, [0])
            if not total:
                lesions = _lesions(job, wanted, orders, steps)
                cost = run.cost(max(1, lesions))
                total, share, route = cost.seconds, cost.share, cost.route
                say_cost(total, lesions, share, route, job.progress)
            unchanged[name] = np.asarray(run.unchanged)
            needs = any(one.kind == "impact" for one in orders) and wanted.select is None
            found = job.singles(run, side, how) if wanted.single or needs else None
            if orders and (not by_looking or wanted.select is not None):
                sequences = _sequences(job, wanted, orders, how, None, None)
                curves[name] = job.curves(run, side, how, sequences, steps)
        if found is not None:
            singles[name] = found
        if orders and name not in curves:
            impacts = None
            if found is not None and any(one.kind == "impact" for one in orders):
                impacts = (
                    effects(intact, found, wanted.level, choose_rows)[0]
                    if found.paired
                    else job.impacts_on(how, job.side(choose_rows))
                )
            sequences = _sequences(job, wanted, orders, how, job.side(choose_rows), impacts)
            half = job.side(score_rows)
            with job.open(how, half.data) as run:
                curves[name] = job.curves(run, half, how, sequences, steps)
    assert intact is not None
    shown = singles if wanted.single else {how_name(how): _none_of(intact) for how in wanted.hows}
    data = part_table(
        intact,
        shown,
        parts,
        job.labels,
        job.off,
        unchanged,
        level=wanted.level,
        n_perm=wanted.n_perm,
        rng=job.seed.stream("sign flips"),
    )
    names = [one.name for one in orders]
    table = (
        curve_table(curves, steps, names, job.off, score_rows, n_parts=len(parts), level=wanted.level)
        if curves
        else None
    )
    agreed, checked = _agreement(job, wanted, intact, singles if wanted.single else {})
    say_doubts(data, table, agreed, sampled=bool(checked))
    if any(one.kind != "random" for one in orders):
        doubt_few_orders(job.n_orders)
    settings = {
        "n_stimuli": n,
        "n_chosen": int(choose_rows.size) if by_looking and wanted.select is None else 0,
        "n_scored": int(score_rows.size),
        "orders": dict(job.words),
        "cost_seconds": float(f"{total:.3g}"),
        "cost_share": float(f"{share:.3g}"),
        "route": route,
        "check_lesions": checked,
        "steps": steps.tolist(),
        "off_distribution_of": job.watch if job.off is not None else None,
    }
    return Made(data, table, agreement_table(agreed), settings, _methods(job, wanted, orders, by_looking))


def _check_memory(job: Job, wanted: Wanted, steps: np.ndarray) -> None:
    """Refuses masks and scores per stimulus that would not fit."""
    n, count = job.data.shape[0], len(job.parts)
    single = count * (count + 3 * 8 * 2 * n * len(wanted.hows)) if wanted.single else 0
    curves = steps.size * job.n_orders * (count + 3 * 8 * 2 * n * len(wanted.hows)) if wanted.curves else 0
    free = check_fits(single + curves)
    if free is not None:
        raise InputError(
            f"{WHO}: {count:,} parts and {n:,} stimuli need about {gigabytes(single + curves)} of memory, and {free} "
            "is free; remove channels or groups (parts=), show fewer stimuli, or read fewer steps.",
            code="too-large",
        )


def _none_of(intact: Scores) -> Scores:
    return intact.at(slice(0, 0))


def _split(job: Job, needed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Stimuli on which orders are chosen, and those on which they are scored: halves, balanced over classes."""
    n = job.data.shape[0]
    if not needed:
        return np.arange(n), np.arange(n)
    if n < 2 * _FEWEST:
        raise InputError(
            f"{WHO}: an order that is chosen by looking takes one half of the stimuli to choose and one to score, at "
            f"least {2 * _FEWEST} together, got {n}; use order='random', or give select=.",
            code="too-few",
        )
    rng = job.seed.stream("halves")
    codes = None if job.labels is None else job.labels.codes
    if codes is None:
        first = np.sort(rng.permutation(n)[: n // 2])
    else:
        first = np.sort(stratified_folds(codes, np.arange(n), 2, rng)[0])
    return first, np.setdiff1d(np.arange(n), first)


def _off(job: Job, run: Any) -> OffDistribution | None:
    n = job.data.shape[0]
    if n < _FEWEST_FAR:
        warn(
            "few-stimuli",
            f"{n} stimuli are too few for a covariance of intact activations, so there is no off-distribution score.",
            f"Show at least {_FEWEST_FAR}, better some hundreds.",
        )
        return None
    if job.watching:
        none = np.zeros((1, len(job.parts)), dtype=bool)
        values = next(iter(run.watched(none)))
    else:
        values = run.intact
    first = np.zeros(n, dtype=bool)
    first[job.seed.stream("off distribution").permutation(n)[: n // 2]] = True
    return OffDistribution(values.reshape(n, -1), first)


def _lesions(job: Job, wanted: Wanted, orders: list[Order], steps: np.ndarray) -> int:
    """How many passes over all stimuli are to come (those on half of them count half)."""
    count = len(job.parts)
    by_looking = any(one.kind in CHOSEN for one in orders)
    share = 0.5 if by_looking and wanted.select is None else 1.0
    total = 0.0
    for how in wanted.hows:
        draws = len(job.draws(how))
        total += count * draws * (wanted.single or any(one.kind == "impact" for one in orders))
        if orders:
            ordered = sum(one.kind != "random" for one in orders)
            total += share * steps.size * (job.n_orders + ordered * draws)
            greedy = sum(one.kind == "greedy" for one in orders)
            total += share * greedy * draws * count * (count + 1) / 2
    return int(total)


def _sequences(
    job: Job,
    wanted: Wanted,
    orders: list[Order],
    how: Any,
    choosing: Side | None,
    impacts: np.ndarray | None,
) -> dict[str, np.ndarray]:
    if not any(one.kind in CHOSEN for one in orders):
        return job.sequences(orders, how, choosing, impacts) if orders else {}  # type: ignore[arg-type]
    if choosing is None:  # other stimuli were given
        choosing = _selected(job, wanted)
        if any(one.kind == "impact" for one in orders):
            impacts = job.impacts_on(how, choosing)
    return job.sequences(orders, how, choosing, impacts)


def _selected(job: Job, wanted: Wanted) -> Side:
    stimuli, target = wanted.select
    labels: Labels | None = read_labels(stimuli, target, who=WHO) if target is not None else None
    if labels is not None and job.labels is not None and labels.classes is not None:
        known = job.labels.classes
        if known is not None and not np.isin(labels.classes, known).all():
            raise InputError(
                f"{WHO}: select= has classes that the stimuli do not have; orders are chosen and scored on the same "
                "classes.",
                code="class-mismatch",
            )
        if known is not None and labels.values.dtype.kind == "U":
            labels = Labels(values=labels.values, codes=np.searchsorted(known, labels.values), classes=known)
    outputs = np.zeros((len(stimuli), *job.outputs.shape[1:])) + job.outputs[:1]
    score = make_score(job.evaluate, labels, outputs, who=WHO)
    return Side(stimuli, labels, np.arange(len(stimuli)), score, None, None)


def _agreement(job: Job, wanted: Wanted, intact: Scores, singles: dict[str, Scores]) -> tuple[list[Any], int]:
    if len(singles) > 1:
        rng = job.seed.stream("agreement")
        return agreements(intact, singles, n_boot=wanted.n_boot, level=wanted.level, rng=rng), 0
    one = compared_with(wanted.hows)
    if not wanted.check_how or one is None or intact.each is None:
        return [], 0
    return check_other_hows(job, one, n_boot=wanted.n_boot, level=wanted.level)


def _methods(job: Job, wanted: Wanted, orders: list[Order], by_looking: bool) -> tuple[str, ...]:
    hows = ", ".join(how_name(how) for how in wanted.hows)
    said = [
        f"{len(job.parts)} {job.parts.kind} were removed (replaced by: {hows}) and the network scored on "
        f"{job.data.shape[0]} stimuli; impact is intact minus lesioned."
    ]
    if wanted.single:
        said.append(
            "Intervals are over stimuli (paired), p by sign flips over stimuli, q the false discovery rate over parts."
        )
    if orders:
        text = f"Parts were also removed one after the other in the order {', '.join(o.name for o in orders)}"
        if job.n_orders:
            text += f", against {job.n_orders} random orders"
        if by_looking:
            text += "; orders were chosen on other stimuli than they were scored on"
        said.append(f"{text}.")
    return tuple(said)
