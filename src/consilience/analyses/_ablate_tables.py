"""Tables of an `Ablation`: single parts, curves, agreement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import warn
from consilience.analyses._ablate_runs import Curves
from consilience.analyses._ablate_scores import Scores, effects
from consilience.analyses._evaluate_outputs import Labels
from consilience.stats import (
    EffectAgreement,
    OffDistribution,
    area_under_curve,
    fdr,
    order_against_random,
    paired_effect,
)
from consilience.stats._item_changes import beyond_draws, draws_for_q
from consilience.stats._lesion_effects import effect_around, lesion_p, random_orders_interval, settled

__all__ = ["agreement_table", "curve_table", "part_table"]

_MOST_CLASSES = 1000
ALPHA = 0.05


def part_table(
    intact: Scores,
    singles: Mapping[str, Scores],
    parts: Any,
    labels: Labels | None,
    off: OffDistribution | None,
    unchanged: Mapping[str, np.ndarray],
    *,
    level: float,
    n_perm: int,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Of each part removed alone, for each ``how``."""
    hows = list(singles)
    count = len(parts) if any(s.value.size for s in singles.values()) else 0
    found: dict[str, list[np.ndarray]] = {}

    def put(name: str, values: np.ndarray) -> None:
        found.setdefault(name, []).append(np.asarray(values))

    blank = np.full(count, np.nan)
    for how in hows:
        one = singles[how]
        impact, low, high = effects(intact, one, level)
        p = lesion_p(impact, one.lost(intact), paired=one.paired, n_perm=n_perm, rng=rng)
        for name, values in (
            ("score", one.value),
            ("impact", impact),
            ("ci_low", low),
            ("ci_high", high),
            ("p", p),
            ("q", fdr(p) if np.isfinite(p).any() else p),
            ("unchanged", unchanged[how][:count]),
        ):
            put(name, values)
        _say_few(p, n_perm)
        away = (blank,) * 3 if off is None or one.distance is None else off.ratio(one.distance, level=level)
        for name, values in zip(("off_distribution", "off_low", "off_high"), away):
            put(name, values)
        if one.loss is not None and intact.loss is not None:
            worse = settled(one.loss - intact.loss, intact.loss)
            for name, values in zip(
                ("loss_impact", "loss_low", "loss_high"), paired_effect(worse, level=level)
            ):
                put(name, values)
    variables: dict[str, Any] = {name: (("how", "part"), np.stack(values)) for name, values in found.items()}
    ends = (float(v[0]) for v in intact.level_of(level))
    variables |= dict(zip(("intact", "intact_low", "intact_high"), ends))
    coords: dict[str, Any] = {
        "how": hows,
        "part": np.array(parts.names[:count], dtype=str),
        "layer": ("part", np.array(parts.layers[:count], dtype=str)),
        "unit": ("part", np.asarray(parts.unit_of[:count], dtype=np.int64)),
    }
    if (
        count
        and intact.paired
        and intact.each is not None
        and labels is not None
        and labels.codes is not None
    ):
        assert labels.classes is not None
        if labels.classes.size <= _MOST_CLASSES:
            variables |= _by_class(intact, [singles[how] for how in hows], labels, level)
            coords["class"] = labels.classes
    return xr.Dataset(variables, coords=coords)


def _say_few(p: np.ndarray, n_perm: int) -> None:
    """Warns where parts lie beyond all flips, and more flips might tell them from chance."""
    known = p[np.isfinite(p)]
    beyond = beyond_draws(known, n_perm)
    if not beyond.any() or (fdr(known) <= ALPHA).any():
        return
    warn(
        "few-draws",
        f"With n_perm={n_perm} no q of {known.size} parts can reach {ALPHA:g}: {int(beyond.sum())} lie "
        "beyond all draws.",
        f"n_perm={draws_for_q(known.size, ALPHA)}, or fewer parts.",
    )


def _by_class(intact: Scores, singles: list[Scores], labels: Labels, level: float) -> dict[str, Any]:
    assert labels.codes is not None
    assert labels.classes is not None
    shape = (len(singles), singles[0].value.size, labels.classes.size)
    out = np.full((3, *shape), np.nan)
    for c in range(labels.classes.size):
        columns = np.flatnonzero(labels.codes == c)
        if columns.size:
            for h, one in enumerate(singles):
                out[:, h, :, c] = effects(intact, one, level, columns)
    dims = ("how", "part", "class")
    return {name: (dims, values) for name, values in zip(("class_impact", "class_low", "class_high"), out)}


