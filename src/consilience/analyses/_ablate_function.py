"""`ablate` where the score is a function that runs the network itself: one number (or one per stimulus) per lesion."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from consilience._core._errors import InputError, collect_cautions, warn
from consilience.analyses._ablate_network import Made, Wanted
from consilience.analyses._ablate_orders import read_orders
from consilience.analyses._ablate_runs import (
    Curves,
    Job,
    how_name,
    is_random,
    joined,
    nested,
    say_cost,
    steps_of,
)
from consilience.analyses._ablate_scores import Scores
from consilience.analyses._ablate_tables import curve_table, part_table
from consilience.analyses._evaluate_outputs import Score
from consilience.networks import record
from consilience.networks._chance import same_draws
from consilience.networks._lesion import lesioned
from consilience.networks._progress import progress_bar

__all__ = ["ablate_function"]

WHO = "cs.ablate"


def ablate_function(job: Job, wanted: Wanted, score: Score, first: np.ndarray, seconds: float) -> Made:
    """Everything, with one call of the function per lesion. first : what it gave for the intact network.
    seconds : how long that took.
    """
    parts = job.parts
    orders = read_orders(wanted.order, parts.names) if wanted.curves else []
    looking = [one.name for one in orders if one.kind not in ("random", "given")]
    if looking:
        raise InputError(
            f"{WHO}: order={looking[0]!r} is found on stimuli that the verb shows, and evaluate= runs the network by "
            "itself. Pass stimuli= and target=, use 'random', or give scores of your own.",
            code="bad-order",
        )
    steps = steps_of(wanted.steps, len(parts))
    intact = _as_scores(first[None])
    count = sum(
        len(parts) * len(job.draws(how)) * wanted.single
        + (steps.size - 1)
        * (job.n_orders + sum(o.kind == "given" for o in orders) * len(job.draws(how)))
        * bool(orders)
        for how in wanted.hows
    )
    start = time.perf_counter()
    say_cost(seconds * count, count, 1.0, "full", job.progress)
    stand_ins = {how_name(how): _stand_in(job, how) for how in wanted.hows}
    singles: dict[str, Scores] = {}
    curves: dict[str, Curves] = {}
    with progress_bar("lesions", count, job.progress) as advance:

        def run(how: Any, masks: np.ndarray, draws: list[int]) -> Scores:
            """(m,) scores; a mask that removes nothing is the intact network."""
            stand_in, reference = stand_ins[how_name(how)]
            found = []
            for mask in masks:
                each = []
                for draw in draws if mask.any() else [0]:
                    if not mask.any():
                        each.append(first)
                        continue
                    rng = job.seed.stream(f"lesions {how_name(how)} {draw}") if is_random(how) else None
                    with lesioned(
                        job.net,
                        parts,
                        mask,
                        how=stand_in,
                        reference=reference,
                        rng=rng,
                        device=job.device,
                        who=WHO,
                    ):
                        value = score.f()
                    if value.shape != first.shape:
                        raise InputError(
                            f"{WHO}: evaluate returned shape {first.shape} for the intact network and {value.shape} "
                            "under a lesion; it must score the same stimuli in the same order.",
                            code="bad-evaluate",
                        )
                    each.append(value)
                    advance(1)
                found.append(np.mean(each, axis=0))
            return _as_scores(np.array(found))

        for how in wanted.hows:
            name = how_name(how)
            singles[name] = (
                run(how, np.eye(len(parts), dtype=bool), job.draws(how))
                if wanted.single
                else intact.at(slice(0, 0))
            )
            if orders:
                rng = job.seed.stream("orders")
                drawn = [nested(rng.permutation(len(parts)), steps) for _ in range(job.n_orders)]
                random = [run(how, masks, [k]) for k, masks in enumerate(drawn)]
                sequences = {o.name: o.sequence for o in orders if o.sequence is not None}
                curves[name] = Curves(
                    intact,
                    joined(random) if random else None,
                    {o: run(how, nested(s, steps), job.draws(how)) for o, s in sequences.items()},
                    sequences,
                )
    if intact.each is None:
        warn(
            "no-interval",
            "evaluate= gives one number, so impacts have no interval over stimuli and no p.",
            "Return one score per stimulus, or pass stimuli= and target=.",
        )
    data = part_table(
        intact,
        singles,
        parts,
        None,
        None,
        {how: np.zeros(len(parts), dtype=bool) for how in singles},
        level=wanted.level,
        n_perm=wanted.n_perm,
        rng=job.seed.stream("sign flips"),
    )
    table = (
        curve_table(
            curves,
            steps,
            [o.name for o in orders],
            None,
            np.zeros(0, int),
            n_parts=len(parts),
            level=wanted.level,
        )
        if curves
        else None
    )
    took = time.perf_counter() - start
    settings = {
        "n_stimuli": int(first.size) if first.ndim else 0,
        "n_chosen": 0,
        "n_scored": int(first.size) if first.ndim else 0,
        "n_reference": int(job.data.shape[0]),
        "orders": {},
        "cost_seconds": float(f"{took:.3g}"),
        "cost_share": 1.0,
        "route": "full",
        "check_lesions": 0,
        "steps": steps.tolist(),
        "off_distribution_of": None,
    }
    methods = (
        f"{len(parts)} {parts.kind} were removed (replaced by: {', '.join(map(how_name, wanted.hows))}) while "
        f"{score.name} ran the network; impact is intact minus lesioned.",
    )
    return Made(data, table, None, settings, methods)


def _stand_in(job: Job, how: Any) -> tuple[Any, Any]:
    """What ``how`` is for each lesion, and the stimuli it is taken from. Means are taken once; what needs no reference
    gets a short one, as each lesion runs it.
    """
    short = job.reference[:2]
    if not isinstance(how, str) or how in ("zero", "skip"):
        return how, short
    sites = job.parts.sites
    plain = len(sites) == 1 and sites[0].place.mode == "output" and sites[0].times is None
    if how != "mean" or not plain:
        return how, job.reference
    layer = job.parts.layers[0]
    with collect_cautions(), same_draws(0):  # of a network that draws at random
        acts = record(job.net, job.reference, layers=[layer], device=job.device, progress=False)
    if list(acts) != [layer] or acts[layer].shape[1] != sites[0].place.n_units:
        return how, job.reference
    return acts[layer].values.astype(np.float64).mean(axis=0), short


def _as_scores(found: np.ndarray) -> Scores:
    if found.ndim == 1:
        return Scores(value=found)
    return Scores(value=found.mean(axis=1), each=found)
