"""Plays a game: all coalitions, or random orders until the intervals are narrow enough."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._seeds import Seed
from consilience.analyses._shapley_game import HELD, WHO, Game
from consilience.networks._progress import announce_long, progress_bar
from consilience.stats._shapley import (
    all_coalitions,
    shapley_interaction,
    shapley_interactions,
    shapley_values,
    single_contributions,
)
from consilience.stats._shapley_sampling import (
    FIRST,
    ORDERS,
    Estimate,
    ShapleySums,
    chains,
    coalitions_needed,
    contributions,
    look_sizes,
    pair_coalitions,
    pair_effects,
    random_orders,
    sampling_goal,
)

__all__ = ["Played", "play"]

EXACT = 14  # players of which all coalitions are played, where the budget holds them
KEPT = 2_000_000  # values per player and stimulus that a result holds
PAIR_SETS = 64


@dataclass
class Played:
    """data, interactions as in `Shapley`; settings: what was done."""

    data: xr.Dataset
    interactions: xr.Dataset | None
    settings: dict[str, Any] = field(default_factory=dict)


def play(
    game: Game,
    *,
    exact: bool | None,
    precision: float | None,
    budget: int,
    interactions: int,
    level: float,
    progress: bool | None,
    seed: Seed,
) -> Played:
    p = len(game.names)
    fits = 2**p <= budget and 2**p * game.n <= 50 * HELD if p <= EXACT else False
    if exact is None:
        exact = p <= 3 or (fits and not game.random)
    exact = exact or p == 1
    if exact and p > 20:
        raise InputError(
            f"{WHO}: exact=True plays all 2^{p} coalitions, for at most 20 players; leave it out, or group the parts.",
            code="bad-parameter",
        )
    if exact and 2**p * game.n > 50 * HELD:
        raise InputError(
            f"{WHO}: exact=True would hold 2^{p} coalitions x {game.n} stimuli; leave it out, or show fewer stimuli.",
            code="bad-parameter",
        )
    most = 2**p if exact else budget
    seconds = game.seconds(most)
    announce_long(WHO, f"{'all' if exact else 'at most'} {most:,} coalitions", seconds, progress)
    about: dict[str, Any] = {**game.about, "seconds_expected": float(seconds), "budget": int(budget)}
    if exact:
        return _exact(game, interactions, level, progress, about)
    return _sampled(game, precision, budget, interactions, level, progress, seed, about)


def _exact(
    game: Game, interactions: int, level: float, progress: bool | None, about: dict[str, Any]
) -> Played:
    p = len(game.names)
    masks = all_coalitions(p)
    values = np.empty((len(masks), game.n))
    step = max(1, min(HELD // game.n, 512))
    with progress_bar("coalitions", len(masks), progress) as advance:
        for i in range(0, len(masks), step):
            values[i : i + step] = game.values(masks[i : i + step])
            advance(len(masks[i : i + step]))
    each = shapley_values(values)
    single, alone = single_contributions(values.mean(axis=1))
    data = _table(game, _of_exact(each, game.members, level), each, single, alone, level)
    found = None
    if interactions and p > 1:
        chosen = _pairs(data["value"].values, interactions)
        if p <= 10 and values.size * 4 < 50 * HELD:
            both = shapley_interactions(values)
            pair = np.stack([both[i, j] for i, j in chosen])
        else:
            pair = np.stack([shapley_interaction(values, i, j) for i, j in chosen])
        found = _pair_table(game, chosen, _of_exact(pair, game.members[:1], level), level)
    about |= _ends(values[-1].mean(), values[0].mean()) | {"method": "exact", "n_coalitions": game.played}
    return Played(data, found, about)


def _sampled(
    game: Game,
    precision: float | None,
    budget: int,
    interactions: int,
    level: float,
    progress: bool | None,
    seed: Seed,
    about: dict[str, Any],
) -> Played:
    p = len(game.names)
    per_set = ORDERS * (p - 1) + (1 if game.random else 0)
    sets = (budget - 2 - 2 * p) // per_set
    if sets < FIRST // 2:
        need = per_set * FIRST // 2 + 2 + 2 * p
        raise InputError(
            f"{WHO}: budget={budget} is too small for {p} players: {FIRST // 2} sets of {ORDERS} orders, the fewest "
            f"that have an interval, play {need} coalitions.",
            code="small-budget",
        )
    rng = seed.stream("orders")
    eye = np.eye(p, dtype=bool)
    nobody, everybody = np.zeros((1, p), dtype=bool), np.ones((1, p), dtype=bool)
    none, whole = game.values(nobody), game.values(everybody)
    single = whole.mean() - game.values(~eye).mean(axis=1)
    alone = game.values(eye).mean(axis=1) - none.mean()
    wanted = sampling_goal(precision, none, whole, single, alone)
    sums = ShapleySums(p, game.members)
    looks = look_sizes(sets)
    stopping = len(looks) > 1
    step = 1 if game.random else max(1, min(HELD // (ORDERS * (p + 1) * game.n), 64))
    floor, draws = np.zeros(game.n), 0
    with progress_bar("sets of orders", sets, progress) as advance:
        for size in looks:
            while sums.sets < size:
                count = min(step, size - sums.sets)
                orders = random_orders(p, count, rng).reshape(-1, p)
                draws += 1
                if game.random:
                    none = game.values(nobody, draws)
                    floor += none[0]
                grown = game.values(chains(orders).reshape(-1, p), draws if game.random else 0)
                grown = grown.reshape(len(orders), p - 1, game.n)
                ends = [np.broadcast_to(v, (len(orders), 1, game.n)) for v in (none[0], whole[0])]
                added = contributions(np.concatenate([ends[0], grown, ends[1]], axis=1), orders)
                sums.add(added.reshape(count, ORDERS, p, game.n).mean(axis=1))
                advance(count)
            found = sums.estimate(level, stopped=stopping)
            if found.half_sampling[:, 0].max() <= wanted:
                break
    widest = float(found.half_sampling[:, 0].max())
    if widest > wanted:
        more = coalitions_needed(game.played, widest, wanted)
        warn(
            "precision-not-reached",
            f"{WHO}: after {game.played:,} coalitions the widest interval over orders is +- {widest:.3g}, not "
            f"{wanted:.3g}.",
            f"Give budget={more:,.0f}, or a larger precision=." if np.isfinite(more) else "Give precision=.",
        )
    if game.random:
        none = (floor / sums.sets)[None]
    data = _table(game, found, sums.each, single, alone, level)
    orders_played = game.played
    table = None
    if interactions and p > 2:
        table = _sampled_pairs(game, _pairs(found.value[:, 0], interactions), level, seed, progress)
    about |= _ends(whole.mean(), none.mean()) | {
        "method": "random orders",
        "n_orders": int(sums.sets * ORDERS),
        "n_coalitions": int(orders_played),
        "n_coalitions_of_pairs": int(game.played - orders_played),
        "precision": float(wanted),
        "half_widest": widest,
        "reached": bool(widest <= wanted),
    }
    return Played(data, table, about)


def _sampled_pairs(
    game: Game, chosen: list[tuple[int, int]], level: float, seed: Seed, progress: bool | None
) -> xr.Dataset:
    p, rng = len(game.names), seed.stream("pairs")
    sums = ShapleySums(len(chosen), game.members[:1])
    with progress_bar("pairs", len(chosen) * PAIR_SETS, progress) as advance:
        step = 1 if game.random else max(1, min(HELD // (8 * len(chosen) * game.n), PAIR_SETS))
        while sums.sets < PAIR_SETS:
            count = min(step, PAIR_SETS - sums.sets)
            masks = np.stack([pair_coalitions(p, i, j, count, rng) for i, j in chosen], axis=1)
            draw = 10**6 + sums.sets if game.random else 0
            values = game.values(masks.reshape(-1, p), draw).reshape(-1, 2, 4, game.n)
            sums.add(pair_effects(values).reshape(count, len(chosen), game.n))
            advance(count * len(chosen))
    return _pair_table(game, chosen, sums.estimate(level), level)


def _pairs(value: np.ndarray, top: int) -> list[tuple[int, int]]:
    """All pairs of the ``top`` players of largest absolute value, in their order."""
    order = np.sort(np.argsort(-np.abs(value), kind="stable")[:top])
    return [(int(i), int(j)) for i, j in itertools.combinations(order, 2)]


def _of_exact(each: np.ndarray, members: np.ndarray, level: float) -> Estimate:
    """Without an error of sampling. each : (P, n)"""
    sums = ShapleySums(len(each), members)
    sums.add(each[None])
    return sums.estimate(level)


def _ends(everybody: float, nobody: float) -> dict[str, Any]:
    return {"v_all": float(everybody), "v_nobody": float(nobody)}


def _columns(game: Game, found: Estimate, level: float) -> dict[str, np.ndarray]:
    """What a table says of each player, or pair: (rows, 1 + classes) each."""
    p, q = found.tested(level, stimuli=game.per_stimulus)
    low, high = found.interval(stimuli=game.per_stimulus)
    return {
        "value": found.value,
        "ci_low": low,
        "ci_high": high,
        "se_sampling": found.se_sampling,
        "half_sampling": found.half_sampling,
        "se_stimuli": found.se_stimuli,
        "p": p,
        "q": q,
    }


def _table(
    game: Game, found: Estimate, each: np.ndarray, single: np.ndarray, alone: np.ndarray, level: float
) -> xr.Dataset:
    columns = _columns(game, found, level)
    data = xr.Dataset({name: ("player", values[:, 0]) for name, values in columns.items()})
    data["single"], data["alone"] = ("player", single), ("player", alone)
    data = data.assign_coords(player=np.asarray(game.names, dtype=object).astype(str))
    if game.classes:
        data = data.assign_coords({"class": np.asarray(game.classes)})
        for name, key in (("value", "value"), ("ci_low", "low"), ("ci_high", "high"), ("p", "p"), ("q", "q")):
            data[f"class_{key}"] = (("player", "class"), columns[name][:, 1:])
    if game.per_stimulus and game.n > 1 and each.size <= KEPT:
        data["each"] = (("player", "stimulus"), each)
        data = data.assign_coords(stimulus=game.stimuli)
    return data


def _pair_table(game: Game, chosen: list[tuple[int, int]], found: Estimate, level: float) -> xr.Dataset:
    columns = _columns(game, found, level)
    del columns["half_sampling"]  # of players alone
    out = xr.Dataset({name: ("pair", values[:, 0]) for name, values in columns.items()})
    first, second = ([game.names[k] for k in side] for side in zip(*chosen))
    out["first"], out["second"] = ("pair", np.asarray(first)), ("pair", np.asarray(second))
    return out.assign_coords(pair=[f"{a}, {b}" for a, b in zip(first, second)])
