"""The orders in which parts are removed: at random, by selectivity, attribution, impact, greedily, or as given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, collect_cautions, nearest
from consilience._core._params import shorten
from consilience.analyses._evaluate_outputs import Labels
from consilience.analyses._given_orders import Listed, orders_asked
from consilience.networks import record
from consilience.networks._unit_attribution import unit_attribution
from consilience.units import class_selectivity, tuning_strength

__all__ = ["CHOSEN", "Order", "by_scores", "part_activations", "read_orders", "scores_by_name"]

WHO = "cs.ablate"
CHOSEN = ("selectivity", "attribution", "impact", "greedy")  # by looking at data
_NAMES = ("random", *CHOSEN)
_MOST_GREEDY = 256


@dataclass(frozen=True, eq=False)
class Order:
    """name : as results show it.   kind : "random", one of `CHOSEN`, or "given".   reverse : the other end first.
    sequence : (P,) of "given", part numbers.
    """

    name: str
    kind: str
    reverse: bool = False
    sequence: np.ndarray | None = None


def read_orders(order: Any, names: Sequence[str]) -> list[Order]:
    """``order`` as a list: a name ("random", "selectivity", "-selectivity"...), part numbers or names, scores that are
    not whole numbers, {name: scores}, or a list of these.
    """
    n_parts = len(names)
    known = [*_NAMES, *(f"-{one}" for one in CHOSEN)]
    found = [
        _named(one) if isinstance(one, str) else Order(name, "given", sequence=one)
        for name, one in orders_asked(order, Listed(names, np.arange(n_parts), n_parts), known)
    ]
    given = [one.name for one in found]
    if not found or len(set(given)) < len(given):
        raise InputError(f"{WHO}: order must name each order once, got {shorten(given)}.", code="bad-order")
    greedy = [one for one in found if one.kind == "greedy"]
    if greedy and n_parts > _MOST_GREEDY:
        raise InputError(
            f"{WHO}: order='greedy' tries every part that is left at every step, {n_parts * (n_parts + 1) // 2:,} "
            f"lesions for {n_parts} parts; it is limited to {_MOST_GREEDY} parts. Use order='impact', or fewer parts.",
            code="too-large",
        )
    return found


def _named(name: str) -> Order:
    plain = name.removeprefix("-")
    if plain not in _NAMES or name == "-random":
        known = [*_NAMES, *(f"-{one}" for one in CHOSEN)]
        raise InputError(
            f"{WHO}: order must be one of {', '.join(repr(one) for one in known)}, scores or part numbers; got "
            f"{shorten(name)}.{nearest(name, known) if nearest(name, known).startswith(' Did') else ''}",
            code="bad-order",
        )
    return Order(name, plain, reverse=name.startswith("-"))


def by_scores(
    scores: np.ndarray, reverse: bool = False, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Part numbers, highest score first (lowest with ``reverse``); equal ones in an order drawn by ``rng``."""
    scores = np.where(np.isfinite(scores), scores, -np.inf if not reverse else np.inf)
    tie = np.arange(scores.size) if rng is None else rng.permutation(scores.size)
    return np.lexsort((tie, scores if reverse else -scores))


def part_activations(
    net: Any, parts: Any, stimuli: xr.DataArray, what: str, device: str | None
) -> np.ndarray:
    """(n, P) activation of each part: of a unit, the mean over places of a channel."""
    if parts.kind not in ("units", "channels"):
        raise InputError(
            f"{WHO}: order={what!r} is for units and channels, not for parts of kind {parts.kind!r}; use 'random', "
            "'impact', or scores of your own.",
            code="bad-order",
        )
    spatial = "flatten" if parts.kind == "units" else "mean"
    layers = list(dict.fromkeys(parts.layers))
    acts = record(net, stimuli, layers=layers, spatial=spatial, device=device, progress=False)  # type: ignore[arg-type]
    out = np.empty((stimuli.shape[0], len(parts)))
    for layer in layers:
        if layer not in acts:
            raise InputError(
                f"{WHO}: order={what!r} reads a layer that gives one array; {layer!r} gives {', '.join(acts)}.",
                code="bad-order",
            )
        mine = np.array([one == layer for one in parts.layers])
        out[:, mine] = acts[layer].values[:, parts.unit_of[mine]]
    return out


def scores_by_name(
    kind: str,
    net: Any,
    parts: Any,
    stimuli: xr.DataArray,
    labels: Labels | None,
    *,
    baseline: str,
    device: str | None,
    batch_size: int | None,
) -> tuple[np.ndarray, str]:
    """Scores (P,) of parts by "selectivity" or "attribution" on ``stimuli``, and what they are in words."""
    if labels is None or labels.codes is None or labels.classes is None:
        raise InputError(
            f"{WHO}: order={kind!r} needs class labels: pass target= (a class per stimulus).",
            code="no-target",
        )
    if kind == "selectivity":
        x = part_activations(net, parts, stimuli, kind, device)
        fewest = np.bincount(labels.codes).min()
        if (x >= 0).all() and fewest >= 2:
            with collect_cautions():  # silent units have no index and go last
                found = class_selectivity(x, labels.codes, n_perm=0, n_floor=0, n_splits=20)
            return np.nan_to_num(found.corrected, nan=0.0), "class selectivity, held out"
        return tuning_strength(x, codes=labels.codes), "share of variance between classes"
    layers = list(dict.fromkeys(parts.layers))
    if len(layers) != 1 or parts.kind not in ("units", "channels"):
        raise InputError(
            f"{WHO}: order='attribution' is for units or channels of one layer, not for parts of kind {parts.kind!r}; "
            "use 'impact', or scores of your own.",
            code="bad-order",
        )
    index = labels.values if labels.values.dtype.kind in "iu" else labels.codes
    per = unit_attribution(
        net,
        layers[0],
        stimuli,
        index,
        per=parts.kind,
        baseline="mean" if baseline == "mean" else "zero",
        batch_size=batch_size,
        device=device,
        who=WHO,
    )
    return per.mean(axis=0)[parts.unit_of], "gradient x activation of the class's output"