def curve_table(
    curves: Mapping[str, Curves],
    steps: np.ndarray,
    orders: list[str],
    off: OffDistribution | None,
    rows: np.ndarray,
    *,
    n_parts: int,
    level: float,
) -> xr.Dataset:
    """Scores along each order, areas, and where they stand among random ones."""
    hows, t = list(curves), steps.size
    fraction = steps / n_parts
    shape = (len(hows), len(orders))
    out = {name: np.full((*shape, t), np.nan) for name in ("score", "ci_low", "ci_high", "off_distribution")}
    area = {
        name: np.full(shape, np.nan)
        for name in (
            *("area", "area_low", "area_high", "difference", "difference_low", "difference_high"),
            *("p", "placement"),
        )
    }
    draws = max((0 if c.random is None else c.random.value.size // t) for c in curves.values())
    band = np.full((2, len(hows), t), np.nan)
    random_area = np.full((len(hows), draws), np.nan)
    sequence = np.full((*shape, n_parts), -1, dtype=np.int64)
    for h, how in enumerate(hows):
        of = curves[how]
        spread = None
        if of.random is not None:
            spread = of.random.value.reshape(draws, t)
            band[:, h] = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2], axis=0)
            random_area[h] = area_under_curve(spread, fraction)
        per_random = None if of.random is None else _areas(of.random, fraction, draws)
        for o, name in enumerate(orders):
            if name == "random":
                assert spread is not None
                assert per_random is not None
                assert of.random is not None
                out["score"][h, o] = spread.mean(axis=0)
                each = None if of.random.each is None else of.random.each.reshape(draws, t, -1)
                ends = random_orders_interval(spread, each, level=level)
                out["ci_low"][h, o], out["ci_high"][h, o] = ends
                ends = random_orders_interval(per_random[0][:, None], _column(per_random[1]), level=level)
                area["area"][h, o] = per_random[0].mean()
                area["area_low"][h, o], area["area_high"][h, o] = (float(end[0]) for end in ends)
                distance = of.random.distance
                distance = None if distance is None else distance.reshape(draws, t, -1).mean(axis=0)
            else:
                one = of.ordered[name]
                sequence[h, o] = of.sequences[name]
                out["score"][h, o], out["ci_low"][h, o], out["ci_high"][h, o] = one.level_of(level)
                value, each = _areas(one, fraction, 1)
                area["area"][h, o] = value[0]
                if each is not None:
                    _, low, high = effect_around(value[0], each[0], level=level)
                    area["area_low"][h, o], area["area_high"][h, o] = low, high
                if per_random is not None:
                    ordered = value if each is None else each[0]
                    random = per_random[0][:, None] if per_random[1] is None else per_random[1]
                    against = order_against_random(ordered, random, level=level)
                    for field, name_of in (
                        ("difference", "difference"),
                        ("difference_low", "low"),
                        ("difference_high", "high"),
                        ("p", "p"),
                        ("placement", "placement"),
                    ):
                        area[field][h, o] = getattr(against, name_of)
                distance = one.distance
            if off is not None and distance is not None:
                out["off_distribution"][h, o] = off.ratio(distance, rows, level=level)[0]
    variables: dict[str, Any] = {name: (("how", "order", "step"), values) for name, values in out.items()}
    variables |= {name: (("how", "order"), values) for name, values in area.items()}
    variables |= {
        "random_low": (("how", "step"), band[0]),
        "random_high": (("how", "step"), band[1]),
        "random_area": (("how", "draw"), random_area),
        "sequence": (("how", "order", "place"), sequence),
    }
    coords = {
        "how": hows,
        "order": orders,
        "n_removed": ("step", steps.astype(np.int64)),
        "fraction": ("step", fraction),
    }
    return xr.Dataset(variables, coords=coords)


def _column(each: np.ndarray | None) -> np.ndarray | None:
    return None if each is None else each[:, None, :]


def _areas(one: Scores, fraction: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray | None]:
    """(count,) areas of curves, and (count, k) per stimulus."""
    value = area_under_curve(one.value.reshape(count, -1), fraction)
    if one.each is None:
        return value, None
    return value, area_under_curve(one.each.reshape(count, fraction.size, -1), fraction, axis=1)


def agreement_table(found: list[tuple[str, str, EffectAgreement]]) -> xr.Dataset | None:
    if not found:
        return None
    columns = {
        "a": [a for a, _, _ in found],
        "b": [b for _, b, _ in found],
        "correlation": [e.correlation for *_, e in found],
        "ci_low": [e.low for *_, e in found],
        "ci_high": [e.high for *_, e in found],
        "n_parts": [e.n_parts for *_, e in found],
        "n_apart": [e.n_apart for *_, e in found],
        "difference": [e.difference for *_, e in found],
        "difference_low": [e.difference_low for *_, e in found],
        "difference_high": [e.difference_high for *_, e in found],
    }
    return xr.Dataset({name: ("pair", np.array(values)) for name, values in columns.items()})
